//! The world around the workers: clock, scheduling, upstream, callouts, and the test's handles on them.
//! What a frame does inside the filter chain is in `crate::chain`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::callout::{Behaviour, CalloutAnswer, CalloutEnd, CalloutRequest, Cluster, router_answer};
use crate::chain::envoy_reply;
use crate::error::Error;
use crate::flow::Direction;
use crate::host::Settings;
use crate::maps::HeaderMap;
use crate::message::{Request, Response, Upstream, UpstreamFailure};
use crate::metrics::Metrics;
use crate::module::Module;
use crate::profile::{EnvoyProfile, Protocol};
use crate::rng::Rng;
use crate::seen::{Answerer, Fuel, Outcome, Seen, WaitingFor};
use crate::setup::Setup;
use crate::shared::{Conflicts, LogLine, SharedHandle};
use crate::stream::{Frame, Life, Stream};
use crate::trace::Trace;
use crate::worker::Worker;

/// More events than this without coming to rest is an endless loop between a filter and its peers.
const EVENTS_MAX: usize = 1_000_000;

/// Names a stream of a simulator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(u32);

/// A callout without an end yet.
struct Pending {
    request: CalloutRequest,
    /// When an answer that is on its way arrives.
    answer: Option<(u64, CalloutEnd)>,
    /// When Envoy gives up.
    deadline_ns: Option<u64>,
}

/// Something that can happen now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Queue,
    Callout(usize),
    Upstream(u32),
    Client(u32),
}

/// An Envoy with one filter: workers, clock, clusters and upstream.
///
/// If a test panics while it holds a simulator, the trace is printed to standard error.
pub struct Simulator {
    workers: Vec<Worker>,
    shared: SharedHandle,
    clusters: Vec<Cluster>,
    pending: Vec<Pending>,
    callouts: Vec<CalloutRequest>,
    /// The worker of each stream; the index is the stream's number.
    placed: Vec<usize>,
    rng: Rng,
}

impl Simulator {
    /// Starts every worker, after a trial of the configuration on a VM of its own, as Envoy does.
    ///
    /// # Errors
    /// If the set-up is out of range, or the filter refuses its configuration or traps.
    pub fn new(module: &Module, setup: Setup) -> Result<Self, Error> {
        if setup.workers == 0 {
            return Err(Error::BadSetup("at least one worker"));
        }
        if setup.fuel_per_callback == 0 {
            return Err(Error::BadSetup("fuel for a callback must be positive"));
        }
        let settings = Arc::new(Settings {
            profile: setup.profile,
            configuration: setup.configuration,
            vm_configuration: setup.vm_configuration,
            plugin_name: setup.plugin_name,
            root_id: setup.root_id,
            vm_id: setup.vm_id,
            environment: setup.environment,
            clusters: setup
                .clusters
                .iter()
                .map(|cluster| (cluster.name.clone(), !matches!(cluster.behaviour, Behaviour::Empty)))
                .collect(),
            properties: setup
                .properties
                .into_iter()
                .map(|(path, value)| (path.join("\0").into_bytes(), value))
                .collect(),
            fuel_per_callback: setup.fuel_per_callback,
        });
        let shared = SharedHandle::new(setup.start_time_ns, setup.seed, setup.conflicts);
        let mut rng = Rng::new(setup.seed);
        let mut start =
            |index| Worker::start(index, module, settings.clone(), shared.clone(), Rng::new(rng.next_u64()));
        if setup.canary {
            drop(start(0)?);
        }
        let workers = (0..setup.workers).map(&mut start).collect::<Result<_, _>>()?;
        let mut sim = Self {
            workers,
            shared,
            clusters: setup.clusters,
            pending: Vec::new(),
            callouts: Vec::new(),
            placed: Vec::new(),
            rng,
        };
        sim.after_event()?;
        Ok(sim)
    }

