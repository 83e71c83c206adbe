//! The proxy-wasm filter: Envoy's callbacks to `event-core` and back. It decides nothing about events itself.
//!
//! | module | owns |
//! |---|---|
//! | `root` | the configuration, once per worker |
//! | `worker` | what the streams of one worker share: the core with its configuration, and what is known of the directory |
//! | `directory` | asking the account directory, for many streams at once; the tick that lets nobody hang |
//! | `stream` | the phases of one request, as a state machine |
//! | `host` | every call to Envoy; what may be called when is said by types |
//! | `callout`, `shared_data` | the calls that ask a cluster, and those that the workers share data by |
//! | `metrics` | the calls that count |
//! | `header_map` | all headers of a message at once, read where Envoy put them; with `metrics` the only unsafe code |
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

mod callout;
mod directory;
mod header_map;
mod host;
mod metrics;
mod root;
mod shared_data;
mod stream;
mod worker;

use proxy_wasm::traits::RootContext;

proxy_wasm::main! {{
    // The message of a panic can hold part of a body; the place cannot.
    std::panic::set_hook(Box::new(|panic| host::log_panic(panic.location())));
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> { Box::new(root::Root::default()) });
}}
