//! Finds the inspector's page for the feature `inspector`. It builds none: `cargo xtask inspector` does.

use std::env;
use std::path::PathBuf;

/// Names the folder where it is not in the build folder.
const VARIABLE: &str = "BELLHOP_INSPECTOR";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    if env::var_os("CARGO_FEATURE_INSPECTOR").is_none() {
        return;
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    let folder =
        env::var_os(VARIABLE).map_or_else(|| root.join(target).join("inspector/page"), PathBuf::from);
    if !folder.join("index.html").is_file() {
        println!(
            "cargo::error=the inspector's page is not in {}: run `cargo xtask inspector` first",
            folder.display()
        );
        return;
    }
    println!("cargo::rerun-if-changed={}", folder.display());
    println!("cargo::rustc-env={VARIABLE}={}", folder.display());
}
