//! One worker thread of Envoy: its VM, reload after a trap, ticks, and opening streams. It schedules nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::abi::Callback;
use crate::callout::CalloutEnd;
use crate::chain::Chain;
use crate::error::Error;
use crate::flow::{Direction, Flow};
use crate::host::{Host, ROOT, Settings};
use crate::message::{End, Request};
use crate::module::Module;
use crate::profile::{FailurePolicy, Protocol};
use crate::rng::Rng;
use crate::seen::Answerer;
use crate::shared::SharedHandle;
use crate::stream::{ContextState, Frame, Life, Stream};
use crate::vm::Vm;

pub(crate) struct Worker {
    index: usize,
    module: Module,
    settings: Arc<Settings>,
    shared: SharedHandle,
    pub(crate) vm: Vm,
    loaded_ns: u64,
    generation: u32,
    rng: Rng,
}

impl Worker {
    pub(crate) fn start(
        index: usize,
        module: &Module,
        settings: Arc<Settings>,
        shared: SharedHandle,
        mut rng: Rng,
    ) -> Result<Self, Error> {
        let seed = Rng::new(rng.next_u64());
        let host = Host::new(index, 0, settings.clone(), shared.clone(), seed);
        let vm = Vm::start(module, host)?;
        let loaded_ns = shared.lock().now_ns;
        Ok(Self { index, module: module.clone(), settings, shared, vm, loaded_ns, generation: 0, rng })
    }

