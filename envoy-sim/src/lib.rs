//! A wasmtime host that runs proxy-wasm filters under Envoy's rules. It knows no particular filter.
//!
#![doc = include_str!("../README.md")]

mod abi;
mod callout;
mod chain;
mod error;
mod flow;
mod guest;
mod host;
mod hostcalls;
mod maps;
mod message;
mod metrics;
mod module;
mod profile;
mod properties;
mod rng;
mod seen;
mod setup;
mod shared;
mod sim;
mod stream;
mod trace;
mod vm;
mod wasi;
mod worker;

pub use abi::{Callback, LogLevel, Status};
pub use callout::{CalloutAnswer, CalloutRequest, Cluster};
pub use error::Error;
pub use maps::HeaderMap;
pub use message::{Request, Response, Upstream, UpstreamFailure};
pub use metrics::{MetricKind, Metrics};
pub use module::Module;
pub use profile::{EnvoyProfile, FailurePolicy, Protocol};
pub use seen::{Answerer, Fuel, Outcome, Seen, UpstreamSaw, Violation, WaitingFor};
pub use setup::Setup;
pub use shared::{Conflicts, LogLine};
pub use sim::{Run, Simulator, StreamId, WorkerHandle};
pub use trace::{Trace, TraceEntry, TraceEvent};
