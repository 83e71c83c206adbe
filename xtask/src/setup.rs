//! Set-up: targets, components, the filters, Envoy. Each step is done only when it is not done yet.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use testbed::{envoy, npm, paths};

use crate::run;

/// The targets of rust-toolchain.toml. A `targets` line there installs nothing where automatic installs are off.
const TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "wasm32-wasip1"];

/// What the compiled filter of Bellhop is called.
pub(crate) const BELLHOP: &str = "bellhop_plugin";

/// Says which step begins.
pub(crate) fn announce(step: &str) {
    eprintln!("==> {step}");
}

/// Everything that a gateway with these filters needs. Gives the path of Envoy.
///
/// What may be missing is looked for first, so that nobody waits for a build to be told.
pub(crate) fn gateway(filters: &[&str]) -> anyhow::Result<PathBuf> {
    targets()?;
    let envoy = envoy()?;
    for package in filters {
        filter(package)?;
    }
    Ok(envoy)
}

/// Adds the targets that the toolchain lacks.
pub(crate) fn targets() -> anyhow::Result<()> {
    let missing: Vec<_> = TARGETS.into_iter().filter(|target| !has_target(target)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    rustup("target", &missing)
}

/// Adds rustfmt and clippy where the toolchain lacks them.
pub(crate) fn components() -> anyhow::Result<()> {
    let lacks = |subcommand: &str| !run::probe(&mut run::cargo(&[subcommand, "--version"]));
    let wanted = [("fmt", "rustfmt"), ("clippy", "clippy")];
    let missing: Vec<_> =
        wanted.iter().filter(|(it, _)| lacks(it)).map(|(_, component)| *component).collect();
    if missing.is_empty() {
        return Ok(());
    }
    rustup("component", &missing)
}

/// Builds the filter of this package. cargo does nothing when it is up to date.
fn filter(package: &str) -> anyhow::Result<()> {
    announce(&format!("building {package} for Envoy"));
    run::checked(&mut run::cargo(&["build", "--release", "--target", "wasm32-wasip1", "--package", package]))
}

/// Builds the filter of Bellhop. Gives the path of its module.
pub(crate) fn bellhop_module() -> anyhow::Result<PathBuf> {
    targets()?;
    filter("plugin")?;
    Ok(paths::module(BELLHOP))
}

/// Makes the inspector's page and npm package in the build folder. Gives that folder.
pub(crate) fn inspector() -> anyhow::Result<PathBuf> {
    targets()?;
    announce("building the inspector");
    let module =
        ["build", "--profile", "page", "--target", "wasm32-unknown-unknown", "--package", "inspector"];
    run::checked(&mut run::cargo(&module))?;
    let folder = paths::target().join("inspector");
    let mut build = run::cargo(&["run", "--quiet", "--package", "inspector-build", "--"]);
    build.arg(paths::target().join("wasm32-unknown-unknown/page/inspector.wasm"));
    run::checked(build.arg(folder.join("page")).arg(folder.join("npm")))?;
    Ok(folder)
}

/// Builds the program `bellhop` with the inspector in it. Gives its path.
pub(crate) fn bellhop() -> anyhow::Result<PathBuf> {
    inspector()?;
    announce("building bellhop");
    run::checked(&mut run::cargo(&["build", "--package", "cli", "--features", "inspector"]))?;
    Ok(paths::target().join("debug/bellhop"))
}

/// Installs an npm package (`NAME@VERSION`) into the build folder.
pub(crate) fn npm(package: &str) -> anyhow::Result<()> {
    let mut npm = run::program("npm");
    npm.args(["install", "--omit=optional", "--no-audit", "--no-fund", "--loglevel=error"]);
    run::checked(npm.arg("--prefix").arg(npm::folder()).arg(package))
}

/// Finds or fetches Envoy.
fn envoy() -> anyhow::Result<PathBuf> {
    let envoy = envoy::find_or_fetch(&mut |step| announce(step))?;
    eprintln!("    Envoy: {}", from_repository(&envoy).display());
    Ok(envoy)
}

/// The path as seen from the root of the repository, if it lies inside.
pub(crate) fn from_repository(path: &Path) -> &Path {
    path.strip_prefix(paths::repository()).unwrap_or(path)
}

/// Asks the compiler instead of rustup: a distribution's compiler may have the target too.
fn has_target(target: &str) -> bool {
    let mut rustc = run::program("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]);
    let Ok(output) = run::output(&mut rustc) else { return false };
    let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    output.status.success() && folder.is_dir()
}

fn rustup(what: &str, names: &[&str]) -> anyhow::Result<()> {
    let list = names.join(", ");
    announce(&format!("adding {list} to the toolchain with rustup"));
    let mut rustup: Command = run::program("rustup");
    rustup.args([what, "add"]).args(names);
    let done = run::succeeds(&mut rustup).with_context(|| format!("the toolchain lacks {list}"))?;
    if !done {
        bail!("rustup could not add {list} to the toolchain: check the network, or add it by hand");
    }
    Ok(())
}
