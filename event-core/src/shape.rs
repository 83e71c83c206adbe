//! The shape of an event: the standard schema, then the schema of its type. The rules stand in `schemas/`; here they are
//! applied, and their violations put into words that repeat nothing from the event.

mod fault;
pub(crate) mod formats;
mod validators;

pub use fault::{Fault, ShapeError};

use crate::subject::{Ids, Subject};
use crate::timestamp::Timestamp;
use serde_json::{Map, Value};
use validators::{KNOWN, Standard, StandardErrors};

/// The most errors that one answer lists.
pub const MAX_ERRORS: usize = 16;

/// An event that has the standard shape and, if its type is known, the shape of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ValidEvent<'v> {
    event_type: &'v str,
    /// 1 if the type has no schema of its own, else two more than its place among [`KNOWN`].
    type_number: u8,
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
        let level = Level::read(object);
        let timestamp = level.timestamp.and_then(Timestamp::parse);
        let (Some(timestamp), Some(event_type), true) =
            (timestamp, level.event_type, has_standard_shape(value))
        else {
            return Err(standard_errors(value));
        };
        let place = find(event_type);
        if let Some(known) = place.and_then(|place| KNOWN.get(place))
            && !(known.is_valid)(value)
        {
            return Err(ShapeError::collect((known.errors)(value)));
        }
        let (top, inner) = (level.ids, level.data.map(|data| Level::read(data).ids).unwrap_or_default());
        if [&top, &inner].iter().any(|ids| ids.present().any(|(_, id)| id.len() > id_bytes)) {
            return Err(ids_too_long(&top, &inner, id_bytes));
        }
        let type_number = place.map_or(1, |place| u8::try_from(place + 2).unwrap_or(1));
        Ok(Self { event_type, type_number, timestamp, subject: Subject::choose(top, inner) })
    }

    /// The event type, well-formed.
    #[must_use]
    pub const fn event_type(&self) -> &'v str {
        self.event_type
    }

    /// What the event type is counted under: 1 if it has no schema of its own, else the number of
    /// [`known_event_type`] and one more.
    pub(crate) const fn type_number(&self) -> u8 {
        self.type_number
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

// The validators are large. They are not inlined into one still larger function: compiling it takes Envoy's memory.
#[inline(never)]
fn has_standard_shape(value: &Value) -> bool {
    Standard::is_valid(value)
}

#[cold]
#[inline(never)]
fn standard_errors(value: &Value) -> Vec<ShapeError> {
    ShapeError::collect(StandardErrors::iter_errors(value))
}

#[cold]
#[inline(never)]
fn ids_too_long(top: &Ids<'_>, inner: &Ids<'_>, id_bytes: usize) -> Vec<ShapeError> {
    [("", top), ("/data", inner)]
        .into_iter()
        .flat_map(|(level, ids)| ids.present().map(move |(kind, id)| (level, kind, id)))
        .filter(|(_, _, id)| id.len() > id_bytes)
        .map(|(level, kind, _)| {
            ShapeError::at(&format!("{level}/{}", kind.name()), Fault::IdTooLong { id_bytes })
        })
        .collect()
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

/// The known event type of this number, from 1.
pub(crate) fn known_event_type(number: usize) -> Option<&'static str> {
    KNOWN.get(number.checked_sub(1)?).map(|known| known.event_type)
}

/// The place of an event type among the known ones.
fn find(event_type: &str) -> Option<usize> {
    KNOWN.binary_search_by(|known| known.event_type.cmp(event_type)).ok()
}

/// The members that decide something, found in one pass.
#[derive(Default)]
struct Level<'v> {
    event_type: Option<&'v str>,
    timestamp: Option<&'v str>,
    data: Option<&'v Map<String, Value>>,
    ids: Ids<'v>,
}

impl<'v> Level<'v> {
    fn read(object: &'v Map<String, Value>) -> Self {
        let mut level = Self::default();
        for (name, value) in object {
            match name.as_str() {
                "access_code_id" => level.ids.access_code = value.as_str(),
                "bridge_id" => level.ids.bridge = value.as_str(),
                "data" => level.data = value.as_object(),
                "device_id" => level.ids.device = value.as_str(),
                "event_type" => level.event_type = value.as_str(),
                "timestamp" => level.timestamp = value.as_str(),
                _ => {}
            }
        }
        level
    }
}

#[cfg(test)]
mod tests;
