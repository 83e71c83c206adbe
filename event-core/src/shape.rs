//! The shape of an event: the standard schema, then the schema of its type. The rules stand in `schemas/`; here they are
//! applied, and their violations put into words that repeat nothing from the event.

mod fault;
pub(crate) mod formats;
mod validators;

pub use fault::{Fault, ShapeError};

use crate::subject::{IdKind, Ids, Subject};
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};
use validators::{KNOWN, Known, Standard};

/// The most errors that one answer lists.
pub const MAX_ERRORS: usize = 16;

/// An event that has the standard shape and, if its type is known, the shape of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidEvent<'v> {
    event_type: &'v str,
    timestamp: Timestamp,
    subject: Subject<'v>,
}

impl<'v> ValidEvent<'v> {
    /// Checks a value against the schemas and the bound on ids, in bytes of UTF-8.
    ///
    /// # Errors
    /// What is wrong and where, at most [`MAX_ERRORS`] entries, never none.
    pub fn check(value: &'v Value, id_bytes: usize) -> Result<Self, Vec<ShapeError>> {
        let object = value.as_object().ok_or_else(|| vec![ShapeError::at_root(Fault::NotAnObject)])?;
        if !Standard::is_valid(value) {
            return Err(ShapeError::collect(Standard::iter_errors(value)));
        }
        let event_type = string(object, "event_type")?;
        if let Some(known) = find(event_type)
            && !(known.is_valid)(value)
        {
            return Err(ShapeError::collect((known.errors)(value)));
        }
        let timestamp = Timestamp::parse(string(object, "timestamp")?)
            .ok_or_else(|| vec![ShapeError::at("/timestamp", Fault::NotATimestamp)])?;
        let data = object.get("data").and_then(Value::as_object);
        let (top, inner) = (read_ids(object), data.map(read_ids).unwrap_or_default());
        let too_long = [("", &top), ("/data", &inner)]
            .into_iter()
            .flat_map(|(level, ids)| ids.present().map(move |(kind, id)| (level, kind, id)))
            .filter(|(_, _, id)| id.len() > id_bytes)
            .map(|(level, kind, _)| {
                ShapeError::at(&format!("{level}/{}", kind.name()), Fault::IdTooLong { id_bytes })
            })
            .collect::<Vec<_>>();
        if !too_long.is_empty() {
            return Err(too_long);
        }
        Ok(Self { event_type, timestamp, subject: Subject::choose(top, inner) })
    }

    /// The event type, well-formed.
    #[must_use]
    pub const fn event_type(&self) -> &'v str {
        self.event_type
    }

    /// The instant that the event names.
    #[must_use]
    pub const fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// What the event is about.
    #[must_use]
    pub const fn subject(&self) -> Subject<'v> {
        self.subject
    }
}

/// The event types that have a schema of their own, sorted.
pub fn known_event_types() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|known| known.event_type)
}

/// Whether an event type has a schema of its own.
#[must_use]
pub fn is_known(event_type: &str) -> bool {
    find(event_type).is_some()
}

fn find(event_type: &str) -> Option<&'static Known> {
    KNOWN.binary_search_by(|known| known.event_type.cmp(event_type)).ok().and_then(|index| KNOWN.get(index))
}

/// A member that the standard schema requires to be a string.
fn string<'v>(object: &'v Map<String, Value>, member: &str) -> Result<&'v str, Vec<ShapeError>> {
    object
        .get(member)
        .and_then(Value::as_str)
        .ok_or_else(|| vec![ShapeError::at(&format!("/{member}"), Fault::Required)])
}

fn read_ids(object: &Map<String, Value>) -> Ids<'_> {
    let id = |kind: IdKind| object.get(kind.name()).and_then(Value::as_str);
    Ids { device: id(IdKind::Device), bridge: id(IdKind::Bridge), access_code: id(IdKind::AccessCode) }
}

#[cfg(test)]
mod tests;
