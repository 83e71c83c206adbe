//! The data that the workers of one Envoy share: a secret that is made once, and the slots of `event_core::directory::slots`.
//! It does not read what is in a slot.
//!
//! Envoy never deletes a key: there is one for the secret and one for each slot, and no other.

use event_core::directory::slots::Slot;
use proxy_wasm::hostcalls;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

const SECRET: &str = "bellhop.secret";

/// Bytes of the secret.
const SECRET_BYTES: usize = 16;

/// A number that no key has been written so often to reach: it stands for "only if there is none".
const ONLY_IF_MISSING: u32 = u32::MAX;

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
    hostcalls::get_shared_data(&key(slot)).ok()?.0
}

/// Writes a slot, whatever stands there: what two workers write at a time is equally true.
pub(crate) fn write(slot: &Slot, entry: &[u8]) {
    let _ = hostcalls::set_shared_data(&key(slot), Some(entry), None);
}

fn key(slot: &Slot) -> String {
    format!("bellhop.a.{}", slot.index)
}
