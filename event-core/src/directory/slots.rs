//! The answers that all workers share: fixed slots, so that no number of ids makes them grow. Which slot a subject has, and the
//! bytes in it. It does not read or write them.
//!
//! The slot is chosen by a hash with a secret that is made once per process, so that nobody can aim at the slot of another's
//! device. Only assignments are shared: ids that nobody owns cannot touch a slot.

use super::Owners;
use super::cache::{Found, age_ms};
use super::question::Subject;
use crate::accounts::Account;
use crate::config::Config;
use crate::subject::IdKind;
use sha2::{Digest, Sha256};
use std::rc::Rc;

/// The largest entry, in bytes. What is larger is not shared.
pub const SLOT_BYTES: usize = 2048;

/// What stands first in every entry. Another version's entries are nobody's.
const VERSION: u8 = 1;

/// Bytes of a digest.
const DIGEST_BYTES: usize = 32;

/// The length that stands for "no customer key".
const NO_KEY: u16 = u16::MAX;

/// What keeps slots apart: the process' secret, and whom this configuration asks.
#[derive(Debug)]
pub struct Slots {
    seed: Sha256,
    n_slots: u32,
}

/// Where the answer about one subject is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Which slot.
    pub index: u32,
    digest: [u8; DIGEST_BYTES],
}

impl Slots {
    /// The slots of this configuration; `None` if it has none.
    #[must_use]
    pub fn new(config: &Config, secret: &[u8]) -> Option<Self> {
        let directory = config.directory()?;
        let n_slots = directory.cache.shared_slots;
        let mut seed = Sha256::new();
        for part in [
            secret,
            config.environment.as_bytes(),
            directory.cluster.as_bytes(),
            directory.authority.as_bytes(),
        ] {
            update(&mut seed, part);
        }
        (n_slots > 0).then_some(Self { seed, n_slots })
    }

    /// The slot of a subject. Configurations may number their sources differently, so their names are hashed.
    #[must_use]
    pub fn slot(&self, config: &Config, subject: &Subject) -> Slot {
        let source = config.sources.get(subject.source().0).map_or("", |source| &source.name);
        let mut hash = self.seed.clone();
        update(&mut hash, source.as_bytes());
        update(&mut hash, subject.id_bytes());
        let digest: [u8; DIGEST_BYTES] = hash.finalize().into();
        let number = digest.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
        let index = u32::try_from(number % u64::from(self.n_slots)).unwrap_or_default();
        Slot { index, digest }
    }
}

fn update(hash: &mut Sha256, part: &[u8]) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}

impl Slot {
    /// The bytes of an entry; `None` if it is too large to be shared.
    #[must_use]
    pub fn write(&self, owners: &Owners, said_ms: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![VERSION];
        bytes.extend(self.digest);
        bytes.extend(said_ms.to_le_bytes());
        bytes.push(owners.assigned_by() as u8);
        bytes.push(u8::try_from(owners.accounts().len()).ok()?);
        for account in owners.accounts() {
            write_text(&mut bytes, &account.connected_account_id)?;
            match &account.customer_key {
                Some(key) => write_text(&mut bytes, key)?,
                None => bytes.extend(NO_KEY.to_le_bytes()),
            }
        }
        (bytes.len() <= SLOT_BYTES).then_some(bytes)
    }

    /// Reads an entry; `None` unless it is whole, of this version, and about this subject.
    #[must_use]
    pub fn read(&self, bytes: &[u8]) -> Option<Shared> {
        let mut rest = bytes;
        let [version] = take(&mut rest)?;
        let digest: [u8; DIGEST_BYTES] = take(&mut rest)?;
        if version != VERSION || digest != self.digest {
            return None;
        }
        let said_ms = u64::from_le_bytes(take(&mut rest)?);
        let [kind, n_accounts] = take(&mut rest)?;
        let assigned_by = *IdKind::ALL.get(usize::from(kind))?;
        let mut accounts = Vec::new();
        for _ in 0..n_accounts {
            let connected_account_id = read_text(&mut rest)??.into();
            accounts.push(Rc::new(Account {
                connected_account_id,
                customer_key: read_text(&mut rest)?.map(Into::into),
            }));
        }
        let in_order = accounts.iter().zip(accounts.iter().skip(1)).all(|(one, next)| one < next);
        let owners = Owners::new(accounts, assigned_by)?;
        (rest.is_empty() && in_order).then_some(Shared { owners, said_ms })
    }
}

/// An entry that another worker may have written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shared {
    /// Whose the subject is.
    pub owners: Owners,
    /// When the directory said so, in milliseconds since 1970.
    pub said_ms: u64,
}

