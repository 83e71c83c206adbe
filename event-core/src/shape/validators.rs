//! The validators that the build compiles from `schemas/`. Nothing here is written by hand but the type of their table.
#![allow(clippy::all, reason = "generated from the schemas by the build")]

use serde_json::Value;

/// One known event type.
pub(super) struct Known {
    /// Such as `device.online`.
    pub(super) event_type: &'static str,
    /// Whether a value fits the schema of the type.
    pub(super) is_valid: fn(&Value) -> bool,
    /// Why it does not.
    pub(super) errors: for<'v> fn(&'v Value) -> jsonschema::ErrorIterator<'v>,
}

include!(concat!(env!("OUT_DIR"), "/validators.rs"));
