//! The running service: what its routes share, listening, ending. The routes are in `routes`.

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::metrics::Metrics;
use crate::quarantine::QuarantineSide;
use crate::seam_side::{SeamSide, SeamSideError};
use crate::serving::{self, Bounds};
use crate::unassigned::Unassigned;
use crate::{Config, Store, StoreError, clock, routes};

/// How often old links are looked for.
const LINKS_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// One in so many requests at a time can be a stranger's.
const STRANGERS: usize = 4;

const DAY_MS: i64 = 24 * 3600 * 1000;

/// What every route shares.
#[derive(Debug)]
pub struct Shared {
    /// What is known.
    pub store: Store,
    /// What the operator wrote.
    pub config: Config,
    /// What is counted.
    pub metrics: Metrics,
    /// What led to no account, lately.
    pub unassigned: Unassigned,
    /// When this process began, in Unix milliseconds: what it counts counts from there.
    pub(crate) started_at: i64,
    /// A request that runs holds one.
    pub(crate) room: Arc<Semaphore>,
    /// So does each of them that shows no token, of fewer: strangers leave room for the others.
    pub(crate) strangers: Arc<Semaphore>,
    /// Where accounts come from, if they are not only imported.
    pub(crate) seam: Option<SeamSide>,
    /// Where events are set aside, if that is configured.
    pub(crate) quarantine: Option<QuarantineSide>,
}

/// A handle on what every route shares.
pub type App = Arc<Shared>;

/// The service, before it listens.
#[derive(Debug)]
pub struct Service {
    app: App,
}

/// Why there is no service.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The side that faces Seam cannot be set up.
    #[error(transparent)]
    Seam(#[from] SeamSideError),
}

impl Service {
    /// Opens the database.
    ///
    /// # Errors
    /// If it cannot be used.
    pub async fn new(config: Config) -> Result<Self, ServiceError> {
        let store = Store::open(config.database.expose(), config.store_limits()).await?;
        let room = Arc::new(Semaphore::new(config.requests));
        let strangers = Arc::new(Semaphore::new(config.requests.div_ceil(STRANGERS)));
        let metrics = Metrics::default();
        let side = |seam| SeamSide::try_new(seam, &config.sources, &store, &metrics.sync);
        let seam = config.seam.as_ref().map(side).transpose()?;
        let side = |it| QuarantineSide::new(it, &store, &metrics.quarantine);
        let quarantine = config.quarantine.as_ref().map(side);
        let (unassigned, started_at) = (Unassigned::default(), clock::now_ms());
        let shared =
            Shared { store, config, metrics, unassigned, started_at, room, strangers, seam, quarantine };
        Ok(Self { app: Arc::new(shared) })
    }

    /// What every route shares.
    #[must_use]
    pub fn app(&self) -> App {
        Arc::clone(&self.app)
    }

    /// The routes, for tests without a network.
    pub fn router(&self) -> Router {
        routes::router(self.app())
    }

    /// Answers until `end` is done, then lets the requests and sync jobs that run end, within bounds.
    pub async fn run(self, listener: TcpListener, end: impl Future<Output = ()> + Send + 'static) {
        let router = self.router();
        let mut chores = JoinSet::new();
        chores.spawn(forget_old_links(self.app()));
        chores.spawn(keep_quarantine_within_bounds(self.app()));
        let (stop, stopped) = watch::channel(());
        let until_stopped = |mut stopped: watch::Receiver<()>| async move {
            // An error is the sender's end, which means the same.
            let _ = stopped.changed().await;
        };
        let run_worker = |seam: &SeamSide| tokio::spawn(seam.worker().run(until_stopped(stopped.clone())));
        let worker = self.app.seam.as_ref().map(run_worker);
        let ending = tokio::spawn(async move {
            end.await;
            drop(stop);
        });
        let bounds = Bounds::new(self.app.config.client_connections);
        serving::serve(listener, router, bounds, until_stopped(stopped)).await;
        ending.abort();
        chores.shutdown().await;
        if let Some(worker) = worker
            && let Err(error) = worker.await
        {
            tracing::error!(%error, "the sync worker broke off");
        }
        self.app.store.close().await;
    }
}

impl Shared {
    /// Whether it is one of our tokens. The time tells only the lengths.
    pub(crate) fn knows_token(&self, token: &[u8]) -> bool {
        let known = self.config.tokens.iter().map(|known| known.expose().as_bytes().ct_eq(token));
        known.fold(subtle::Choice::from(0), |any, one| any | one).into()
    }
}

async fn forget_old_links(app: App) {
    let days = i64::try_from(app.config.links.days).unwrap_or(i64::MAX);
    let mut timer = tokio::time::interval(LINKS_EVERY);
    loop {
        timer.tick().await;
        match app.store.expire_links(clock::now_ms() - days * DAY_MS).await {
            Ok(n_gone) => tracing::debug!(n_gone, "forgot old links"),
            Err(error) => tracing::error!(%error, cause = error.cause(), "could not forget old links"),
        }
    }
}

async fn keep_quarantine_within_bounds(app: App) {
    if let Some(quarantine) = &app.quarantine {
        quarantine.keep_within_bounds(&app.store).await;
    }
}
