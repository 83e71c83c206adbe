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
    once(package, || build(package, &["--release", "--target", "wasm32-wasip1"]))?;
    Ok(paths::module(module))
}

/// A program of a package.
///
/// # Errors
/// When it cannot be built; with what cargo said.
pub fn program(package: &str, name: &str) -> io::Result<PathBuf> {
    once(package, || build(package, &[]))?;
    Ok(paths::target().join("debug").join(name))
}

/// The program `bellhop` with the inspector in it. The page and its npm package lie in `inspector` of the build folder then.
///
/// # Errors
/// When it cannot be built; with what was said.
pub fn inspector() -> io::Result<PathBuf> {
    once("inspector", || {
        let mut xtask = cargo();
        xtask.args(["run", "--quiet", "--package", "xtask", "--", "inspector"]);
        succeeds(xtask.env("CARGO_TARGET_DIR", paths::target()), "the inspector")
    })?;
    Ok(paths::target().join("debug/bellhop"))
}

/// A package is built in one way, so its name is enough to know what has been built.
fn once(package: &str, build: impl FnOnce() -> Result<(), String>) -> io::Result<()> {
    static BUILT: Mutex<BTreeMap<String, Result<(), String>>> = Mutex::new(BTreeMap::new());
    let mut built = BUILT.lock().map_err(|_| io::Error::other("a build has panicked"))?;
    let result = built.entry(package.to_owned()).or_insert_with(build);
    result.clone().map_err(io::Error::other)
}

fn build(package: &str, options: &[&str]) -> Result<(), String> {
    let mut build = cargo();
    build.args(["build", "--package", package]).args(options).arg("--target-dir").arg(paths::target());
    succeeds(&mut build, package)
}

fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::repository()).stdin(Stdio::null());
    cargo
}

fn succeeds(cargo: &mut Command, what: &str) -> Result<(), String> {
    let output = cargo.output().map_err(|error| format!("cargo cannot be run to build {what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{what} cannot be built; are the targets installed (`cargo xtask up`)?\n{said}"))
}
