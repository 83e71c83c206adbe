//! One request from its headers to its answer, as a state machine. What is decided stands in `event-core`, what is called
//! in `host`.
//!
//! ```text
//!            headers            end of body or trailers
//!   New ───────────────▶ Collecting ───────────────▶ Forwarded ──▶ Passed: the sender sees the response
//!    │                       │    │                     ▲
//!    │                       │    └────▶ Waiting ───────┤  the directory's answer, in a callback of whoever asked
//!    ▼                       ▼              │           │
//!    Answered ◀──────────────┴──────────────┘◀──────────┘  any refusal; terminal
//! ```
//!
//! The end of a request is on headers, on body or on trailers. Whichever it is, the event is judged there.

use crate::directory::{Asked, Wait, Waiter};
use crate::host::{self, HeldRequest, HeldResponse};
use crate::shared_data::{self, Accepted};
use crate::worker::Worker;
use event_core::forward::ForwardHeaders;
use event_core::response::Sent;
use event_core::tally::{Label, Outcome, Tally};
use event_core::{Admission, Decision, Refusal, Verdict};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, LogLevel, Status};
use std::fmt;
use std::mem;
use std::rc::Rc;

/// One per request.
pub(crate) struct Stream {
    context_id: u32,
    worker: Option<Rc<Worker>>,
    phase: Phase,
}

/// Where a request stands.
enum Phase {
    /// Nothing has come yet.
    New,
    /// The headers are admitted and held; the body is coming.
    Collecting(Collecting),
    /// The whole request is held until the directory has said whose it is.
    Waiting(Rc<Waiter>),
    /// The request has left, headers and all.
    Forwarded(Box<Sent>),
    /// The response has passed to the sender.
    Passed,
    /// The sender has its answer from us, or will get none.
    Answered,
}

struct Collecting {
    request: HeldRequest,
    admission: Admission,
    /// Bytes of the body so far.
    received: usize,
}

/// For the log: without what a phase knows of an event.
impl fmt::Debug for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::New => "New",
            Self::Collecting(_) => "Collecting",
            Self::Waiting(_) => "Waiting",
            Self::Forwarded(_) => "Forwarded",
            Self::Passed => "Passed",
            Self::Answered => "Answered",
        })
    }
}

/// The next phase, and what Envoy shall do.
type Step = (Phase, Action);

impl Stream {
    pub(crate) const fn new(context_id: u32, worker: Option<Rc<Worker>>) -> Self {
        Self { context_id, worker, phase: Phase::New }
    }

    /// Moves on by one event. A failed host call ends the request: it is never let through unjudged.
    fn step(&mut self, event: impl FnOnce(&Worker, Phase) -> Result<Step, Fault>) -> Action {
        let phase = mem::replace(&mut self.phase, Phase::Answered);
        let result = match &self.worker {
            Some(worker) => event(worker, phase),
            None => Err(Fault::Unconfigured),
        };
        let (phase, action) = result.unwrap_or_else(|fault| {
            host::log(LogLevel::Error, &format!("request failed closed: {fault:?}"));
            if let Some(worker) = &self.worker {
                worker.count(Tally::new(Label::default(), Outcome::Failed));
            }
            (Phase::Answered, host::fail_closed())
        });
        self.phase = phase;
        action
    }

    /// Takes note of what has become of a request that waited: that happened in a callback of whoever asked.
    fn catch_up(&mut self) {
        if let Phase::Waiting(waiter) = &self.phase
            && let Some(end) = waiter.end()
        {
            self.phase = match end {
                Wait::Forwarded(sent) => Phase::Forwarded(sent),
                Wait::Held(..) | Wait::Answered => Phase::Answered,
            };
        }
    }

    /// The event has ended, and neither upstream nor we have answered.
    fn abandon(&self, label: Label) {
        if let Some(worker) = &self.worker {
            worker.count_abandoned(label);
        }
    }

