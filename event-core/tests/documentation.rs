//! The tables and sections of the documentation against the code. It does not read prose.

use event_core::config::RETRY_ON;
use event_core::{Cause, headers};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// The table of what Bellhop promises.
const REFERENCE: &str = "docs/reference.md";

fn page(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows of the page's table whose first column has this title, cells without their backticks.
fn table_of(path: &str, title: &str) -> Vec<Vec<String>> {
    let page = page(path);
    let mut lines = page.lines().skip_while(|line| !line.starts_with(&format!("| {title} |"))).skip(2);
    let mut rows = Vec::new();
    while let Some(line) = lines.next().filter(|line| line.starts_with('|')) {
        rows.push(line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect());
    }
    assert!(!rows.is_empty(), "{path} has no table of {title}");
    rows
}

fn table(title: &str) -> Vec<Vec<String>> {
    table_of(REFERENCE, title)
}

#[test]
fn the_table_of_causes_is_the_list_of_causes() {
    let documented = table("cause").into_iter().map(|row| (row[0].clone(), row[1].clone(), row[2].clone()));
    let coded = Cause::ALL.into_iter().map(|cause| {
        let retry = if cause.sender_should_retry() { "yes" } else { "no" };
        (cause.name().to_owned(), cause.status().to_string(), retry.to_owned())
    });
    assert_eq!(documented.collect::<Vec<_>>(), coded.collect::<Vec<_>>());
}

#[test]
fn every_header_in_the_table_is_one_that_a_client_cannot_bring() {
    for row in table("header") {
        assert!(headers::RESERVED.contains(&row[0].as_str()), "{} is not reserved", row[0]);
    }
}

#[test]
fn every_reserved_header_is_in_the_reference() {
    let reference = page(REFERENCE);
    for name in headers::RESERVED {
        let by_prefix = name.starts_with("x-bellhop-");
        assert!(by_prefix || reference.contains(&format!("`{name}`")), "{name} is not in {REFERENCE}");
    }
}

#[test]
fn upstreams_guide_says_what_to_do_with_each_header() {
    let guide = page("docs/upstream.md");
    for name in headers::RESERVED {
        assert!(guide.contains(&format!("`{name}`")), "{name} is not in upstream's guide");
    }
    let told = table_of("docs/upstream.md", "header")
        .into_iter()
        .flat_map(|row| row[0].split(", ").map(str::to_owned).collect::<Vec<_>>());
    let told: Vec<_> = told.collect();
    for row in table("header").into_iter().filter(|row| !row[0].starts_with("x-envoy-")) {
        assert!(told.contains(&row[0]), "{} has no row in upstream's guide", row[0]);
    }
}

#[test]
fn the_providers_guide_shows_every_known_type() {
    let guide = page("docs/provider.md");
    let schemas = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas/events")).unwrap();
    let files = schemas.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let types: Vec<_> = files.filter_map(|it| it.strip_suffix(".schema.json").map(str::to_owned)).collect();
    assert!(types.len() >= 13, "{types:?}");
    for event_type in types {
        let example = format!("\n{{\"event_type\":\"{event_type}\"");
        assert!(guide.contains(&example), "{event_type} has no example");
    }
}

/// The sections of the provider's guide, each a cause: name and text.
fn sections() -> Vec<(String, String)> {
    let guide = page("docs/provider.md");
    let sections = guide.split("\n### `").skip(1).filter_map(|section| section.split_once('`'));
    sections.map(|(name, rest)| (name.to_owned(), rest.split("\n## ").next().unwrap().to_owned())).collect()
}

#[test]
fn the_providers_guide_has_a_section_for_each_cause_and_no_other() {
    let told: Vec<_> = sections().into_iter().map(|(name, _)| name).collect();
    let coded: Vec<_> = Cause::ALL.iter().map(|cause| cause.name().to_owned()).collect();
    assert_eq!(told, coded);
}

#[test]
fn each_section_of_a_cause_shows_its_answer() {
    for ((name, text), cause) in sections().into_iter().zip(Cause::ALL) {
        let answer = text.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).last();
        let answer = answer.unwrap_or_else(|| panic!("the section of {name} shows no answer"));
        let answer: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{name}: {error}"));
        let wanted = json!({
            "type": cause.urn(), "title": cause.title(), "status": cause.status(), "cause": cause.name(),
            "detail": answer["detail"],
        });
        let mut shown = answer.clone();
        shown.as_object_mut().unwrap().remove("errors");
        assert_eq!(shown, wanted, "{name}");
        assert!(
            text.contains(&format!("Status {}", cause.status())),
            "{name} has no `Status {}`",
            cause.status()
        );
        let retry = if cause.sender_should_retry() { "Send it again" } else { "Do not send it again" };
        assert!(text.contains(retry) || cause == Cause::Duplicate, "{name} does not say `{retry}`");
    }
}

#[test]
fn the_defaults_of_the_configuration_are_said() {
    let rows = table("key");
    let of = |key: &str| rows.iter().find(|row| row[0].contains(key)).map(|row| row[2].clone()).unwrap();
    assert_eq!(of("limits.body_bytes"), "262144, 64, 256");
    assert!(
        of("delivery.retry_on")
            .split([',', ';'])
            .map(str::trim)
            .take(3)
            .all(|policy| RETRY_ON.contains(&policy))
    );
}
