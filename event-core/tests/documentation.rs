//! The tables of the README against the code. It does not read prose.

use event_core::config::RETRY_ON;
use event_core::{Cause, headers};
use std::fs;
use std::path::Path;

/// The rows of the table whose first column has this title, cells without their backticks.
fn table(title: &str) -> Vec<Vec<String>> {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let mut lines = readme.lines().skip_while(|line| !line.starts_with(&format!("| {title} |"))).skip(2);
    let mut rows = Vec::new();
    while let Some(line) = lines.next().filter(|line| line.starts_with('|')) {
        rows.push(line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect());
    }
    assert!(!rows.is_empty(), "README.md has no table of {title}");
    rows
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
fn every_reserved_header_is_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    for name in headers::RESERVED {
        let by_prefix = name.starts_with("x-bellhop-");
        assert!(by_prefix || readme.contains(&format!("`{name}`")), "{name} is not in README.md");
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
