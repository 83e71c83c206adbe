//! The proxy-wasm filter: Envoy's callbacks to event-core and back.
