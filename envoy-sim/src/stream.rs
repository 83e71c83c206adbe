//! One HTTP stream: both directions, the script of its peers, and what each side has seen. It calls no filter.

use std::collections::{BTreeMap, VecDeque};

use crate::abi::Callback;
use crate::flow::{Direction, Flow};
use crate::host::LocalReply;
use crate::maps::HeaderMap;
use crate::message::{Response, Upstream};
use crate::seen::{Answerer, Outcome, UpstreamSaw, Violation};

/// A frame that a peer is still to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Frame {
    Headers { headers: HeaderMap, end: bool },
    Data { bytes: Vec<u8>, end: bool },
    Trailers(HeaderMap),
}

/// Where the context of the stream stands in the filter's VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextState {
    /// Not announced to the VM.
    Absent,
    /// Announced.
    Live,
    /// Deleted, or the VM failed and the stream is over.
    Gone,
}

/// Where the stream stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Open,
    /// Over; the outcome does not change any more.
    Over(Outcome),
}

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) context: u32,
    pub(crate) root: u32,
    /// The VM this stream belongs to; an older one than the worker's has failed.
    pub(crate) generation: u32,
    pub(crate) context_state: ContextState,
    /// The filter was left out of the chain (fail open).
    pub(crate) bypassed: bool,
    pub(crate) request: Flow,
    pub(crate) response: Flow,
    pub(crate) from_client: VecDeque<Frame>,
    pub(crate) from_upstream: VecDeque<Frame>,
    pub(crate) upstream_plan: Upstream,
    pub(crate) upstream: Option<UpstreamSaw>,
    pub(crate) downstream: Option<Response>,
    pub(crate) answerer: Answerer,
    pub(crate) life: Life,
    pub(crate) head_request: bool,
    pub(crate) local_reply: bool,
    /// A request callback is running: a local reply waits until its verdict has been acted on.
    pub(crate) deciding: bool,
    pub(crate) prepared_reply: Option<LocalReply>,
    /// The 503 of a failed VM went out: response callbacks are skipped.
    pub(crate) failed_reply: bool,
    pub(crate) code_details: Option<String>,
    pub(crate) filter_state: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) route_cache_clears: u32,
    /// `proxy_on_log` runs: maps are those of the access log.
    pub(crate) logging: bool,
    pub(crate) end_of_stream: bool,
    pub(crate) opened_ns: u64,
    pub(crate) fuel: Vec<(Callback, u64)>,
    pub(crate) pages_before: u64,
    pub(crate) pages_after: u64,
    pub(crate) violations: Vec<Violation>,
}

impl Stream {
    pub(crate) fn flow(&self, direction: Direction) -> &Flow {
        match direction {
            Direction::Request => &self.request,
            Direction::Response => &self.response,
        }
    }

    pub(crate) fn flow_mut(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::Request => &mut self.request,
            Direction::Response => &mut self.response,
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.life == Life::Open
    }
}
