//! Keeping accounts as the Seam API has them: one job reconciles one account. Webhooks are hints and the API is the truth, so
//! that any order, repetition or loss of webhooks ends in the same state. It receives no webhook itself.
//!
//! ```text
//! claimed ── the API knows no such account ──► account deleted, job gone
//!    │
//!    ├── Seam's own first sync may still run ──► account stored; again at the end of the grace time
//!    │
//!    └── new generation ► systems ► their entrances ► devices ► unmanaged devices ► older generations removed
//!                                 any failure ──► job again after a growing wait, from the start
//! ```
//!
//! Each page is stored with the new generation as it comes. A kill in the middle leaves what was known and what is new, and
//! the job is taken again when its lease ends. Who runs a job shows that it lives; who has lost one lets go of it.

mod convert;
mod delay;
mod metrics;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use seam::{Client, ConnectWebview, ConnectedAccount, Error};

pub use metrics::SyncMetrics;
pub use worker::Worker;

use crate::sources::Sources;
use crate::store::{Connection, Job, NewAccount, Step, Store, StoreError, SyncPage};

/// The job that looks for accounts that no webhook has told of. No account has this id.
pub const DISCOVERY: &str = "";

/// How long a job is held without a sign of life, unless a deployment needs it otherwise. Signs come while a request waits
/// too: it need not be longer than one.
pub const LEASE: Duration = Duration::from_secs(30);

/// Signs of life in one lease, so that a slow database can swallow some.
const N_SIGNS: u32 = 3;

/// Until a job is tried again whose sync was overtaken by another.
const OVERTAKEN_MS: i64 = 1_000;

/// What time it is, in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// What a deployment chooses.
#[derive(Debug, Clone)]
pub struct SyncSettings {
    /// How long an account without `wait_for_device_creation` is left alone if nothing says that Seam's first sync is done.
    pub first_sync_grace: Duration,
    /// How often everything is synced without a hint.
    pub resync: Duration,
    /// How long a job stays with a process that is not heard of: [`LEASE`]. Clocks of machines may differ by less.
    pub lease: Duration,
    /// Which source the events of a device come from.
    pub sources: Sources,
}

/// Runs jobs, one at a time each call. Share it to run several.
pub struct Syncer {
    store: Store,
    api: Arc<Client>,
    settings: SyncSettings,
    clock: Clock,
    owner: String,
    metrics: SyncMetrics,
}

/// What became of a job.
#[derive(Debug)]
pub enum Ran {
    /// No job was due.
    Nothing,
    /// The account is as the API has it.
    Synced,
    /// The account is stored; its devices may not be there yet.
    Deferred,
    /// The API has no such account, and now the store has none.
    Gone,
    /// All accounts of the API are known.
    Discovered,
    /// Another sync of the account came first; the job runs again.
    Overtaken,
    /// The API did not give what is needed; the job runs again.
    Failed(Error),
}

/// Why a job ended early.
enum Stop {
    Api(Error),
    Store(StoreError),
    Overtaken,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Api(error)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Syncer {
    /// With a name for its leases that no other process has.
    pub fn new(
        store: Store,
        api: Arc<Client>,
        settings: SyncSettings,
        clock: Clock,
        metrics: SyncMetrics,
    ) -> Self {
        use std::hash::{BuildHasher, Hasher};
        // Std's hash maps have random keys; the hash of nothing is as random.
        let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
        let owner = format!("{}-{random:016x}", std::process::id());
        Self { store, api, settings, clock, owner, metrics }
    }

    /// What has to be done once at the start: frees what an ended process held, and asks for everything that was missed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn start(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.store.free_leases().await?;
        self.store.want_sync(DISCOVERY, now).await?;
        self.store.want_missing_syncs(now).await?;
        Ok(())
    }

    /// Takes one due job and runs it to its end.
    ///
    /// # Errors
    /// If the database fails. The job is then taken again when its lease ends.
    pub async fn run_one(&self) -> Result<Ran, StoreError> {
        match self.claim().await? {
            Some(job) => self.run(&job).await,
            None => Ok(Ran::Nothing),
        }
    }

    async fn claim(&self) -> Result<Option<Job>, StoreError> {
        self.store.claim_job(self.now(), &self.owner, self.lease_ms()).await
    }

