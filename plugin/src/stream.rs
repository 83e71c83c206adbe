//! One request from its headers to its answer, as a state machine. What is decided stands in `event-core`, what is called
//! in `host`.
//!
//! ```text
//!            headers            end of body or trailers
//!   New ───────────────▶ Collecting ───────────────▶ Forwarded ──▶ (response: passed or replaced)
//!    │                       │
//!    └──────▶ Answered ◀─────┘   any refusal; terminal
//! ```
//!
//! The end of a request is on headers, on body or on trailers. Whichever it is, the event is judged there.

use crate::host::{self, HeldRequest, HeldResponse};
use event_core::{Admission, Edge, Verdict};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, Status};
use std::mem;
use std::rc::Rc;

/// One per request.
pub(crate) struct Stream {
    edge: Option<Rc<Edge>>,
    phase: Phase,
}

/// Where a request stands.
#[derive(Debug)]
enum Phase {
    /// Nothing has come yet.
    New,
    /// The headers are admitted and held; the body is coming.
    Collecting(Collecting),
    /// The request has left, headers and all.
    Forwarded,
    /// The sender has its answer from us, or will get none.
    Answered,
}

#[derive(Debug)]
struct Collecting {
    request: HeldRequest,
    admission: Admission,
    /// Bytes of the body so far.
    received: usize,
}

/// The next phase, and what Envoy shall do.
type Step = (Phase, Action);

impl Stream {
    pub(crate) const fn new(edge: Option<Rc<Edge>>) -> Self {
        Self { edge, phase: Phase::New }
    }

    /// Moves on by one event. A failed host call ends the request: it is never let through unjudged.
    fn step(&mut self, event: impl FnOnce(&Edge, Phase) -> Result<Step, Fault>) -> Action {
        let phase = mem::replace(&mut self.phase, Phase::Answered);
        let result = match &self.edge {
            Some(edge) => event(edge, phase),
            None => Err(Fault::Unconfigured),
        };
        let (phase, action) = result.unwrap_or_else(|fault| {
            host::log(LogLevel::Error, &format!("request failed closed: {fault:?}"));
            (Phase::Answered, host::fail_closed())
        });
        self.phase = phase;
        action
    }
}

/// Why a request cannot go on. None of these can happen while Envoy keeps to the ABI.
#[derive(Debug)]
enum Fault {
    /// There is no accepted configuration.
    Unconfigured,
    /// A host call failed.
    Host(#[allow(dead_code, reason = "shown in the log by Debug")] Status),
    /// A callback came in a phase that cannot have it.
    Unexpected(
        #[allow(dead_code, reason = "shown in the log by Debug")] &'static str,
        #[allow(dead_code, reason = "likewise")] Phase,
    ),
}

impl From<Status> for Fault {
    fn from(status: Status) -> Self {
        Self::Host(status)
    }
}

impl Collecting {
    /// Counts what has come. The size is that of the whole buffer, not of the piece.
    fn receive(self, edge: &Edge, size: usize) -> Result<Self, Step> {
        let limit = edge.config().body_bytes();
        if size > limit {
            let refusal = event_core::Refusal::body_too_large(limit);
            return Err((Phase::Answered, self.request.refuse(&refusal)));
        }
        Ok(Self { received: size, ..self })
    }

    /// The whole body is here.
    fn finish(self, edge: &Edge) -> Result<Step, Fault> {
        let body = self.request.body(self.received)?;
        let now_s = if edge.needs_time(&self.admission) { host::now_s()? } else { 0 };
        match edge.judge(&self.admission, &body, now_s) {
            Verdict::Forward(headers) => Ok((Phase::Forwarded, self.request.forward(&headers)?)),
            Verdict::Refuse(refusal) => Ok((Phase::Answered, self.request.refuse(&refusal))),
        }
    }
}

fn on_headers(edge: &Edge, phase: Phase, end_of_stream: bool) -> Result<Step, Fault> {
    let Phase::New = phase else { return Err(Fault::Unexpected("request headers", phase)) };
    let request = HeldRequest::in_headers_callback();
    let headers = request.headers()?;
    let admission = match edge.admit(headers.iter()) {
        Ok(admission) => admission,
        Err(refusal) => return Ok((Phase::Answered, request.refuse(&refusal))),
    };
    for name in &admission.forbidden {
        request.remove_header(name)?;
    }
    let collecting = Collecting { request, admission, received: 0 };
    if end_of_stream { collecting.finish(edge) } else { Ok((Phase::Collecting(collecting), Action::Pause)) }
}

fn on_body(edge: &Edge, phase: Phase, size: usize, end_of_stream: bool) -> Result<Step, Fault> {
    let Phase::Collecting(collecting) = phase else { return Err(Fault::Unexpected("request body", phase)) };
    match collecting.receive(edge, size) {
        Ok(collecting) if end_of_stream => collecting.finish(edge),
        Ok(collecting) => Ok((Phase::Collecting(collecting), Action::Pause)),
        Err(answered) => Ok(answered),
    }
}

fn on_trailers(edge: &Edge, phase: Phase) -> Result<Step, Fault> {
    let Phase::Collecting(collecting) = phase else {
        return Err(Fault::Unexpected("request trailers", phase));
    };
    collecting.request.clean_trailers()?;
    collecting.finish(edge)
}

fn on_response(edge: &Edge) -> Step {
    let response = HeldResponse::in_headers_callback();
    match edge.judge_response(&response) {
        None => (Phase::Forwarded, Action::Continue),
        Some(refusal) => (Phase::Answered, response.replace(&refusal)),
    }
}

impl Context for Stream {}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        self.step(|edge, phase| on_headers(edge, phase, end_of_stream))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.step(|edge, phase| on_body(edge, phase, size, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        self.step(on_trailers)
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        // Otherwise it is our own answer, or one that Envoy made before the event was whole.
        let Phase::Forwarded = self.phase else { return Action::Continue };
        self.step(|edge, _| Ok(on_response(edge)))
    }
}
