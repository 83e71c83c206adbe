//! What a sync stores: pages of one generation, then the removal of older ones. It fetches nothing.
//!
//! Between the first page and the end the account owns what it had and what is new: nobody's device is unknown meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use directory_api::{AssignedBy, is_id};
use serde::{Deserialize, Serialize};
use sqlx::Transaction;
use sqlx::any::Any;

use super::batch::{Insert, Value};
use super::inventory::{AcsSystem, Device};
use super::{Store, StoreError, number_of};

/// Whether a step of a sync counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// It did.
    Done,
    /// Nothing was written: a later sync of the account has begun, or the account or the lease is gone.
    Superseded,
}

/// An id that makes an account the owner of events.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OwnedId {
    /// Its kind.
    pub kind: AssignedBy,
    /// The id, in the space of Seam or of the manufacturer.
    pub id: String,
}

/// An entrance of an access control system, with what makes its events the account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncedEntrance {
    /// Seam's id.
    pub acs_entrance_id: String,
    /// The system that it belongs to.
    pub acs_system_id: String,
    /// Its name for people.
    pub display_name: Option<String>,
    /// The source whose events it appears in; without one its ids assign nothing.
    pub source: Option<String>,
    /// Every id that its events can carry, Seam's own included.
    pub ids: Vec<OwnedId>,
}

/// A page of what an account has.
#[derive(Clone, Copy, Debug)]
pub enum SyncPage<'a> {
    /// Devices, managed or not.
    Devices(&'a [Device]),
    /// Access control systems.
    Systems(&'a [AcsSystem]),
    /// Their entrances.
    Entrances(&'a [SyncedEntrance]),
}

const DEVICES: Insert = Insert {
    into: "devices (connected_account_id, device_id, managed, device_type, display_name, source, native_ids, \
           generation)",
    then: "ON CONFLICT (connected_account_id, device_id) DO UPDATE SET managed = excluded.managed, \
           device_type = excluded.device_type, display_name = excluded.display_name, \
           source = excluded.source, native_ids = excluded.native_ids, generation = excluded.generation",
};

const SYSTEMS: Insert = Insert {
    into: "acs_systems (connected_account_id, acs_system_id, system_type, display_name, generation)",
    then: "ON CONFLICT (connected_account_id, acs_system_id) DO UPDATE SET \
           system_type = excluded.system_type, display_name = excluded.display_name, \
           generation = excluded.generation",
};

const ENTRANCES: Insert = Insert {
    into: "acs_entrances (connected_account_id, acs_entrance_id, acs_system_id, display_name, generation)",
    then: "ON CONFLICT (connected_account_id, acs_entrance_id) DO UPDATE SET \
           acs_system_id = excluded.acs_system_id, display_name = excluded.display_name, \
           generation = excluded.generation",
};

pub(super) const OWNED_IDS: Insert = Insert {
    into: "owned_ids (source, kind, id, connected_account_id, generation)",
    then: "ON CONFLICT (source, kind, id, connected_account_id) DO UPDATE SET \
           generation = excluded.generation",
};

impl Store {
    /// Begins a sync of an account: its generation; `None` if there is no such account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn begin_sync(&self, connected_account_id: &str) -> Result<Option<i64>, StoreError> {
        let sql = "UPDATE accounts SET generation = generation + 1 WHERE connected_account_id = $1 \
                   RETURNING generation";
        let row: Option<(i64,)> =
            sqlx::query_as(sql).bind(connected_account_id).fetch_optional(&self.writer).await?;
        Ok(row.map(|(generation,)| generation))
    }

    /// Stores one page, whole or not at all. An item that comes twice counts as the last one.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_page(
        &self,
        connected_account_id: &str,
        generation: i64,
        page: SyncPage<'_>,
    ) -> Result<Step, StoreError> {
        let mut transaction = self.write().await?;
        // A write, so that PostgreSQL keeps the row as it is until the end of the page.
        let sql = "UPDATE accounts SET generation = $2 WHERE connected_account_id = $1 AND generation = $2";
        let query = sqlx::query(sql).bind(connected_account_id).bind(generation);
        if query.execute(&mut *transaction).await?.rows_affected() == 0 {
            return Ok(Step::Superseded);
        }
        let of = Of { account: connected_account_id, generation };
        match page {
            SyncPage::Devices(devices) => put_devices(&mut transaction, of, devices).await?,
            SyncPage::Systems(systems) => put_systems(&mut transaction, of, systems).await?,
            SyncPage::Entrances(entrances) => put_entrances(&mut transaction, of, entrances).await?,
        }
        transaction.commit().await?;
        Ok(Step::Done)
    }

    /// Ends a sync: what its pages did not name goes, and the account is ready.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn finish_sync(
        &self,
        connected_account_id: &str,
        generation: i64,
        now: i64,
    ) -> Result<Step, StoreError> {
        let mut transaction = self.write().await?;
        let finished = sqlx::query(
            "UPDATE accounts SET synced_at = $3, updated_at = $3, \
             state = CASE WHEN state = 'disconnected' THEN 'disconnected' ELSE 'ready' END \
             WHERE connected_account_id = $1 AND generation = $2",
        )
        .bind(connected_account_id)
        .bind(generation)
        .bind(now)
        .execute(&mut *transaction)
        .await?;
        if finished.rows_affected() == 0 {
            return Ok(Step::Superseded);
        }
        for sql in [
            "DELETE FROM owned_ids WHERE connected_account_id = $1 AND generation <> $2",
            "DELETE FROM devices WHERE connected_account_id = $1 AND generation <> $2",
            "DELETE FROM acs_systems WHERE connected_account_id = $1 AND generation <> $2",
            "DELETE FROM acs_entrances WHERE connected_account_id = $1 AND generation <> $2",
            "UPDATE accounts SET \
             has_devices = CASE WHEN EXISTS (SELECT 1 FROM devices d \
                 WHERE d.connected_account_id = accounts.connected_account_id) THEN 1 ELSE 0 END, \
             has_acs = CASE WHEN EXISTS (SELECT 1 FROM acs_systems s \
                 WHERE s.connected_account_id = accounts.connected_account_id) THEN 1 ELSE 0 END \
             WHERE connected_account_id = $1 AND generation = $2",
        ] {
            let query = sqlx::query(sql).bind(connected_account_id).bind(generation);
            query.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(Step::Done)
    }
}

