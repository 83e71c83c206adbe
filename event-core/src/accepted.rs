//! What the workers remember of events that upstream has accepted, so that a copy is answered and a late one flagged. It reads and
//! writes nothing itself: the places are fixed, and the caller has them.
//!
//! | module | owns |
//! |---|---|
//! | [`duplicates`] | which events were accepted lately |
//! | [`order`] | the newest accepted timestamp of each device |
//!
//! Envoy's shared data never forgets a key, so nothing a sender chooses may become one. There is a fixed number of places, and an
//! event's place is chosen by a hash with a secret that is made once per process: nobody can aim at the place of another's
//! event. Whoever comes later takes the place over. What is forgotten that way costs a second delivery or a missing flag, never
//! an event.

pub mod duplicates;
pub mod order;

use crate::config::{Config, MemorySettings};
use crate::timestamp::Timestamp;
use duplicates::Fingerprint;
use order::Latest;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// Which of the fixed places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// What it is for.
    pub table: Table,
    /// Its number, below the number of places of its table.
    pub index: u32,
}

/// What places are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// [`duplicates`].
    Duplicates,
    /// [`order`].
    Order,
}

/// What stands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Whatever a worker wrote, of this version of the filter or another.
    pub bytes: Vec<u8>,
    /// Changes with every write.
    pub version: u32,
}

/// The places, as they are at this moment.
pub trait Places {
    /// What stands in a place, if anything does.
    fn read(&self, place: Place) -> Option<Entry>;
}

/// Nothing is remembered.
impl Places for () {
    fn read(&self, _place: Place) -> Option<Entry> {
        None
    }
}

/// Finds the places of events.
#[derive(Clone, Debug)]
pub(crate) struct Memory {
    /// Has taken in the secret and the environment: environments that share an Envoy do not share events.
    seed: DefaultHasher,
    settings: MemorySettings,
}

impl Memory {
    pub(crate) fn new(config: &Config, secret: &[u8]) -> Self {
        let mut seed = DefaultHasher::new();
        seed.write(secret);
        seed.write(config.environment.as_bytes());
        seed.write_u8(0xff);
        Self { seed, settings: config.memory }
    }

    /// What tells an event from others, if copies are looked for. `content_id` is that of [`crate::event_id::content_id`], which
    /// stands for source and body.
    pub(crate) fn fingerprint(&self, id: &str, content_id: &str) -> Option<Fingerprint> {
        let window = self.settings.duplicates?;
        let sum = self.sum(id, content_id);
        let place = Place { table: Table::Duplicates, index: index(sum, window.slots) };
        Some(Fingerprint::new(
            place,
            window.window_s,
            [&sum.to_le_bytes(), content_id.as_bytes(), id.as_bytes()],
        ))
    }

    /// The place of a device's newest timestamp, if it is remembered. `device` is whatever its events have in common.
    pub(crate) fn latest(&self, source: &str, device: &str, timestamp: Timestamp) -> Option<Latest> {
        let slots = self.settings.order_slots;
        if slots == 0 {
            return None;
        }
        let sum = self.sum(source, device);
        Some(Latest::new(Place { table: Table::Order, index: index(sum, slots) }, sum, timestamp))
    }

    fn sum(&self, one: &str, other: &str) -> u64 {
        let mut hash = self.seed.clone();
        hash.write(one.as_bytes());
        // No UTF-8 has this byte: it keeps the two apart.
        hash.write_u8(0xff);
        hash.write(other.as_bytes());
        hash.finish()
    }
}

fn index(sum: u64, slots: u32) -> u32 {
    u32::try_from(sum % u64::from(slots.max(1))).unwrap_or_default()
}

#[cfg(test)]
mod tests;
