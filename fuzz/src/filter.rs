//! The whole filter: the compiled module in the simulator, driven by a script of requests, answers, ticks and resets. What a
//! script can say is in `script`; what must hold of each stream is in `promises`.
//!
//! The module is not instrumented. Two things stand in for that: the core judges every event natively beside it, and what
//! the module calls is told by [`Run::features`].

mod promises;
mod script;

use envoy_sim::{
    CalloutAnswer, Cluster, Conflicts, EnvoyProfile, Module, Outcome, Protocol, Request, Response, Setup,
    Simulator, StreamId, TraceEvent, Upstream, UpstreamFailure, WaitingFor,
};
use event_core::Edge;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::OnceLock;
use std::time::Duration;

use promises::Sent;
use script::{Command, Head};

/// The path of the module, for those that cannot build it: libFuzzer's process has flags for other code.
const MODULE: &str = "BELLHOP_MODULE";

/// So many streams at once, so many commands.
const MOST_STREAMS: usize = 8;

/// Longer than any time-out, pause or tick of the configurations.
const LONG: Duration = Duration::from_secs(30);

/// What a script can choose from. Limits are low, so that small scripts reach them.
const CONFIGURATIONS: [&str; 6] = [
    r#"{
        "environment": "fuzz",
        "sources": [{ "name": "acme", "path": "/e", "verify": "none" }],
        "accounts": [{ "connected_account_id": "ca", "devices": ["d"], "bridges": ["b"], "access_codes": ["a"] }],
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 }
    }"#,
    r#"{
        "environment": "fuzz",
        "sources": [{ "name": "acme", "path": "/e", "verify": "none" }],
        "directory": {
            "cluster": "directory", "timeout_ms": 100, "pause_ms": 40, "max_waiting": 3, "max_callouts": 2,
            "cache": { "fresh_s": 2, "unknown_s": 1, "stale_s": 5, "entries": 4, "shared_slots": 8 }
        },
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 }
    }"#,
    r#"{
        "environment": "fuzz",
        "sources": [
            { "name": "acme", "path": "/e", "verify": { "token": { "header": "x-token", "secrets": ["t0ken"] } } },
            { "name": "other", "path": "/o", "verify": "none", "events": ["device.online"], "unregistered": "reject" }
        ],
        "accounts": [{ "connected_account_id": "ca", "devices": ["d"] }],
        "directory": { "cluster": "directory", "timeout_ms": 100, "pause_ms": 40, "cache": { "shared_slots": 8 } },
        "on_unassigned": "forward",
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 }
    }"#,
    r#"{
        "environment": "fuzz",
        "sources": [{ "name": "acme", "path": "/e", "verify": "none" }],
        "accounts": [{ "connected_account_id": "ca", "devices": ["d"] }],
        "on_unassigned": "reject",
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 },
        "delivery": { "max_retries": 0, "retry_after_s": 7 }
    }"#,
    r#"{
        "environment": "fuzz",
        "sources": [{
            "name": "acme", "path": "/e", "verify": "none", "events": ["device.online"], "unregistered": "reject"
        }],
        "accounts": [
            { "connected_account_id": "ca", "devices": ["d"], "bridges": ["b"] },
            { "connected_account_id": "cb", "devices": ["e"] }
        ],
        "on_invalid": "quarantine",
        "on_unassigned": "quarantine",
        "duplicates": { "window_s": 3, "slots": 4 },
        "order": { "slots": 2 },
        "replay": { "secrets": ["0123456789abcdef0123456789abcdef"] },
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 }
    }"#,
    r#"{
        "environment": "fuzz",
        "sources": [{ "name": "acme", "path": "/e", "verify": "none" }],
        "directory": { "cluster": "directory", "timeout_ms": 100, "pause_ms": 40, "cache": { "shared_slots": 8 } },
        "on_unassigned": "quarantine",
        "duplicates": { "window_s": 3, "slots": 4 },
        "order": { "slots": 2 },
        "limits": { "body_bytes": 512, "depth": 8, "id_bytes": 16 }
    }"#,
];

/// Checks one script.
///
/// # Panics
/// When something that must hold does not.
pub fn check(input: &[u8]) {
    run(input);
}

/// What became of a script.
#[derive(Debug, Default)]
pub struct Run {
    /// A number for each pair of calls that followed each other, and for each end of a stream: coverage of a kind.
    pub features: Vec<u64>,
    /// How many streams there were.
    pub n_streams: usize,
    /// How many of them reached upstream.
    pub n_forwarded: usize,
}

