//! The compiled validators against `schemas/`: its cases, its examples, and a run-time validator on the same files.

use super::{Fault, MAX_ERRORS, ValidEvent, formats, known_event_types};
use crate::{json, timestamp};
use jsonschema::Validator;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ID_BYTES: usize = 256;
/// The schemas bound ids to 1024 characters, of at most four bytes each.
const SCHEMA_ID_BYTES: usize = 4 * 1024;

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn read(path: &Path) -> Value {
    json::parse(&fs::read(path).unwrap(), json::MAX_DEPTH)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files = files.map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    files.sort();
    files
}

fn names(folder: &Path) -> BTreeSet<String> {
    files(folder).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

fn run_time_validator(schema: &Path) -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .with_format("event-type", formats::event_type)
        .with_format("event-timestamp", formats::event_timestamp)
        .with_format("subject-id", formats::subject_id)
        .with_format("event-member", formats::event_member)
        .with_format("data-member", formats::data_member)
        .build(&read(schema))
        .unwrap_or_else(|error| panic!("{}: {error}", schema.display()))
}

/// The standard schema and those of the types, judged at run time.
struct Oracle {
    standard: Validator,
    types: Vec<(String, Validator)>,
}

impl Oracle {
    fn new() -> Self {
        let of_type = |path: PathBuf| {
            let name =
                path.file_name().unwrap().to_str().unwrap().trim_end_matches(".schema.json").to_owned();
            (name, run_time_validator(&path))
        };
        Self {
            standard: run_time_validator(&schemas().join("event.schema.json")),
            types: files(&schemas().join("events")).into_iter().map(of_type).collect(),
        }
    }

    /// Pointers of what fails in the first schema that refuses, sorted.
    fn pointers(&self, event: &Value) -> BTreeSet<String> {
        let of_type = self.types.iter().find(|(name, _)| Some(name.as_str()) == event["event_type"].as_str());
        let refuses = |validator: &&Validator| !validator.is_valid(event);
        let first = [Some(&self.standard), of_type.map(|(_, validator)| validator)]
            .into_iter()
            .flatten()
            .find(refuses);
        first
            .into_iter()
            .flat_map(|validator| validator.iter_errors(event))
            .map(|error| error.instance_path().to_string())
            .collect()
    }
}

/// The sender is told the member; a schema reports a missing or misspelt one at the object that should or does have it.
fn place(pointer: &str, fault: &Fault) -> String {
    if matches!(fault, Fault::Required | Fault::MisspeltMember) {
        pointer.rsplit_once('/').map_or("", |(object, _)| object).to_owned()
    } else {
        pointer.to_owned()
    }
}

#[test]
fn every_known_event_type_is_a_schema_file_and_has_cases() {
    let known = known_event_types().map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(known.len(), 13, "a new event type is one more schema file: count it here");
    let of_files = names(&schemas().join("events"))
        .iter()
        .map(|name| name.trim_end_matches(".schema.json").to_owned())
        .collect();
    assert_eq!(known, of_files);
    let mut with_cases = names(&schemas().join("cases"));
    assert!(with_cases.remove("event") && with_cases.remove("plugin-config"));
    assert_eq!(known, with_cases);
}

#[test]
fn accepted_cases_and_the_examples_of_the_schemas_are_valid_events() {
    let oracle = Oracle::new();
    let mut events = Vec::new();
    for name in names(&schemas().join("cases")).iter().filter(|name| *name != "plugin-config") {
        for path in files(&schemas().join("cases").join(name).join("accept")) {
            events.push((path.display().to_string(), read(&path)));
        }
    }
    for path in files(&schemas().join("events")).into_iter().chain([schemas().join("event.schema.json")]) {
        let examples = read(&path)["examples"]
            .as_array()
            .unwrap_or_else(|| panic!("{}: no examples", path.display()))
            .clone();
        events.extend(examples.into_iter().map(|event| (path.display().to_string(), event)));
    }
    assert!(events.len() > 50, "only {} events were found", events.len());
    for (path, event) in &events {
        assert_eq!(ValidEvent::check(event, SCHEMA_ID_BYTES).err(), None, "{path}");
        assert!(oracle.pointers(event).is_empty(), "{path}: the run-time validator refuses it");
    }
}