    /// A handle on one worker.
    #[must_use]
    pub fn worker(&mut self, index: usize) -> WorkerHandle<'_> {
        WorkerHandle { sim: self, index }
    }

    /// Sends a request to the first worker and runs until nothing more can happen.
    ///
    /// # Errors
    /// If the filter called something that is not simulated, or the run does not come to rest.
    pub fn run(&mut self, request: Request) -> Result<Seen, Error> {
        self.worker(0).request(request).run()
    }

    /// Sends requests, each to its worker, and mixes their events in an order drawn from the seed.
    ///
    /// # Errors
    /// As [`Simulator::run`], and if a worker does not exist.
    pub fn run_interleaved(
        &mut self,
        requests: impl IntoIterator<Item = (usize, Request)>,
    ) -> Result<Vec<Seen>, Error> {
        let ids = requests
            .into_iter()
            .map(|(worker, request)| self.worker(worker).open(request))
            .collect::<Result<Vec<_>, _>>()?;
        self.settle_in(Order::Seeded)?;
        ids.into_iter().map(|id| self.take(id)).collect()
    }

    // === steps ===

    /// Lets one more frame of the client's script reach the filter.
    ///
    /// # Errors
    /// If the script has no frame left or the stream is over.
    pub fn step(&mut self, id: StreamId) -> Result<(), Error> {
        let frame = self
            .stream_mut(id)?
            .from_client
            .pop_front()
            .ok_or(Error::Misuse { step: "step", why: "the client has nothing left to send" })?;
        self.worker_of(id)?.client_frame(id.0, frame);
        self.after_event()
    }

    /// Adds a piece to what the client is to send.
    ///
    /// # Errors
    /// If the stream is not known.
    pub fn push_piece(&mut self, id: StreamId, bytes: impl AsRef<[u8]>, end: bool) -> Result<(), Error> {
        let frame = Frame::Data { bytes: bytes.as_ref().to_vec(), end };
        self.stream_mut(id)?.from_client.push_back(frame);
        Ok(())
    }

    /// Adds trailers to what the client is to send; they end the request.
    ///
    /// # Errors
    /// If the stream is not known.
    pub fn push_trailers(&mut self, id: StreamId, trailers: HeaderMap) -> Result<(), Error> {
        self.stream_mut(id)?.from_client.push_back(Frame::Trailers(trailers));
        Ok(())
    }

    /// The client goes away.
    ///
    /// # Errors
    /// If the stream is not known.
    pub fn disconnect(&mut self, id: StreamId) -> Result<(), Error> {
        self.worker_of(id)?.chain().finish(id.0, Outcome::Reset);
        self.after_event()
    }

    /// Upstream of a [`Upstream::Silent`] request answers after all.
    ///
    /// # Errors
    /// If upstream has not got the request's headers, or has answered.
    pub fn answer_upstream(&mut self, id: StreamId, response: Response) -> Result<(), Error> {
        self.expect_silent_upstream(id, "answer upstream")?;
        self.stream_mut(id)?.upstream_plan = Upstream::AnswersEarly(response);
        Ok(())
    }

    /// Envoy's router answers a [`Upstream::Silent`] request in upstream's stead.
    ///
    /// # Errors
    /// As [`Simulator::answer_upstream`].
    pub fn fail_upstream(&mut self, id: StreamId, failure: UpstreamFailure) -> Result<(), Error> {
        self.expect_silent_upstream(id, "fail upstream")?;
        self.stream_mut(id)?.upstream_plan = Upstream::Fails(failure);
        Ok(())
    }

    fn expect_silent_upstream(&self, id: StreamId, step: &'static str) -> Result<(), Error> {
        let stream = self.stream(id)?;
        if stream.upstream.is_none() {
            return Err(Error::Misuse { step, why: "the request has not reached upstream" });
        }
        if stream.upstream_plan != Upstream::Silent || stream.response.started {
            return Err(Error::Misuse { step, why: "upstream has answered or will by itself" });
        }
        Ok(())
    }

    /// The callouts without an end yet, oldest first.
    pub fn pending_callouts(&self) -> Vec<&CalloutRequest> {
        self.pending.iter().map(|pending| &pending.request).collect()
    }

    /// Every callout that was sent, oldest first.
    #[must_use]
    pub fn callouts(&self) -> &[CalloutRequest] {
        &self.callouts
    }

    /// Ends a pending callout now, in any order.
    ///
    /// # Errors
    /// If no callout of that id is pending, and as [`Simulator::run`].
    pub fn answer_callout(&mut self, id: u32, answer: CalloutAnswer) -> Result<(), Error> {
        let at =
            self.pending.iter().position(|pending| pending.request.id == id).ok_or(Error::NoCallout(id))?;
        let now_ns = self.now_ns();
        self.pending[at].answer = answer_time(answer, now_ns);
        self.settle()
    }

    /// Runs what can happen now, in the order in which it became possible, until nothing can.
    /// The clock moves only to a callout's answer or deadline.
    ///
    /// # Errors
    /// As [`Simulator::run`].
    pub fn settle(&mut self) -> Result<(), Error> {
        self.settle_in(Order::Fifo)
    }

    /// Moves the clock, firing ticks and deadlines on the way, and settles.
    ///
    /// # Errors
    /// As [`Simulator::run`].
    pub fn advance(&mut self, by: Duration) -> Result<(), Error> {
        let until = self.now_ns().saturating_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX));
        self.advance_to(until)?;
        self.run_events(&mut Order::Fifo)
    }

    fn advance_to(&mut self, until: u64) -> Result<(), Error> {
        self.run_events(&mut Order::Fifo)?;
        loop {
            let callout = self.next_callout_ns().filter(|due| *due <= until);
            let tick = self.next_tick().filter(|(due, _)| *due <= until);
            match (callout, tick) {
                (None, None) => break,
                (callout, Some((due, worker))) if callout.is_none_or(|other| due <= other) => {
                    self.set_clock(due);
                    self.workers[worker].tick();
                    self.after_event()?;
                }
                (Some(due), _) => {
                    self.set_clock(due);
                }
                (None, Some(_)) => break,
            }
            self.run_events(&mut Order::Fifo)?;
        }
        self.set_clock(until);
        Ok(())
    }

    fn next_tick(&self) -> Option<(u64, usize)> {
        self.workers
            .iter()
            .enumerate()
            .filter_map(|(index, worker)| worker.host().next_tick_ns.map(|due| (due, index)))
            .min()
    }

    fn next_callout_ns(&self) -> Option<u64> {
        self.pending
            .iter()
            .filter_map(|pending| {
                let answer = pending.answer.as_ref().map(|(due, _)| *due);
                answer.into_iter().chain(pending.deadline_ns).min()
            })
            .min()
    }

    fn set_clock(&mut self, to: u64) {
        let mut shared = self.shared.lock();
        shared.now_ns = shared.now_ns.max(to);
    }

    /// Nanoseconds since 1970 on the virtual clock.
    #[must_use]
    pub fn now_ns(&self) -> u64 {
        self.shared.lock().now_ns
    }

    // === results ===

    /// What a stream has come to so far.
    ///
    /// # Errors
    /// If the stream is not known.
    pub fn seen(&self, id: StreamId) -> Result<Seen, Error> {
        let worker = self.worker_index(id)?;
        let stream = self.stream(id)?;
        let (logs, trace) = {
            let shared = self.shared.lock();
            let logs = shared
                .logs
                .iter()
                .filter(|line| line.worker == worker && line.context == stream.context)
                .cloned()
                .collect();
            (logs, shared.trace.of(worker, stream.context))
        };
        let outcome = match stream.life {
            Life::Over(outcome) => outcome,
            Life::Open => Outcome::Hung(self.waiting_for(worker, stream)),
        };
        Ok(Seen {
            outcome,
            answered_by: stream.answerer,
            response: stream.downstream.clone(),
            upstream: stream.upstream.clone(),
            code_details: stream.code_details.clone(),
            filter_state: stream.filter_state.clone(),
            route_cache_clears: stream.route_cache_clears,
            logs,
            callouts: self
                .callouts
                .iter()
                .filter(|callout| callout.worker == worker && callout.context == stream.context)
                .cloned()
                .collect(),
            fuel: Fuel { calls: stream.fuel.clone() },
            memory_pages_before: stream.pages_before,
            memory_pages_after: if stream.is_open() {
                self.workers[worker].vm.memory_pages()
            } else {
                stream.pages_after
            },
            violations: stream.violations.clone(),
            trace,
        })
    }

    /// What a stream has come to, and forgets a stream that is over, so that long runs stay small.
    ///
    /// # Errors
    /// If the stream is not known.
    pub fn take(&mut self, id: StreamId) -> Result<Seen, Error> {
        let seen = self.seen(id)?;
        if !self.stream(id)?.is_open() {
            let context = self.stream(id)?.context;
            let worker = self.worker_index(id)?;
            self.workers[worker].host_mut().streams.remove(&id.0);
            self.callouts.retain(|callout| callout.worker != worker || callout.context != context);
            self.shared.lock().logs.retain(|line| line.worker != worker || line.context != context);
        }
        Ok(seen)
    }

    fn waiting_for(&self, worker: usize, stream: &Stream) -> WaitingFor {
        let asked =
            |pending: &Pending| pending.request.worker == worker && pending.request.context == stream.context;
        if self.pending.iter().any(asked) {
            WaitingFor::Callout
        } else if stream.upstream.as_ref().is_some_and(|upstream| upstream.complete)
            && !stream.response.started
        {
            WaitingFor::Upstream
        } else if !stream.request.source_ended && !stream.response.started {
            WaitingFor::Client
        } else {
            WaitingFor::Filter
        }
    }

    /// Every log line so far that was not taken with a stream.
    #[must_use]
    pub fn logs(&self) -> Vec<LogLine> {
        self.shared.lock().logs.clone()
    }

    /// The metrics of all workers.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.shared.lock().metrics.clone()
    }

    /// The last calls in both directions, of all workers.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.shared.lock().trace.clone()
    }

    /// The value of a key of the shared data.
    #[must_use]
    pub fn shared_data(&self, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        self.shared.lock().get(key.as_ref()).map(|(value, _)| value.to_vec())
    }

    /// How many keys the shared data has.
    #[must_use]
    pub fn shared_data_len(&self) -> usize {
        self.shared.lock().entries().count()
    }

    /// Writes shared data as another plugin of the same `vm_id` might.
    pub fn set_shared_data(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.shared.lock().set(key.as_ref(), value.as_ref(), 0);
    }

    /// Changes when compare-and-swap writes collide from now on.
    pub fn set_conflicts(&mut self, conflicts: Conflicts) {
        self.shared.lock().conflicts = conflicts;
    }

    // === the loop ===

    fn settle_in(&mut self, mut order: Order) -> Result<(), Error> {
        loop {
            self.run_events(&mut order)?;
            // A callout that is answered or given up later still moves its stream.
            match self.next_callout_ns() {
                Some(due) => self.advance_to(due)?,
                None => return Ok(()),
            }
        }
    }

    fn run_events(&mut self, order: &mut Order) -> Result<(), Error> {
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
    fn after_event(&mut self) -> Result<(), Error> {
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

    fn worker_index(&self, id: StreamId) -> Result<usize, Error> {
        self.placed.get(id.0 as usize).copied().ok_or(Error::NoStream(id.0))
    }

    fn worker_of(&mut self, id: StreamId) -> Result<&mut Worker, Error> {
        let index = self.worker_index(id)?;
        Ok(&mut self.workers[index])
    }

    fn stream(&self, id: StreamId) -> Result<&Stream, Error> {
        let worker = self.worker_index(id)?;
        self.workers[worker].host().streams.get(&id.0).ok_or(Error::NoStream(id.0))
    }

    fn stream_mut(&mut self, id: StreamId) -> Result<&mut Stream, Error> {
        self.worker_of(id)?.host_mut().streams.get_mut(&id.0).ok_or(Error::NoStream(id.0))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- trace of the simulator ---\n{}", self.shared.lock().trace);
        }
    }
}

