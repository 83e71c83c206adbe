//! Where in a text a fault stands. What is wrong is said by `event_core`.

use std::collections::BTreeMap;
use std::ops::Range;

use event_core::json::JsonError;
use event_core::shape::{Fault, ShapeError};
use serde::Serialize;

use crate::walk::{Node, walk};

/// A range of a text. Lines end with LF, CR or both, as in a browser's text field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// Its first byte.
    pub start_byte: usize,
    /// The byte behind its last one.
    pub end_byte: usize,
    /// The line of its beginning, counted from 1.
    pub line: usize,
    /// Where it begins in that line, counted from 1 in UTF-16 units, as JavaScript counts.
    pub column: usize,
    /// The line of its end.
    pub end_line: usize,
    /// The column behind its last character.
    pub end_column: usize,
}

/// The places of these bytes, in their order.
pub(crate) fn places(bytes: &[u8], ranges: &[Range<usize>]) -> Vec<Place> {
    let text = String::from_utf8_lossy(bytes);
    // What is not UTF-8 is longer as replacement characters: such a text is asked about one place in front of them.
    let at = |offset: usize| position(&text, offset);
    ranges
        .iter()
        .map(|range| {
            let ((line, column), (end_line, end_column)) = (at(range.start), at(range.end));
            Place { start_byte: range.start, end_byte: range.end, line, column, end_line, end_column }
        })
        .collect()
}

fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
    let line_ends =
        before.matches('\n').count() + before.matches('\r').count() - before.matches("\r\n").count();
    (line_ends + 1, before[line_start..].encode_utf16().count() + 1)
}

/// The value at each pointer. Where there is none, as for a member that is missing, the bracket that opens what should have it.
pub(crate) fn of_errors(text: &str, errors: &[ShapeError]) -> Vec<Range<usize>> {
    let wanted = errors.iter().map(|error| match error.fault {
        Fault::Required => (parent(&error.pointer), Part::Bracket),
        Fault::MisspeltMember => (error.pointer.as_str(), Part::Name),
        Fault::NotAnObject
        | Fault::Type(_)
        | Fault::NotAnEventType
        | Fault::NotATimestamp
        | Fault::NotAnId
        | Fault::IdTooLong { .. }
        | Fault::Schema { .. } => (error.pointer.as_str(), Part::Value),
    });
    let wanted: Vec<(&str, Part)> = wanted.collect();
    let found = find(text, wanted.iter().map(|(pointer, _)| *pointer));
    wanted.iter().map(|(pointer, part)| part.of(found.get(*pointer))).collect()
}

/// The value at this pointer, or else the nearest one around where it should be.
pub(crate) fn of_pointer(text: &str, pointer: &str) -> Range<usize> {
    let mut ancestors = vec![pointer];
    while let Some(last) = ancestors.last().filter(|last| !last.is_empty()) {
        ancestors.push(parent(last));
    }
    let found = find(text, ancestors.iter().copied());
    let nearest = ancestors.iter().find_map(|pointer| found.get(*pointer));
    let part =
        if nearest.is_some_and(|found| found.pointer == pointer) { Part::Value } else { Part::Bracket };
    part.of(nearest)
}

/// Which part of a member is marked.
#[derive(Clone, Copy, Debug)]
enum Part {
    Name,
    Value,
    Bracket,
}

struct Found {
    pointer: String,
    name: Option<Range<usize>>,
    value: Range<usize>,
}

impl Part {
    fn of(self, found: Option<&Found>) -> Range<usize> {
        let Some(found) = found else { return 0..0 };
        match self {
            Self::Name => found.name.clone().unwrap_or_else(|| found.value.clone()),
            Self::Value => found.value.clone(),
            Self::Bracket => found.value.start..found.value.end.min(found.value.start + 1),
        }
    }
}

fn find<'p>(text: &str, pointers: impl Iterator<Item = &'p str>) -> BTreeMap<&'p str, Found> {
    let wanted: BTreeMap<&str, ()> = pointers.map(|pointer| (pointer, ())).collect();
    let mut found = BTreeMap::new();
    let mut visit = |node: &Node<'_>| {
        if let Some((pointer, ())) = wanted.get_key_value(node.pointer) {
            let (name, value) = (node.name.clone(), node.value.clone());
            found.insert(*pointer, Found { pointer: node.pointer.to_owned(), name, value });
        }
    };
    walk(text, &mut visit);
    found
}

fn parent(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// Where a text stops being strict JSON.
pub(crate) fn of_json_error(bytes: &[u8], error: JsonError) -> Range<usize> {
    match error {
        JsonError::Empty | JsonError::Truncated => bytes.len()..bytes.len(),
        JsonError::ByteOrderMark => 0..3,
        JsonError::NotUtf8 { offset } => offset..offset + 1,
        JsonError::Syntax { line, column } => {
            let start = offset_of(bytes, line, column);
            let rest = std::str::from_utf8(bytes.get(start..).unwrap_or_default()).unwrap_or_default();
            start..start + rest.chars().next().map_or(0, char::len_utf8)
        }
        JsonError::DuplicateMember { line, column } => {
            strings_and_depths(bytes, offset_of(bytes, line, column) + 1).last_string.unwrap_or(0..0)
        }
        JsonError::TooDeep { limit } => {
            strings_and_depths(bytes, bytes.len()).deeper_than(limit).map_or(0..0, |start| start..start + 1)
        }
    }
}

/// The byte at a line and column of the parser: both from 1, in bytes; 0 is the line's end before it.
fn offset_of(bytes: &[u8], line: usize, column: usize) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(index, _)| index + 1);
    let start = std::iter::once(0).chain(ends).nth(line.saturating_sub(1)).unwrap_or(0);
    (start + column).saturating_sub(1).min(bytes.len())
}

