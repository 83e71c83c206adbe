//! The filters and Envoy: built or fetched once per process. It does not run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use testbed::{envoy, paths};

use crate::BoxError;

/// What runs in the filter's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Bellhop's own.
    Bellhop,
    /// Buffers the body and lets every request go on.
    Minimal,
    /// Does what the request's `x-probe-*` headers say.
    Probe,
}

impl Filter {
    const fn package(self) -> &'static str {
        match self {
            Self::Bellhop => "plugin",
            Self::Minimal => "minimal-filter",
            Self::Probe => "probe-filter",
        }
    }

    /// Its compiled module, built if it is not up to date.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn module(self) -> Result<PathBuf, BoxError> {
        static BUILT: [OnceLock<Result<(), String>>; 3] = [const { OnceLock::new() }; 3];
        let (slot, name) = match self {
            Self::Bellhop => (&BUILT[0], "bellhop_plugin"),
            Self::Minimal => (&BUILT[1], "minimal_filter"),
            Self::Probe => (&BUILT[2], "probe_filter"),
        };
        slot.get_or_init(|| build(self.package())).clone()?;
        Ok(paths::module(name))
    }
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

/// Builds a filter as `cargo xtask` does. cargo does nothing when it is up to date.
fn build(package: &str) -> Result<(), String> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["build", "--release", "--target", "wasm32-wasip1", "--package", package])
        .current_dir(paths::repository())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cargo cannot be run to build {package}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{package} cannot be built:\n{}", String::from_utf8_lossy(&output.stderr)))
}