/// In which order possible events happen.
enum Order {
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
fn answer_time(answer: CalloutAnswer, now_ns: u64) -> Option<(u64, CalloutEnd)> {
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

/// One worker, for a moment.
pub struct WorkerHandle<'a> {
    sim: &'a mut Simulator,
    index: usize,
}

impl<'a> WorkerHandle<'a> {
    /// Prepares a request to this worker.
    #[must_use]
    pub fn request(self, request: Request) -> Run<'a> {
        Run { handle: self, request }
    }

    /// Opens a stream without moving it: the test steps it, or settles the simulator.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn open(self, request: Request) -> Result<StreamId, Error> {
        let id = u32::try_from(self.sim.placed.len()).unwrap_or(u32::MAX);
        let worker = self.sim.workers.get_mut(self.index).ok_or(Error::NoWorker(self.index))?;
        worker.open(id, request);
        self.sim.placed.push(self.index);
        Ok(StreamId(id))
    }

    /// Pages of 64 KiB of the VM's memory.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn memory_pages(self) -> Result<u64, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.memory_pages())
    }

    /// Fuel of the calls that belong to no stream: start, configuration, ticks, queues.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn root_fuel(self) -> Result<u64, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.root_fuel)
    }

    /// Whether the VM has trapped and was not reloaded.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn has_failed(self) -> Result<bool, Error> {
        let worker = self.sim.workers.get(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.vm.has_failed())
    }

    /// Ends the root context, as Envoy does when a configuration goes. False means the filter
    /// wants to finish later, with `proxy_done`; ask again then.
    ///
    /// # Errors
    /// If there is no such worker.
    pub fn shut_down(self) -> Result<bool, Error> {
        let worker = self.sim.workers.get_mut(self.index).ok_or(Error::NoWorker(self.index))?;
        Ok(worker.shut_down())
    }
}

/// A request on its way to a worker.
pub struct Run<'a> {
    handle: WorkerHandle<'a>,
    request: Request,
}

impl Run<'_> {
    /// Runs until nothing more can happen, and says what each side saw.
    ///
    /// # Errors
    /// If there is no such worker, the filter called something that is not simulated, or the run does not
    /// come to rest.
    pub fn run(self) -> Result<Seen, Error> {
        let WorkerHandle { sim, index } = self.handle;
        let id = sim.worker(index).open(self.request)?;
        sim.settle()?;
        sim.take(id)
    }
}
