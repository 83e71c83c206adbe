//! What can be wrong with the shape of an event, in words that repeat nothing from the event.

use crate::{event_type, timestamp};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{JsonType, JsonTypeSet, ValidationError};
use std::fmt;

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// A JSON Pointer (RFC 6901) into the event.
    pub pointer: String,
    /// What is wrong there.
    pub fault: Fault,
}

/// What is wrong at one place. Its [`Display`](fmt::Display) is for the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The value is not an object.
    NotAnObject,
    /// The member is missing.
    Required,
    /// The member has another type than these.
    Type(JsonTypeSet),
    /// Not lower-case words joined by dots.
    NotAnEventType,
    /// Not an ISO 8601 date and time that names an instant.
    NotATimestamp,
    /// Blank, or with a control character.
    NotAnId,
    /// An id with more bytes of UTF-8 than allowed.
    IdTooLong {
        /// The most bytes allowed.
        id_bytes: usize,
    },
    /// A name that differs only by ASCII case from one that decides something.
    MisspeltMember,
    /// Another keyword of the schema.
    Schema {
        /// Its name.
        keyword: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("must be an object"),
            Self::Required => f.write_str("is required"),
            Self::Type(types) => {
                for (index, json_type) in
                    types.iter().filter(|json_type| *json_type != JsonType::Null).enumerate()
                {
                    let words = if index == 0 { "must be " } else { " or " };
                    write!(f, "{words}{}", with_article(json_type))?;
                }
                f.write_str(if types.contains(JsonType::Null) { " or null" } else { "" })
            }
            Self::NotAnEventType => write!(
                f,
                "must be lower-case words (a-z, 0-9, _) joined by dots, at most {} bytes",
                event_type::MAX_BYTES
            ),
            Self::NotATimestamp => f.write_str(timestamp::ACCEPTED),
            Self::NotAnId => f.write_str("must not be blank and must not contain control characters"),
            Self::IdTooLong { id_bytes } => write!(f, "must be at most {id_bytes} bytes of UTF-8"),
            Self::MisspeltMember => {
                f.write_str("differs only by case from a member that decides where the event goes")
            }
            Self::Schema { keyword } => write!(f, "does not satisfy `{keyword}` of the schema"),
        }
    }
}

const fn with_article(json_type: JsonType) -> &'static str {
    match json_type {
        JsonType::Null => "null",
        JsonType::Boolean => "a boolean",
        JsonType::Integer => "an integer",
        JsonType::Number => "a number",
        JsonType::String => "a string",
        JsonType::Array => "an array",
        JsonType::Object => "an object",
    }
}

impl ShapeError {
    pub(super) fn at(pointer: &str, fault: Fault) -> Self {
        Self { pointer: pointer.to_owned(), fault }
    }

    pub(super) fn at_root(fault: Fault) -> Self {
        Self::at("", fault)
    }

    /// The first [`MAX_ERRORS`](super::MAX_ERRORS) distinct ones. Never none: an event was refused because of them.
    pub(super) fn collect<'v>(errors: impl Iterator<Item = ValidationError<'v>>) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for error in errors {
            if list.len() == super::MAX_ERRORS {
                break;
            }
            let error = Self::of(&error);
            if !list.contains(&error) {
                list.push(error);
            }
        }
        if list.is_empty() {
            list.push(Self::at_root(Fault::Schema { keyword: "$ref".to_owned() }));
        }
        list
    }

    fn of(error: &ValidationError<'_>) -> Self {
        let pointer = error.instance_path().as_str();
        #[allow(
            clippy::wildcard_enum_match_arm,
            reason = "the keywords are the schema's; any other one keeps its name"
        )]
        match error.kind() {
            ValidationErrorKind::Required { property } => {
                Self { pointer: join(pointer, property.as_str()), fault: Fault::Required }
            }
            ValidationErrorKind::Type { kind } => {
                let types = match kind {
                    TypeKind::Single(json_type) => JsonTypeSet::empty().insert(*json_type),
                    TypeKind::Multiple(types) => *types,
                };
                Self::at(pointer, Fault::Type(types))
            }
            ValidationErrorKind::Format { format } => match format.as_str() {
                "event-type" => Self::at(pointer, Fault::NotAnEventType),
                "event-timestamp" => Self::at(pointer, Fault::NotATimestamp),
                "subject-id" => Self::at(pointer, Fault::NotAnId),
                // The value that the format judges is the member's name.
                "event-member" | "data-member" => {
                    Self { pointer: join(pointer, error.instance().as_str()), fault: Fault::MisspeltMember }
                }
                _ => Self::at(pointer, Fault::Schema { keyword: format!("format: {format}") }),
            },
            other => Self::at(pointer, Fault::Schema { keyword: other.keyword().to_owned() }),
        }
    }
}

/// RFC 6901, section 3: `~` and `/` are escaped.
fn join(pointer: &str, member: Option<&str>) -> String {
    format!("{pointer}/{}", member.unwrap_or_default().replace('~', "~0").replace('/', "~1"))
}
