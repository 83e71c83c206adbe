//! Events to begin with, one of each known type, with a configuration that assigns them. They are judged like any other.

use serde::Serialize;
use serde_json::json;

use crate::judge::to_text;

/// An event.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Example {
    /// What it shows.
    pub name: &'static str,
    /// Whether it has the standard shape.
    pub good: bool,
    /// Its text.
    pub text: &'static str,
}

macro_rules! examples {
    ($(($good:literal, $name:literal, $file:literal)),* $(,)?) => {
        [$(Example { name: $name, good: $good, text: include_str!(concat!("../../", $file)) }),*]
    };
}

/// Every example.
pub const EXAMPLES: [Example; 22] = examples![
    (true, "device.added", "schemas/cases/device.added/accept/plain.json"),
    (true, "device.removed", "schemas/cases/device.removed/accept/plain.json"),
    (true, "device.online", "schemas/cases/device.online/accept/plain.json"),
    (true, "device.offline", "schemas/cases/device.offline/accept/plain.json"),
    (true, "device.low_battery", "schemas/cases/device.low_battery/accept/all_members.json"),
    (true, "device.time_wrong", "schemas/cases/device.time_wrong/accept/plain.json"),
    (true, "bridge.offline", "schemas/cases/bridge.offline/accept/with_affected_devices_in_data.json"),
    (true, "lock.action_completed", "schemas/cases/lock.action_completed/accept/all_members.json"),
    (true, "access_code.created", "schemas/cases/access_code.created/accept/all_members.json"),
    (true, "access_code.updated", "schemas/cases/access_code.updated/accept/all_members.json"),
    (true, "access_code.deleted", "schemas/cases/access_code.deleted/accept/all_members.json"),
    (true, "access_code.used", "schemas/cases/access_code.used/accept/plain.json"),
    (true, "access_code.incorrect_attempt", "schemas/cases/access_code.incorrect_attempt/accept/plain.json"),
    (true, "a type of one's own", "inspector/examples/own_type.json"),
    (true, "assigned by its bridge", "inspector/examples/by_its_bridge.json"),
    (true, "a device that nobody owns", "inspector/examples/unknown_device.json"),
    (true, "ids of different accounts", "inspector/examples/conflict.json"),
    (false, "several faults", "inspector/examples/several_faults.json"),
    (false, "a time without offset", "inspector/examples/no_offset.json"),
    (false, "no subject", "inspector/examples/no_subject.json"),
    (false, "a trailing comma", "inspector/examples/trailing_comma.json"),
    (false, "a repeated member", "inspector/examples/repeated_member.json"),
];

/// A plugin configuration whose accounts own most of the ids in the examples.
pub const CONFIGURATION: &str = include_str!("../examples/configuration.json");

/// All of them, as JSON.
#[must_use]
pub fn examples() -> String {
    to_text(&json!({ "configuration": CONFIGURATION, "events": EXAMPLES }))
}

#[cfg(test)]
mod tests {
    use event_core::shape::known_event_types;
    use serde_json::Value;

    use super::*;
    use crate::judge::judge;

    #[test]
    fn there_is_an_example_of_every_known_type_and_it_has_that_type() {
        let judged: Vec<Value> = EXAMPLES
            .iter()
            .map(|example| {
                let question = json!({ "config": CONFIGURATION }).to_string();
                serde_json::from_str(&judge(example.text.as_bytes(), &question)).unwrap()
            })
            .collect();
        for known in known_event_types() {
            let index = EXAMPLES.iter().position(|example| example.name == known).expect(known);
            let judgement = &judged[index]["judgement"];
            assert_eq!(judgement["event"]["eventType"], known);
            assert_eq!(judgement["outcome"], "forwarded", "{known}");
        }
        for (example, judged) in EXAMPLES.iter().zip(&judged) {
            let errors = judged["judgement"]["errors"].as_array().unwrap();
            let outcome = judged["judgement"]["outcome"].as_str().unwrap();
            assert_eq!(example.good, errors.is_empty() && outcome != "subject_missing", "{}", example.name);
        }
    }
}
