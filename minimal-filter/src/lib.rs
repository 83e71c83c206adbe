//! The smallest useful filter: buffers the body, reads it and sets three headers. The yardstick of the benchmark.
//!
//! It judges nothing: every request goes on. What it costs is what any filter that waits for a body must cost.

#![allow(missing_docs, reason = "the SDK's macro makes a public function without documentation")]

use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{Action, ContextType};
use std::hint::black_box;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root));
}}

struct Root;

impl Context for Root {}

impl RootContext for Root {
    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream(0)))
    }
}

/// Bytes of the body so far.
struct Stream(usize);

impl Stream {
    /// The end of the request, wherever it came: takes the body in, sets the headers and lets it go on.
    fn release(&self) -> Action {
        // Who buffers a body wants to see it.
        black_box(self.get_http_request_body(0, self.0));
        self.set_http_request_header_bytes("x-minimal-one", Some(b"one"));
        self.set_http_request_header_bytes("x-minimal-two", Some(b"two"));
        self.set_http_request_header_bytes("x-minimal-three", Some(b"three"));
        Action::Continue
    }

    fn step(&self, end_of_stream: bool) -> Action {
        if end_of_stream { self.release() } else { Action::Pause }
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _n_headers: usize, end_of_stream: bool) -> Action {
        self.step(end_of_stream)
    }

    fn on_http_request_body(&mut self, body_bytes: usize, end_of_stream: bool) -> Action {
        self.0 = body_bytes;
        self.step(end_of_stream)
    }

    // With trailers no body callback is the last one.
    fn on_http_request_trailers(&mut self, _n_trailers: usize) -> Action {
        self.release()
    }
}
