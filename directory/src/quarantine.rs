//! Events that the filter has set aside: what may be shown of them, replaying them, keeping within bounds. They are stored
//! in `store`.

mod edge;
mod entry;
mod mask;
mod metrics;
mod replay;

pub use entry::{Entry, Shown};
pub use metrics::QuarantineMetrics;
pub use replay::{Outcome, Replayed, Replayer, Replays};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::store::{QuarantineLimits, Store};
use crate::{clock, config};

/// How often old events are looked for.
const TRIM_EVERY: Duration = Duration::from_secs(60);

/// Single replays that run at a time; each holds an event in memory and a connection to the edge.
const N_SINGLE: usize = 8;

/// What routes share of it.
#[derive(Debug)]
pub(crate) struct QuarantineSide {
    pub(crate) limits: QuarantineLimits,
    /// Where events are replayed, if that is configured.
    pub(crate) replayer: Option<Replayer>,
    /// A single replay that runs holds one.
    pub(crate) singles: Arc<Semaphore>,
    /// A replay of many that runs holds the one.
    pub(crate) many: Arc<Semaphore>,
    pub(crate) metrics: QuarantineMetrics,
}

impl QuarantineSide {
    pub(crate) fn new(config: &config::Quarantine, store: &Store, metrics: &QuarantineMetrics) -> Self {
        metrics.bound(config.limits);
        let replayer = |edge: &config::Edge| Replayer::new(store.clone(), edge, metrics.clone());
        Self {
            limits: config.limits,
            replayer: config.edge.as_ref().map(replayer),
            singles: Arc::new(Semaphore::new(N_SINGLE)),
            many: Arc::new(Semaphore::new(1)),
            metrics: metrics.clone(),
        }
    }

    /// Removes what is too old, for as long as the service runs.
    pub(crate) async fn keep_within_bounds(&self, store: &Store) {
        let mut timer = tokio::time::interval(TRIM_EVERY);
        loop {
            timer.tick().await;
            match store.trim_quarantine(self.limits, clock::now_ms()).await {
                Ok(trimmed) => {
                    self.metrics.trimmed(trimmed);
                    if trimmed.expired > 0 {
                        let n_events = trimmed.expired;
                        tracing::warn!(n_events, "quarantined events were too old and went without a replay");
                    }
                }
                Err(error) => {
                    tracing::error!(%error, cause = error.cause(), "could not trim the quarantine");
                }
            }
        }
    }
}