    async fn run(&self, job: &Job) -> Result<Ran, StoreError> {
        let account = job.connected_account_id.as_str();
        let work =
            async { if account == DISCOVERY { self.discover().await } else { self.reconcile(job).await } };
        let done = tokio::select! {
            done = work => done,
            () = self.until_lost(job) => Err(Stop::Overtaken),
        };
        let ran = match done {
            Ok((ran, next_at)) => {
                let _ = self.store.complete_job(job, &self.owner, next_at).await?;
                ran
            }
            Err(Stop::Store(error)) => return Err(error),
            Err(Stop::Overtaken) => {
                let retry_at = self.now() + OVERTAKEN_MS;
                let _ = self.store.fail_job(job, &self.owner, retry_at, "overtaken").await?;
                Ran::Overtaken
            }
            Err(Stop::Api(error)) => {
                let wait_ms = delay::after_failure(account, job.attempts, &error);
                let _ = self.store.fail_job(job, &self.owner, self.now() + wait_ms, error.name()).await?;
                report(account, job.attempts, wait_ms, &error);
                Ran::Failed(error)
            }
        };
        self.metrics.count(&ran);
        Ok(ran)
    }

    /// Shows that the job lives, until another has taken it.
    async fn until_lost(&self, job: &Job) {
        loop {
            tokio::time::sleep(self.settings.lease / N_SIGNS).await;
            match self.store.renew(job, &self.owner, self.now(), self.lease_ms()).await {
                Ok(Step::Done) => {}
                Ok(Step::Superseded) => return,
                // The next sign may come through. The job itself meets the same error, and ends.
                Err(error) => tracing::warn!(%error, cause = error.cause(), "a sync job could not be kept"),
            }
        }
    }

    /// Frees every job that this process holds, so that the next one need not wait. For its end.
    ///
    /// # Errors
    /// If the database fails. The leases then end by themselves.
    pub async fn let_go(&self) -> Result<u64, StoreError> {
        self.store.free_leases_of(&self.owner).await
    }

    /// Brings one account to what the API says. Gives when to look again.
    async fn reconcile(&self, job: &Job) -> Result<(Ran, Option<i64>), Stop> {
        let id = job.connected_account_id.as_str();
        let account = match self.api.connected_account(id).await {
            Ok(account) => account,
            Err(Error::NotFound { .. }) => {
                self.store.delete_account(id).await?;
                return Ok((Ran::Gone, None));
            }
            Err(error) => return Err(error.into()),
        };
        let stored = self.store.account(id).await?;
        let synced_before = stored.as_ref().is_some_and(|it| it.synced_at.is_some());
        let mut may_ask = stored.as_ref().is_some_and(|it| it.wait_for_devices || it.first_synced);
        let stored_key = stored.as_ref().and_then(|it| it.customer_key.as_deref());
        let has_key = account.customer_key.is_some() || stored_key.is_some();
        let webview = if synced_before || has_key && may_ask { None } else { self.webview_of(id).await? };
        may_ask |= webview.as_ref().is_some_and(|it| it.wait_for_device_creation);
        let now = self.now();
        self.put_account(&account, webview.as_ref(), now).await?;

        let grace_ends =
            stored.map_or(now, |it| it.created_at) + delay::millis(self.settings.first_sync_grace);
        if !(synced_before || may_ask || now >= grace_ends) {
            return Ok((Ran::Deferred, Some(grace_ends)));
        }
        self.sync(&account).await?;
        Ok((Ran::Synced, Some(self.now() + delay::until_resync(id, self.settings.resync))))
    }

    async fn put_account(
        &self,
        account: &ConnectedAccount,
        webview: Option<&ConnectWebview>,
        now: i64,
    ) -> Result<(), StoreError> {
        let provider = account.provider();
        let of_webview = webview.and_then(|it| it.customer_key.as_deref());
        let new = NewAccount {
            connected_account_id: &account.connected_account_id,
            source: self.settings.sources.of([provider]),
            provider,
            customer_key: account.customer_key.as_deref().or(of_webview),
            connection: if account.is_disconnected() {
                Connection::Disconnected
            } else {
                Connection::Connected
            },
            wait_for_devices: webview.is_some_and(|it| it.wait_for_device_creation),
            first_synced: false,
        };
        self.store.upsert_account(&new, now).await
    }

