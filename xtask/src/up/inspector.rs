//! The inspector's page beside a running gateway. It is built meanwhile: that takes minutes once, and nobody has to wait for it.

use std::net::SocketAddr;
use std::process::Command;

use anyhow::Context;
use testbed::paths;
use testbed::service::Service;

use crate::run;
use crate::setup::announce;

/// Where it stands.
#[derive(Debug)]
pub(super) enum Inspector {
    /// `cargo xtask inspector` is under way.
    Building(Service),
    /// The page can be opened. It goes when this is dropped.
    Serving(#[allow(dead_code, reason = "held, not read")] Service),
    /// There is none, and it has been said why; or none is wanted.
    Absent,
}

impl Inspector {
    /// Begins to build it. It says where the page is once it is there.
    pub(super) fn start() -> Self {
        Self::build().unwrap_or_else(Self::without)
    }

    fn build() -> anyhow::Result<Self> {
        let mut build = run::program(std::env::current_exe()?);
        build.arg("inspector");
        Ok(Self::Building(Service::start("inspector-build", build)?))
    }

    /// Goes on as far as can be without waiting long.
    pub(super) fn look(&mut self) {
        let Self::Building(build) = self else { return };
        let next = match build.status() {
            Ok(None) => return,
            Ok(Some(status)) if status.success() => Self::serve(),
            Ok(Some(status)) => {
                Err(anyhow::anyhow!("`cargo xtask inspector` ended with {status}:\n{}", build.output()))
            }
            Err(error) => Err(error.into()),
        };
        *self = next.unwrap_or_else(Self::without);
    }

    fn serve() -> anyhow::Result<Self> {
        let mut bellhop = Command::new(paths::target().join("debug/bellhop"));
        bellhop.arg("inspect");
        let mut service = Service::start("inspector", bellhop)?;
        let address: SocketAddr = service.wait_for_value("listening on ").context("it does not start")?;
        println!("Events tried in a browser: http://{address}/inspect\n");
        Ok(Self::Serving(service))
    }

    #[allow(clippy::needless_pass_by_value, reason = "the signature that `unwrap_or_else` asks for")]
    fn without(error: anyhow::Error) -> Self {
        announce(&format!("going on without the inspector: {error:#}"));
        Self::Absent
    }
}

impl Drop for Inspector {
    fn drop(&mut self) {
        // cargo does not end its compilers.
        if let Self::Building(build) = self {
            build.ask_all_to_end();
        }
    }
}
