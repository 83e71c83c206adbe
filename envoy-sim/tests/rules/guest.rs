//! The probe filter, built once a test run and compiled once a test binary. It runs nothing.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use envoy_sim::Module;

/// The module named by `PROBE_FILTER_WASM`, or else built from the source beside this crate.
pub(crate) fn probe() -> &'static Module {
    static MODULE: OnceLock<Module> = OnceLock::new();
    MODULE.get_or_init(|| {
        let path = std::env::var_os("PROBE_FILTER_WASM").map_or_else(build, PathBuf::from);
        Module::load_cached(path, Path::new(env!("CARGO_TARGET_TMPDIR")).join("modules")).unwrap()
    })
}

fn build() -> PathBuf {
    let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--target", "wasm32-wasip1", "--package", "probe-filter"])
        .arg("--target-dir")
        .arg(target_dir)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap())
        .status()
        .unwrap();
    assert!(status.success(), "the probe filter does not build");
    target_dir.join("wasm32-wasip1/release/probe_filter.wasm")
}