    /// The webview that the account was connected through: by its id where a webhook or the redirect told it, else by looking
    /// through all of them.
    async fn webview_of(&self, id: &str) -> Result<Option<ConnectWebview>, Stop> {
        let of_account = |webview: &ConnectWebview| webview.connected_account_id.as_deref() == Some(id);
        if let Some(webview) = self.store.webview(id).await? {
            return match self.api.connect_webview(&webview).await {
                Ok(webview) => Ok(Some(webview).filter(of_account)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(error) => Err(error.into()),
            };
        }
        let mut pages = self.api.connect_webviews(None);
        while let Some(page) = pages.next().await? {
            if let Some(webview) = page.into_iter().find(of_account) {
                return Ok(Some(webview));
            }
        }
        Ok(None)
    }

    /// Stores what the account has, page by page, and then removes what it no longer has.
    async fn sync(&self, account: &ConnectedAccount) -> Result<(), Stop> {
        let id = account.connected_account_id.as_str();
        let provider = account.provider();
        let sources = &self.settings.sources;
        let generation = self.store.begin_sync(id).await?.ok_or(Stop::Overtaken)?;
        let put = async |page: SyncPage<'_>| counted(self.store.put_page(id, generation, page).await?);

        let mut systems = Vec::new();
        let mut pages = self.api.acs_systems(id);
        while let Some(page) = pages.next().await? {
            let page: Vec<_> = page.iter().map(convert::system).collect();
            put(SyncPage::Systems(&page)).await?;
            systems.extend(page);
        }
        for system in &systems {
            let mut pages = self.api.acs_entrances(&system.acs_system_id);
            while let Some(page) = pages.next().await? {
                let of_system = page.iter().filter(|it| it.acs_system_id == system.acs_system_id);
                let page: Vec<_> =
                    of_system.map(|it| convert::entrance(it, system, provider, sources)).collect();
                put(SyncPage::Entrances(&page)).await?;
            }
        }
        for managed in [true, false] {
            let mut pages = if managed { self.api.devices(id) } else { self.api.unmanaged_devices(id) };
            while let Some(page) = pages.next().await? {
                // What another account has is never this one's, whatever the list says.
                let of_account =
                    page.iter().filter(|it| it.connected_account_id.as_deref().is_none_or(|it| it == id));
                let page: Vec<_> =
                    of_account.map(|it| convert::device(it, managed, provider, sources)).collect();
                put(SyncPage::Devices(&page)).await?;
            }
        }
        counted(self.store.finish_sync(id, generation, self.now()).await?)
    }

    /// Stores every account of the API that is not known yet, and asks for its sync.
    async fn discover(&self) -> Result<(Ran, Option<i64>), Stop> {
        let mut pages = self.api.connected_accounts(None);
        while let Some(page) = pages.next().await? {
            let now = self.now();
            for account in page {
                if self.store.account(&account.connected_account_id).await?.is_none() {
                    self.put_account(&account, None, now).await?;
                    self.store.want_sync(&account.connected_account_id, now).await?;
                }
            }
        }
        let now = self.now();
        self.store.want_missing_syncs(now).await?;
        Ok((Ran::Discovered, Some(now + delay::until_resync(DISCOVERY, self.settings.resync))))
    }

    fn lease_ms(&self) -> i64 {
        delay::millis(self.settings.lease)
    }

    fn now(&self) -> i64 {
        (self.clock)()
    }
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Syncer")
            .field("owner", &self.owner)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

fn counted(step: Step) -> Result<(), Stop> {
    match step {
        Step::Done => Ok(()),
        Step::Superseded => Err(Stop::Overtaken),
    }
}

/// A refused key is an error that people must mend; the rest mends itself.
fn report(account: &str, attempts: i64, wait_ms: i64, error: &Error) {
    let source = std::error::Error::source(error).map(tracing::field::display);
    if matches!(error, Error::Unauthorised { .. } | Error::Refused { .. }) {
        tracing::error!(account, attempts, wait_ms, %error, source, "the Seam API refuses a sync");
    } else {
        tracing::warn!(account, attempts, wait_ms, %error, source, "a sync failed");
    }
}
