//! The state behind one VM that host functions reach: contexts, streams, callouts, timers. It decides no phase.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use wasmtime::{Memory, TypedFunc};

use crate::abi::LogLevel;
use crate::callout::{CalloutEnd, CalloutRequest};
use crate::flow::Direction;
use crate::metrics::MetricKind;
use crate::profile::EnvoyProfile;
use crate::rng::Rng;
use crate::seen::Violation;
use crate::shared::{LogLine, SharedHandle};
use crate::stream::{ContextState, Stream};
use crate::trace::TraceEvent;

/// The first root context's id.
pub(crate) const ROOT: u32 = 1;

/// The parts of the set-up that host functions read.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) profile: EnvoyProfile,
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_configuration: Vec<u8>,
    pub(crate) plugin_name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) environment: Vec<(String, String)>,
    /// Each cluster's name, and whether it has a host.
    pub(crate) clusters: BTreeMap<String, bool>,
    pub(crate) properties: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) fuel_per_callback: u64,
}

/// What Envoy does only after the callback has returned.
#[derive(Debug)]
pub(crate) enum Deferred {
    Continue(u32, Direction),
    Reply(u32, LocalReply),
    Reset(u32),
}

/// An answer that the filter or Envoy makes.
#[derive(Debug, Clone)]
pub(crate) struct LocalReply {
    pub(crate) status: u32,
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) details: String,
    pub(crate) by_filter: bool,
}

/// How many functions of the guest may run with restricted host calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// `_initialize` and `main`: only logging, environment, clock and random numbers.
    Start,
    Running,
}

pub(crate) struct Host {
    pub(crate) worker: usize,
    pub(crate) generation: u32,
    pub(crate) settings: Arc<Settings>,
    pub(crate) shared: SharedHandle,
    pub(crate) memory: Option<Memory>,
    pub(crate) allocate: Option<TypedFunc<u32, u32>>,
    pub(crate) phase: Phase,
    pub(crate) current: u32,
    pub(crate) effective: u32,
    pub(crate) next_context: u32,
    pub(crate) streams: BTreeMap<u32, Stream>,
    pub(crate) deferred: VecDeque<Deferred>,
    pub(crate) stop_next: bool,
    pub(crate) configuration_shown: bool,
    pub(crate) call_end: Option<CalloutEnd>,
    pub(crate) status: (u32, &'static str),
    pub(crate) new_callouts: Vec<CalloutRequest>,
    pub(crate) next_callout: u32,
    pub(crate) metric_names: BTreeMap<u32, String>,
    pub(crate) next_metric: [u32; 3],
    pub(crate) tick_period_ns: u64,
    pub(crate) next_tick_ns: Option<u64>,
    pub(crate) root_done_pending: bool,
    pub(crate) root_done: bool,
    pub(crate) unsupported: Option<String>,
    pub(crate) rng: Rng,
}

impl Host {
    pub(crate) fn new(
        worker: usize,
        generation: u32,
        settings: Arc<Settings>,
        shared: SharedHandle,
        rng: Rng,
    ) -> Self {
        Self {
            worker,
            generation,
            settings,
            shared,
            memory: None,
            allocate: None,
            phase: Phase::Start,
            current: 0,
            effective: 0,
            next_context: ROOT + 1,
            streams: BTreeMap::new(),
            deferred: VecDeque::new(),
            stop_next: false,
            configuration_shown: false,
            call_end: None,
            status: (0, ""),
            new_callouts: Vec::new(),
            next_callout: 0,
            metric_names: BTreeMap::new(),
            next_metric: [0, 1, 2],
            tick_period_ns: 0,
            next_tick_ns: None,
            root_done_pending: false,
            root_done: false,
            unsupported: None,
            rng,
        }
    }

    /// The context that host functions act on: the effective one if it still exists.
    pub(crate) fn context(&self) -> u32 {
        if self.effective != 0 && self.context_exists(self.effective) { self.effective } else { self.current }
    }

    pub(crate) fn context_exists(&self, context: u32) -> bool {
        context <= ROOT || self.stream_of(context).is_some()
    }

    /// The stream whose live context has this id.
    pub(crate) fn stream_of(&self, context: u32) -> Option<u32> {
        self.streams
            .iter()
            .rev()
            .find(|(_, stream)| {
                stream.context == context
                    && stream.generation == self.generation
                    && stream.context_state == ContextState::Live
            })
            .map(|(id, _)| *id)
    }

    pub(crate) fn current_stream(&self) -> Option<&Stream> {
        self.stream_of(self.context()).and_then(|id| self.streams.get(&id))
    }

    pub(crate) fn current_stream_mut(&mut self) -> Option<&mut Stream> {
        let id = self.stream_of(self.context())?;
        self.streams.get_mut(&id)
    }

    pub(crate) fn violate(&mut self, violation: Violation) {
        if let Some(stream) = self.current_stream_mut() {
            stream.violations.push(violation);
        }
    }

    pub(crate) fn log(&self, level: LogLevel, message: &[u8]) {
        let message = String::from_utf8_lossy(message).into_owned();
        let context = self.context();
        let mut shared = self.shared.lock();
        shared.trace(self.worker, context, TraceEvent::Note(format!("log {level:?}: {message}")));
        shared.logs.push(LogLine { worker: self.worker, context, level, message });
    }

    pub(crate) fn note(&self, context: u32, text: impl Into<String>) {
        self.shared.lock().trace(self.worker, context, TraceEvent::Note(text.into()));
    }

    pub(crate) fn define_metric(&mut self, kind: MetricKind, name: String) -> u32 {
        let slot = &mut self.next_metric[kind as usize];
        *slot += 4;
        let id = *slot;
        self.shared.lock().metrics.define(kind, &name);
        self.metric_names.insert(id, name);
        id
    }
}
