//! Where the repository and its build folder are. It creates nothing but scratch folders.

use std::io;
use std::path::{Path, PathBuf};

/// The root of the repository: the folder of the workspace manifest.
pub fn repository() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.parent().unwrap_or(crate_folder)
}

/// Cargo's build folder: `CARGO_TARGET_DIR` (a relative one counts from the repository's root), else `target`.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) if !folder.is_empty() => repository().join(folder),
        _ => repository().join("target"),
    }
}

/// The compiled filter of this package, e.g. `bellhop_plugin` or `minimal_filter`.
pub fn module(name: &str) -> PathBuf {
    target().join("wasm32-wasip1/release").join(format!("{name}.wasm"))
}

/// The folder for logs and configurations of test processes. Made if absent.
///
/// # Errors
/// When it cannot be made.
pub fn scratch() -> io::Result<PathBuf> {
    let folder = target().join("tmp");
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}
