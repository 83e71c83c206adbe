//! A wasmtime host that runs proxy-wasm filters under Envoy's rules.
