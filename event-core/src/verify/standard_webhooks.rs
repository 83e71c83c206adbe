//! Standard Webhooks 1.0: id, timestamp and signatures in three headers, HMAC-SHA-256 over `id.timestamp.body`. Asymmetric
//! signatures (`v1a`) are passed over.

use super::encoding::Encoding;
use super::keys::Keys;
use super::presented::{Part, Presented, Set};
use super::{Proved, SIGNATURES, SignatureFault, timestamp};
use crate::headers::same_name;

/// The most bytes in the id of a message.
pub(crate) const ID_BYTES: usize = 256;

/// The names of the specification, and those of Svix, which it grew from.
const NAMES: [(&[u8], Part, Set); 6] = [
    (b"webhook-id", Part::Id, Set::First),
    (b"webhook-timestamp", Part::Timestamp, Set::First),
    (b"webhook-signature", Part::Signature, Set::First),
    (b"svix-id", Part::Id, Set::Second),
    (b"svix-timestamp", Part::Timestamp, Set::Second),
    (b"svix-signature", Part::Signature, Set::Second),
];

/// Secrets and tolerance of one source.
#[derive(Debug)]
pub(crate) struct StandardWebhooks {
    pub(crate) keys: Keys,
    pub(crate) tolerance_s: u64,
}

impl StandardWebhooks {
    pub(super) fn part(name: &[u8]) -> Option<(Part, Set)> {
        NAMES.iter().find(|(known, _, _)| same_name(known, name)).map(|(_, part, set)| (*part, *set))
    }

    pub(super) fn check<'p>(
        &self,
        presented: &'p Presented,
        body: &[u8],
        now_s: u64,
    ) -> Result<Proved<'p>, SignatureFault> {
        let id = presented.id()?;
        let signed_at = presented.timestamp()?;
        let signatures = signatures(presented.signature()?, &self.keys)?;
        let event_id = as_id(id, ID_BYTES).ok_or(SignatureFault::IdInvalid)?;
        timestamp::check(signed_at, now_s, self.tolerance_s)?;
        if self.keys.any_signed(&[id, b".", signed_at, b".", body], &signatures) {
            Ok(Proved { event_id: Some(event_id) })
        } else {
            Err(SignatureFault::Mismatch)
        }
    }
}

/// The well-formed ones of a list that is separated by spaces, end to end.
fn signatures(list: &[u8], keys: &Keys) -> Result<Vec<u8>, SignatureFault> {
    let n_bytes = keys.algorithm().mac_bytes();
    let mut signatures = Vec::with_capacity(n_bytes);
    for item in list.split(|byte| *byte == b' ') {
        if let Some(text) = item.strip_prefix(b"v1,") {
            Encoding::Base64.push_signature(text, n_bytes, &mut signatures);
        }
        if signatures.len() >= n_bytes * SIGNATURES {
            break;
        }
    }
    if signatures.is_empty() { Err(SignatureFault::Malformed) } else { Ok(signatures) }
}

/// Visible ASCII without a dot, since a dot ends the id in what is signed.
pub(crate) fn as_id(id: &[u8], most_bytes: usize) -> Option<&str> {
    let plain = id.iter().all(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'.');
    if plain && (1..=most_bytes).contains(&id.len()) { std::str::from_utf8(id).ok() } else { None }
}