    pub(crate) fn chain(&mut self) -> Chain<'_> {
        Chain { vm: &mut self.vm }
    }

    pub(crate) fn host(&self) -> &Host {
        self.vm.store.data()
    }

    pub(crate) fn host_mut(&mut self) -> &mut Host {
        self.vm.store.data_mut()
    }

    /// Loads a new VM in place of a failed one if the policy and the back-off allow it.
    fn reload_if_due(&mut self) {
        let FailurePolicy::Reload { base_ms } = self.settings.profile.failure_policy else { return };
        if !self.vm.has_failed() {
            return;
        }
        let now_ns = self.shared.lock().now_ns;
        let jitter_ms = self.rng.below(usize::try_from(base_ms / 2).unwrap_or(0)) as u64;
        if (now_ns - self.loaded_ns) / 1_000_000 < base_ms + jitter_ms {
            return;
        }
        self.loaded_ns = now_ns;
        self.generation += 1;
        let seed = Rng::new(self.rng.next_u64());
        let mut host =
            Host::new(self.index, self.generation, self.settings.clone(), self.shared.clone(), seed);
        // Tokens of callouts of the failed VM are not used again.
        host.next_callout = self.host().next_callout;
        match Vm::start(&self.module, host) {
            Ok(mut fresh) => {
                fresh.store.data_mut().streams = std::mem::take(&mut self.host_mut().streams);
                self.vm = fresh;
            }
            Err(error) => self.host().note(ROOT, format!("reload failed: {error}")),
        }
    }

    /// Makes the stream and its context. Frames stay in its script.
    pub(crate) fn open(&mut self, id: u32, request: Request) {
        self.reload_if_due();
        let failed = self.vm.has_failed();
        let policy = self.settings.profile.failure_policy;
        let opened_ns = self.shared.lock().now_ns;
        let pages = self.vm.memory_pages();
        let generation = self.generation;
        let from_client = frames(&request, &self.settings);
        let host = self.host_mut();
        let context = host.next_context;
        host.next_context += 1;
        let head_request = request.headers.text(":method") == Some("HEAD");
        let stream = Stream {
            context,
            root: ROOT,
            generation,
            context_state: ContextState::Absent,
            bypassed: failed && policy == FailurePolicy::Open,
            request: Flow::default(),
            response: Flow::default(),
            from_client,
            from_upstream: VecDeque::new(),
            upstream_plan: request.upstream,
            upstream: None,
            downstream: None,
            answerer: Answerer::Nobody,
            life: Life::Open,
            head_request,
            local_reply: false,
            deciding: false,
            prepared_reply: None,
            failed_reply: false,
            code_details: None,
            filter_state: BTreeMap::new(),
            properties: request.properties,
            route_cache_clears: 0,
            logging: false,
            end_of_stream: false,
            opened_ns,
            fuel: Vec::new(),
            pages_before: pages,
            pages_after: pages,
            violations: Vec::new(),
        };
        host.streams.insert(id, stream);
    }

    /// Hands the next frame of the client to the filter chain.
    pub(crate) fn client_frame(&mut self, id: u32, frame: Frame) {
        self.announce(id);
        self.frame(id, Direction::Request, frame);
    }

    pub(crate) fn frame(&mut self, id: u32, direction: Direction, frame: Frame) {
        let mut chain = self.chain();
        match frame {
            Frame::Headers { headers, end } => chain.headers(id, direction, headers, end),
            Frame::Data { bytes, end } => chain.data(id, direction, bytes, end),
            Frame::Trailers(trailers) => chain.trailers(id, direction, trailers),
        }
    }

    /// The VM learns of a stream when its headers come.
    fn announce(&mut self, id: u32) {
        let failed = self.vm.has_failed();
        let Some(stream) = self.host_mut().streams.get_mut(&id) else { return };
        if stream.context_state != ContextState::Absent || stream.bypassed {
            return;
        }
        stream.context_state = ContextState::Live;
        let (context, root) = (stream.context, stream.root);
        if !failed {
            self.vm.call(Callback::ContextCreate, context, &[root]);
            self.chain().run_deferred();
        }
    }

    /// A tick of the root context.
    pub(crate) fn tick(&mut self) {
        let now_ns = self.shared.lock().now_ns;
        self.vm.call(Callback::Tick, ROOT, &[]);
        self.after_root_call();
        let host = self.host_mut();
        host.next_tick_ns = (host.tick_period_ns > 0 && host.next_tick_ns.is_some_and(|due| due <= now_ns))
            .then(|| now_ns + host.tick_period_ns)
            .or(host.next_tick_ns.filter(|due| *due > now_ns));
        if self.vm.has_failed() {
            self.host_mut().next_tick_ns = None;
        }
    }

    pub(crate) fn queue_ready(&mut self, context: u32, token: u32) {
        self.vm.call(Callback::QueueReady, context, &[token]);
        self.after_root_call();
    }

    /// Tells the root context of a callout's end. `asked_by` is the context that sent it.
    pub(crate) fn callout_ended(&mut self, token: u32, asked_by: u32, end: CalloutEnd) {
        if self.vm.has_failed() {
            return;
        }
        let counts = match &end {
            CalloutEnd::Answered(response) => [
                token,
                response.headers.len() as u32,
                response.body().len() as u32,
                response.trailers.as_ref().map_or(0, |trailers| trailers.len() as u32),
            ],
            CalloutEnd::Broken => [token, 0, 0, 0],
        };
        let stream = self.host().stream_of(asked_by);
        let host = self.host_mut();
        if end == CalloutEnd::Broken {
            // `BrokenConnection`, and the word that Envoy gives.
            host.status = (11, "reset");
        }
        host.call_end = Some(end);
        let before = self.vm.root_fuel;
        self.vm.call(Callback::HttpCallResponse, ROOT, &counts);
        let fuel = self.vm.root_fuel - before;
        let host = self.host_mut();
        host.call_end = None;
        host.status.1 = "";
        // The work was done for the stream that asked.
        if let Some(stream) = stream.and_then(|id| host.streams.get_mut(&id)) {
            stream.fuel.push((Callback::HttpCallResponse, fuel));
        }
        self.after_root_call();
    }

    fn after_root_call(&mut self) {
        self.host_mut().stop_next = false;
        self.chain().run_deferred();
    }

    /// Ends the root context, as Envoy does when a configuration goes. True once it is gone.
    pub(crate) fn shut_down(&mut self) -> bool {
        let finished = if self.host().root_done_pending {
            false
        } else if self.host().root_done {
            true
        } else {
            let done = self.vm.call(Callback::Done, ROOT, &[]) != crate::vm::Called::Returned(0);
            self.host_mut().root_done_pending = !done;
            done
        };
        if finished {
            self.vm.call(Callback::Delete, ROOT, &[]);
        }
        finished
    }
}

/// The frames of a request in the order in which they arrive.
fn frames(request: &Request, settings: &Settings) -> VecDeque<Frame> {
    let headers = request.headers.as_received(&settings.profile.joined_request_headers);
    let trailers = request.trailers.as_ref().map(|trailers| trailers.as_received(&BTreeSet::new()));
    let mut pieces = request.pieces.clone();
    let http1 = settings.profile.downstream == Protocol::Http1;
    let separate_end =
        http1 && request.end == End::Natural && request.trailers.is_none() && !pieces.is_empty();
    if request.end == End::EmptyPiece || separate_end {
        pieces.push(Vec::new());
    }
    let ends = request.end != End::Never && trailers.is_none();
    let mut frames = VecDeque::new();
    frames.push_back(Frame::Headers { headers, end: ends && pieces.is_empty() });
    let last = pieces.len();
    for (index, bytes) in pieces.into_iter().enumerate() {
        frames.push_back(Frame::Data { bytes, end: ends && index + 1 == last });
    }
    if request.end != End::Never {
        frames.extend(trailers.map(Frame::Trailers));
    }
    frames
}
