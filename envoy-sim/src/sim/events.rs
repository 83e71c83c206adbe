//! The event loop: what can happen now, which of it happens next, and what upstream and clusters do.

use std::collections::VecDeque;

use super::{Pending, Simulator};
use crate::callout::{Behaviour, CalloutAnswer, CalloutEnd, CalloutRequest, router_answer};
use crate::chain::envoy_reply;
use crate::error::Error;
use crate::flow::Direction;
use crate::message::{Response, Upstream, UpstreamFailure};
use crate::profile::{EnvoyProfile, Protocol};
use crate::seen::Answerer;
use crate::stream::{Frame, Stream};

/// More events than this without coming to rest is an endless loop between a filter and its peers.
const EVENTS_MAX: usize = 1_000_000;

/// Something that can happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Queue,
    Callout(usize),
    Upstream(u32),
    Client(u32),
}

/// In which order possible events happen.
pub(super) enum Order {
    Fifo,
    Seeded,
}

/// Whether upstream has enough of the request to act.
fn upstream_can_act(stream: &Stream) -> bool {
    if !stream.from_upstream.is_empty() {
        return true;
    }
    if stream.response.started {
        return false;
    }
    let Some(upstream) = &stream.upstream else { return false };
    match &stream.upstream_plan {
        Upstream::Silent => false,
        Upstream::AnswersEarly(_) => true,
        Upstream::Answers(_) => upstream.complete,
        Upstream::Fails(failure) => match failure {
            UpstreamFailure::NoHealthyHost | UpstreamFailure::ConnectFailure => true,
            UpstreamFailure::Reset | UpstreamFailure::Timeout => upstream.complete,
        },
    }
}

fn response_frames(response: Response, head_request: bool, profile: &EnvoyProfile) -> VecDeque<Frame> {
    let mut pieces = if head_request { Vec::new() } else { response.pieces };
    let trailers = response.trailers;
    if profile.upstream == Protocol::Http1 && trailers.is_none() && !pieces.is_empty() {
        pieces.push(Vec::new());
    }
    let headers = response.headers.as_received(&profile.joined_response_headers);
    let last = pieces.len();
    let mut frames = VecDeque::new();
    frames.push_back(Frame::Headers { headers, end: last == 0 && trailers.is_none() });
    for (index, bytes) in pieces.into_iter().enumerate() {
        frames.push_back(Frame::Data { bytes, end: index + 1 == last && trailers.is_none() });
    }
    frames.extend(trailers.map(Frame::Trailers));
    frames
}

fn router_answers(failure: UpstreamFailure) -> CalloutEnd {
    let (status, body, _) = failure.reply();
    router_answer(status, body)
}

/// When an answer arrives, if ever.
pub(super) fn answer_time(answer: CalloutAnswer, now_ns: u64) -> Option<(u64, CalloutEnd)> {
    match answer {
        CalloutAnswer::Now(response) => Some((now_ns, CalloutEnd::Answered(response))),
        CalloutAnswer::After(delay_ms, response) => {
            Some((now_ns.saturating_add(delay_ms.saturating_mul(1_000_000)), CalloutEnd::Answered(response)))
        }
        CalloutAnswer::Broken => Some((now_ns, CalloutEnd::Broken)),
        CalloutAnswer::Reset => Some((now_ns, router_answers(UpstreamFailure::Reset))),
        CalloutAnswer::ConnectFailure => Some((now_ns, router_answers(UpstreamFailure::ConnectFailure))),
        CalloutAnswer::Silence => None,
    }
}

impl Simulator {
    pub(super) fn settle_in(&mut self, mut order: Order) -> Result<(), Error> {
        loop {
            self.run_events(&mut order)?;
            // A callout that is answered or given up later still moves its stream.
            match self.next_callout_ns() {
                Some(due) => self.advance_to(due)?,
                None => return Ok(()),
            }
        }
    }

    pub(super) fn run_events(&mut self, order: &mut Order) -> Result<(), Error> {
        for _ in 0..EVENTS_MAX {
            let events = self.possible();
            let chosen = match order {
                Order::Fifo => events.first().copied(),
                Order::Seeded if events.is_empty() => None,
                Order::Seeded => events.get(self.rng.below(events.len())).copied(),
            };
            let Some(event) = chosen else { return Ok(()) };
            self.happen(event);
            self.after_event()?;
        }
        Err(Error::NoRest { events: EVENTS_MAX })
    }