struct Lexed {
    /// The last string that ends in front of the end.
    last_string: Option<Range<usize>>,
    /// Where each depth is reached first.
    depths: Vec<usize>,
}

impl Lexed {
    fn deeper_than(&self, limit: usize) -> Option<usize> {
        self.depths.get(limit).copied()
    }
}

/// Strings and brackets up to here; what stands between them may be anything.
fn strings_and_depths(bytes: &[u8], end: usize) -> Lexed {
    let mut lexed = Lexed { last_string: None, depths: Vec::new() };
    let (mut depth, mut at) = (0_usize, 0);
    while at < end.min(bytes.len()) {
        match bytes[at] {
            b'"' => {
                let start = at;
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                if at < end {
                    lexed.last_string = Some(start..(at + 1).min(bytes.len()));
                }
            }
            b'{' | b'[' => {
                if depth == lexed.depths.len() {
                    lexed.depths.push(at);
                }
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    lexed
}

#[cfg(test)]
mod tests {
    use event_core::{ValidEvent, json};

    use super::*;

    /// The text that is marked, for each fault of the shape.
    fn marked(text: &str) -> Vec<(String, &str)> {
        let value = json::parse(text.as_bytes(), 64).unwrap();
        let errors = ValidEvent::check(&value, 256).unwrap_err();
        let ranges = of_errors(text, &errors);
        errors.iter().map(|error| error.pointer.clone()).zip(ranges.into_iter().map(|it| &text[it])).collect()
    }

    #[test]
    fn a_wrong_value_a_misspelt_name_and_what_lacks_a_member_are_marked() {
        let text = r#"{"timestamp":"2025-05-22T10:48:18Z", "data": {"Device_ID":"x", "bridge_id" : 7 }}"#;
        let marked = marked(text);
        for (pointer, part) in
            [("/event_type", "{"), ("/data/bridge_id", "7"), ("/data/Device_ID", "\"Device_ID\"")]
        {
            assert!(marked.contains(&(pointer.to_owned(), part)), "{pointer}: {marked:?}");
        }
        assert_eq!(self::marked("[1]"), [(String::new(), "[1]")]);
    }

    fn malformed(text: &str) -> (usize, &str) {
        let error = json::parse(text.as_bytes(), 4).unwrap_err();
        let range = of_json_error(text.as_bytes(), error);
        (range.start, &text[range])
    }

    #[test]
    fn the_character_that_is_no_json_is_marked() {
        for (text, place) in [
            ("{\"a\":1,}", (7, "}")),
            ("{\"a\":1 \"b\":2}", (7, "\"")),
            ("{\n  \"a\": 01\n}", (10, "1")),
            ("{\"a\":é}", (5, "é")),
            ("[1] x", (4, "x")),
            ("{\"a\": 1", (7, "")),
            (" \n", (2, "")),
            ("\u{feff}{}", (0, "\u{feff}")),
            ("{\"a\":1, \"b\":{\"c\":2,\n \"c\" : 3}}", (21, "\"c\"")),
            ("{\"a\":1,\"\\u0061\":2}", (7, "\"\\u0061\"")),
            ("[[[\"[[[\",[[1]]]]]", (10, "[")),
        ] {
            assert_eq!(malformed(text), place, "{text:?}");
        }
        assert_eq!(of_json_error(b"{\"\xff\"}", JsonError::NotUtf8 { offset: 2 }), 2..3);
    }

    #[test]
    fn lines_and_columns_are_those_of_a_text_field() {
        let text = "{\r\n\"😀é\":\r1,\n 2";
        let two = text.find('2').unwrap();
        let one = text.find('1').unwrap();
        let e = text.find('é').unwrap();
        let places = places(text.as_bytes(), &[two..two + 1, one..one + 1, e..e + 2, 0..text.len()]);
        let all: Vec<_> = places.iter().map(|it| (it.line, it.column, it.end_line, it.end_column)).collect();
        assert_eq!(all, [(4, 2, 4, 3), (3, 1, 3, 2), (2, 4, 2, 5), (1, 1, 4, 3)]);
    }

    #[test]
    fn what_is_missing_is_looked_for_around_it() {
        let text = r#"{"sources": [{"name": "a"}]}"#;
        assert_eq!(&text[of_pointer(text, "/sources/0/name")], "\"a\"");
        assert_eq!(of_pointer(text, "/sources/0/verify/hmac"), 13..14);
        assert_eq!(of_pointer("", "/a"), 0..0);
    }
}
