//! Which events were accepted lately. A copy has the same source, the same id and the same bytes: all three, so that an event is
//! never swallowed because its sender used an id twice.

use super::{Place, Places};

/// Bytes of the time in front of an entry.
const TIME_BYTES: usize = 8;

/// What tells one event from all others, and where it is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    place: Place,
    window_s: u32,
    /// All of an entry but the time in front.
    identity: Vec<u8>,
}

impl Fingerprint {
    /// The parts have a fixed length, but for the last.
    pub(super) fn new(place: Place, window_s: u32, parts: [&[u8]; 3]) -> Self {
        Self { place, window_s, identity: parts.concat() }
    }

    /// Whether the same event was accepted within the window. The clock can be set back: what was accepted in the future counts
    /// as accepted now.
    pub(crate) fn is_copy(&self, places: &dyn Places, now_s: u64) -> bool {
        let Some(entry) = places.read(self.place) else { return false };
        let Some((time, identity)) = entry.bytes.split_first_chunk::<TIME_BYTES>() else { return false };
        let age_s = now_s.saturating_sub(u64::from_le_bytes(*time));
        identity == self.identity && age_s < u64::from(self.window_s)
    }

    /// Where the event is remembered.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// What is written there once upstream has accepted it. `now_s` is in seconds since 1970.
    #[must_use]
    pub fn entry(&self, now_s: u64) -> Vec<u8> {
        [&now_s.to_le_bytes(), self.identity.as_slice()].concat()
    }
}
