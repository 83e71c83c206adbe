//! Where npm packages lie that tests need, and which. It installs none: `cargo xtask test --all --install` does.

use std::path::PathBuf;

use crate::paths;

/// What looks for faults of accessibility, with the version that everything here is tried on.
pub const AXE_CORE: &str = "axe-core@4.14.1";

/// What checks the types of scripts and of our own package.
pub const TYPESCRIPT: &str = "typescript@5.9.3";

/// What gives scripts and styles their form.
pub const PRETTIER: &str = "prettier@3.10.1";

/// Where npm puts packages: `node_modules` is below.
pub fn folder() -> PathBuf {
    paths::target().join("tools/npm")
}
