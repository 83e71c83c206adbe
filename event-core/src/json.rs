//! The strict JSON parser: exactly one RFC 8259 value, refused when two readers could read it differently. It does not
//! know what an event is.
//!
//! Beyond the grammar it refuses what RFC 8259 leaves open: a byte order mark (section 8.1), equal member names in one
//! object at any depth, compared after unescaping (section 4), strings that do not decode to Unicode (section 8.2),
//! numbers outside a double's range (section 6), and deep nesting (section 9).

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::Cell;
use std::fmt;

/// The deepest nesting that a configuration can allow: a top-level array or object is depth 1.
pub const MAX_DEPTH: usize = 64;

/// Why bytes are not one strict JSON value. None of it repeats the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonError {
    /// No value at all: nothing, or only white space.
    Empty,
    /// A byte order mark stands in front.
    ByteOrderMark,
    /// The bytes from this offset on are not UTF-8.
    NotUtf8 {
        /// Bytes before the first wrong one.
        offset: usize,
    },
    /// The value ends before it is complete.
    Truncated,
    /// The grammar, an undecodable string, a number out of range, or something behind the value.
    Syntax {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// An object has the same member name twice.
    DuplicateMember {
        /// Counted from 1.
        line: usize,
        /// Counted from 1, in bytes.
        column: usize,
    },
    /// Nested more deeply than allowed.
    TooDeep {
        /// The deepest nesting allowed.
        limit: usize,
    },
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("there is no JSON value"),
            Self::ByteOrderMark => f.write_str("a byte order mark stands in front of the value"),
            Self::NotUtf8 { offset } => write!(f, "not UTF-8 from byte {offset} on"),
            Self::Truncated => f.write_str("the JSON value ends before it is complete"),
            Self::Syntax { line, column } => write!(f, "not strict JSON at line {line}, column {column}"),
            Self::DuplicateMember { line, column } => {
                write!(f, "a member name is repeated in one object at line {line}, column {column}")
            }
            Self::TooDeep { limit } => write!(f, "nested more than {limit} levels deep"),
        }
    }
}

impl std::error::Error for JsonError {}

/// Parses exactly one value whose arrays and objects are nested at most `depth` deep (at most [`MAX_DEPTH`]).
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(bytes: &[u8], depth: usize) -> Result<Value, JsonError> {
    let text =
        std::str::from_utf8(bytes).map_err(|error| JsonError::NotUtf8 { offset: error.valid_up_to() })?;
    if text.starts_with('\u{feff}') {
        return Err(JsonError::ByteOrderMark);
    }
    let fault = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let strict = Strict { levels_left: depth.min(MAX_DEPTH), fault: &fault };
    strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| describe(&error, fault.get(), text, depth))
}

fn describe(error: &serde_json::Error, fault: Option<Fault>, text: &str, limit: usize) -> JsonError {
    let (line, column) = (error.line(), error.column());
    match fault {
        Some(Fault::DuplicateMember) => JsonError::DuplicateMember { line, column },
        Some(Fault::TooDeep) => JsonError::TooDeep { limit },
        None if !error.is_eof() => JsonError::Syntax { line, column },
        // RFC 8259, section 2: white space is these four.
        None if text.bytes().all(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')) => JsonError::Empty,
        None => JsonError::Truncated,
    }
}

/// What the grammar allows and we refuse.
#[derive(Clone, Copy)]
enum Fault {
    DuplicateMember,
    TooDeep,
}

/// Builds a value, watching depth and member names.
#[derive(Clone, Copy)]
struct Strict<'a> {
    levels_left: usize,
    fault: &'a Cell<Option<Fault>>,
}

impl Strict<'_> {
    fn nested<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.levels_left.checked_sub(1) {
            Some(levels_left) => Ok(Self { levels_left, ..self }),
            None => Err(self.refuse(Fault::TooDeep)),
        }
    }

    fn refuse<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("")
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // `from_f64` refuses what is not finite; the deserialiser has refused it before.
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.nested()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.nested()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(inner)?;
            if object.insert(name, value).is_some() {
                return Err(self.refuse(Fault::DuplicateMember));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(open: &str, close: &str, depth: usize, inside: &str) -> String {
        format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
    }

    #[test]
    fn what_is_refused_is_named() {
        use JsonError::*;
        let cases: &[(&[u8], JsonError)] = &[
            (b"", Empty),
            (b" \r\n\t ", Empty),
            (b"\xef\xbb\xbf{}", ByteOrderMark),
            (b"{\"a\":\"caf\xe9\"}", NotUtf8 { offset: 9 }),
            (b"{\"a\":1", Truncated),
            (b"\"\\u12", Truncated),
            (b"{} {}", Syntax { line: 1, column: 4 }),
            (b"{\"a\":1,}", Syntax { line: 1, column: 8 }),
            (b"[1e400]", Syntax { line: 1, column: 6 }),
            (b"{\"a\":1,\n\"a\":2}", DuplicateMember { line: 2, column: 6 }),
            (b"{\"a\":{\"b\":1,\"\\u0062\":2}}", DuplicateMember { line: 1, column: 23 }),
            (b"\"\\ud800\"", Syntax { line: 1, column: 8 }),
            (b"\"\\udc00\\ud800\"", Syntax { line: 1, column: 7 }),
            (b"\x0c{}", Syntax { line: 1, column: 1 }),
        ];
        for (bytes, error) in cases {
            assert_eq!(parse(bytes, MAX_DEPTH), Err(*error), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn nesting_is_counted_from_the_top_level_value() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for limit in [1, 5, MAX_DEPTH] {
                assert!(parse(nested(open, close, limit, "1").as_bytes(), limit).is_ok());
                let deeper = nested(open, close, limit + 1, "1");
                assert_eq!(parse(deeper.as_bytes(), limit), Err(JsonError::TooDeep { limit }));
            }
        }
    }

    #[test]
    fn very_deep_nesting_is_refused_without_exhausting_the_stack() {
        let deep = nested("[", "]", 1_000_000, "");
        assert_eq!(parse(deep.as_bytes(), MAX_DEPTH), Err(JsonError::TooDeep { limit: MAX_DEPTH }));
    }

    #[test]
    fn equal_names_in_different_objects_are_not_duplicates() {
        assert!(parse(br#"{"a":{"a":[{"a":1},{"a":1}]}}"#, MAX_DEPTH).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(bytes: Vec<u8>) {
            let _ = parse(&bytes, MAX_DEPTH);
        }

        #[test]
        fn what_is_accepted_means_the_same_to_a_lenient_reader(text in r#"[\[\]{}:, "a-c0-9.e\\u-]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes(), MAX_DEPTH) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
