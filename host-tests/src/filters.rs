//! The filters under test, built once a process from the source beside this crate. It runs nothing of them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use envoy_sim::Module;
use testbed::{build, paths};

/// The compiled plugin.
///
/// # Panics
/// When it does not build.
pub fn plugin() -> PathBuf {
    build::filter("plugin", "bellhop_plugin").unwrap_or_else(|error| panic!("{error}"))
}

/// The compiled probe filter.
///
/// # Panics
/// When it does not build.
pub fn probe() -> PathBuf {
    build::filter("probe-filter", "probe_filter").unwrap_or_else(|error| panic!("{error}"))
}

/// The plugin, ready to run in the simulator.
///
/// # Panics
/// When it does not build, or Envoy would not load it.
pub fn plugin_module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(&plugin()))
}

/// The probe filter, ready to run in the simulator.
///
/// # Panics
/// When it does not build, or Envoy would not load it.
pub fn probe_module() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| load(&probe()))
}

fn load(path: &Path) -> Module {
    let kept = paths::scratch().expect("the build folder can be written").join("modules");
    Module::load_cached(path, kept).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()))
}