    fn possible(&self) -> Vec<Event> {
        let mut events = Vec::new();
        let now_ns = {
            let shared = self.shared.lock();
            if !shared.posted.is_empty() {
                events.push(Event::Queue);
            }
            shared.now_ns
        };
        for (index, pending) in self.pending.iter().enumerate() {
            let answered = pending.answer.as_ref().is_some_and(|(due, _)| *due <= now_ns);
            if answered || pending.deadline_ns.is_some_and(|due| due <= now_ns) {
                events.push(Event::Callout(index));
            }
        }
        for worker in &self.workers {
            for (id, stream) in &worker.host().streams {
                if stream.is_open() && upstream_can_act(stream) {
                    events.push(Event::Upstream(*id));
                }
                if stream.is_open() && !stream.from_client.is_empty() {
                    events.push(Event::Client(*id));
                }
            }
        }
        events
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Queue => {
                let posted = self.shared.lock().posted.pop_front();
                if let Some(ready) = posted {
                    self.workers[ready.worker].queue_ready(ready.context, ready.token);
                }
            }
            Event::Callout(index) => {
                let now_ns = self.now_ns();
                let pending = self.pending.remove(index);
                let end = match pending.answer {
                    Some((due, end)) if due <= now_ns => end,
                    Some(_) | None => router_answers(UpstreamFailure::Timeout),
                };
                let request = &pending.request;
                self.workers[request.worker].callout_ended(request.id, request.context, end);
            }
            Event::Upstream(id) => self.upstream_acts(id),
            Event::Client(id) => {
                let worker = self.placed[id as usize];
                let frame = self.workers[worker]
                    .host_mut()
                    .streams
                    .get_mut(&id)
                    .and_then(|s| s.from_client.pop_front());
                if let Some(frame) = frame {
                    self.workers[worker].client_frame(id, frame);
                }
            }
        }
    }

    fn upstream_acts(&mut self, id: u32) {
        let worker = self.placed[id as usize];
        let settings = self.workers[worker].host().settings.clone();
        let Some(stream) = self.workers[worker].host_mut().streams.get_mut(&id) else { return };
        if let Some(frame) = stream.from_upstream.pop_front() {
            self.workers[worker].frame(id, Direction::Response, frame);
            return;
        }
        match std::mem::replace(&mut stream.upstream_plan, Upstream::Silent) {
            Upstream::Silent => {}
            Upstream::Answers(response) | Upstream::AnswersEarly(response) => {
                stream.answerer = Answerer::Upstream;
                stream.code_details = Some("via_upstream".to_owned());
                stream.from_upstream = response_frames(response, stream.head_request, &settings.profile);
                if let Some(frame) = stream.from_upstream.pop_front() {
                    self.workers[worker].frame(id, Direction::Response, frame);
                }
            }
            Upstream::Fails(failure) => {
                if matches!(failure, UpstreamFailure::NoHealthyHost | UpstreamFailure::ConnectFailure) {
                    stream.upstream = None;
                }
                let (status, body, details) = failure.reply();
                let reply = envoy_reply(u32::from(status), body, details);
                self.workers[worker].chain().local_reply(id, reply);
            }
        }
    }

    /// Takes up what the event left: callouts to send, and a call that is not simulated.
    pub(super) fn after_event(&mut self) -> Result<(), Error> {
        for index in 0..self.workers.len() {
            let sent = std::mem::take(&mut self.workers[index].host_mut().new_callouts);
            for request in sent {
                self.dispatch(request);
            }
            if let Some(call) = self.workers[index].host_mut().unsupported.take() {
                return Err(Error::Unsupported { call });
            }
        }
        Ok(())
    }

    fn dispatch(&mut self, request: CalloutRequest) {
        let now_ns = self.now_ns();
        let deadline_ns =
            (request.timeout_ms > 0).then(|| now_ns + u64::from(request.timeout_ms) * 1_000_000);
        let cluster = self.clusters.iter_mut().find(|cluster| cluster.name == request.cluster);
        let answer = match cluster.map(|cluster| &mut cluster.behaviour) {
            Some(Behaviour::Scripted(script)) => answer_time(script(&request), now_ns),
            Some(Behaviour::Manual | Behaviour::Empty) | None => None,
        };
        self.callouts.push(request.clone());
        self.pending.push(Pending { request, answer, deadline_ns });
    }
}
