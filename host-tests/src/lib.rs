//! Event cases and scenarios, run on the native core, on the simulator and through real Envoy.
//!
//! An [`Exchange`] is one request and how upstream takes it, an [`Ending`] is what came of it. Three runners turn the one
//! into the other: [`on_core`], [`on_simulator`] and [`on_envoy`]. The tests compare endings; this crate holds no test and
//! knows the plugin only as a file.

pub mod counted;
pub mod directory;
pub mod ending;
pub mod events;
pub mod exchange;
pub mod filters;
pub mod generate;
pub mod headers;
pub mod on_core;
pub mod on_envoy;
pub mod on_simulator;
pub mod scenario;
pub mod sign;

pub use ending::{Ending, Outcome, UpstreamSaw};
pub use exchange::{Exchange, Failure, Step};
