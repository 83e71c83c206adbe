//! What the quarantine is counted by. No label holds what a sender chose.

use event_core::Cause;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Outcome;
use crate::store::{QuarantineCounts, QuarantineLimits, Quarantining, Trimmed};

/// Counters of the quarantine. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct QuarantineMetrics {
    taken: Family<Taken, Counter>,
    replays: Family<Labelled, Counter>,
    removed: Family<Reason, Counter>,
    events: Family<State, Gauge>,
    bytes: Gauge,
    oldest: Gauge,
    max_events: Gauge,
    max_bytes: Gauge,
    max_age: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Taken {
    outcome: &'static str,
    cause: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labelled {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

impl QuarantineMetrics {
    /// Adds them to what is exposed.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register("quarantined", "Events to set aside, by outcome and cause", self.taken.clone());
        registry.register("quarantine_replays", "Replays that ended, by outcome", self.replays.clone());
        registry.register(
            "quarantine_removed",
            "Quarantined events removed, by reason",
            self.removed.clone(),
        );
        registry.register("quarantine_events", "Quarantined events", self.events.clone());
        registry.register("quarantine_bytes", "Bytes of quarantined events", self.bytes.clone());
        registry.register(
            "quarantine_oldest_seconds",
            "Time since the event that waits longest was last seen",
            self.oldest.clone(),
        );
        for (name, help, bound) in [
            ("quarantine_max_events", "The most quarantined events", &self.max_events),
            ("quarantine_max_bytes", "The most bytes of quarantined events", &self.max_bytes),
            ("quarantine_max_age_seconds", "The age at which a quarantined event goes", &self.max_age),
        ] {
            registry.register(name, help, bound.clone());
        }
    }

    /// Says what the configuration bounds.
    pub(super) fn bound(&self, limits: QuarantineLimits) {
        self.max_events.set(limits.events);
        self.max_bytes.set(limits.bytes);
        self.max_age.set(limits.age_ms / 1000);
    }

    pub(crate) fn taken(&self, outcome: Quarantining, cause: &str) {
        let outcome = match outcome {
            Quarantining::Stored { pushed_out, .. } => {
                self.trimmed(pushed_out);
                "stored"
            }
            Quarantining::Again { .. } => "again",
            Quarantining::Full => "full",
        };
        let cause = known_cause(cause).unwrap_or("other");
        self.taken.get_or_create(&Taken { outcome, cause }).inc();
    }

    pub(super) fn replayed(&self, outcome: Outcome) {
        self.replays.get_or_create(&Labelled { outcome: outcome.name() }).inc();
    }

    pub(crate) fn dropped(&self) {
        self.removed.get_or_create(&Reason { reason: "dropped" }).inc();
    }

    pub(super) fn trimmed(&self, trimmed: Trimmed) {
        for (reason, count) in [("expired", trimmed.expired), ("replayed", trimmed.replayed)] {
            self.removed.get_or_create(&Reason { reason }).inc_by(count);
        }
    }

    pub(crate) fn set(&self, counts: QuarantineCounts, now: i64) {
        for (state, count) in [("waiting", counts.waiting), ("replayed", counts.replayed)] {
            self.events.get_or_create(&State { state }).set(count);
        }
        self.bytes.set(counts.bytes);
        self.oldest.set(counts.oldest_waiting.map_or(0, |seen_at| (now - seen_at).max(0) / 1000));
    }
}

/// The cause of this name, as the filter knows it.
pub(super) fn known_cause(name: &str) -> Option<&'static str> {
    Cause::ALL.into_iter().map(Cause::name).find(|known| *known == name)
}