/// Runs one script, and says what it reached.
///
/// # Panics
/// When something that must hold does not.
pub fn run(input: &[u8]) -> Run {
    let mut run = Run::default();
    let (world, commands) = script::read(input);
    let mut life = Life::start(&world, world.configuration);
    for command in commands {
        if let Command::Reconfigure(configuration) = command {
            life.end(&mut run);
            life = Life::start(&world, configuration);
        } else {
            life.carry_out(command);
        }
    }
    life.end(&mut run);
    run
}

fn module() -> &'static Module {
    static LOADED: OnceLock<Module> = OnceLock::new();
    LOADED.get_or_init(|| {
        let built = || testbed::build::filter("plugin", "bellhop_plugin").expect("the plugin builds");
        let path = std::env::var_os(MODULE).map_or_else(built, PathBuf::from);
        let kept = testbed::paths::scratch().expect("the build folder can be written").join("modules");
        Module::load_cached(path, kept).expect("Envoy would load it")
    })
}

fn edge(configuration: usize) -> Rc<Edge> {
    thread_local! {
        static READ: RefCell<BTreeMap<usize, Rc<Edge>>> = const { RefCell::new(BTreeMap::new()) };
    }
    let read =
        || Edge::from_json(CONFIGURATIONS[configuration].as_bytes()).expect("the configuration is good");
    READ.with_borrow_mut(|edges| Rc::clone(edges.entry(configuration).or_insert_with(|| Rc::new(read()))))
}

/// One Envoy, from its start to the end of every stream in it.
struct Life {
    edge: Rc<Edge>,
    n_workers: usize,
    sim: Simulator,
    streams: Vec<(StreamId, Sent)>,
    /// A stream whose headers are not complete.
    coming: Option<Head>,
}

impl Life {
    fn start(world: &script::World, configuration: usize) -> Self {
        let downstream = if world.http2 { Protocol::Http2 } else { Protocol::Http1 };
        let setup = Setup {
            profile: EnvoyProfile {
                allow_on_headers_stop_iteration: true,
                downstream,
                ..EnvoyProfile::default()
            },
            configuration: CONFIGURATIONS[configuration].as_bytes().to_vec(),
            clusters: vec![Cluster::manual("directory")],
            workers: world.n_workers,
            conflicts: Conflicts::Percent(world.conflicts_percent),
            seed: 1,
            canary: false,
            ..Setup::default()
        };
        let sim = Simulator::new(module(), setup).expect("the filter takes its configuration");
        Self { edge: edge(configuration), n_workers: world.n_workers, sim, streams: Vec::new(), coming: None }
    }

    /// What makes no sense now is passed over.
    fn carry_out(&mut self, command: Command) {
        if let Command::Header(name, value) = command {
            if let Some(head) = &mut self.coming {
                head.headers.push((name, value));
            }
            return;
        }
        self.begin();
        match command {
            Command::Open(head) => self.coming = Some(head),
            Command::Piece { stream, bytes, end } => {
                if let Some((id, sent)) = self.streams.get_mut(stream).filter(|(_, sent)| !sent.ended) {
                    sent.body.extend_from_slice(&bytes);
                    sent.ended = end;
                    promises::went_well(self.sim.push_piece(*id, &bytes, end));
                }
            }
            Command::Trailers { stream, trailers } => {
                if let Some((id, sent)) = self.streams.get_mut(stream).filter(|(_, sent)| !sent.ended) {
                    sent.ended = true;
                    let trailers = trailers.iter().map(|(name, value)| (&**name, &**value)).collect();
                    promises::went_well(self.sim.push_trailers(*id, trailers));
                }
            }
            Command::Step(stream) => self.with(stream, |sim, id| sim.step(id)),
            Command::Disconnect(stream) => {
                if let Some((_, sent)) = self.streams.get_mut(stream) {
                    sent.disconnected = true;
                }
                self.with(stream, |sim, id| sim.disconnect(id));
            }
            Command::Answer { stream, status, retry_after } => self.with(stream, |sim, id| {
                let response =
                    Response::new(status).header("retry-after", &retry_after).with_body("upstream's");
                sim.answer_upstream(id, response)
            }),
            Command::Fail { stream, failure } => {
                if let Some((_, sent)) = self.streams.get_mut(stream) {
                    // Then nothing has reached it, whatever the filter let go.
                    sent.no_upstream |=
                        matches!(failure, UpstreamFailure::NoHealthyHost | UpstreamFailure::ConnectFailure);
                }
                self.with(stream, |sim, id| sim.fail_upstream(id, failure));
            }
            Command::AnswerCallout { nth, answer } => {
                let pending: Vec<u32> =
                    self.sim.pending_callouts().iter().map(|callout| callout.id).collect();
                if let Some(id) = pending.get(nth % pending.len().max(1)) {
                    promises::went_well(self.sim.answer_callout(*id, answer));
                }
            }
            Command::Settle => promises::went_well(self.sim.settle()),
            Command::Wait(by_ms) => promises::went_well(self.sim.advance(Duration::from_millis(by_ms))),
            Command::Header(..) | Command::Reconfigure(_) => {}
        }
    }

