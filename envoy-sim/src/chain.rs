//! Envoy's filter chain around one filter: how frames, verdicts, holds, local replies and ends interlock.
//! It does not decide what happens next in the world; `crate::sim` does.

mod onward;
mod reply;

use crate::abi::Callback;
use crate::flow::{Direction, Forwarded, Iteration};
use crate::host::{Deferred, Host};
use crate::maps::HeaderMap;
use crate::seen::Outcome;
use crate::stream::{ContextState, Stream};
use crate::vm::{Called, Vm};

/// What the chain does after a callback, in Envoy's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Continue,
    /// Headers and trailers: hold this, show what comes.
    Stop,
    /// Headers: show nothing any more. With the flag, hold without limit (back-pressure).
    StopAll {
        streaming: bool,
    },
    /// Body: hold the piece. With the flag, without limit.
    Buffer {
        streaming: bool,
    },
    /// Body: drop the piece.
    Drop,
}

/// The three kinds of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Headers,
    Body,
    Trailers,
}

fn callback(direction: Direction, part: Part) -> Callback {
    match (direction, part) {
        (Direction::Request, Part::Headers) => Callback::RequestHeaders,
        (Direction::Request, Part::Body) => Callback::RequestBody,
        (Direction::Request, Part::Trailers) => Callback::RequestTrailers,
        (Direction::Response, Part::Headers) => Callback::ResponseHeaders,
        (Direction::Response, Part::Body) => Callback::ResponseBody,
        (Direction::Response, Part::Trailers) => Callback::ResponseTrailers,
    }
}

pub(crate) use reply::envoy_reply;

/// The filter chain of the streams of one VM.
pub(crate) struct Chain<'a> {
    pub(crate) vm: &'a mut Vm,
}

