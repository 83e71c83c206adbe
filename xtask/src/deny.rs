//! `cargo xtask deny`: what cargo-deny says by `deny.toml`. Known vulnerabilities are looked up in a database on the network,
//! so that this is no part of the gate; licences, sources and bans are held there by a test of their own.

use anyhow::bail;

use crate::run;

/// Whether nothing is denied.
pub(crate) fn run() -> anyhow::Result<bool> {
    if !run::probe(&mut run::cargo(&["deny", "--version"])) {
        bail!("cargo-deny is missing: `cargo install --locked cargo-deny`");
    }
    run::succeeds(&mut run::cargo(&["deny", "--all-features", "check"]))
}
