//! Writes one compiled validator per schema file. What an event may look like is said in `schemas/`, not here.

use serde_json::Value;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The formats that the schemas name, and the functions that judge them: one name in both.
const FORMATS: [&str; 5] = ["event-type", "event-timestamp", "subject-id", "event-member", "data-member"];

/// What `is_valid` leaves to its caller, who needs the instant anyway: reading it twice is dear.
const READ_LATER: &str = "event-timestamp";

fn main() -> Result<(), Box<dyn Error>> {
    let schemas = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../schemas").canonicalize()?;
    for input in ["event.schema.json", "events"] {
        println!("cargo::rerun-if-changed={}", schemas.join(input).display());
    }

    let mut code = String::new();
    write_validator(&mut code, "Standard", &schemas.join("event.schema.json"))?;

    let mut events = Vec::new();
    for entry in fs::read_dir(schemas.join("events"))? {
        let path = entry?.path();
        let Some(file) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(event_type) = file.strip_suffix(".schema.json") else {
            return Err(format!("{}: expected a name like device.online.schema.json", path.display()).into());
        };
        events.push((event_type.to_owned(), path));
    }
    // The lookup is a binary search.
    events.sort();

    let mut table = String::from("/// The known event types, sorted, and the validator of each.\n");
    writeln!(table, "pub(super) static KNOWN: [Known; {}] = [", events.len())?;
    for (index, (event_type, path)) in events.iter().enumerate() {
        let schema: Value = serde_json::from_slice(&fs::read(path)?)?;
        let id = format!("urn:bellhop:schema:event:{event_type}");
        if schema.get("$id").and_then(Value::as_str) != Some(&id) {
            return Err(format!("{}: `$id` must be `{id}`", path.display()).into());
        }
        let validator = format!("Event{index}");
        write_validator(&mut code, &validator, path)?;
        writeln!(
            table,
            "    Known {{ event_type: {event_type:?}, is_valid: {validator}::is_valid, errors: {validator}Errors::iter_errors }},"
        )?;
    }
    table.push_str("];\n");
    code.push_str(&table);

    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("validators.rs"), code)?;
    Ok(())
}

fn write_validator(code: &mut String, name: &str, path: &Path) -> Result<(), Box<dyn Error>> {
    let path = path.to_str().ok_or("the path of the schemas is not UTF-8")?;
    for (suffix, is_valid) in [("", true), ("Errors", false)] {
        let mut formats = String::new();
        for format in FORMATS {
            let judge =
                if is_valid && format == READ_LATER { "any".to_owned() } else { format.replace('-', "_") };
            writeln!(formats, "        {format:?} => crate::shape::formats::{judge},")?;
        }
        writeln!(
            code,
            "#[jsonschema::validator(
    path = {path:?},
    validate_formats = true,
    ignore_unknown_formats = false,
    formats = {{
{formats}    }},
    methods = {{ is_valid = {is_valid}, validate = false, iter_errors = {has_errors} }}
)]
pub(super) struct {name}{suffix};
",
            has_errors = !is_valid,
        )?;
    }
    Ok(())
}
