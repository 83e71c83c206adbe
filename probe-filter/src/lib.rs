//! A filter that does what the request's `x-probe-<phase>` headers and its configuration tell it, and logs the
//! status of each host call: the same request shows what the simulator and what Envoy make of it. It judges nothing.

mod abi;
mod callbacks;
mod command;
mod probe;
