//! The plugin configuration. It checks no single rule of it.

use event_core::Edge;
use serde_json::Value;

/// A value that no error may show: secrets stand in configurations. It stands in the dictionary of the fuzzer.
const SECRET: &str = "s3cr3t-0f-the-d00r";

/// Checks one text.
///
/// # Panics
/// When something that must hold does not.
pub fn check(text: &[u8]) {
    match Edge::from_json(text) {
        Ok(_) => {
            assert!(serde_json::from_slice::<serde_json::Value>(text).is_ok(), "accepted, and yet no JSON")
        }
        Err(error) => {
            let told = error.to_string();
            // The path of a key is told on purpose, that of an unknown one too.
            let is_key = serde_json::from_slice(text).is_ok_and(|value| is_a_key(&value));
            assert!(is_key || !told.contains(SECRET), "an error shows a value: {told}");
            assert!(told.len() < 16 * 1024, "an error grows with the configuration");
        }
    }
}

fn is_a_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(is_a_key),
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains(SECRET) || is_a_key(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
