//! Where providers were asked to deliver. It asks no provider.

use sqlx::FromRow;

use super::{Store, StoreError};

/// What a provider said when it was asked to deliver to a URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The address of the provider's API.
    pub provider_url: String,
    /// Where it delivers to.
    pub url: String,
    /// What the provider calls it.
    pub webhook_id: String,
    /// What the provider says of it.
    pub status: String,
    /// The event types that the provider accepted, sorted.
    pub events: Vec<String>,
    /// When it last said so.
    pub updated_at: i64,
}

#[derive(FromRow)]
struct Row {
    provider_url: String,
    url: String,
    webhook_id: String,
    status: String,
    events: String,
    updated_at: i64,
}

impl TryFrom<Row> for Registration {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let events = serde_json::from_str(&row.events);
        Ok(Self {
            provider_url: row.provider_url,
            url: row.url,
            webhook_id: row.webhook_id,
            status: row.status,
            events: events.map_err(|_| StoreError::UnknownValue { column: "events" })?,
            updated_at: row.updated_at,
        })
    }
}

impl Store {
    /// What a provider was asked to deliver to a URL.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn registration(
        &self,
        provider_url: &str,
        url: &str,
    ) -> Result<Option<Registration>, StoreError> {
        let sql = "SELECT provider_url, url, webhook_id, status, events, updated_at FROM registrations \
                   WHERE provider_url = $1 AND url = $2";
        let row: Option<Row> =
            sqlx::query_as(sql).bind(provider_url).bind(url).fetch_optional(&self.reader).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// Stores what a provider said, in place of what it said before.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn put_registration(&self, registration: &Registration) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO registrations (provider_url, url, webhook_id, status, events, updated_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (provider_url, url) DO UPDATE SET \
             webhook_id = excluded.webhook_id, status = excluded.status, events = excluded.events, \
             updated_at = excluded.updated_at",
        )
        .bind(&registration.provider_url)
        .bind(&registration.url)
        .bind(&registration.webhook_id)
        .bind(&registration.status)
        // Strings only: this cannot fail.
        .bind(serde_json::to_string(&registration.events).unwrap_or_default())
        .bind(registration.updated_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// All of them: one a provider and environment, so a short list.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn registrations(&self) -> Result<Vec<Registration>, StoreError> {
        let sql = "SELECT provider_url, url, webhook_id, status, events, updated_at FROM registrations \
                   ORDER BY provider_url, url";
        let rows: Vec<Row> = sqlx::query_as(sql).fetch_all(&self.reader).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}