impl Shared {
    /// Whether it is newer than what this worker has.
    #[must_use]
    pub fn is_newer_than(&self, found: &Found, now_ms: u64) -> bool {
        match found {
            Found::Fresh(_) => false,
            Found::Stale(_, age_s) => age_ms(now_ms, self.said_ms) / 1_000 < *age_s,
            Found::Nothing => true,
        }
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) -> Option<()> {
    let length = u16::try_from(text.len()).ok().filter(|length| *length != NO_KEY)?;
    bytes.extend(length.to_le_bytes());
    bytes.extend(text.as_bytes());
    Some(())
}

/// `Some(None)` where "no customer key" stands.
fn read_text<'b>(rest: &mut &'b [u8]) -> Option<Option<&'b str>> {
    let length = u16::from_le_bytes(take(rest)?);
    if length == NO_KEY {
        return Some(None);
    }
    let (text, after) = rest.split_at_checked(usize::from(length))?;
    *rest = after;
    let text = std::str::from_utf8(text).ok()?;
    (!text.is_empty()).then_some(Some(text))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;
    use crate::edge::SourceIndex;
    use crate::subject::Ids;
    use proptest::prelude::*;

    fn edge(changes: &str) -> Edge {
        let text = format!(
            r#"{{"environment": "test", "directory": {{"cluster": "d", "cache": {{"shared_slots": 1000}}}}, "sources": [{{"name": "acme", "path": "/a", "verify": "none"}}, {{"name": "other", "path": "/b", "verify": "none"}}]{changes}}}"#
        );
        Edge::from_json(text.as_bytes()).unwrap()
    }

    fn subject(source: usize, device: &str) -> Subject {
        Subject::new(SourceIndex(source), &Ids { device: Some(device), ..Ids::default() })
    }

    fn slot(secret: &[u8], source: usize, device: &str) -> Slot {
        let edge = edge("");
        Slots::new(edge.config(), secret).unwrap().slot(edge.config(), &subject(source, device))
    }

    fn owners(accounts: &[(&str, Option<&str>)]) -> Owners {
        let account = |(id, key): &(&str, Option<&str>)| {
            Rc::new(Account { connected_account_id: (*id).into(), customer_key: key.map(Into::into) })
        };
        Owners::new(accounts.iter().map(account).collect(), IdKind::Bridge).unwrap()
    }

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let slot = slot(b"secret", 0, "d");
        let owners = owners(&[("ca_1", Some("property-456")), ("ca_2", None)]);
        let bytes = slot.write(&owners, 1_234).unwrap();
        assert_eq!(slot.read(&bytes), Some(Shared { owners, said_ms: 1_234 }));
    }

    #[test]
    fn another_subject_source_or_secret_reads_nothing() {
        let written = slot(b"secret", 0, "d");
        let bytes = written.write(&owners(&[("ca_1", None)]), 0).unwrap();
        for other in [slot(b"secret", 0, "e"), slot(b"secret", 1, "d"), slot(b"other", 0, "d")] {
            assert_eq!(other.read(&bytes), None);
        }
    }

    #[test]
    fn where_a_subject_goes_depends_on_the_secret() {
        let place = |secret: &[u8]| (0..8).map(|n| slot(secret, 0, &n.to_string()).index).collect::<Vec<_>>();
        assert_eq!(place(b"one"), place(b"one"));
        assert_ne!(place(b"one"), place(b"two"));
        assert!(place(b"one").iter().all(|index| *index < 1_000));
    }

    #[test]
    fn nothing_but_a_whole_entry_is_read() {
        let slot = slot(b"secret", 0, "d");
        let bytes = slot.write(&owners(&[("ca_1", Some("k")), ("ca_2", None)]), 9).unwrap();
        for end in 0..bytes.len() {
            assert_eq!(slot.read(&bytes[..end]), None, "cut at {end}");
        }
        let changed = |at: usize, to: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = to;
            slot.read(&bytes)
        };
        assert_eq!(slot.read(&[bytes.as_slice(), &[0]].concat()), None, "longer");
        assert_eq!(changed(0, 2), None, "another version");
        assert_eq!(changed(41, 3), None, "another kind");
        for count in [0, 1, 3, 17, 255] {
            assert_eq!(changed(42, count), None, "{count} accounts");
        }
        assert_eq!(changed(48, b'9'), None, "not sorted");
        assert_eq!(changed(45, 0xff), None, "not UTF-8");
    }

    #[test]
    fn what_is_too_large_is_not_shared() {
        let long = "k".repeat(1024);
        let slot = slot(b"secret", 0, "d");
        assert!(slot.write(&owners(&[("ca_1", Some(&long))]), 0).is_some());
        assert!(slot.write(&owners(&[("ca_1", Some(&long)), ("ca_2", Some(&long))]), 0).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>, from in 0..80_usize) {
            let slot = slot(b"secret", 0, "d");
            let mut entry = slot.write(&owners(&[("ca_1", Some("k"))]), 9).unwrap();
            entry.truncate(from);
            entry.extend(bytes);
            if let Some(shared) = slot.read(&entry) {
                prop_assert_eq!(slot.write(&shared.owners, shared.said_ms), Some(entry));
            }
        }
    }
}
