//! Reading the quarantine: one event, a page of them, how many there are. The body comes only with one.

use sqlx::AssertSqlSafe;

use super::{QuarantineState, Quarantined, select};
use crate::store::{Store, StoreError};

/// Which events; what is `None` does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineFilter<'a> {
    /// Who sent them.
    pub source: Option<&'a str>,
    /// Why they were not forwarded.
    pub cause: Option<&'a str>,
    /// Whether they still have to be replayed.
    pub state: Option<QuarantineState>,
}

/// How full the quarantine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuarantineCounts {
    /// Events that have to be replayed.
    pub waiting: i64,
    /// Events that were.
    pub replayed: i64,
    /// Bytes of all of them.
    pub bytes: i64,
    /// When the event that waits longest was last seen.
    pub oldest_waiting: Option<i64>,
}

impl Store {
    /// An event that was set aside, and its body.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn quarantined(&self, id: i64) -> Result<Option<(Quarantined, Vec<u8>)>, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let event: Option<Quarantined> =
            sqlx::query_as(select!("WHERE id = $1")).bind(id).fetch_optional(&mut *connection).await?;
        let Some(event) = event else { return Ok(None) };
        let body = "SELECT body FROM quarantined WHERE id = $1";
        // It may have gone in between.
        let body: Option<(Vec<u8>,)> = sqlx::query_as(body).bind(id).fetch_optional(&mut *connection).await?;
        Ok(body.map(|(body,)| (event, body)))
    }

    /// Up to `limit` events with larger numbers than `after`, in the order of their numbers.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn quarantined_after(
        &self,
        filter: QuarantineFilter<'_>,
        after: i64,
        limit: u16,
    ) -> Result<Vec<Quarantined>, StoreError> {
        let wanted = [
            ("source", filter.source),
            ("cause", filter.cause),
            ("state", filter.state.map(QuarantineState::name)),
        ];
        let wanted = || wanted.iter().filter_map(|(column, value)| Some((*column, (*value)?)));
        let mut sql = select!("WHERE id > $1").to_owned();
        for (place, (column, _)) in wanted().enumerate() {
            sql.push_str(&format!(" AND {column} = ${}", place + 3));
        }
        sql.push_str(" ORDER BY id LIMIT $2");
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(after).bind(i64::from(limit));
        let query = wanted().fold(query, |query, (_, value)| query.bind(value));
        Ok(query.fetch_all(&self.reader).await?)
    }

    /// How full the quarantine is.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn quarantine_counts(&self) -> Result<QuarantineCounts, StoreError> {
        let mut connection = self.reader.acquire().await?;
        let totals = "SELECT n_events, n_bytes FROM quarantine_totals";
        let (n_events, bytes): (i64, i64) = sqlx::query_as(totals).fetch_one(&mut *connection).await?;
        let waiting = "SELECT COUNT(*), MIN(last_seen_at) FROM quarantined WHERE state = 'waiting'";
        let (waiting, oldest_waiting): (i64, Option<i64>) =
            sqlx::query_as(waiting).fetch_one(&mut *connection).await?;
        Ok(QuarantineCounts { waiting, replayed: (n_events - waiting).max(0), bytes, oldest_waiting })
    }
}