    /// Waits no more.
    fn leave(&mut self) {
        if let Phase::Waiting(waiter) = &self.phase
            && let Some(directory) = self.worker.as_ref().and_then(|worker| worker.directory())
        {
            directory.leave(waiter);
            let label = waiter.label();
            self.phase = Phase::Answered;
            self.abandon(label);
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.catch_up();
        self.leave();
        match &self.phase {
            Phase::Collecting(collecting) => self.abandon(Label::of(collecting.admission.source)),
            Phase::Forwarded(sent) => self.abandon(sent.label()),
            Phase::New | Phase::Waiting(_) | Phase::Passed | Phase::Answered => {}
        }
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
    fn receive(self, worker: &Worker, size: usize) -> Result<Self, Step> {
        let limit = worker.edge().config().body_bytes();
        if size > limit {
            let refusal = Refusal::body_too_large(limit, Label::of(self.admission.source));
            return Err(refuse(worker, self.request, &refusal));
        }
        Ok(Self { received: size, ..self })
    }

    /// The whole body is here.
    fn finish(self, worker: &Worker, context_id: u32) -> Result<Step, Fault> {
        let Self { request, admission, received } = self;
        let body = request.body(received)?;
        let now_s = if worker.edge().needs_time(&admission) { host::now_s() } else { 0 };
        match worker.edge().judge(&admission, &body, now_s, &Accepted) {
            Verdict::Forward(headers) => forward(request, headers),
            Verdict::Refuse(refusal) => Ok(refuse(worker, request, &refusal)),
            Verdict::Ask(question) => {
                let directory = worker.directory().ok_or(Fault::Unconfigured)?;
                match directory.ask(worker, context_id, request, question) {
                    Asked::Waits(waiter) => Ok((Phase::Waiting(waiter), Action::Pause)),
                    Asked::Known(request, question, resolution) => {
                        match worker.edge().resolve(question, &resolution) {
                            Decision::Forward(headers) => forward(request, headers),
                            Decision::Refuse(refusal) => Ok(refuse(worker, request, &refusal)),
                        }
                    }
                }
            }
        }
    }
}

fn forward(request: HeldRequest, headers: ForwardHeaders<'_>) -> Result<Step, Fault> {
    let action = request.forward(&headers)?;
    Ok((Phase::Forwarded(headers.into_sent()), action))
}

fn refuse(worker: &Worker, request: HeldRequest, refusal: &Refusal) -> Step {
    worker.count(Tally::refused(refusal));
    (Phase::Answered, request.refuse(refusal))
}

#[inline(never)]
fn on_headers(worker: &Worker, phase: Phase, context_id: u32, end_of_stream: bool) -> Result<Step, Fault> {
    let Phase::New = phase else { return Err(Fault::Unexpected("request headers", phase)) };
    let request = HeldRequest::in_headers_callback();
    let headers = request.headers()?;
    let admission = match worker.edge().admit(headers.iter()) {
        Ok(admission) => admission,
        Err(refusal) => return Ok(refuse(worker, request, &refusal)),
    };
    for name in &admission.forbidden {
        request.remove_header(name)?;
    }
    let collecting = Collecting { request, admission, received: 0 };
    if end_of_stream {
        collecting.finish(worker, context_id)
    } else {
        Ok((Phase::Collecting(collecting), Action::Pause))
    }
}

fn on_body(
    worker: &Worker,
    phase: Phase,
    context_id: u32,
    size: usize,
    end_of_stream: bool,
) -> Result<Step, Fault> {
    let Phase::Collecting(collecting) = phase else { return Err(Fault::Unexpected("request body", phase)) };
    match collecting.receive(worker, size) {
        Ok(collecting) if end_of_stream => collecting.finish(worker, context_id),
        Ok(collecting) => Ok((Phase::Collecting(collecting), Action::Pause)),
        Err(answered) => Ok(answered),
    }
}

fn on_trailers(worker: &Worker, phase: Phase, context_id: u32) -> Result<Step, Fault> {
    let Phase::Collecting(collecting) = phase else {
        return Err(Fault::Unexpected("request trailers", phase));
    };
    collecting.request.clean_trailers()?;
    collecting.finish(worker, context_id)
}

fn on_response(worker: &Worker, sent: Sent) -> Step {
    let response = HeldResponse::in_headers_callback();
    if let Some(refusal) = worker.edge().judge_response(&sent, &response) {
        worker.count(Tally::refused(&refusal));
        return (Phase::Answered, response.replace(&refusal));
    }
    worker.count(Tally::new(sent.label(), Outcome::Forwarded));
    if response.is_accepted() {
        if let Some(lesson) = sent.lesson()
            && let Some(directory) = worker.directory()
        {
            directory.learn(worker.edge(), lesson);
        }
        shared_data::remember(sent);
    }
    (Phase::Passed, Action::Continue)
}

impl Context for Stream {
    /// The answer to a question that this stream has asked, for all that wait for it.
    fn on_http_call_response(&mut self, token: u32, n_headers: usize, body_size: usize, _n_trailers: usize) {
        if let Some(worker) = &self.worker {
            worker.answered(token, n_headers, body_size);
        }
    }
}

impl HttpContext for Stream {
    fn on_http_request_headers(&mut self, _count: usize, end_of_stream: bool) -> Action {
        let context_id = self.context_id;
        self.step(|worker, phase| on_headers(worker, phase, context_id, end_of_stream))
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        let context_id = self.context_id;
        self.step(|worker, phase| on_body(worker, phase, context_id, size, end_of_stream))
    }

    fn on_http_request_trailers(&mut self, _count: usize) -> Action {
        let context_id = self.context_id;
        self.step(|worker, phase| on_trailers(worker, phase, context_id))
    }

    fn on_http_response_headers(&mut self, _count: usize, _end_of_stream: bool) -> Action {
        if let Phase::Waiting(_) = self.phase {
            self.catch_up();
            // Envoy answers a request that still waits by itself, for instance when its time is over.
            self.leave();
        }
        // Otherwise it is our own answer, or one that Envoy made before the event was whole.
        let phase = mem::replace(&mut self.phase, Phase::Passed);
        let Phase::Forwarded(sent) = phase else {
            self.phase = phase;
            return Action::Continue;
        };
        let Some(worker) = &self.worker else { return host::fail_closed() };
        let (phase, action) = on_response(worker, *sent);
        self.phase = phase;
        action
    }
}
