//! The programs under test: built or fetched once per process. It does not run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use testbed::{envoy, paths};

use crate::BoxError;

/// The program `bellhop`.
///
/// # Errors
/// When it cannot be built.
pub fn bellhop() -> Result<&'static Path, BoxError> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let built =
        BUILT.get_or_init(|| build(&["--package", "cli"]).map(|()| paths::target().join("debug/bellhop")));
    Ok(built.as_ref().map_err(Clone::clone)?)
}

/// Makes sure that the filter that `envoy.yaml` names is built.
///
/// # Errors
/// When it cannot be built.
pub fn filter() -> Result<(), BoxError> {
    static BUILT: OnceLock<Result<(), String>> = OnceLock::new();
    let build = || build(&["--release", "--target", "wasm32-wasip1", "--package", "plugin"]);
    Ok(BUILT.get_or_init(build).clone()?)
}

/// Envoy, fetched into the build folder if there is none.
///
/// # Errors
/// When there is none and none can be fetched.
pub fn envoy() -> Result<&'static Path, BoxError> {
    static ENVOY: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = ENVOY.get_or_init(|| {
        envoy::find_or_fetch(&mut |step| eprintln!("{step}")).map_err(|error| error.to_string())
    });
    Ok(found.as_ref().map_err(Clone::clone)?)
}

/// Builds as `cargo xtask` does. cargo does nothing when it is up to date.
fn build(arguments: &[&str]) -> Result<(), String> {
    let what = arguments.join(" ");
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .arg("build")
        .args(arguments)
        .arg("--target-dir")
        .arg(paths::target())
        .current_dir(paths::repository())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo cannot be run to build {what}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{what} cannot be built:\n{}", String::from_utf8_lossy(&output.stderr)))
}
