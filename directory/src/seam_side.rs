//! The side of the service that faces Seam: its API, its webhooks' secrets, the sync jobs. There is none where accounts are
//! only imported. What a job does stands in `sync`.

use std::sync::Arc;

use seam::{Client, Limits, SetupError};
use tokio::sync::{Notify, Semaphore};

use crate::clock;
use crate::config;
use crate::sources::Sources;
use crate::store::Store;
use crate::sync::{self, SyncMetrics, SyncSettings, Syncer, Worker};
use crate::webhook::{BadSecret, Signatures};

/// Webviews that are looked up at a time for whoever opens `/connected`: it needs no token, and must not use up the API's
/// rate limit.
const N_LOOKUPS: usize = 4;

/// What routes and worker share of it.
#[derive(Debug)]
pub struct SeamSide {
    pub(crate) api: Arc<Client>,
    pub(crate) signatures: Signatures,
    pub(crate) lookups: Semaphore,
    pub(crate) metrics: SyncMetrics,
    syncer: Arc<Syncer>,
    wake: Arc<Notify>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum SeamSideError {
    /// The address or the key cannot be used.
    #[error("seam.url or seam.api_key cannot be used")]
    Api(#[from] SetupError),
    /// A secret of webhooks is none.
    #[error("seam.webhook_secrets")]
    Secret(#[from] BadSecret),
}

impl SeamSide {
    pub(crate) fn try_new(
        seam: &config::Seam,
        sources: &Sources,
        store: &Store,
        metrics: &SyncMetrics,
    ) -> Result<Self, SeamSideError> {
        let api = Arc::new(Client::try_new(seam.url.as_str(), &seam.api_key, Limits::default())?);
        let settings = SyncSettings {
            first_sync_grace: seam.first_sync_grace,
            resync: seam.resync,
            lease: sync::LEASE,
            sources: sources.clone(),
        };
        let now = Arc::new(clock::now_ms);
        let syncer = Syncer::new(store.clone(), Arc::clone(&api), settings, now, metrics.clone());
        Ok(Self {
            api,
            signatures: Signatures::try_new(&seam.webhook_secrets)?,
            lookups: Semaphore::new(N_LOOKUPS),
            metrics: metrics.clone(),
            syncer: Arc::new(syncer),
            wake: Arc::new(Notify::new()),
        })
    }

    /// A job was asked for.
    pub(crate) fn wake(&self) {
        self.wake.notify_one();
    }

    pub(crate) fn worker(&self) -> Worker {
        Worker::new(Arc::clone(&self.syncer), Arc::clone(&self.wake))
    }
}
