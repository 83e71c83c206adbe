//! Who may send: the proof that a source's sender brings with each event, over the bytes as they came. It reads no JSON, no
//! clock and no environment.
//!
//! The headers that a scheme asks for are gathered with the request's headers ([`Presented`]) and judged when the whole body
//! is here. Every answer to the sender is the same; what was wrong is a [`SignatureFault`].

pub(crate) mod encoding;
mod hmac;
pub(crate) mod keys;
mod presented;
mod sign;
mod standard_webhooks;
pub(crate) mod timestamp;
mod token;

pub(crate) use hmac::{Hmac, Message, Stamp, StampPlace};
pub(crate) use presented::{Presented, Repeated};
pub(crate) use standard_webhooks::{ID_BYTES, StandardWebhooks, as_id};
pub(crate) use token::Token;

use crate::headers::same_name;
use presented::{Part, Set};

/// The longest header that is looked at, in bytes.
pub(crate) const HEADER_BYTES: usize = 4096;
/// How many well-formed signatures of one event are looked at.
pub(crate) const SIGNATURES: usize = 16;

/// How the sender of a source proves that it sent an event.
#[derive(Debug)]
pub(crate) enum Verify {
    /// It does not.
    None,
    /// Standard Webhooks, also with its `svix-` names.
    StandardWebhooks(StandardWebhooks),
    /// An HMAC in a header.
    Hmac(Hmac),
    /// A fixed secret in a header.
    Token(Token),
}

/// What was wrong with a proof. For metrics: the sender is told none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignatureFault {
    /// A header that the scheme asks for is not there.
    Missing,
    /// A header is longer than any signature needs.
    TooLong,
    /// There is nothing that has the form of a signature.
    Malformed,
    /// The id of the message is not one.
    IdInvalid,
    /// The timestamp is not a number of seconds.
    TimestampInvalid,
    /// The timestamp is too far in the past.
    TimestampTooOld,
    /// The timestamp is too far in the future.
    TimestampTooNew,
    /// No secret gives this signature or token.
    Mismatch,
}

impl SignatureFault {
    /// Every fault.
    pub const ALL: [Self; 8] = [
        Self::Missing,
        Self::TooLong,
        Self::Malformed,
        Self::IdInvalid,
        Self::TimestampInvalid,
        Self::TimestampTooOld,
        Self::TimestampTooNew,
        Self::Mismatch,
    ];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::IdInvalid => "id_invalid",
            Self::TimestampInvalid => "timestamp_invalid",
            Self::TimestampTooOld => "timestamp_too_old",
            Self::TimestampTooNew => "timestamp_too_new",
            Self::Mismatch => "mismatch",
        }
    }
}

/// What a proof that holds says about the event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proved<'p> {
    /// The sender's own id of the event, if the signature covers one.
    pub(crate) event_id: Option<&'p str>,
}

impl Verify {
    /// Whether the judgement depends on what time it is.
    pub(crate) const fn needs_time(&self) -> bool {
        match self {
            Self::StandardWebhooks(_) => true,
            Self::Hmac(hmac) => hmac.is_timed(),
            Self::None | Self::Token(_) => false,
        }
    }

    /// Whether any header may not leave for upstream.
    pub(crate) const fn hides_a_header(&self) -> bool {
        matches!(self, Self::Token(_))
    }

    /// The header that may not leave for upstream: whoever reads it there could post events here.
    pub(crate) fn is_kept_from_upstream(&self, name: &[u8]) -> bool {
        match self {
            Self::Token(token) => same_name(token.header(), name),
            Self::None | Self::StandardWebhooks(_) | Self::Hmac(_) => false,
        }
    }

    /// Gathers what the sender presents; nothing where nothing is asked for.
    pub(crate) fn gather<'h>(
        &self,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Result<Presented, Repeated> {
        let mut presented = Presented::default();
        if matches!(self, Self::None) {
            return Ok(presented);
        }
        for (name, value) in headers {
            if let Some((part, set)) = self.part(name) {
                presented.put(part, set, value)?;
            }
        }
        Ok(presented)
    }

    fn part(&self, name: &[u8]) -> Option<(Part, Set)> {
        match self {
            Self::None => None,
            Self::StandardWebhooks(_) => StandardWebhooks::part(name),
            Self::Hmac(hmac) => hmac.part(name),
            Self::Token(token) => same_name(token.header(), name).then_some((Part::Signature, Set::First)),
        }
    }

    /// Judges what the sender presented with this body. `now_s` is in seconds since 1970, and counts only if
    /// [`Verify::needs_time`].
    pub(crate) fn check<'p>(
        &self,
        presented: Option<&'p Presented>,
        body: &[u8],
        now_s: u64,
    ) -> Result<Proved<'p>, SignatureFault> {
        match (self, presented) {
            (Self::None, _) => Ok(Proved::default()),
            (_, None) => Err(SignatureFault::Missing),
            (Self::StandardWebhooks(scheme), Some(presented)) => scheme.check(presented, body, now_s),
            (Self::Hmac(hmac), Some(presented)) => {
                hmac.check(presented, body, now_s).map(|()| Proved::default())
            }
            (Self::Token(token), Some(presented)) => token.check(presented).map(|()| Proved::default()),
        }
    }
}

#[cfg(test)]
mod tests;
