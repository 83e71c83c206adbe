//! What other people's code is built in, by `deny.toml`: licences, bans, sources, versions. It knows no vulnerability:
//! `cargo xtask deny` does, with the network.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;
use toml_edit::DocumentMut;

use crate::{name, read, root};

fn rules() -> DocumentMut {
    read(&root().join("deny.toml")).parse().unwrap()
}

/// The strings of an array of `deny.toml`, or what its tables say under `crate`.
fn list(section: &str, key: &str) -> BTreeSet<String> {
    let rules = rules();
    let text = |it: &toml_edit::Value| {
        let of_table = it.as_inline_table().and_then(|table| table.get("crate"));
        of_table.unwrap_or(it).as_str().unwrap().to_owned()
    };
    rules[section][key].as_array().unwrap().iter().map(text).collect()
}

/// Every package that is built on the target of `deny.toml`, with every feature; ours too.
fn packages() -> Vec<Value> {
    let target = rules()["graph"]["targets"][0].as_str().unwrap().to_owned();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--locked", "--all-features", "--format-version", "1", "--filter-platform"];
    let output = Command::new(cargo).args(arguments).arg(target).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let Value::Array(packages) = metadata["packages"].take() else { panic!("no packages") };
    assert!(packages.len() > 100, "cargo metadata shows only {} packages", packages.len());
    packages
}

/// The licences of an SPDX expression that are needed, if those allowed suffice. Some still write `/` for `OR`.
fn needed(expression: &str, allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let spaced =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let words: Vec<String> = spaced.split_whitespace().map(|word| word.replace("+WITH+", " WITH ")).collect();
    let mut rest = words.as_slice();
    let needed = any_of(&mut rest, allowed);
    assert!(rest.is_empty(), "no expression: {expression}");
    needed
}

fn any_of(rest: &mut &[String], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut found = all_of(rest, allowed);
    while rest.first().is_some_and(|word| word == "OR") {
        *rest = &rest[1..];
        let other = all_of(rest, allowed);
        found = found.or(other);
    }
    found
}

fn all_of(rest: &mut &[String], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut found = one(rest, allowed);
    while rest.first().is_some_and(|word| word == "AND") {
        *rest = &rest[1..];
        let other = one(rest, allowed);
        found = found.zip(other).map(|(one, other)| one.union(&other).cloned().collect());
    }
    found
}

fn one(rest: &mut &[String], allowed: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let (word, behind) = rest.split_first().expect("an expression does not end here");
    *rest = behind;
    if word != "(" {
        return allowed.contains(word).then(|| BTreeSet::from([word.clone()]));
    }
    let inside = any_of(rest, allowed);
    assert_eq!(rest.first().map(String::as_str), Some(")"));
    *rest = &rest[1..];
    inside
}

#[test]
fn every_licence_is_allowed_and_every_allowed_one_is_needed() {
    let allowed = list("licenses", "allow");
    let mut used = BTreeSet::new();
    for package in packages() {
        let licence = package["license"].as_str().unwrap_or_default();
        let needed = needed(licence, &allowed).unwrap_or_else(|| panic!("{}: {licence}", name(&package)));
        used.extend(needed);
    }
    assert_eq!(used, allowed);
}

#[test]
fn what_is_banned_is_not_built_in() {
    let lock = read(&root().join("Cargo.lock"));
    let banned = list("bans", "deny");
    assert!(banned.len() > 3, "only {banned:?}");
    for name in banned {
        assert!(!lock.contains(&format!("name = \"{name}\"\n")), "{name} is in the lock file");
    }
}

#[test]
fn everything_comes_from_one_registry() {
    let lock = read(&root().join("Cargo.lock"));
    let sources: BTreeSet<&str> = lock.lines().filter_map(|line| line.strip_prefix("source = ")).collect();
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("\"registry+")), "{sources:?}");
}

#[test]
fn only_what_is_excused_is_there_in_several_versions() {
    let mut versions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in packages() {
        let version = package["version"].as_str().unwrap().to_owned();
        versions.entry(name(&package).to_owned()).or_default().insert(version);
    }
    let several: BTreeSet<String> =
        versions.into_iter().filter(|(_, all)| all.len() > 1).map(|(name, _)| name).collect();
    assert_eq!(several, list("bans", "skip"));
}

#[test]
fn an_expression_is_met_by_one_side_of_or_and_both_of_and() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0/MIT", true),
        ("MIT AND GPL-3.0", false),
        ("(GPL-3.0 OR MIT) AND ISC", true),
        ("GPL-3.0 OR MIT AND ISC", true),
        ("Apache-2.0", false),
        ("Apache-2.0 WITH LLVM-exception OR Apache-2.0", true),
    ] {
        assert_eq!(needed(expression, &allowed).is_some(), met, "{expression}");
    }
}
