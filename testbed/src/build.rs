//! What of this repository tests run: its filters and programs, built by cargo once per process. It runs none of them.
//!
//! Cargo does nothing when they are up to date, and its own lock keeps test processes apart that build at once.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use crate::paths;

/// The compiled filter of a package; `module` is what its file is called, e.g. `bellhop_plugin`.
///
/// # Errors
/// When it cannot be built; with what cargo said.
pub fn filter(package: &str, module: &str) -> io::Result<PathBuf> {
    once(package, &["--release", "--target", "wasm32-wasip1"])?;
    Ok(paths::module(module))
}

/// A program of a package.
///
/// # Errors
/// When it cannot be built; with what cargo said.
pub fn program(package: &str, name: &str) -> io::Result<PathBuf> {
    once(package, &[])?;
    Ok(paths::target().join("debug").join(name))
}

/// A package is a filter or a native one, so its name is enough to know what has been built.
fn once(package: &str, options: &[&str]) -> io::Result<()> {
    static BUILT: Mutex<BTreeMap<String, Result<(), String>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().map_err(|_| io::Error::other("a build has panicked"))?;
    let result = built.entry(package.to_owned()).or_insert_with(|| build(package, options));
    result.clone().map_err(io::Error::other)
}

fn build(package: &str, options: &[&str]) -> Result<(), String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--package", package])
        .args(options)
        .arg("--target-dir")
        .arg(paths::target())
        .current_dir(paths::repository())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo cannot be run to build {package}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{package} cannot be built; are the targets installed (`cargo xtask up`)?\n{said}"))
}