impl Chain<'_> {
    fn host(&mut self) -> &mut Host {
        self.vm.store.data_mut()
    }

    fn get(&self, id: u32) -> Option<&Stream> {
        self.vm.store.data().streams.get(&id)
    }

    fn stream(&mut self, id: u32) -> Option<&mut Stream> {
        self.host().streams.get_mut(&id)
    }

    /// The stream, unless it is over.
    fn open(&mut self, id: u32) -> Option<&mut Stream> {
        self.stream(id).filter(|stream| stream.is_open())
    }

    fn is_open(&self, id: u32) -> bool {
        self.get(id).is_some_and(Stream::is_open)
    }

    fn failed(&self, id: u32) -> bool {
        let generation = self.vm.store.data().generation;
        self.vm.has_failed() || self.get(id).is_some_and(|stream| stream.generation != generation)
    }

    /// Headers come from a peer.
    pub(crate) fn headers(&mut self, id: u32, direction: Direction, headers: HeaderMap, end: bool) {
        self.begin(id, direction);
        self.take_headers(id, direction, headers, end);
        self.end(id, direction);
    }

    /// A piece of the body comes from a peer.
    pub(crate) fn data(&mut self, id: u32, direction: Direction, bytes: Vec<u8>, end: bool) {
        self.begin(id, direction);
        self.take_data(id, direction, bytes, end);
        self.end(id, direction);
    }

    /// Trailers come from a peer.
    pub(crate) fn trailers(&mut self, id: u32, direction: Direction, trailers: HeaderMap) {
        self.begin(id, direction);
        self.take_trailers(id, direction, trailers);
        self.end(id, direction);
    }

    fn begin(&mut self, id: u32, direction: Direction) {
        if let Some(stream) = self.open(id) {
            stream.deciding |= direction == Direction::Request;
        }
    }

    /// Sends the local reply that a request frame led to, now that its verdict has been acted on.
    fn end(&mut self, id: u32, direction: Direction) {
        if direction == Direction::Response {
            return;
        }
        let Some(stream) = self.open(id) else { return };
        stream.deciding = false;
        if let Some(reply) = stream.prepared_reply.take() {
            self.send_reply(id, reply);
        }
    }

    fn take_headers(&mut self, id: u32, direction: Direction, headers: HeaderMap, end: bool) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.started = true;
        flow.headers = headers;
        flow.source_ended = end;
        flow.told_end = end;
        flow.headers_shown = true;
        let count = flow.headers.len();
        stream.end_of_stream = end;
        let verdict = self.ask(id, direction, Part::Headers, &[count as u32, u32::from(end)]);
        let Some(stream) = self.open(id) else { return };
        if direction == Direction::Request && stream.local_reply {
            return;
        }
        let flow = stream.flow_mut(direction);
        match verdict {
            Verdict::Continue => {
                flow.headers_shown = false;
                if flow.forwarded == Forwarded::Nothing {
                    let nothing_held = flow.held.is_none();
                    self.forward_headers(id, direction, end && nothing_held);
                }
            }
            Verdict::StopAll { streaming } => flow.iteration = Iteration::Blocked { streaming },
            Verdict::Stop | Verdict::Buffer { .. } | Verdict::Drop => flow.iteration = Iteration::Held,
        }
    }

    fn take_data(&mut self, id: u32, direction: Direction, bytes: Vec<u8>, end: bool) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.source_ended |= end;
        flow.received_bytes += bytes.len() as u64;
        flow.piece = bytes;
        if let Iteration::Blocked { streaming } = flow.iteration {
            flow.streaming = streaming;
            flow.hold_piece();
            self.check_limit(id, direction);
            return;
        }
        self.show_data(id, direction, end, false);
    }

    /// Shows the piece to the filter. `was_held` means the piece is the whole of what was held.
    fn show_data(&mut self, id: u32, direction: Direction, end: bool, was_held: bool) {
        let Some(stream) = self.open(id) else { return };
        if stream.flow(direction).told_end {
            return;
        }
        let flow = stream.flow_mut(direction);
        let end = end && flow.trailers.is_none();
        flow.told_end = end;
        flow.body_shown = true;
        if flow.buffering {
            flow.hold_piece();
            // Over the limit of a request, Envoy still shows the body before it answers 413.
            self.check_limit(id, direction);
        }
        let Some(stream) = self.open(id) else { return };
        stream.end_of_stream = end;
        let size = stream.flow(direction).visible_body().len();
        let verdict = self.ask(id, direction, Part::Body, &[size as u32, u32::from(end)]);
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.buffering = matches!(verdict, Verdict::Buffer { streaming: false });
        if verdict == Verdict::Continue {
            flow.body_shown = false;
        }
        if direction == Direction::Request && stream.local_reply {
            return;
        }
        let flow = stream.flow_mut(direction);
        match verdict {
            Verdict::Continue if flow.iteration == Iteration::Running => {
                let piece = std::mem::take(&mut flow.piece);
                self.forward_data(id, direction, piece, end);
            }
            Verdict::Continue => {
                flow.hold_piece();
                if self.check_limit(id, direction) {
                    self.resume(id, direction);
                }
            }
            Verdict::Buffer { streaming } => {
                flow.iteration = Iteration::Held;
                flow.streaming = streaming;
                flow.hold_piece();
                self.check_limit(id, direction);
            }
            Verdict::Drop | Verdict::Stop | Verdict::StopAll { .. } => {
                flow.iteration = Iteration::Held;
                if was_held {
                    // What was held stays held: it is the very same buffer.
                    flow.hold_piece();
                } else {
                    flow.piece.clear();
                    if end {
                        flow.held.get_or_insert_default();
                    }
                }
            }
        }
    }

    fn take_trailers(&mut self, id: u32, direction: Direction, trailers: HeaderMap) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.trailers = Some(trailers);
        flow.source_ended = true;
        if matches!(flow.iteration, Iteration::Blocked { .. }) {
            return;
        }
        self.show_trailers(id, direction);
    }

    fn show_trailers(&mut self, id: u32, direction: Direction) {
        let Some(stream) = self.open(id) else { return };
        let flow = stream.flow_mut(direction);
        flow.trailers_shown = true;
        flow.told_end = true;
        let count = flow.trailers.as_ref().map_or(0, HeaderMap::len);
        let verdict = self.ask(id, direction, Part::Trailers, &[count as u32]);
        let Some(stream) = self.open(id) else { return };
        if direction == Direction::Request && stream.local_reply {
            return;
        }
        let flow = stream.flow_mut(direction);
        match verdict {
            Verdict::Continue => {
                flow.trailers_shown = false;
                if flow.iteration == Iteration::Running {
                    self.forward_trailers(id, direction);
                } else {
                    self.resume(id, direction);
                }
            }
            Verdict::Stop | Verdict::StopAll { .. } | Verdict::Buffer { .. } | Verdict::Drop => {
                flow.iteration = Iteration::Held;
            }
        }
    }

    /// Calls the filter about a frame and runs what it deferred. A failed VM gives its policy's verdict.
    fn ask(&mut self, id: u32, direction: Direction, part: Part, args: &[u32]) -> Verdict {
        let Some(stream) = self.open(id) else { return Verdict::Continue };
        if stream.bypassed || (direction == Direction::Response && stream.failed_reply) {
            return Verdict::Continue;
        }
        if self.failed(id) {
            return self.fail(id);
        }
        let Some(stream) = self.open(id) else { return Verdict::Continue };
        if stream.context_state != ContextState::Live {
            return Verdict::Continue;
        }
        let context = stream.context;
        let called = self.vm.call(callback(direction, part), context, args);
        let result = match called {
            Called::Absent => return Verdict::Continue,
            Called::Failed => return self.fail(id),
            Called::Returned(result) => result,
        };
        let stopped = std::mem::take(&mut self.host().stop_next);
        let allow = self.host().settings.profile.allow_on_headers_stop_iteration;
        let verdict = match part {
            Part::Headers => headers_verdict(result, stopped, allow),
            Part::Body => body_verdict(result, stopped),
            Part::Trailers if stopped || result >= 1 => Verdict::Stop,
            Part::Trailers => Verdict::Continue,
        };
        self.run_deferred();
        verdict
    }

    fn fail(&mut self, id: u32) -> Verdict {
        // Fail open lets later streams past; this one is answered whatever the policy.
        if let Some(stream) = self.open(id)
            && !stream.failed_reply
        {
            stream.failed_reply = true;
            let reply = envoy_reply(503, "", "wasm_fail_stream");
            self.local_reply(id, reply);
        }
        Verdict::StopAll { streaming: true }
    }

    /// Runs what the last callback asked for and Envoy put off until it returned.
    pub(crate) fn run_deferred(&mut self) {
        while let Some(action) = self.host().deferred.pop_front() {
            match action {
                Deferred::Continue(id, direction) => self.resume_by_filter(id, direction),
                Deferred::Reply(id, reply) => self.local_reply(id, reply),
                Deferred::Reset(id) => self.finish(id, Outcome::Reset),
            }
        }
    }
}

fn headers_verdict(result: u64, stopped: bool, allow_stop_iteration: bool) -> Verdict {
    if stopped || result > 4 {
        return Verdict::StopAll { streaming: true };
    }
    match result {
        1 if allow_stop_iteration => Verdict::Stop,
        1 | 4 => Verdict::StopAll { streaming: true },
        3 => Verdict::StopAll { streaming: false },
        // 2 was "continue and end the stream" once; Envoy takes it for Continue.
        _ => Verdict::Continue,
    }
}

fn body_verdict(result: u64, stopped: bool) -> Verdict {
    if stopped || result > 3 {
        return Verdict::Drop;
    }
    match result {
        0 => Verdict::Continue,
        1 => Verdict::Buffer { streaming: false },
        2 => Verdict::Buffer { streaming: true },
        _ => Verdict::Drop,
    }
}
