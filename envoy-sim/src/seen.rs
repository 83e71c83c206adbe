//! The result of a stream: what each side saw and what it cost. It is a copy; nothing in it runs.

use std::collections::BTreeMap;
use std::fmt;

use crate::abi::Callback;
use crate::callout::CalloutRequest;
use crate::maps::HeaderMap;
use crate::message::Response;
use crate::shared::LogLine;
use crate::trace::Trace;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A whole answer went downstream.
    Answered,
    /// The stream was reset before a whole answer.
    Reset,
    /// Nothing can happen any more and there is no whole answer.
    Hung(WaitingFor),
}

/// Who would have to act for a stream that hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitingFor {
    /// The filter paused and nothing will wake it.
    Filter,
    /// The filter waits for a callout without an answer.
    Callout,
    /// Upstream has the request and is silent.
    Upstream,
    /// The client has not sent all.
    Client,
}

/// Who made the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// Nobody yet.
    Nobody,
    /// Upstream.
    Upstream,
    /// The filter, with a local response.
    Filter,
    /// Envoy by itself: a limit, a failed VM, an unreachable upstream.
    Envoy,
}

/// What reached upstream, as the filter left it. The router's own headers are not imitated.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UpstreamSaw {
    /// The headers as they were when they left the filter.
    pub headers: HeaderMap,
    /// The body so far.
    pub body: Vec<u8>,
    /// Trailers, if any.
    pub trailers: Option<HeaderMap>,
    /// Whether upstream was told of the end.
    pub complete: bool,
}

/// A call that Envoy does not refuse but for which it has no defined behaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Violation {
    /// The filter resumed a direction that was not paused.
    ResumedRunning {
        /// True for the request, false for the response.
        request: bool,
    },
    /// The filter changed a map whose frame has left: the call succeeds and has no effect.
    ChangedAfterLeaving {
        /// The host function.
        call: &'static str,
        /// The header.
        name: String,
    },
}

/// Fuel used by the callbacks of one stream, `proxy_on_log` and `proxy_on_delete` included.
/// Callout replies are counted to the stream that sent the callout.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fuel {
    pub(crate) calls: Vec<(Callback, u64)>,
}

impl Fuel {
    /// The whole stream.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.calls.iter().map(|(_, fuel)| fuel).sum()
    }

    /// All calls of one callback.
    #[must_use]
    pub fn of(&self, callback: Callback) -> u64 {
        self.calls.iter().filter(|(called, _)| *called == callback).map(|(_, fuel)| fuel).sum()
    }

    /// Each call and its fuel, in order.
    #[must_use]
    pub fn calls(&self) -> &[(Callback, u64)] {
        &self.calls
    }
}

/// All that a test can ask about one stream.
#[derive(Clone, PartialEq, Eq)]
pub struct Seen {
    /// How it ended.
    pub outcome: Outcome,
    /// Who answered.
    pub answered_by: Answerer,
    /// What went downstream; a partial answer if the outcome is not `Answered`.
    pub response: Option<Response>,
    /// What reached upstream, if its headers did.
    pub upstream: Option<UpstreamSaw>,
    /// `response.code_details`.
    pub code_details: Option<String>,
    /// What the filter set with `proxy_set_property`, under the name it gave.
    pub filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How often the filter changed request headers or asked Envoy to choose the route again.
    pub route_cache_clears: u32,
    /// Lines that the stream's own context logged.
    pub logs: Vec<LogLine>,
    /// The callouts that the stream's context sent.
    pub callouts: Vec<CalloutRequest>,
    /// Fuel by callback.
    pub fuel: Fuel,
    /// Pages of 64 KiB of the VM's memory when the stream came.
    pub memory_pages_before: u64,
    /// The same when it ended, or now.
    pub memory_pages_after: u64,
    /// Calls without defined behaviour.
    pub violations: Vec<Violation>,
    /// The calls of this stream in both directions, as far as they are kept.
    pub trace: Trace,
}

impl Seen {
    /// The status that went downstream, or 0.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.as_ref().map_or(0, Response::status)
    }

    /// The first value of a response header as text.
    #[must_use]
    pub fn response_header(&self, name: &str) -> Option<&str> {
        self.response.as_ref().and_then(|response| response.headers.text(name))
    }

    /// The whole response body.
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        self.response.as_ref().map(Response::body).unwrap_or_default()
    }

    /// The first value, as text, of a header that reached upstream.
    #[must_use]
    pub fn upstream_header(&self, name: &str) -> Option<&str> {
        self.upstream.as_ref().and_then(|upstream| upstream.headers.text(name))
    }

    /// Whether upstream got the whole request and its own answer went back.
    #[must_use]
    pub fn forwarded(&self) -> bool {
        self.outcome == Outcome::Answered
            && self.answered_by == Answerer::Upstream
            && self.upstream.as_ref().is_some_and(|upstream| upstream.complete)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?} by {:?}", self.outcome, self.answered_by)?;
        writeln!(f, "response: {:?}", self.response)?;
        writeln!(f, "upstream: {:?}", self.upstream)?;
        writeln!(f, "fuel: {}, violations: {:?}", self.fuel.total(), self.violations)?;
        write!(f, "{}", self.trace)
    }
}
