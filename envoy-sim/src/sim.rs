//! The world around the workers as a test handles it: set-up, steps and clock. How events are chosen is in
//! `events`, what a stream came to in `results`; what a frame does inside the filter chain is in `crate::chain`.

mod events;
mod handle;
mod results;

use std::sync::Arc;
use std::time::Duration;

use crate::callout::{Behaviour, CalloutAnswer, CalloutEnd, CalloutRequest, Cluster};
use crate::error::Error;
use crate::host::Settings;
use crate::maps::HeaderMap;
use crate::message::{Request, Response, Upstream, UpstreamFailure};
use crate::module::Module;
use crate::rng::Rng;
use crate::seen::{Outcome, Seen};
use crate::setup::Setup;
use crate::shared::SharedHandle;
use crate::stream::{Frame, Stream};
use crate::worker::Worker;

use events::{Order, answer_time};
pub use handle::{Run, WorkerHandle};

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
