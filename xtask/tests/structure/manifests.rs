//! What every member's manifest takes from the root. It does not read TOML: the manifests keep to one form.

use crate::{folder, members, name, read, root};

/// What every member says.
const INHERITED: [&str; 5] = [
    "version.workspace = true",
    "edition.workspace = true",
    "rust-version.workspace = true",
    "license.workspace = true",
    "[lints]\nworkspace = true",
];

/// The lines of the sections whose names pass, without comments and empty ones.
fn lines_of(manifest: &str, section: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut inside = false;
    let mut lines = Vec::new();
    for line in manifest.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(header) = line.strip_prefix('[') {
            inside = section(header.trim_end_matches(']'));
        } else if inside {
            lines.push(line);
        }
    }
    lines
}

#[test]
fn every_member_takes_version_edition_and_lints_from_the_root() {
    for package in members() {
        let manifest = read(&folder(&package).join("Cargo.toml"));
        for line in INHERITED {
            assert!(manifest.contains(line), "{} lacks `{line}`", name(&package));
        }
    }
}

#[test]
fn every_member_takes_its_dependencies_from_the_root() {
    let mut n_seen = 0;
    for package in members() {
        let manifest = read(&folder(&package).join("Cargo.toml"));
        for line in lines_of(&manifest, |section| section.ends_with("dependencies")) {
            assert!(line.contains("workspace = true"), "{}: `{line}`", name(&package));
            n_seen += 1;
        }
        assert!(!manifest.contains("dependencies."), "{}: one line a dependency", name(&package));
    }
    assert!(n_seen > 5, "only {n_seen} dependencies seen");
}

#[test]
fn every_version_is_exact_and_stands_in_the_root() {
    let manifest = read(&root().join("Cargo.toml"));
    let lines = lines_of(&manifest, |section| section == "workspace.dependencies");
    assert!(lines.len() > 5, "only {} dependencies seen", lines.len());
    for line in lines {
        let exact = line.contains(" = \"=") || line.contains("version = \"=");
        assert!(exact || line.contains("path = "), "`{line}`");
    }
}

#[test]
fn the_folder_of_a_member_has_its_name() {
    for package in members() {
        assert_eq!(folder(&package), root().join(name(&package)));
    }
}
