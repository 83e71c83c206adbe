//! Real peers under test: Envoy, Chromium and the published fake of the Seam API found and started, upstreams that
//! record, clients that send any bytes.
//!
//! It knows nothing of Bellhop's events and outcomes: it moves bytes and processes, and judges neither.

pub mod bootstrap;
#[cfg(feature = "browser")]
pub mod browser;
pub mod build;
pub mod envoy;
pub mod fake_seam;
pub mod frames;
pub mod gateway;
pub mod http1;
#[cfg(feature = "http2")]
pub mod http2;
pub mod message;
pub mod npm;
pub mod paths;
pub mod postgres;
pub mod process;
pub mod random;
pub mod service;
pub mod upstream;

use std::time::Duration;

/// How long anything in here waits before it gives up with an error. Generous: machines are busy.
pub const PATIENCE: Duration = Duration::from_secs(30);
