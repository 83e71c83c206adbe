//! What the repository promises about its own shape: who may look at whom, what a file looks like, what the filter imports.
//! Each test fails when it saw nothing to check. None of them looks at behaviour.

mod arrows;
mod dependencies;
mod documents;
mod envoy_yaml;
mod manifests;
mod module;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The root of the repository.
fn root() -> &'static Path {
    testbed::paths::repository()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The members of the workspace as `cargo metadata` tells them.
fn members() -> Vec<Value> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output = Command::new(cargo).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let members = metadata["packages"].as_array().unwrap().clone();
    assert!(members.len() >= 8, "cargo metadata shows only {} packages", members.len());
    members
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

/// The folder of a member.
fn folder(package: &Value) -> PathBuf {
    Path::new(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// Every file below this folder, build folders left out.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.is_dir() {
            files.push(path);
        } else if !path.ends_with("target") && !path.ends_with(".git") {
            files.extend(files_below(&path));
        }
    }
    files.sort();
    files
}
