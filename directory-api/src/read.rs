//! Reading JSON of the other side: one object in UTF-8, bounded. It knows no member by name.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

/// Why a body cannot be used. It holds nothing of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Longer than the bound.
    #[error("the body is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The bound.
        limit_bytes: usize,
    },
    /// Not one JSON value in UTF-8.
    #[error("the body is not one JSON value in UTF-8")]
    NotJson,
    /// JSON of another shape.
    #[error("the body does not have the members that are expected, or a member twice or of another type")]
    OtherShape,
    /// An id, account id or customer key that cannot be one.
    #[error("`{member}` is blank, has a control character or is longer than {} bytes", crate::MAX_ID_BYTES)]
    NotAnId {
        /// The member.
        member: &'static str,
    },
    /// A name that cannot be a source's.
    #[error("`source` has to be 1 to {} lower-case letters, digits, `_` and `-`", crate::MAX_SOURCE_BYTES)]
    NotASource,
    /// More accounts than one id can have.
    #[error("there are more than {} accounts", crate::MAX_ACCOUNTS)]
    TooManyAccounts,
    /// One account twice, with different customer keys.
    #[error("an account is named twice, with different customer keys")]
    AccountTwice,
    /// `assigned_by` without accounts, or accounts without it.
    #[error("`assigned_by` has to be there exactly when there are accounts")]
    AssignedByMismatch,
    /// A link of fewer than two ids.
    #[error("a link needs at least two ids")]
    TooFewIds,
}

/// Reads exactly one object with these members from at most so many bytes.
pub(crate) fn object<T: for<'de> Deserialize<'de>>(body: &[u8], limit_bytes: usize) -> Result<T, ReadError> {
    if body.len() > limit_bytes {
        return Err(ReadError::TooLarge { limit_bytes });
    }
    // serde_json does not look at the encoding of members that it skips.
    let text = std::str::from_utf8(body).map_err(|_| ReadError::NotJson)?;
    let object: Object<T> = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => ReadError::OtherShape,
        Category::Io | Category::Syntax | Category::Eof => ReadError::NotJson,
    })?;
    Ok(object.0)
}

/// A derived reader takes an array for a struct, member by member in order. This takes objects only.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor(PhantomData)).map(Self)
    }
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map))
    }
}
