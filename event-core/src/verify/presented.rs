//! The headers that prove who sent, from the request's headers to the end of its body. It judges none of them.

use super::{HEADER_BYTES, SignatureFault};
use std::fmt;

/// What a sender presented. Its `Debug` shows no value: a token is a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presented {
    set: Option<Set>,
    id: Value,
    timestamp: Value,
    signature: Value,
}

/// What a header holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The id of the message.
    Id,
    /// When it was signed.
    Timestamp,
    /// The signature or signatures, or the token.
    Signature,
}

/// Which of two sets of names a header belongs to. Only one of them may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// The names of a scheme.
    First,
    /// Its other names.
    Second,
}

/// A header stands there twice, under one name or under both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Repeated;

#[derive(Clone, Default, PartialEq, Eq)]
enum Value {
    #[default]
    Absent,
    TooLong,
    Given(Box<[u8]>),
}

impl Presented {
    /// Keeps a header.
    pub(super) fn put(&mut self, part: Part, set: Set, value: &[u8]) -> Result<(), Repeated> {
        let kept = match part {
            Part::Id => &mut self.id,
            Part::Timestamp => &mut self.timestamp,
            Part::Signature => &mut self.signature,
        };
        if !matches!(kept, Value::Absent) || self.set.is_some_and(|other| other != set) {
            return Err(Repeated);
        }
        self.set = Some(set);
        *kept = if value.len() <= HEADER_BYTES { Value::Given(value.into()) } else { Value::TooLong };
        Ok(())
    }

    pub(super) fn id(&self) -> Result<&[u8], SignatureFault> {
        self.id.given()
    }

    pub(super) fn timestamp(&self) -> Result<&[u8], SignatureFault> {
        self.timestamp.given()
    }

    pub(super) fn signature(&self) -> Result<&[u8], SignatureFault> {
        self.signature.given()
    }
}

impl Value {
    fn given(&self) -> Result<&[u8], SignatureFault> {
        match self {
            Self::Absent => Err(SignatureFault::Missing),
            Self::TooLong => Err(SignatureFault::TooLong),
            Self::Given(value) => Ok(value),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "absent",
            Self::TooLong => "too long",
            Self::Given(_) => "given",
        })
    }
}
