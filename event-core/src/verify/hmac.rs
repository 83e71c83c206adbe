//! An HMAC of the body in a header of the sender's choice, alone or in a list, with or without a signed timestamp. It knows
//! no sender by name: the tests say how known ones are written.

use super::encoding::Encoding;
use super::keys::Keys;
use super::presented::{Part, Presented, Set};
use super::{SIGNATURES, SignatureFault, timestamp};
use crate::headers::same_name;

/// How one source signs.
#[derive(Debug)]
pub(crate) struct Hmac {
    /// The header with the signature.
    pub(crate) header: Box<str>,
    /// The name of the signature in a header of `name=value` items; without one the header is the signature.
    pub(crate) item: Option<Box<str>>,
    /// What stands before the signature.
    pub(crate) prefix: Box<str>,
    pub(crate) encoding: Encoding,
    pub(crate) keys: Keys,
    /// What is signed.
    pub(crate) message: Vec<Message>,
    pub(crate) timestamp: Option<Stamp>,
}

/// A piece of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// As it stands.
    Text(Box<str>),
    /// The timestamp, as the sender wrote it.
    Timestamp,
    /// The raw body.
    Body,
}

/// When an event was signed.
#[derive(Debug)]
pub(crate) struct Stamp {
    pub(crate) place: StampPlace,
    pub(crate) tolerance_s: u64,
}

/// Where the timestamp stands.
#[derive(Debug)]
pub(crate) enum StampPlace {
    /// In a header of its own.
    Header(Box<str>),
    /// Beside the signature, under this name.
    Item(Box<str>),
}

impl Hmac {
    pub(super) const fn is_timed(&self) -> bool {
        self.timestamp.is_some()
    }

    pub(super) fn part(&self, name: &[u8]) -> Option<(Part, Set)> {
        if same_name(self.header.as_bytes(), name) {
            return Some((Part::Signature, Set::First));
        }
        match &self.timestamp {
            Some(Stamp { place: StampPlace::Header(header), .. }) if same_name(header.as_bytes(), name) => {
                Some((Part::Timestamp, Set::First))
            }
            Some(_) | None => None,
        }
    }

    pub(super) fn check(&self, presented: &Presented, body: &[u8], now_s: u64) -> Result<(), SignatureFault> {
        let found = self.read(presented.signature()?);
        if found.signatures.is_empty() {
            return Err(SignatureFault::Malformed);
        }
        let signed_at = match &self.timestamp {
            None => &[][..],
            Some(Stamp { place, tolerance_s }) => {
                let text = match (place, found.timestamp) {
                    (StampPlace::Header(_), _) => presented.timestamp()?,
                    (StampPlace::Item(_), Stamped::Once(text)) => text,
                    (StampPlace::Item(_), Stamped::Never) => return Err(SignatureFault::Missing),
                    // Nothing says which of them was signed.
                    (StampPlace::Item(_), Stamped::Twice) => return Err(SignatureFault::TimestampInvalid),
                };
                timestamp::check(text, now_s, *tolerance_s)?;
                text
            }
        };
        let message: Vec<&[u8]> = self
            .message
            .iter()
            .map(|piece| match piece {
                Message::Text(text) => text.as_bytes(),
                Message::Timestamp => signed_at,
                Message::Body => body,
            })
            .collect();
        if self.keys.any_signed(&message, &found.signatures) { Ok(()) } else { Err(SignatureFault::Mismatch) }
    }

    /// Takes the header apart, in one pass.
    fn read<'h>(&self, header: &'h [u8]) -> Found<'h> {
        let n_bytes = self.keys.algorithm().mac_bytes();
        let mut found = Found { signatures: Vec::with_capacity(n_bytes), timestamp: Stamped::Never };
        let Some(signature) = &self.item else {
            self.push_signature(header, &mut found);
            return found;
        };
        let timestamp = match &self.timestamp {
            Some(Stamp { place: StampPlace::Item(name), .. }) => Some(name),
            Some(_) | None => None,
        };
        // Neither separator is part of hex, base64 or digits.
        for item in header.split(|byte| *byte == b',' || *byte == b';') {
            let item = item.trim_ascii();
            if let Some(text) = value_of(item, signature) {
                if found.signatures.len() < n_bytes * SIGNATURES {
                    self.push_signature(text, &mut found);
                }
            } else if let Some(text) = timestamp.and_then(|name| value_of(item, name)) {
                found.timestamp = match found.timestamp {
                    Stamped::Never => Stamped::Once(text),
                    Stamped::Once(_) | Stamped::Twice => Stamped::Twice,
                };
            }
        }
        found
    }

    fn push_signature(&self, text: &[u8], found: &mut Found<'_>) {
        if let Some(text) = text.strip_prefix(self.prefix.as_bytes()) {
            let n_bytes = self.keys.algorithm().mac_bytes();
            self.encoding.push_signature(text, n_bytes, &mut found.signatures);
        }
    }
}

/// What stands in the header of the signature.
struct Found<'h> {
    /// The well-formed ones, end to end.
    signatures: Vec<u8>,
    timestamp: Stamped<'h>,
}

/// How often a list names its timestamp.
#[derive(Clone, Copy)]
enum Stamped<'h> {
    Never,
    Once(&'h [u8]),
    Twice,
}

/// The value of `name=value`, if the item has this name.
fn value_of<'h>(item: &'h [u8], name: &str) -> Option<&'h [u8]> {
    item.strip_prefix(name.as_bytes())?.strip_prefix(b"=")
}
