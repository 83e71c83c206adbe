//! The plugin configuration. It checks no single rule of it.

use event_core::Edge;

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
            assert!(!told.contains(SECRET), "an error shows a value: {told}");
            assert!(told.len() < 16 * 1024, "an error grows with the configuration");
        }
    }
}
