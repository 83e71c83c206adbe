//! Runs the repository's `envoy.yaml` on real Envoy, for the tests of this crate. It judges nothing about events.
//!
//! ```no_run
//! # fn main() -> Result<(), edge_tests::BoxError> {
//! use edge_tests::{Filter, Setup, event};
//!
//! let edge = Setup::new(Filter::Bellhop).change("max_headers_count: 100", "max_headers_count: 50").start()?;
//! let response = edge.http1(&event::post(event::GOOD))?;
//! assert_eq!(response.status, 200);
//! # Ok(())
//! # }
//! ```
//!
//! What a test needs is made by the first that asks: the filters are built once per process, Envoy is found or fetched.

mod edge;
pub mod event;
pub mod filters;
pub mod problem;
mod setup;
mod shared;

pub use edge::{Edge, PROTOCOLS, Protocol, until};
pub use filters::Filter;
pub use setup::Setup;
pub use shared::{Lease, shipped};

/// Any error, as tests return it.
pub type BoxError = Box<dyn std::error::Error>;

/// What a test returns.
pub type TestResult = Result<(), BoxError>;