#[test]
fn refused_cases_are_refused_where_the_schemas_say() {
    let oracle = Oracle::new();
    let mut count = 0;
    for name in names(&schemas().join("cases")).iter().filter(|name| *name != "plugin-config") {
        for path in files(&schemas().join("cases").join(name).join("reject")) {
            let case = read(&path);
            let event = &case["event"];
            let pointers = case["pointers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_str().unwrap().to_owned())
                .collect();
            assert_eq!(oracle.pointers(event), pointers, "{}: the run-time validator", path.display());
            let errors = ValidEvent::check(event, SCHEMA_ID_BYTES).expect_err(&path.display().to_string());
            let places =
                errors.iter().map(|error| place(&error.pointer, &error.fault)).collect::<BTreeSet<_>>();
            assert_eq!(places, pointers, "{}: the compiled validators", path.display());
            count += 1;
        }
    }
    assert!(count > 50, "only {count} cases were found");
}

fn faults(event: Value) -> Vec<(String, String)> {
    let errors = ValidEvent::check(&event, ID_BYTES).unwrap_err();
    errors.into_iter().map(|error| (error.pointer, error.fault.to_string())).collect()
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let id_rule = "must not be blank and must not contain control characters";
    let case_rule = "differs only by case from a member that decides where the event goes";
    for (event, pointer, message) in [
        (json!([]), "", "must be an object"),
        (json!({"timestamp": "2025-05-22T10:48:18Z"}), "/event_type", "is required"),
        (json!({"event_type": 7, "timestamp": "2025-05-22T10:48:18Z"}), "/event_type", "must be a string"),
        (json!({"event_type": "a.b", "timestamp": "soon"}), "/timestamp", timestamp::ACCEPTED),
        (
            json!({"event_type": "Device.Online", "timestamp": "2025-05-22T10:48:18Z"}),
            "/event_type",
            "must be lower-case words (a-z, 0-9, _) joined by dots, at most 128 bytes",
        ),
        (
            json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z", "device_id": 7}),
            "/device_id",
            "must be a string or null",
        ),
        (
            json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z", "data": {"bridge_id": " "}}),
            "/data/bridge_id",
            id_rule,
        ),
        (
            json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z", "Device_ID": "x"}),
            "/Device_ID",
            case_rule,
        ),
        (
            json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z", "data": {"BRIDGE_ID": "x"}}),
            "/data/BRIDGE_ID",
            case_rule,
        ),
        (
            json!({"event_type": "access_code.created", "timestamp": "2025-05-22T10:48:18Z", "code": 4829}),
            "/code",
            "must be a string or null",
        ),
    ] {
        assert_eq!(faults(event.clone()), [(pointer.to_owned(), message.to_owned())], "{event}");
    }
}

#[test]
fn ids_are_bounded_in_bytes_at_every_level() {
    let event = |id: &str| json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z", "data": {"device_id": id}});
    let longest = "é".repeat(ID_BYTES / 2);
    assert!(ValidEvent::check(&event(&longest), ID_BYTES).is_ok());
    let too_long = ("/data/device_id".to_owned(), "must be at most 256 bytes of UTF-8".to_owned());
    assert_eq!(faults(event(&format!("{longest}x"))), [too_long]);
}

#[test]
fn the_list_of_errors_is_capped() {
    let mut event = json!({"event_type": "a.b", "timestamp": "2025-05-22T10:48:18Z"});
    for bits in 0..64_u32 {
        let letters = "device_id".char_indices().map(|(at, letter)| match bits >> at & 1 {
            0 => letter,
            _ => letter.to_ascii_uppercase(),
        });
        event[letters.collect::<String>()] = json!("x");
    }
    assert_eq!(faults(event).len(), MAX_ERRORS);
}

#[test]
fn no_word_of_the_answer_comes_from_a_value_of_the_event() {
    let event = json!({"event_type": "secret-1", "timestamp": "secret-2", "device_id": ["secret-3"], "data": "secret-4"});
    let said = format!("{:?}", faults(event));
    assert!(!said.contains("secret"), "{said}");
}

proptest! {
    #[test]
    fn compiled_and_run_time_validators_agree(
        members in proptest::collection::btree_map(
            "(event_type|timestamp|device_id|bridge_id|Data|access_code_id|Timestamp|code|status|battery_level|message|x)",
            prop_oneof![
                Just(json!(null)), Just(json!(7)), Just(json!("device.low_battery")), Just(json!("lock.action_completed")),
                Just(json!("access_code.created")), Just(json!("2025-05-22T10:48:18Z")), Just(json!("")), Just(json!({"code": 1})),
            ],
            0..7,
        ),
        data in prop_oneof![Just(json!(null)), Just(json!({"code": 7})), Just(json!({"battery_level": "x"})), Just(json!([]))],
    ) {
        thread_local!(static ORACLE: Oracle = Oracle::new());
        let mut event = Value::Object(members.into_iter().collect());
        event["data"] = data;
        let refused = ORACLE.with(|oracle| !oracle.pointers(&event).is_empty());
        prop_assert_eq!(ValidEvent::check(&event, SCHEMA_ID_BYTES).is_err(), refused, "{}", event);
    }
}
