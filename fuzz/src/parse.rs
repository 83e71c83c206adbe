//! The strict JSON parser, beside serde_json's own. It does not look at events.

use event_core::json;
use serde_json::Value;

/// Few, so that small inputs reach it.
const DEPTH: usize = 8;

/// Checks one input.
///
/// # Panics
/// When something that must hold does not.
pub fn check(input: &[u8]) {
    let Ok(value) = json::parse(input, DEPTH) else { return };
    // What we accept is JSON to others too, and the same.
    let theirs: Value = serde_json::from_slice(input).expect("accepted, and yet no JSON");
    assert_eq!(value, theirs, "read differently by serde_json");
    assert!(depth(&value) <= DEPTH, "deeper than the limit");
    let again = json::parse(value.to_string().as_bytes(), DEPTH);
    assert_eq!(again.as_ref(), Ok(&value), "lost on the way through text");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
