//! The arrows between the crates, as one table. It does not judge what a crate does with another.

use std::collections::{BTreeMap, BTreeSet};

use crate::{members, name};

/// Who depends on whom of ours, development dependencies included. ARCHITECTURE.md says why.
const ARROWS: [(&str, &[&str]); 18] = [
    ("cli", &["directory", "event-core", "seam", "testbed"]),
    ("directory", &["directory-api", "event-core", "seam", "testbed"]),
    ("directory-api", &[]),
    ("edge-tests", &["event-core", "testbed"]),
    ("envoy-sim", &[]),
    ("event-core", &[]),
    ("fuzz", &["envoy-sim", "event-core", "testbed"]),
    ("host-tests", &["directory-api", "envoy-sim", "event-core", "testbed"]),
    ("inspector", &["event-core"]),
    ("inspector-build", &[]),
    ("minimal-filter", &[]),
    ("plugin", &["directory-api", "event-core"]),
    ("probe-filter", &[]),
    ("seam", &["testbed"]),
    ("soak", &["system-tests", "testbed"]),
    ("system-tests", &["testbed"]),
    ("testbed", &[]),
    ("xtask", &["testbed"]),
];

/// Each of these foreign crates is named by its owners only: one crate per foreign API.
const OWNERS: [(&str, &[&str]); 11] = [
    ("axum", &["directory"]),
    ("clap", &["cli"]),
    ("h2", &["testbed"]),
    ("hyper", &["directory"]),
    ("lexopt", &["xtask"]),
    ("reqwest", &["seam"]),
    ("sqlx", &["directory"]),
    ("proxy-wasm", &["minimal-filter", "plugin"]),
    ("wasm-bindgen", &["inspector"]),
    ("wasm-bindgen-cli-support", &["inspector-build"]),
    ("wasmtime", &["envoy-sim"]),
];

/// The names of every dependency of every member.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let named = |package: &serde_json::Value| {
        let dependencies = package["dependencies"].as_array().unwrap();
        dependencies.iter().map(|it| name(it).to_owned()).collect()
    };
    members().iter().map(|package| (name(package).to_owned(), named(package))).collect()
}

#[test]
fn the_arrows_are_those_of_the_table() {
    let dependencies = dependencies();
    let ours: BTreeSet<&String> = dependencies.keys().collect();
    let actual: BTreeMap<&str, BTreeSet<&str>> = dependencies
        .iter()
        .map(|(name, all)| {
            (name.as_str(), all.iter().filter(|it| ours.contains(it)).map(String::as_str).collect())
        })
        .collect();
    let table: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, arrows)| (*name, arrows.iter().copied().collect())).collect();
    assert_eq!(actual, table);
}

#[test]
fn a_foreign_api_is_named_by_its_owners_only() {
    let dependencies = dependencies();
    for (foreign, owners) in OWNERS {
        let users: Vec<&str> = dependencies
            .iter()
            .filter(|(_, all)| all.contains(foreign))
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(users, owners, "of {foreign}");
    }
}
