//! The newest accepted timestamp of each device: an event that is older is late. It holds nothing back and puts nothing in order.

use super::{Entry, Place, Places};
use crate::timestamp::Timestamp;

/// Bytes in front of the timestamp, which tell devices that share a place apart.
const SUM_BYTES: usize = 8;
/// Bytes in an entry.
const ENTRY_BYTES: usize = SUM_BYTES + Timestamp::BYTES;

/// The timestamp of one event beside the newest one of its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latest {
    place: Place,
    sum: u64,
    timestamp: Timestamp,
    /// Of what stood in the place when the event was judged.
    version: Option<u32>,
    late: bool,
}

impl Latest {
    pub(super) const fn new(place: Place, sum: u64, timestamp: Timestamp) -> Self {
        Self { place, sum, timestamp, version: None, late: false }
    }

    /// Compares it with what stands in its place.
    #[must_use]
    pub fn look(self, places: &dyn Places) -> Self {
        let entry = places.read(self.place);
        let newest = entry.as_ref().and_then(|entry| self.read(entry));
        let late = newest.is_some_and(|newest| self.timestamp < newest);
        Self { version: entry.map(|entry| entry.version), late, ..self }
    }

    /// Whether a newer event of the device was accepted before.
    pub(crate) const fn is_late(&self) -> bool {
        self.late
    }

    /// Where the newest timestamp of the device is remembered.
    #[must_use]
    pub const fn place(&self) -> Place {
        self.place
    }

    /// What to write there once upstream has accepted the event, and which version it may replace: `None` is "there was nothing".
    /// Nothing is written for a late event. If the version has changed by then, one has to [`look`](Latest::look) again.
    #[must_use]
    pub fn entry(&self) -> Option<([u8; ENTRY_BYTES], Option<u32>)> {
        let mut entry = [0; ENTRY_BYTES];
        let parts = self.sum.to_le_bytes().into_iter().chain(self.timestamp.to_bytes());
        entry.iter_mut().zip(parts).for_each(|(place, byte)| *place = byte);
        (!self.late).then_some((entry, self.version))
    }

    fn read(&self, entry: &Entry) -> Option<Timestamp> {
        let (sum, timestamp) = entry.bytes.split_first_chunk::<SUM_BYTES>()?;
        if u64::from_le_bytes(*sum) != self.sum {
            return None;
        }
        Timestamp::from_bytes(timestamp.try_into().ok()?)
    }
}
