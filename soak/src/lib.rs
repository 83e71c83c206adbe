//! Proof by fault: a sender that does not give up, real Envoy with the filter, the account directory and an upstream that
//! records, while each of them fails in turn.
//!
//! It knows Bellhop by its programs, files and HTTP only: no crate of it is linked.

pub mod backoff;
pub mod clock;
pub mod edge;
pub mod fleet;
pub mod outbox;
pub mod plan;
pub mod recorder;
pub mod report;
pub mod run;
pub mod sender;
pub mod trap;
pub mod world;

pub use system_tests::BoxError;
