//! The whole chain on random free ports: a sender, Envoy with `envoy.yaml`, `bellhop serve`, an upstream that records.
//!
//! It knows Bellhop by its programs, files and HTTP only: no crate of it is linked.

pub mod chain;
pub mod directory;
pub mod webhook;

/// Any error: tests show it and end.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
