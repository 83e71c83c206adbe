//! The filters under test, built once a process from the source beside this crate. It runs nothing of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use envoy_sim::Module;
use testbed::paths;

/// The compiled plugin.
///
/// # Panics
/// When it does not build.
pub fn plugin() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("plugin", "bellhop_plugin"))
}

/// The compiled probe filter.
///
/// # Panics
/// When it does not build.
pub fn probe() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("probe-filter", "probe_filter"))
}

/// The plugin, ready to run in the simulator.
///
/// # Panics
/// When it does not build, or Envoy would not load it.
pub fn plugin_module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(plugin()))
}

/// The probe filter, ready to run in the simulator.
///
/// # Panics
/// When it does not build, or Envoy would not load it.
pub fn probe_module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(probe()))
}

fn load(path: &Path) -> Module {
    let kept = paths::scratch().expect("the build folder can be written").join("modules");
    Module::load_cached(path, kept).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
}

/// Cargo's own lock keeps test processes apart that build at once; what is fresh is not written again.
fn build(package: &str, module: &str) -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip1", "--package", package])
        .arg("--target-dir")
        .arg(paths::target())
        .current_dir(paths::repository())
        .status()
        .expect("cargo can be started");
    assert!(status.success(), "{package} does not build; are the targets installed (`cargo xtask up`)?");
    paths::module(module)
}
