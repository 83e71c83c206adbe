//! A bounded map that forgets what was used longest ago: bounded in entries and in bytes. It has no clock and no notion of
//! what it holds.
//!
//! The keys are ordered, so that no choice of keys makes a look-up slow.

use std::collections::BTreeMap;

/// About what a slot and its place in the map take beside key and value, in bytes.
const OVERHEAD: usize = 128;

/// No slot.
const NONE: usize = usize::MAX;

/// A map with a bound.
#[derive(Debug)]
pub struct Lru<K, V> {
    places: BTreeMap<K, usize>,
    slots: Vec<Slot<K, V>>,
    /// Slots whose entries have gone.
    free: Vec<usize>,
    newest: usize,
    oldest: usize,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Slot<K, V> {
    /// `None` in a free slot.
    entry: Option<(K, V)>,
    bytes: usize,
    newer: usize,
    older: usize,
}

impl<K: Ord + Clone, V> Lru<K, V> {
    /// An empty map.
    #[must_use]
    pub const fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self {
            places: BTreeMap::new(),
            slots: Vec::new(),
            free: Vec::new(),
            newest: NONE,
            oldest: NONE,
            bytes: 0,
            max_entries,
            max_bytes,
        }
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The bytes of all entries, as counted when they were put in.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The value of a key, which counts as used.
    pub fn get(&mut self, key: &K) -> Option<&V> {
        let place = *self.places.get(key)?;
        if place != self.newest {
            self.unlink(place);
            self.link(place);
        }
        self.slots.get(place)?.entry.as_ref().map(|(_, value)| value)
    }

    /// Puts a value in whose key and value take so many bytes, and forgets what there is no more room for: the value itself,
    /// if it is larger than the map.
    pub fn put(&mut self, key: K, value: V, bytes: usize) {
        self.remove(&key);
        let bytes = bytes.saturating_add(OVERHEAD);
        if bytes > self.max_bytes || self.max_entries == 0 {
            return;
        }
        while self.places.len() >= self.max_entries || self.bytes + bytes > self.max_bytes {
            let Some(oldest) = self.slots.get(self.oldest).and_then(|slot| slot.entry.as_ref()) else {
                break;
            };
            let key = oldest.0.clone();
            self.remove(&key);
        }
        let slot = Slot { entry: Some((key.clone(), value)), bytes, newer: NONE, older: NONE };
        let place = match self.free.pop() {
            Some(place) => {
                if let Some(freed) = self.slots.get_mut(place) {
                    *freed = slot;
                }
                place
            }
            None => {
                self.slots.push(slot);
                self.slots.len() - 1
            }
        };
        self.places.insert(key, place);
        self.bytes += bytes;
        self.link(place);
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let place = self.places.remove(key)?;
        self.unlink(place);
        self.free.push(place);
        let slot = self.slots.get_mut(place)?;
        self.bytes -= slot.bytes;
        slot.entry.take().map(|(_, value)| value)
    }

    /// Makes a slot that is not in the chain the newest.
    fn link(&mut self, place: usize) {
        let before = std::mem::replace(&mut self.newest, place);
        if let Some(slot) = self.slots.get_mut(place) {
            slot.newer = NONE;
            slot.older = before;
        }
        match self.slots.get_mut(before) {
            Some(slot) => slot.newer = place,
            None => self.oldest = place,
        }
    }

    fn unlink(&mut self, place: usize) {
        let Some((newer, older)) = self.slots.get(place).map(|slot| (slot.newer, slot.older)) else { return };
        match self.slots.get_mut(newer) {
            Some(slot) => slot.older = older,
            None => self.newest = older,
        }
        match self.slots.get_mut(older) {
            Some(slot) => slot.newer = newer,
            None => self.oldest = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_one_used_longest_ago_goes_first() {
        let mut lru = Lru::new(2, usize::MAX);
        lru.put(1, "one", 0);
        lru.put(2, "two", 0);
        assert_eq!(lru.get(&1), Some(&"one"));
        lru.put(3, "three", 0);
        assert_eq!([1, 2, 3].map(|key| lru.get(&key).is_some()), [true, false, true]);
    }

    #[test]
    fn bytes_are_bounded_too_and_what_is_too_large_is_not_kept() {
        let mut lru = Lru::new(100, 3 * (OVERHEAD + 10));
        for key in 0..10 {
            lru.put(key, (), 10);
        }
        assert_eq!(lru.len(), 3);
        lru.put(7, (), 4 * (OVERHEAD + 10));
        assert!(lru.get(&7).is_none(), "the old value of the key must not stay");
        assert_eq!(lru.len(), 2);
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_list(steps in proptest::collection::vec((0..3_u8, 0..12_u8, 0..40_usize), 0..200)) {
            const MAX_ENTRIES: usize = 5;
            const MAX_BYTES: usize = 5 * OVERHEAD + 60;
            let mut lru = Lru::new(MAX_ENTRIES, MAX_BYTES);
            let mut list: Vec<(u8, usize)> = Vec::new();
            for (step, key, bytes) in steps {
                let at = list.iter().position(|(other, _)| *other == key);
                match step {
                    0 => {
                        let used = at.map(|at| list.remove(at));
                        list.extend(used);
                        prop_assert_eq!(lru.get(&key).copied(), used.map(|(_, bytes)| bytes));
                    }
                    1 => prop_assert_eq!(lru.remove(&key), at.map(|at| list.remove(at).1)),
                    _ => {
                        lru.put(key, bytes, bytes);
                        list.retain(|(other, _)| *other != key);
                        list.push((key, bytes));
                        let size = |list: &[(u8, usize)]| list.iter().map(|(_, bytes)| bytes + OVERHEAD).sum::<usize>();
                        while list.len() > MAX_ENTRIES || size(&list) > MAX_BYTES {
                            list.remove(0);
                        }
                        prop_assert_eq!(lru.bytes(), size(&list));
                    }
                }
                prop_assert_eq!(lru.len(), list.len());
                prop_assert!(lru.slots.len() <= MAX_ENTRIES);
            }
        }
    }
}
