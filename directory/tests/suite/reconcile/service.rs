//! The directory's side of a test: a store, a virtual clock, jobs run one by one. It has no worker and no HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use directory::sources::Sources;
use directory::store::Store;
use directory::sync::{Ran, SyncMetrics, SyncSettings, Syncer};
use directory::webhook::Hint;
use serde_json::Value;
use sqlx::Row;

use super::super::Fresh;
use super::world::Api;
use crate::database::HAS_ONE_PROCESS;

pub(crate) const GRACE_MS: i64 = 120_000;
pub(crate) const RESYNC_MS: i64 = 21_600_000;
const LONGEST_BACK_OFF_MS: i64 = 300_000;
const LEASE_MS: i64 = 30_000;

pub(crate) struct Service {
    pub(crate) store: Fresh,
    pub(crate) syncer: Arc<Syncer>,
    lease_ms: i64,
    clock: Arc<AtomicI64>,
}

impl Service {
    pub(crate) async fn start(api: &Api) -> Self {
        Self::with_lease(api, LEASE_MS).await
    }

    pub(crate) async fn with_lease(api: &Api, lease_ms: i64) -> Self {
        let clock = Arc::new(AtomicI64::new(1_700_000_000_000));
        let store = Fresh::new().await;
        let syncer = syncer(&store, api, &clock, lease_ms);
        syncer.start().await.unwrap();
        Self { store, syncer, lease_ms, clock }
    }

    /// A new process on the same database, once it can take what the killed one held.
    pub(crate) async fn restart(&mut self, api: &Api) {
        self.take_over(api).await;
        if !HAS_ONE_PROCESS {
            self.pass(self.lease_ms);
        }
    }

    /// A new process on the same database.
    pub(crate) async fn take_over(&mut self, api: &Api) {
        self.syncer = syncer(&self.store, api, &self.clock, self.lease_ms);
        self.syncer.start().await.unwrap();
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) async fn deliver(&self, webhook: &Value) {
        let hint = Hint::read(webhook.to_string().as_bytes()).unwrap();
        hint.apply(&self.store, self.now()).await.unwrap();
    }

    pub(crate) async fn run_one(&self) -> Ran {
        self.syncer.run_one().await.unwrap()
    }

    /// Runs one job, and dies in the middle of it if a request hangs.
    pub(crate) async fn run_and_die(&mut self, api: &Api, hangs_after: usize) {
        api.world().hangs_after = Some(hangs_after);
        let hung = tokio::select! {
            _ = self.syncer.run_one() => false,
            () = api.hung.notified() => true,
        };
        api.world().hangs_after = None;
        if hung {
            self.restart(api).await;
        }
    }

    /// Runs all that is due now.
    pub(crate) async fn run_due(&self) {
        for _ in 0..1000 {
            if matches!(self.run_one().await, Ran::Nothing) {
                return;
            }
        }
        panic!("there is always another job due");
    }

    /// Lets time pass until whatever was missed has been made up for.
    pub(crate) async fn settle(&self) {
        // What is due, what waits for a first sync, what waits after a failure; then discovery, and what that has found.
        for wait in [0, GRACE_MS, LONGEST_BACK_OFF_MS, RESYNC_MS, GRACE_MS] {
            self.pass(wait);
            self.run_due().await;
        }
    }

    /// Every row that means something, without times and generations.
    pub(crate) async fn rows(&self) -> BTreeMap<&'static str, BTreeSet<String>> {
        let pool = sqlx::AnyPool::connect(&self.store.url()).await.unwrap();
        let mut tables = BTreeMap::new();
        for (table, columns) in [
            (
                "accounts",
                "connected_account_id || ' ' || COALESCE(customer_key, '-') || ' ' || state || ' ' || has_devices || has_acs",
            ),
            ("owned_ids", "source || ' ' || kind || ' ' || id || ' ' || connected_account_id"),
            ("devices", "connected_account_id || ' ' || device_id || ' ' || managed"),
            ("acs_entrances", "connected_account_id || ' ' || acs_entrance_id"),
        ] {
            let sql = sqlx::AssertSqlSafe(format!("SELECT {columns} FROM {table}"));
            let rows = sqlx::query(sql).fetch_all(&pool).await.unwrap();
            tables.insert(table, rows.iter().map(|row| row.get::<String, _>(0)).collect());
        }
        pool.close().await;
        tables
    }

    pub(crate) async fn end(self) {
        self.store.close().await;
    }
}

fn syncer(store: &Store, api: &Api, clock: &Arc<AtomicI64>, lease_ms: i64) -> Arc<Syncer> {
    let table = [("igloohome", "igloo"), ("salto_space", "salto")];
    let settings = SyncSettings {
        first_sync_grace: Duration::from_millis(GRACE_MS.unsigned_abs()),
        resync: Duration::from_millis(RESYNC_MS.unsigned_abs()),
        lease: Duration::from_millis(lease_ms.unsigned_abs()),
        sources: Sources::new(table.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()),
    };
    let clock = Arc::clone(clock);
    let clock = Arc::new(move || clock.load(Ordering::Relaxed));
    let metrics = SyncMetrics::default();
    Arc::new(Syncer::new(store.clone(), Arc::clone(&api.client), settings, clock, metrics))
}

/// The rows that the world must lead to.
pub(crate) fn expected(api: &Api) -> BTreeMap<&'static str, BTreeSet<String>> {
    let mut tables: BTreeMap<&'static str, BTreeSet<String>> =
        ["accounts", "owned_ids", "devices", "acs_entrances"].map(|table| (table, BTreeSet::new())).into();
    let mut put = |table, row| tables.entry(table).or_default().insert(row);
    for (id, account) in &api.world().accounts {
        let key = account.customer_key.as_deref().unwrap_or("-");
        let state = if account.is_disconnected { "disconnected" } else { "ready" };
        let (has_devices, has_acs) =
            (u8::from(!account.devices.is_empty()), u8::from(account.doors.is_some()));
        put("accounts", format!("{id} {key} {state} {has_devices}{has_acs}"));
        for (native, managed) in &account.devices {
            put("devices", format!("{id} {id}/{native} {}", u8::from(*managed)));
            put("owned_ids", format!("igloo 0 {id}/{native} {id}"));
            put("owned_ids", format!("igloo 0 {native} {id}"));
            put("owned_ids", format!("igloo 1 {id}-bridge {id}"));
        }
        for door in account.doors.iter().flatten() {
            put("acs_entrances", format!("{id} {id}/system/{door}"));
            put("owned_ids", format!("salto 0 {id}/system/{door} {id}"));
            put("owned_ids", format!("salto 0 {door} {id}"));
        }
    }
    tables
}
