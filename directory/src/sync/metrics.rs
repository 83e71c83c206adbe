//! What syncs are counted by. It exposes nothing itself: the service does.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use super::Ran;

/// Counters of syncs. Clones count together.
#[derive(Debug, Clone, Default)]
pub struct SyncMetrics {
    jobs: Family<Outcome, Counter>,
    api_errors: Family<Kind, Counter>,
    webhooks: Family<Outcome, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

impl SyncMetrics {
    /// Adds them to what is exposed.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("webhooks", "Webhooks of Seam, by outcome", self.webhooks.clone());
        registry.register("syncs", "Sync jobs that ended, by outcome", self.jobs.clone());
        registry.register(
            "seam_api_errors",
            "Requests to the Seam API that ended a sync job, by kind",
            self.api_errors.clone(),
        );
    }

    /// A webhook came, and this became of it.
    pub(crate) fn count_webhook(&self, outcome: &'static str) {
        self.webhooks.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn count(&self, ran: &Ran) {
        let outcome = match ran {
            Ran::Nothing => return,
            Ran::Synced => "synced",
            Ran::Deferred => "deferred",
            Ran::Gone => "gone",
            Ran::Discovered => "discovered",
            Ran::Overtaken => "overtaken",
            Ran::Failed(error) => {
                self.api_errors.get_or_create(&Kind { kind: error.name() }).inc();
                "failed"
            }
        };
        self.jobs.get_or_create(&Outcome { outcome }).inc();
    }
}
