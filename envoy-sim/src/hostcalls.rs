//! Registers every host function of the ABI with a linker, in `env`. Each file below holds one family.

mod basics;
mod bodies;
mod headers;
mod http;
mod metrics;
mod properties;
mod sharing;

use wasmtime::Linker;

use crate::host::Host;

/// Offers all of them.
pub(crate) fn link(linker: &mut Linker<Host>) -> wasmtime::Result<()> {
    basics::link(linker)?;
    bodies::link(linker)?;
    headers::link(linker)?;
    http::link(linker)?;
    metrics::link(linker)?;
    properties::link(linker)?;
    sharing::link(linker)
}