/// Whose page it is.
#[derive(Clone, Copy)]
struct Of<'a> {
    account: &'a str,
    generation: i64,
}

async fn put_devices(
    transaction: &mut Transaction<'static, Any>,
    of: Of<'_>,
    devices: &[Device],
) -> Result<(), StoreError> {
    let devices = last_of_each(devices, |device| &device.device_id);
    // Strings only: this cannot fail.
    let shown: Vec<_> = devices.iter().map(|it| serde_json::to_string(&it.ids).unwrap_or_default()).collect();
    let rows: Vec<_> = devices
        .iter()
        .zip(&shown)
        .map(|(device, ids)| {
            [
                Value::Text(of.account),
                Value::Text(&device.device_id),
                Value::Number(i64::from(device.managed)),
                Value::OptionalText(device.device_type.as_deref()),
                Value::OptionalText(device.display_name.as_deref()),
                Value::OptionalText(device.source.as_deref()),
                Value::Text(ids),
                Value::Number(of.generation),
            ]
        })
        .collect();
    DEVICES.run(transaction, &rows).await?;
    put_ids(transaction, of, devices.iter().map(|it| (it.source.as_deref(), &it.ids))).await
}

/// What assigns events to the account, once each: devices may share a bridge.
async fn put_ids<'i>(
    transaction: &mut Transaction<'static, Any>,
    of: Of<'_>,
    items: impl Iterator<Item = (Option<&'i str>, &'i Vec<OwnedId>)>,
) -> Result<(), StoreError> {
    let mut owned = BTreeSet::new();
    for (source, ids) in items {
        let Some(source) = source else { continue };
        let ids = ids.iter().filter(|id| is_id(&id.id));
        owned.extend(ids.map(|id| (source, number_of(id.kind), id.id.as_str())));
    }
    let row = |(source, kind, id)| {
        let (account, generation) = (Value::Text(of.account), Value::Number(of.generation));
        [Value::Text(source), Value::Number(kind), Value::Text(id), account, generation]
    };
    OWNED_IDS.run(transaction, &owned.into_iter().map(row).collect::<Vec<_>>()).await
}

async fn put_systems(
    transaction: &mut Transaction<'static, Any>,
    of: Of<'_>,
    systems: &[AcsSystem],
) -> Result<(), StoreError> {
    let systems = last_of_each(systems, |system| &system.acs_system_id);
    let rows = systems.iter().map(|system| {
        [
            Value::Text(of.account),
            Value::Text(&system.acs_system_id),
            Value::OptionalText(system.system_type.as_deref()),
            Value::OptionalText(system.display_name.as_deref()),
            Value::Number(of.generation),
        ]
    });
    SYSTEMS.run(transaction, &rows.collect::<Vec<_>>()).await
}

async fn put_entrances(
    transaction: &mut Transaction<'static, Any>,
    of: Of<'_>,
    entrances: &[SyncedEntrance],
) -> Result<(), StoreError> {
    let entrances = last_of_each(entrances, |entrance| &entrance.acs_entrance_id);
    let rows = entrances.iter().map(|entrance| {
        [
            Value::Text(of.account),
            Value::Text(&entrance.acs_entrance_id),
            Value::Text(&entrance.acs_system_id),
            Value::OptionalText(entrance.display_name.as_deref()),
            Value::Number(of.generation),
        ]
    });
    ENTRANCES.run(transaction, &rows.collect::<Vec<_>>()).await?;
    put_ids(transaction, of, entrances.iter().map(|it| (it.source.as_deref(), &it.ids))).await
}

/// The last item of each key, in the order of the keys: one statement may name a row once only.
fn last_of_each<T>(items: &[T], key: impl Fn(&T) -> &String) -> Vec<&T> {
    items.iter().map(|item| (key(item), item)).collect::<BTreeMap<_, _>>().into_values().collect()
}
