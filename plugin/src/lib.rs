//! The proxy-wasm filter: Envoy's callbacks to `event-core` and back. It decides nothing about events itself.
//!
//! | module | owns |
//! |---|---|
//! | `root` | the configuration, once per worker |
//! | `stream` | the phases of one request, as a state machine |
//! | `host` | every call to Envoy; what may be called when is said by types |
//! | `header_map` | all headers of a message at once, read where Envoy put them; the only unsafe code |
//!
//! Invariant: nothing here panics. A panic would take the worker's VM with it, and Envoy would answer 503 until it has
//! made another. The lints below and `clippy.toml` hold that; a trap never opens the gate, since the filter fails closed.
#![allow(missing_docs, reason = "the only public item is the entry point that the SDK's macro writes")]
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod header_map;
mod host;
mod root;
mod stream;

use proxy_wasm::traits::RootContext;
use proxy_wasm::types::LogLevel;

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}}
