//! One run: the sender at work while the plan is carried out, until every event has come to its end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use system_tests::BoxError;

use crate::backoff::{A_DAY, Policy};
use crate::clock::Clock;
use crate::edge::Options;
use crate::fleet::{Fleet, N_DEVICES};
use crate::plan::{FAULTS, Fault, Mood, Plan, Step};
use crate::recorder::Recorder;
use crate::report::Report;
use crate::sender::Sender;
use crate::world::World;

/// An hour of the provider's, in real time.
const HOUR: Duration = Duration::from_secs(1);

/// Connections of the senders.
const N_CONNECTIONS: usize = 24;

/// How long after the last fault everything may take to be delivered, in real time: some hours of the provider's, on a
/// machine that does something else too.
const DEADLINE: Duration = Duration::from_secs(600);

/// What a run is to be.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Everything that is by chance comes from this.
    pub seed: u64,
    /// When it is enough.
    pub extent: Extent,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Devices that the events are about.
    pub n_devices: u64,
    /// How the gateway is configured.
    pub options: Options,
}

/// When a run is enough.
#[derive(Debug, Clone, Copy)]
pub enum Extent {
    /// So many events, while each fault happens once.
    Events(u64),
    /// So long in real time, with five events a minute of the provider's.
    Real(Duration),
}

impl Settings {
    /// Every fault, the usual gateway.
    pub fn new(seed: u64, extent: Extent) -> Self {
        Self { seed, extent, faults: FAULTS.to_vec(), n_devices: N_DEVICES, options: Options::default() }
    }
}

/// Runs to the end.
///
/// # Errors
/// When something fails that no fault has made fail, or not all is delivered in time.
pub fn run(settings: &Settings) -> Result<Report, BoxError> {
    let started = Instant::now();
    let (steps, n_events, spacing) = extent(settings);
    let fleet = Fleet::new(settings.seed, settings.n_devices, spacing);
    let recorder = Arc::new(Recorder::new(fleet, settings.seed));
    let clock = Arc::new(Clock::start(HOUR));
    let start = || World::start(Arc::clone(&clock), Arc::clone(&recorder), settings.options);
    let mut world = clock.held(start)?;
    let sender = Sender::new(
        world.edge(),
        fleet,
        settings.seed,
        Policy::try_new(Duration::from_secs(60), Duration::from_secs(3600), A_DAY)?,
        n_events,
        Arc::clone(&clock),
        Arc::clone(&recorder),
    );
    let mut faults = BTreeMap::new();
    let result: Result<(), BoxError> = std::thread::scope(|scope| {
        let connections: Vec<_> = (0..N_CONNECTIONS).map(|_| scope.spawn(|| sender.run())).collect();
        let mut conductor =
            Conductor { world: &mut world, sender: &sender, clock: &clock, recorder: &recorder };
        let conducted = conductor.conduct(steps, settings.extent, started, &mut faults);
        // On every way out: the scope waits for them.
        sender.stop();
        for connection in connections {
            connection.join().map_err(|_| "a sender panicked")??;
        }
        conducted
    });
    result.map_err(|error| format!("SEED={}: {error}\n{}", settings.seed, world.logs()))?;
    let sent = sender.sent();
    let lost = (0..sent.n_events).filter(|number| !recorder.has(*number)).take(20).collect();
    let provider = clock.now();
    let (envoys, counters) = world.end_all()?;
    Ok(Report {
        seed: settings.seed,
        real: started.elapsed(),
        provider,
        faults,
        seen: recorder.seen(),
        n_upstream: recorder.n_events(),
        n_keys: recorder.n_keys(),
        lost,
        sent,
        envoys,
        counters,
    })
}

/// What is to happen, and how many events while it does.
fn extent(settings: &Settings) -> (Box<dyn Iterator<Item = Step>>, u64, Duration) {
    let plan = Plan::new(settings.seed, &settings.faults);
    match settings.extent {
        Extent::Events(n_events) => {
            let steps: Vec<_> = plan.take(settings.faults.len()).collect();
            let time: Duration = steps.iter().map(|it| it.after + it.lasts).sum();
            let spacing = time / u32::try_from(n_events.max(1)).unwrap_or(u32::MAX);
            (Box::new(steps.into_iter()), n_events, spacing)
        }
        Extent::Real(_) => (Box::new(plan), u64::MAX, Duration::from_secs(12)),
    }
}

struct Conductor<'a> {
    world: &'a mut World,
    sender: &'a Sender,
    clock: &'a Clock,
    recorder: &'a Recorder,
}

impl Conductor<'_> {
    /// One fault after the other, then time for what is left.
    fn conduct(
        &mut self,
        steps: impl Iterator<Item = Step>,
        extent: Extent,
        started: Instant,
        faults: &mut BTreeMap<String, u64>,
    ) -> Result<(), BoxError> {
        for (index, step) in steps.enumerate() {
            if let Extent::Real(time) = extent
                && started.elapsed() > time
            {
                break;
            }
            self.wait(step.after);
            self.forget(step.fault);
            self.world.begin(&step)?;
            self.sender.set_trapping(trapping_percent(&step));
            *faults.entry(step.fault.to_string()).or_default() += 1;
            self.wait(step.lasts);
            self.sender.set_trapping(0);
            self.world.mend(&step)?;
            self.forget(step.fault);
            // Some accounts are connected when events of their devices have been coming for hours.
            if index == 3 {
                self.world.import(true)?;
            }
        }
        if let Extent::Real(_) = extent {
            self.sender.end_events();
        }
        let deadline = Instant::now() + DEADLINE;
        while !self.sender.is_done() {
            if Instant::now() > deadline {
                let n_open = self.sender.n_open();
                return Err(
                    format!("{n_open} events were still open after {DEADLINE:?} without a fault").into()
                );
            }
            self.wait(Duration::from_secs(60));
        }
        Ok(())
    }

    fn wait(&self, time: Duration) {
        let until = self.clock.now() + time;
        while !self.clock.wait_until(until) {}
    }

    fn forget(&self, fault: Fault) {
        if !fault.keeps_memory() {
            self.recorder.filter_forgets();
        }
    }
}

fn trapping_percent(step: &Step) -> u8 {
    match step.fault {
        Fault::FilterTraps | Fault::FilterTrapsWhileRequestsWait => step.percent,
        Fault::Upstream(
            Mood::Answers(_)
            | Mood::Hangs
            | Mood::Resets
            | Mood::IsSlow
            | Mood::TakesAndFails
            | Mood::TakesAndHangs
            | Mood::TakesAndResets
            | Mood::TakesAndTraps,
        )
        | Fault::UpstreamKilled
        | Fault::DirectoryKilled
        | Fault::DirectoryHangs
        | Fault::EnvoyDrained
        | Fault::EnvoyKilled
        | Fault::ConfigurationReloaded
        | Fault::ConfigurationRefused => 0,
    }
}