    fn with(
        &mut self,
        stream: usize,
        act: impl FnOnce(&mut Simulator, StreamId) -> Result<(), envoy_sim::Error>,
    ) {
        if let Some((id, _)) = self.streams.get(stream) {
            promises::went_well(act(&mut self.sim, *id));
        }
    }

    /// The headers of the stream that is coming are complete.
    fn begin(&mut self) {
        let Some(head) = self.coming.take().filter(|_| self.streams.len() < MOST_STREAMS) else { return };
        let mut request = Request::new(&head.method, &head.path).upstream(Upstream::Silent);
        for (name, value) in &head.headers {
            request = request.header(name, value);
        }
        if !head.ends {
            request = request.never_ending();
        }
        let worker = head.worker % self.n_workers;
        let id = self.sim.worker(worker).open(request).expect("there is such a worker");
        self.streams.push((
            id,
            Sent { ended: head.ends, head, body: Vec::new(), disconnected: false, no_upstream: false },
        ));
    }

    /// Lets everything come to its end, and looks at it.
    fn end(mut self, run: &mut Run) {
        self.begin();
        promises::went_well(self.sim.settle());
        for (id, sent) in &mut self.streams {
            if !sent.ended && !sent.disconnected {
                sent.disconnected = true;
                promises::went_well(self.sim.disconnect(*id));
            }
        }
        // Time ends callouts and waiting; then upstream answers whom it has not answered.
        promises::went_well(self.sim.advance(LONG));
        for (id, _) in &self.streams {
            let seen = self.sim.seen(*id).expect("the stream is known");
            if seen.outcome == Outcome::Hung(WaitingFor::Upstream) {
                promises::went_well(self.sim.answer_upstream(*id, Response::new(200)));
            }
        }
        promises::went_well(self.sim.settle());
        self.tell(run);
        promises::of_the_whole(&mut self.sim, self.n_workers);
        let mut take = |id| self.sim.take(id).expect("the stream is known");
        let streams: Vec<_> = self.streams.into_iter().map(|(id, sent)| (sent, take(id))).collect();
        promises::of_copies(&streams);
        for (sent, seen) in streams {
            let reached = promises::of_a_stream(&self.edge, &sent, &seen);
            run.n_streams += 1;
            run.n_forwarded += usize::from(reached);
            let outcome = seen.filter_state.get(b"bellhop.outcome".as_slice());
            run.features.push(feature(&(seen.status(), outcome, reached)));
        }
    }

    fn tell(&self, run: &mut Run) {
        let mut before = ("", None);
        for entry in self.sim.trace().entries() {
            let now = match &entry.event {
                TraceEvent::Called { callback, .. } => (*callback, None),
                TraceEvent::HostCall { name, status, .. } => (*name, Some(*status as u64)),
                TraceEvent::Returned { .. } | TraceEvent::Trapped { .. } | TraceEvent::Note(_) => continue,
            };
            run.features.push(feature(&(before, now)));
            before = now;
        }
    }
}

fn feature(of: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Why Envoy's router may answer in upstream's stead.
const FAILURES: [UpstreamFailure; 4] = [
    UpstreamFailure::NoHealthyHost,
    UpstreamFailure::ConnectFailure,
    UpstreamFailure::Reset,
    UpstreamFailure::Timeout,
];

/// How a callout can fail.
const FAILED_CALLOUTS: [CalloutAnswer; 4] =
    [CalloutAnswer::Broken, CalloutAnswer::Reset, CalloutAnswer::ConnectFailure, CalloutAnswer::Silence];
