//! Who may replay an event, and what came of it; and dropping one. It sends nothing.
//!
//! Whoever replays an event holds a lease on it: one at a time. A process that dies keeps it until it ends.

use sqlx::FromRow;

use super::room::Totals;
use crate::store::sync::Step;
use crate::store::{Store, StoreError};

/// An event that is being replayed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Claimed {
    /// What it is called.
    pub id: i64,
    /// As the filter named it.
    pub event_id: String,
    /// Path and query that it was sent to.
    pub path: String,
    /// The media type that it was sent with.
    pub content_type: String,
    /// How often it had come then.
    times_seen: i64,
    /// What was sent.
    pub body: Vec<u8>,
}

/// Whether somebody may have an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim<T> {
    /// This one.
    Taken(T),
    /// It is being replayed.
    Busy,
    /// There is none.
    Absent,
}

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The edge has taken it.
    pub accepted: bool,
    /// What it answered, if it did.
    pub status: Option<u16>,
    /// The cause that it gave, if it gave one.
    pub cause: Option<&'static str>,
}

impl Store {
    /// Takes an event for a replay until [`Store::finish_replay`], at most for `lease_ms`. `owner` is different each time.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_replay(
        &self,
        id: i64,
        owner: &str,
        now: i64,
        lease_ms: i64,
    ) -> Result<Claim<Claimed>, StoreError> {
        let claimed = sqlx::query_as(
            "UPDATE quarantined SET lease_until = $3 + $4, lease_owner = $2 WHERE id = $1 AND lease_until <= $3 \
             RETURNING id, event_id, path, content_type, times_seen, body",
        )
        .bind(id)
        .bind(owner)
        .bind(now)
        .bind(lease_ms)
        .fetch_optional(&self.writer)
        .await?;
        if let Some(claimed) = claimed {
            return Ok(Claim::Taken(claimed));
        }
        let row: Option<(i64,)> = sqlx::query_as("SELECT id FROM quarantined WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.writer)
            .await?;
        Ok(if row.is_some() { Claim::Busy } else { Claim::Absent })
    }

    /// Says what came of a replay. An event that was accepted is replayed, unless it came again meanwhile: then it waits.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn finish_replay(
        &self,
        claimed: &Claimed,
        owner: &str,
        attempt: Attempt,
        now: i64,
    ) -> Result<Step, StoreError> {
        let rows = sqlx::query(
            "UPDATE quarantined SET lease_until = 0, lease_owner = NULL, attempts = attempts + 1, \
             attempted_at = $3, answer_status = $4, answer_cause = $5, \
             state = CASE WHEN $6 = 1 AND times_seen = $7 THEN 'replayed' ELSE state END \
             WHERE id = $1 AND lease_owner = $2",
        )
        .bind(claimed.id)
        .bind(owner)
        .bind(now)
        .bind(attempt.status.map(i64::from))
        .bind(attempt.cause)
        .bind(i64::from(attempt.accepted))
        .bind(claimed.times_seen)
        .execute(&self.writer)
        .await?
        .rows_affected();
        Ok(if rows == 0 { Step::Superseded } else { Step::Done })
    }

    /// Removes an event for good, replayed or not.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn drop_quarantined(&self, id: i64, now: i64) -> Result<Claim<()>, StoreError> {
        let mut transaction = self.write().await?;
        let mut totals = Totals::lock(&mut transaction).await?;
        let sql = "DELETE FROM quarantined WHERE id = $1 AND lease_until <= $2 RETURNING n_bytes";
        let gone: Option<(i64,)> =
            sqlx::query_as(sql).bind(id).bind(now).fetch_optional(&mut *transaction).await?;
        let Some((n_bytes,)) = gone else {
            let row: Option<(i64,)> = sqlx::query_as("SELECT id FROM quarantined WHERE id = $1")
                .bind(id)
                .fetch_optional(&mut *transaction)
                .await?;
            transaction.rollback().await?;
            return Ok(if row.is_some() { Claim::Busy } else { Claim::Absent });
        };
        totals.remove(n_bytes);
        totals.store(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Claim::Taken(()))
    }
}
