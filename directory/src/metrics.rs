//! What the service counts, for Prometheus. No label holds an id.

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::quarantine::QuarantineMetrics;
use crate::store::{JobCounts, LinkOutcome};
use crate::sync::SyncMetrics;

/// The media type of the text format.
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A request that was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Request {
    /// The route as it is declared, or `other`.
    pub(crate) route: &'static str,
    /// The HTTP status.
    pub(crate) status: u16,
}

/// What became of something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Outcome {
    pub(crate) outcome: &'static str,
}

/// How far jobs are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Jobs {
    state: &'static str,
}

/// Which route took how long.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Route, Histogram>,
    resolves: Family<Outcome, Counter>,
    links: Family<Outcome, Counter>,
    jobs: Family<Jobs, Gauge>,
    /// What the syncs count themselves.
    pub sync: SyncMetrics,
    /// What the quarantine counts itself.
    pub quarantine: QuarantineMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bellhop_directory");
        let requests = Family::default();
        registry.register("requests", "Requests by route and status", requests.clone());
        // From a tenth of a millisecond to a few seconds.
        let buckets = || Histogram::new([0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]);
        let seconds = Family::new_with_constructor(buckets as fn() -> Histogram);
        registry.register("request_seconds", "Time to the answer, by route", seconds.clone());
        let resolves = Family::default();
        registry.register("resolves", "Questions whose ids are, by outcome", resolves.clone());
        let links = Family::default();
        registry.register("links", "Links that events taught, by outcome", links.clone());
        let jobs = Family::default();
        registry.register("sync_jobs", "Sync jobs", jobs.clone());
        let sync = SyncMetrics::default();
        sync.register(&mut registry);
        let quarantine = QuarantineMetrics::default();
        quarantine.register(&mut registry);
        Self { registry, requests, seconds, resolves, links, jobs, sync, quarantine }
    }
}

impl Metrics {
    pub(crate) fn answered(&self, route: &'static str, status: u16, seconds: f64) {
        self.requests.get_or_create(&Request { route, status }).inc();
        self.seconds.get_or_create(&Route { route }).observe(seconds);
    }

    pub(crate) fn resolved(&self, outcome: &'static str) {
        self.resolves.get_or_create(&Outcome { outcome }).inc();
    }

    /// How many questions had this outcome.
    pub(crate) fn n_resolved(&self, outcome: &'static str) -> u64 {
        self.resolves.get_or_create(&Outcome { outcome }).get()
    }

    /// How many links had this outcome.
    pub(crate) fn n_learned(&self, outcome: &'static str) -> u64 {
        self.links.get_or_create(&Outcome { outcome }).get()
    }

    pub(crate) fn learned(&self, outcome: LinkOutcome) {
        let LinkOutcome { stored, known, contradicted, full } = outcome;
        for (outcome, count) in
            [("stored", stored), ("known", known), ("contradicted", contradicted), ("full", full)]
        {
            self.links.get_or_create(&Outcome { outcome }).inc_by(u64::from(count));
        }
    }

    pub(crate) fn set_jobs(&self, counts: JobCounts) {
        for (state, count) in [("all", counts.jobs), ("due", counts.due), ("failing", counts.failing)] {
            self.jobs.get_or_create(&Jobs { state }).set(count);
        }
    }

    /// All of it as text.
    pub(crate) fn encode(&self) -> String {
        let mut encoded = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut encoded, &self.registry);
        encoded
    }
}
