//! The data that the workers of one Envoy share: a secret that is made once, the slots of `event_core::directory::slots` and the
//! places of `event_core::accepted`. It does not read what is in them.
//!
//! Envoy never deletes a key: there is one for the secret and one for each slot and place, and no other.

use crate::host;
use event_core::accepted::order::Latest;
use event_core::accepted::{Entry, Place, Places, Table};
use event_core::directory::slots::Slot;
use event_core::response::Sent;
use proxy_wasm::hostcalls;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Bytes in the longest key.
const KEY_BYTES: usize = 20;
/// The most digits in it.
const DIGITS: usize = 10;

const SECRET: &str = "bellhop.secret";

/// Bytes of the secret.
const SECRET_BYTES: usize = 16;

/// A number that no key has been written so often to reach: it stands for "only if there is none".
const ONLY_IF_MISSING: u32 = u32::MAX;

/// How often a newest timestamp is written that other workers are writing, too.
const TRIES: usize = 4;

/// The secret that all workers have. The first makes it. `None` if something else stands in its place.
pub(crate) fn secret() -> Option<Vec<u8>> {
    read_secret().or_else(|| {
        let _ = hostcalls::set_shared_data(SECRET, Some(&random()), Some(ONLY_IF_MISSING));
        // Another worker may have been faster.
        read_secret()
    })
}

fn read_secret() -> Option<Vec<u8>> {
    let (secret, _) = hostcalls::get_shared_data(SECRET).ok()?;
    secret.filter(|secret| secret.len() == SECRET_BYTES)
}

/// The keys of a hash map's hasher come from the host's `random_get`.
fn random() -> [u8; SECRET_BYTES] {
    let half = || u128::from(RandomState::new().build_hasher().finish());
    (half() << 64 | half()).to_le_bytes()
}

/// What stands in a slot.
pub(crate) fn read(slot: &Slot) -> Option<Vec<u8>> {
    hostcalls::get_shared_data(Key::new(b'a', slot.index).as_str()).ok()?.0
}

/// Writes a slot, whatever stands there: what two workers write at a time is equally true.
pub(crate) fn write(slot: &Slot, entry: &[u8]) {
    let _ = hostcalls::set_shared_data(Key::new(b'a', slot.index).as_str(), Some(entry), None);
}

/// The places of accepted events.
pub(crate) struct Accepted;

impl Places for Accepted {
    fn read(&self, place: Place) -> Option<Entry> {
        let (bytes, version) = hostcalls::get_shared_data(key_of(place).as_str()).ok()?;
        Some(Entry { bytes: bytes?, version: version? })
    }
}

/// Remembers an event that upstream has accepted.
pub(crate) fn remember(sent: Sent) {
    if let Some(fingerprint) = sent.fingerprint() {
        let entry = fingerprint.entry(host::now_s());
        let _ = hostcalls::set_shared_data(key_of(fingerprint.place()).as_str(), Some(&entry), None);
    }
    let mut latest = sent.into_latest();
    for _ in 0..TRIES {
        latest = latest.filter(|latest| !remember_latest(latest)).map(|latest| latest.look(&Accepted));
    }
}

/// False if another worker has written since the event was judged.
fn remember_latest(latest: &Latest) -> bool {
    let Some((entry, version)) = latest.entry() else { return true };
    let version = version.unwrap_or(ONLY_IF_MISSING);
    hostcalls::set_shared_data(key_of(latest.place()).as_str(), Some(&entry), Some(version)).is_ok()
}

fn key_of(place: Place) -> Key {
    let table = match place.table {
        Table::Duplicates => b'd',
        Table::Order => b'o',
    };
    Key::new(table, place.index)
}

/// The name of a place or slot. On the stack: this is made several times for every event.
struct Key {
    bytes: [u8; KEY_BYTES],
    length: usize,
}

impl Key {
    fn new(table: u8, mut index: u32) -> Self {
        let mut bytes = *b"bellhop._.0000000000";
        let (name, digits) = bytes.split_at_mut(KEY_BYTES - DIGITS);
        if let [.., place, _] = name {
            *place = table;
        }
        let mut n_digits = 0;
        // The last digit comes first: nobody reads them.
        for place in digits {
            *place = b'0' + u8::try_from(index % 10).unwrap_or_default();
            n_digits += 1;
            index /= 10;
            if index == 0 {
                break;
            }
        }
        Self { bytes, length: KEY_BYTES - DIGITS + n_digits }
    }

    fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.length).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}
