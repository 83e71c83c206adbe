//! The filters that an edge can run. It does not run them.

use std::path::PathBuf;

use testbed::build;

use crate::BoxError;

/// What runs in the filter's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Bellhop's own.
    Bellhop,
    /// Buffers the body and lets every request go on.
    Minimal,
    /// Does what the request's `x-probe-*` headers say.
    Probe,
}

impl Filter {
    const fn package(self) -> &'static str {
        match self {
            Self::Bellhop => "plugin",
            Self::Minimal => "minimal-filter",
            Self::Probe => "probe-filter",
        }
    }

    /// Its compiled module, built if it is not up to date.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn module(self) -> Result<PathBuf, BoxError> {
        let name = match self {
            Self::Bellhop => "bellhop_plugin",
            Self::Minimal => "minimal_filter",
            Self::Probe => "probe_filter",
        };
        Ok(build::filter(self.package(), name)?)
    }
}
