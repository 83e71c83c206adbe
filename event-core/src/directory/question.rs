//! An event that waits to know whose it is: all of it that is still needed, owned, since the body is not kept. It asks nobody.

use crate::edge::SourceIndex;
use crate::forward::EventHeaders;
use crate::response::Sent;
use crate::subject::{IdKind, Ids};
use crate::tally::Label;
use std::rc::Rc;

/// The source and all ids that were taken from an event: the same for events that have the same answer.
///
/// Its order is by `sum` first, so that a look-up compares numbers and hardly ever ids. Who makes equal sums makes it compare
/// ids, and no more than that: the maps are ordered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    sum: u64,
    /// One byte of source, then for each id its kind, its length in bytes (16-bit little-endian) and its text.
    bytes: Rc<[u8]>,
}

/// Bytes in front of each id.
const ID_PREFIX: usize = 3;

impl Subject {
    /// The ids that an event was asked for.
    #[must_use]
    pub(crate) fn new(source: SourceIndex, ids: &Ids<'_>) -> Self {
        let SourceIndex(source) = source;
        let size = ids.present().map(|(_, id)| ID_PREFIX + id.len()).sum::<usize>() + 1;
        let mut bytes = Vec::with_capacity(size);
        // A configuration has at most 64 sources and ids of at most 1024 bytes.
        bytes.push(u8::try_from(source).unwrap_or(u8::MAX));
        for (kind, id) in ids.present() {
            bytes.push(kind as u8);
            bytes.extend(u16::try_from(id.len()).unwrap_or(u16::MAX).to_le_bytes());
            bytes.extend(id.as_bytes());
        }
        Self { sum: sum(&bytes), bytes: bytes.into() }
    }

    /// Whose events have these ids.
    #[must_use]
    pub fn source(&self) -> SourceIndex {
        SourceIndex(self.bytes.first().map_or(usize::MAX, |source| usize::from(*source)))
    }

    /// The ids.
    #[must_use]
    pub fn ids(&self) -> Ids<'_> {
        let mut ids = Ids::default();
        let mut rest = self.id_bytes();
        while let [kind, low, high, after @ ..] = rest {
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let Some((id, next)) = after.split_at_checked(length) else { break };
            let place = match kind {
                0 => &mut ids.device,
                1 => &mut ids.bridge,
                _ => &mut ids.access_code,
            };
            *place = std::str::from_utf8(id).ok();
            rest = next;
        }
        ids
    }

    /// The same source with one id alone.
    pub(super) fn alone(&self, kind: IdKind, id: &str) -> Self {
        let ids = match kind {
            IdKind::Device => Ids { device: Some(id), ..Ids::default() },
            IdKind::Bridge => Ids { bridge: Some(id), ..Ids::default() },
            IdKind::AccessCode => Ids { access_code: Some(id), ..Ids::default() },
        };
        Self::new(self.source(), &ids)
    }

    /// All but the source.
    pub(super) fn id_bytes(&self) -> &[u8] {
        self.bytes.get(1..).unwrap_or_default()
    }

    /// How much memory it takes.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// An event that no embedded account owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    pub(crate) subject: Subject,
    pub(crate) headers: EventHeaders,
    pub(crate) sent: Box<Sent>,
    /// It comes from the quarantine and does not go back there.
    pub(crate) replayed: bool,
}

impl Question {
    /// What is asked.
    #[must_use]
    pub const fn subject(&self) -> &Subject {
        &self.subject
    }

    /// What the event is counted under.
    #[must_use]
    pub fn label(&self) -> Label {
        self.sent.label()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_gives_back_what_it_was_made_of() {
        let (device, bridge, access_code) = (Some("d"), Some("мост"), Some("a"));
        for ids in [
            Ids { device, bridge, access_code },
            Ids { device, bridge: None, access_code },
            Ids { device: None, bridge, access_code: None },
            Ids { device: None, bridge: None, access_code },
        ] {
            let subject = Subject::new(SourceIndex(63), &ids);
            assert_eq!((subject.source(), subject.ids()), (SourceIndex(63), ids));
        }
    }

    #[test]
    fn other_sources_kinds_and_cuts_are_other_subjects() {
        let ids = |device, bridge| Ids { device, bridge, access_code: None };
        let subjects = [
            Subject::new(SourceIndex(0), &ids(Some("ab"), None)),
            Subject::new(SourceIndex(1), &ids(Some("ab"), None)),
            Subject::new(SourceIndex(0), &ids(None, Some("ab"))),
            Subject::new(SourceIndex(0), &ids(Some("a"), Some("b"))),
            Subject::new(SourceIndex(0), &ids(Some("ab\u{1}\u{1}\0b"), None)),
        ];
        let distinct: std::collections::BTreeSet<_> = subjects.iter().collect();
        assert_eq!(distinct.len(), subjects.len());
    }
}
