//! What the directory does on every database. It does not name one: `database` beside it gives a new one to each test.

mod accounts;
mod cause;
mod import;
mod jobs;
mod links;
mod overview;
mod quarantine;
mod quarantine_routes;
mod reconcile;
mod registrations;
mod resolve;
mod service;
mod sync;

use crate::database::Database;
use directory::Store;
use directory::store::{Connection, Device, Limits, NewAccount, OwnedId, SyncPage};
use directory_api::{AssignedBy, Ids};

/// A store on a new database, which goes with it.
pub(crate) struct Fresh {
    store: Store,
    database: Database,
}

impl std::ops::Deref for Fresh {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Fresh {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let database = Database::new().await;
        let store = Store::open(&database.url(), limits).await.unwrap();
        Self { store, database }
    }

    /// Another process on the same database.
    pub(crate) async fn another(&self) -> Store {
        Store::open(&self.database.url(), Limits::default()).await.unwrap()
    }

    /// The address of the database.
    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// Imports these lines.
    pub(crate) async fn imported(self, lines: &str) -> Self {
        self.import(lines.as_bytes(), 1).await.unwrap();
        self
    }
}

pub(crate) fn device(id: &str) -> Ids<'_> {
    Ids { device_id: Some(id), ..Ids::default() }
}

pub(crate) fn bridge(id: &str) -> Ids<'_> {
    Ids { bridge_id: Some(id), ..Ids::default() }
}

pub(crate) fn code(id: &str) -> Ids<'_> {
    Ids { access_code_id: Some(id), ..Ids::default() }
}

pub(crate) fn new_account(connected_account_id: &str) -> NewAccount<'_> {
    NewAccount {
        connected_account_id,
        source: Some("acme"),
        provider: None,
        customer_key: None,
        connection: Connection::Connected,
        wait_for_devices: false,
        first_synced: false,
    }
}

pub(crate) fn synced_device(seam_id: &str, native_id: &str) -> Device {
    let owned = |id: &str| OwnedId { kind: AssignedBy::DeviceId, id: id.to_owned() };
    Device {
        device_id: seam_id.to_owned(),
        managed: true,
        device_type: Some("acme_lock".to_owned()),
        display_name: None,
        source: Some("acme".to_owned()),
        ids: vec![owned(seam_id), owned(native_id)],
    }
}

/// An account whose one sync found these devices.
pub(crate) async fn synced(store: &Store, account: &str, devices: &[Device]) {
    store.upsert_account(&new_account(account), 1).await.unwrap();
    let generation = store.begin_sync(account).await.unwrap().unwrap();
    let _ = store.put_page(account, generation, SyncPage::Devices(devices)).await.unwrap();
    let _ = store.finish_sync(account, generation, 2).await.unwrap();
}

/// Whose these ids are, in short: `device_id: a,b`, `unknown` or `conflict`.
pub(crate) async fn resolved(store: &Store, source: &str, ids: Ids<'_>) -> String {
    use directory::store::Lookup;
    match store.resolve(source, &ids).await.unwrap() {
        Lookup::Assigned { accounts, assigned_by } => {
            let names: Vec<_> = accounts.iter().map(|it| it.connected_account_id.as_str()).collect();
            format!("{}: {}", assigned_by.name(), names.join(","))
        }
        Lookup::Unknown => "unknown".to_owned(),
        Lookup::Conflict => "conflict".to_owned(),
    }
}
