//! The settings and habits of the Envoy that is imitated. Every default is that of Envoy 1.40. It holds no state.

use std::collections::BTreeSet;

/// What Envoy does when the filter traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Every stream of the worker is answered 503 from then on.
    Closed,
    /// New streams go past the failed filter. Those that were in it are answered 503 all the same.
    Open,
    /// Like `Closed`, until a new VM is loaded for the first stream that comes at least
    /// `base_ms` and at most one and a half times that after the last load (seeded jitter).
    Reload {
        /// The lower bound of the back-off, at least 1.
        base_ms: u64,
    },
}

/// How a peer of Envoy frames its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// A body is followed by an empty piece that ends the stream: Envoy's HTTP/1 codec learns of the
    /// end apart from the last bytes, with `content-length` too.
    Http1,
    /// The last piece ends the stream.
    Http2,
}

/// The settings of the listener and of the wasm plugin that decide what the filter sees.
#[derive(Debug, Clone)]
pub struct EnvoyProfile {
    /// `PluginConfig.allow_on_headers_stop_iteration`. When false (Envoy's default), pausing on
    /// headers stops the body callbacks too: a filter that waits for the body hangs the stream.
    pub allow_on_headers_stop_iteration: bool,
    /// `per_connection_buffer_limit_bytes`: more bytes than this held for the filter is a 413
    /// (request) or a 500 (response). 0 means no limit.
    pub buffer_limit_bytes: usize,
    /// What the client speaks: the property `request.protocol`, and how a request ends.
    pub downstream: Protocol,
    /// What upstream speaks: how an answer ends.
    pub upstream: Protocol,
    /// `PluginConfig.failure_policy`.
    pub failure_policy: FailurePolicy,
    /// Request headers that Envoy keeps in one slot, so that a repeated value is joined with a comma.
    pub joined_request_headers: BTreeSet<Vec<u8>>,
    /// The same for response headers.
    pub joined_response_headers: BTreeSet<Vec<u8>>,
}

impl Default for EnvoyProfile {
    fn default() -> Self {
        Self {
            allow_on_headers_stop_iteration: false,
            buffer_limit_bytes: 1024 * 1024,
            downstream: Protocol::Http1,
            upstream: Protocol::Http1,
            failure_policy: FailurePolicy::Closed,
            joined_request_headers: names(JOINED_IN_REQUESTS),
            joined_response_headers: names(JOINED_IN_RESPONSES),
        }
    }
}

fn names(names: &[&str]) -> BTreeSet<Vec<u8>> {
    names.iter().map(|name| name.as_bytes().to_vec()).collect()
}

/// Measured by sending each name twice through Envoy 1.40 and reading the pairs in a filter.
const JOINED_IN_REQUESTS: &[&str] = &[
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-type",
    "grpc-timeout",
    "if-none-match",
    "origin",
    "pragma",
    "proxy-status",
    "referer",
    "user-agent",
    "via",
];

/// Measured by answering with each name twice.
const JOINED_IN_RESPONSES: &[&str] = &[
    "access-control-allow-origin",
    "age",
    "cache-control",
    "content-encoding",
    "content-type",
    "date",
    "etag",
    "expires",
    "grpc-message",
    "grpc-status",
    "last-modified",
    "location",
    "proxy-status",
    "server",
    "vary",
    "via",
    "x-envoy-degraded",
    "x-envoy-ratelimited",
    "x-request-id",
];
