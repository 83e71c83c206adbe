//! Where the repository and its build folder are. It creates nothing but scratch folders.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The root of the repository: the folder above the member that cargo runs, else above this crate.
///
/// Cargo's word counts first: two checkouts that share a build folder share binaries, and then the path at build time
/// may be the other one's.
pub fn repository() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let running = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let above = running.as_deref().and_then(Path::parent).filter(|root| root.join("testbed").is_dir());
        let built = Path::new(env!("CARGO_MANIFEST_DIR"));
        above.or(built.parent()).unwrap_or(built).to_owned()
    })
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
