//! `cargo xtask soak`: builds and runs the program of the crate of that name. What it does and judges stands there.

use testbed::paths;

use crate::arguments::SoakOptions;
use crate::{run, setup};

/// Runs it with its output on our terminal. Whether nothing was found.
pub(crate) fn run(options: &SoakOptions) -> anyhow::Result<bool> {
    setup::gateway(&["plugin"])?;
    // As the soak runs it: without pages.
    run::checked(&mut run::cargo(&["build", "--package", "cli"]))?;
    let report = match &options.report {
        Some(file) => std::path::absolute(file)?,
        None => paths::target().join("soak.json"),
    };
    let mut soak = run::cargo(&["run", "--package", "soak", "--"]);
    soak.arg(options.minutes.to_string()).arg(options.seed.to_string()).arg(report);
    setup::announce(&format!("failing in turn for {} minutes", options.minutes));
    run::succeeds(&mut soak)
}
