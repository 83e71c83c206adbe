//! What a stream and the whole simulator have come to. Nothing here moves anything.

use super::{Pending, Simulator, StreamId};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::seen::{Fuel, Outcome, Seen, WaitingFor};
use crate::shared::{Conflicts, LogLine};
use crate::stream::{Life, Stream};
use crate::trace::Trace;

impl Simulator {
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
}
