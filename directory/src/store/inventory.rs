//! What an account has, for people and tools to list. What is assigned goes by `resolve`.

use directory_api::AssignedBy;
use sqlx::FromRow;

use super::sync::OwnedId;
use super::{Page, PageRequest, Store, StoreError, kind_of, number_of};

/// A device of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Seam's id.
    pub device_id: String,
    /// Whether Seam manages it.
    pub managed: bool,
    /// What Seam calls its type.
    pub device_type: Option<String>,
    /// Its name for people.
    pub display_name: Option<String>,
    /// The source whose events it appears in; without one its ids assign nothing.
    pub source: Option<String>,
    /// Every id that its events can carry, Seam's own included.
    pub ids: Vec<OwnedId>,
}

/// An access control system of an account.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AcsSystem {
    /// Seam's id.
    pub acs_system_id: String,
    /// What Seam calls its type.
    pub system_type: Option<String>,
    /// Its name for people.
    pub display_name: Option<String>,
}

/// An entrance of an access control system.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct AcsEntrance {
    /// Seam's id.
    pub acs_entrance_id: String,
    /// The system that it belongs to.
    pub acs_system_id: String,
    /// Its name for people.
    pub display_name: Option<String>,
}

/// An id of an account, in the source whose events it appears in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedHere {
    /// Empty: every source.
    pub source: String,
    /// Its kind.
    pub kind: AssignedBy,
    /// The id.
    pub id: String,
}

/// Where a page of ids begins: behind this one. They are in the order of kind, source and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnedPlace<'a> {
    /// Of the last id.
    pub kind: AssignedBy,
    /// Of the last id.
    pub source: &'a str,
    /// The last id.
    pub id: &'a str,
}

#[derive(FromRow)]
struct DeviceRow {
    device_id: String,
    managed: i64,
    device_type: Option<String>,
    display_name: Option<String>,
    source: Option<String>,
    native_ids: String,
}

impl TryFrom<DeviceRow> for Device {
    type Error = StoreError;

    fn try_from(row: DeviceRow) -> Result<Self, StoreError> {
        let ids = serde_json::from_str(&row.native_ids);
        Ok(Self {
            device_id: row.device_id,
            managed: row.managed != 0,
            device_type: row.device_type,
            display_name: row.display_name,
            source: row.source,
            ids: ids.map_err(|_| StoreError::UnknownValue { column: "native_ids" })?,
        })
    }
}

impl Store {
    /// The devices of an account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn devices(&self, account: &str, page: PageRequest<'_>) -> Result<Page<Device>, StoreError> {
        let sql = "SELECT device_id, managed, device_type, display_name, source, native_ids FROM devices \
                   WHERE connected_account_id = $1 AND device_id > $2 ORDER BY device_id LIMIT $3";
        let rows: Vec<DeviceRow> = self.list(sql, account, page).await?;
        let devices = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(devices, page.limit, |device| device.device_id.clone()))
    }

    /// The access control systems of an account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn acs_systems(
        &self,
        account: &str,
        page: PageRequest<'_>,
    ) -> Result<Page<AcsSystem>, StoreError> {
        let sql = "SELECT acs_system_id, system_type, display_name FROM acs_systems \
                   WHERE connected_account_id = $1 AND acs_system_id > $2 ORDER BY acs_system_id LIMIT $3";
        let systems = self.list(sql, account, page).await?;
        Ok(Page::of(systems, page.limit, |system| system.acs_system_id.clone()))
    }

    /// The entrances of an account's access control systems.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn acs_entrances(
        &self,
        account: &str,
        page: PageRequest<'_>,
    ) -> Result<Page<AcsEntrance>, StoreError> {
        let sql = "SELECT acs_entrance_id, acs_system_id, display_name FROM acs_entrances \
                   WHERE connected_account_id = $1 AND acs_entrance_id > $2 ORDER BY acs_entrance_id LIMIT $3";
        let entrances = self.list(sql, account, page).await?;
        Ok(Page::of(entrances, page.limit, |entrance| entrance.acs_entrance_id.clone()))
    }

    /// Up to `limit` ids of an account, of one kind or of all: what it was imported with, or what its syncs found.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn owned_ids(
        &self,
        account: &str,
        kind: Option<AssignedBy>,
        after: Option<OwnedPlace<'_>>,
        limit: u16,
    ) -> Result<Vec<OwnedHere>, StoreError> {
        let sql = "SELECT kind, source, id FROM owned_ids WHERE connected_account_id = $1 \
                   AND kind BETWEEN $2 AND $3 AND (kind, source, id) > ($4, $5, $6) \
                   ORDER BY kind, source, id LIMIT $7";
        let (least, most) = kind.map_or((i64::MIN, i64::MAX), |kind| (number_of(kind), number_of(kind)));
        let after = after.map_or((-1, "", ""), |place| (number_of(place.kind), place.source, place.id));
        let rows: Vec<(i64, String, String)> = sqlx::query_as(sql)
            .bind(account)
            .bind(least)
            .bind(most)
            .bind(after.0)
            .bind(after.1)
            .bind(after.2)
            .bind(i64::from(limit))
            .fetch_all(&self.reader)
            .await?;
        let owned = |(kind, source, id)| Ok(OwnedHere { source, kind: kind_of(kind)?, id });
        rows.into_iter().map(owned).collect()
    }

    /// One row more than the page has, so that its end is known.
    async fn list<R>(
        &self,
        sql: &'static str,
        account: &str,
        page: PageRequest<'_>,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'r> FromRow<'r, sqlx::any::AnyRow> + Send + Unpin,
    {
        Ok(sqlx::query_as(sql)
            .bind(account)
            .bind(page.after.unwrap_or_default())
            .bind(i64::from(page.limit) + 1)
            .fetch_all(&self.reader)
            .await?)
    }
}
