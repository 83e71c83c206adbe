//! Header maps as Envoy keeps them: byte strings, several values a name, lower-case names. It knows no phase.

use std::collections::BTreeSet;
use std::fmt;

/// An ordered multi-map of byte strings. Names are lower-case.
///
/// A name that Envoy keeps in a fixed slot ([`EnvoyProfile::joined_request_headers`](crate::EnvoyProfile::joined_request_headers)) holds one entry: a
/// repeated value is joined to it with a comma. Every other name may stand several times.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct HeaderMap {
    entries: Vec<(Vec<u8>, Vec<u8>)>,
}

/// As text: what is not visible ASCII is escaped.
impl fmt::Debug for HeaderMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines =
            self.iter().map(|(name, value)| format!("{}: {}", name.escape_ascii(), value.escape_ascii()));
        f.debug_list().entries(lines).finish()
    }
}

impl HeaderMap {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The first value of `name`, in any case, as the ABI's getter answers.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.values(name).next()
    }

    /// The first value of `name` as text, or `None` if it is absent or not UTF-8.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Every value of `name`, in order.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &[u8]> {
        let name = name.to_ascii_lowercase().into_bytes();
        self.entries.iter().filter(move |(key, _)| *key == name).map(|(_, value)| value.as_slice())
    }

    /// Every entry, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.entries.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The bytes of all names and values.
    #[must_use]
    pub fn byte_size(&self) -> usize {
        self.entries.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Adds an entry without any of Envoy's joining, as a test writes a map down.
    pub fn push(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.entries.push((name.as_ref().to_ascii_lowercase(), value.as_ref().to_vec()));
    }

    /// Adds an entry as Envoy does: pseudo-headers stand first, slots join.
    pub(crate) fn add(&mut self, joined: &BTreeSet<Vec<u8>>, name: &[u8], value: &[u8]) {
        let name = name.to_ascii_lowercase();
        if joined.contains(&name)
            && let Some((_, old)) = self.entries.iter_mut().find(|(key, _)| *key == name)
        {
            if !old.is_empty() && !value.is_empty() {
                old.push(b',');
            }
            old.extend_from_slice(value);
            return;
        }
        let at = if name.starts_with(b":") {
            self.entries.iter().take_while(|(key, _)| key.starts_with(b":")).count()
        } else {
            self.entries.len()
        };
        self.entries.insert(at, (name, value.to_vec()));
    }

    /// Removes every value of `name` and adds one: a replaced header moves to the end.
    pub(crate) fn replace(&mut self, joined: &BTreeSet<Vec<u8>>, name: &[u8], value: &[u8]) {
        self.remove(name);
        self.add(joined, name, value);
    }

    /// Removes every value of `name`.
    pub(crate) fn remove(&mut self, name: &[u8]) {
        let name = name.to_ascii_lowercase();
        self.entries.retain(|(key, _)| *key != name);
    }

    /// A copy in which Envoy's joining has been done, as the codec builds it.
    pub(crate) fn as_received(&self, joined: &BTreeSet<Vec<u8>>) -> Self {
        let mut map = Self::new();
        for (name, value) in &self.entries {
            map.add(joined, name, value);
        }
        map
    }

    /// The ABI's form: count, then the sizes, then the strings, each ended by a zero byte.
    pub(crate) fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4 + self.entries.len() * 10 + self.byte_size());
        push_u32(&mut out, self.entries.len());
        for (name, value) in &self.entries {
            push_u32(&mut out, name.len());
            push_u32(&mut out, value.len());
        }
        for (name, value) in &self.entries {
            out.extend_from_slice(name);
            out.push(0);
            out.extend_from_slice(value);
            out.push(0);
        }
        out
    }
}

impl<N: AsRef<[u8]>, V: AsRef<[u8]>> FromIterator<(N, V)> for HeaderMap {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut map = Self::new();
        for (name, value) in pairs {
            map.push(name, value);
        }
        map
    }
}

fn push_u32(out: &mut Vec<u8>, number: usize) {
    out.extend_from_slice(&u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes());
}

/// Reads the ABI's form of pairs. What is cut short reads as no pairs, as in the real host.
pub(crate) fn unmarshal(bytes: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    fn number(bytes: &[u8], at: usize) -> Option<usize> {
        let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(word)).ok()
    }
    fn read(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let count = number(bytes, 0)?;
        let mut at = count.checked_mul(8)?.checked_add(4)?;
        bytes.get(..at)?;
        let mut pairs = Vec::with_capacity(count);
        for index in 0..count {
            let name_len = number(bytes, 4 + index * 8)?;
            let value_len = number(bytes, 8 + index * 8)?;
            let name = bytes.get(at..at.checked_add(name_len)?)?.to_vec();
            at += name_len + 1;
            let value = bytes.get(at..at.checked_add(value_len)?)?.to_vec();
            at += value_len + 1;
            pairs.push((name, value));
        }
        Some(pairs)
    }
    read(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_the_abi_form() {
        let map: HeaderMap = [("a", "1"), ("b", ""), ("a", "\u{0}x")].into_iter().collect();
        let back: HeaderMap = unmarshal(&map.marshal()).into_iter().collect();
        assert_eq!(back, map);
    }

    #[test]
    fn pairs_cut_short_read_as_none() {
        let bytes = [("name", "value")].into_iter().collect::<HeaderMap>().marshal();
        for end in 0..bytes.len() - 1 {
            assert_eq!(unmarshal(&bytes[..end]), vec![], "cut at {end}");
        }
    }

    #[test]
    fn replacing_removes_every_value_and_moves_the_header_to_the_end() {
        let mut map: HeaderMap = [("x", "1"), ("x", "2"), ("y", "3")].into_iter().collect();
        map.replace(&BTreeSet::new(), b"X", b"4");
        assert_eq!(map, [("y", "3"), ("x", "4")].into_iter().collect());
    }
}
