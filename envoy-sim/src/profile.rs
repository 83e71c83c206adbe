//! The settings and habits of the Envoy that is imitated. Every default is that of Envoy 1.40. It holds no state.

use std::collections::BTreeSet;

/// What Envoy does when the filter traps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Every stream of the worker is answered 503 from then on.
    Closed,
    /// Streams go past the failed filter.
    Open,
    /// Like `Closed`, until a new VM is loaded for the first stream that comes at least
    /// `base_ms` and at most one and a half times that after the last load (seeded jitter).
    Reload {
        /// The lower bound of the back-off, at least 1.
        base_ms: u64,
    },
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
    /// `PluginConfig.failure_policy`.
    pub failure_policy: FailurePolicy,
    /// Names that Envoy keeps in one slot, so that a repeated value is joined with a comma.
    pub joined_headers: BTreeSet<Vec<u8>>,
}

impl Default for EnvoyProfile {
    fn default() -> Self {
        Self {
            allow_on_headers_stop_iteration: false,
            buffer_limit_bytes: 1024 * 1024,
            failure_policy: FailurePolicy::Closed,
            joined_headers: JOINED.iter().map(|name| name.as_bytes().to_vec()).collect(),
        }
    }
}

impl EnvoyProfile {
    /// The bytes put between two values of a name that is kept in one slot.
    pub(crate) fn join_delimiter(&self, name: &[u8]) -> Option<&'static [u8]> {
        if name == b"cookie" {
            return Some(b"; ");
        }
        self.joined_headers.contains(name).then_some(b",")
    }
}

/// Measured by sending each name twice through Envoy 1.40 and reading the pairs in a filter.
const JOINED: &[&str] = &["content-type", "content-encoding"];
