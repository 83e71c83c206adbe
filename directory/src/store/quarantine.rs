//! Events that the filter has set aside: stored byte by byte, within bounds. It neither judges nor shows them.
//!
//! ```text
//!            the same event again
//!            ┌────────────────┐
//!            ▼                │
//! new ──▶ waiting ──2xx──▶ replayed ──room is needed, or its age──▶ gone
//!            └──────── its age, or dropped ──────────────────────▶ gone
//! ```
//!
//! Invariant: `quarantine_totals` says how many events and bytes there are. Whoever adds or removes one locks that row first
//! and changes it in the same transaction.

mod lists;
mod replay;
mod room;

pub use lists::{QuarantineCounts, QuarantineFilter};
pub use replay::{Attempt, Claim, Claimed};
pub use room::Trimmed;

use event_core::event_id::content_id;
use sqlx::{AnyConnection, FromRow};

use super::{Store, StoreError};
use room::Totals;

/// What bounds the quarantine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// How many events there are at most.
    pub events: i64,
    /// How many bytes they have at most: bodies, and what is kept of their headers.
    pub bytes: i64,
    /// One that was not seen for so many milliseconds goes.
    pub age_ms: i64,
}

/// An event to set aside. Everything but the body has been checked to be printable.
#[derive(Clone, Copy, Debug)]
pub struct NewQuarantined<'a> {
    /// Of the edge that it came through.
    pub environment: &'a str,
    /// Who sent it.
    pub source: &'a str,
    /// As the filter names the event.
    pub event_id: &'a str,
    /// Why it was not forwarded.
    pub cause: &'a str,
    /// Path and query that it was sent to.
    pub path: &'a str,
    /// The media type that it was sent with.
    pub content_type: &'a str,
    /// Its type, if it could be read.
    pub event_type: Option<&'a str>,
    /// Its time, if it could be read.
    pub event_timestamp: Option<&'a str>,
    /// Its device, if it could be read.
    pub device_id: Option<&'a str>,
    /// Its bridge, if it could be read.
    pub bridge_id: Option<&'a str>,
    /// Its access code, if it could be read.
    pub access_code_id: Option<&'a str>,
    /// Events with the same one are kept in order.
    pub partition_key: Option<&'a str>,
    /// What was sent: any bytes, or none.
    pub body: &'a [u8],
}

/// What became of an event that shall be set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Quarantining {
    /// It is stored.
    Stored {
        /// What it is called from now on.
        id: i64,
        /// Who went to make room.
        pushed_out: Trimmed,
    },
    /// It was there: it waits, its cause is the newer one, and its age begins anew.
    Again {
        /// What it is called.
        id: i64,
    },
    /// There is no room. Nothing was written.
    Full,
}

/// Whether an event still has to be replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantineState {
    /// It has.
    Waiting,
    /// The edge has taken it. It stays until its age, or until room is needed.
    Replayed,
}

impl QuarantineState {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Waiting, Self::Replayed];

    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Replayed => "replayed",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl TryFrom<String> for QuarantineState {
    type Error = StoreError;

    fn try_from(name: String) -> Result<Self, StoreError> {
        Self::of_name(&name).ok_or(StoreError::UnknownValue { column: "state" })
    }
}

/// An event that was set aside, without its body. Times are Unix milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Quarantined {
    /// What it is called: later ones have larger numbers.
    pub id: i64,
    /// Of the edge that it came through.
    pub environment: String,
    /// Who sent it.
    pub source: String,
    /// As the filter names the event.
    pub event_id: String,
    /// Why it was not forwarded, the last time.
    pub cause: String,
    /// Path and query that it was sent to. The query may hold a secret.
    pub path: String,
    /// The media type that it was sent with.
    pub content_type: String,
    /// Its type, if it could be read.
    pub event_type: Option<String>,
    /// Its time, if it could be read.
    pub event_timestamp: Option<String>,
    /// Its device, if it could be read.
    pub device_id: Option<String>,
    /// Its bridge, if it could be read.
    pub bridge_id: Option<String>,
    /// Its access code, if it could be read.
    pub access_code_id: Option<String>,
    /// Events with the same one are kept in order.
    pub partition_key: Option<String>,
    /// Whether it still has to be replayed.
    #[sqlx(try_from = "String")]
    pub state: QuarantineState,
    /// How often it came.
    pub times_seen: i64,
    /// When it came first.
    pub first_seen_at: i64,
    /// When it came last.
    pub last_seen_at: i64,
    /// How often it was replayed, with or without success.
    pub attempts: i64,
    /// When the last attempt ended.
    pub attempted_at: Option<i64>,
    /// The status that it got; `None` if there was no answer.
    pub answer_status: Option<i64>,
    /// The cause that the answer gave, if it gave one.
    pub answer_cause: Option<String>,
    /// Bytes of the body.
    pub n_body_bytes: i64,
}

/// `SELECT` with the columns of [`Quarantined`], and what follows.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT id, environment, source, event_id, cause, path, content_type, event_type, event_timestamp, ",
            "device_id, bridge_id, access_code_id, partition_key, state, times_seen, first_seen_at, last_seen_at, ",
            "attempts, attempted_at, answer_status, answer_cause, n_body_bytes FROM quarantined ",
            $rest
        )
    };
}
use select;

impl NewQuarantined<'_> {
    /// The bytes that count: the body, and what is kept beside it.
    fn n_bytes(&self) -> i64 {
        let required =
            [self.environment, self.source, self.event_id, self.cause, self.path, self.content_type];
        let optional = [
            self.event_type,
            self.event_timestamp,
            self.device_id,
            self.bridge_id,
            self.access_code_id,
            self.partition_key,
        ];
        let texts = required.into_iter().chain(optional.into_iter().flatten());
        let n_bytes = texts.map(str::len).sum::<usize>() + self.body.len();
        i64::try_from(n_bytes).unwrap_or(i64::MAX)
    }
}

impl Store {
    /// Sets an event aside. When this returns it is on disk, or there was no room. The same bytes of the same event are
    /// stored once.
    ///
    /// Room is made of events that are too old and then of replayed ones, oldest first; those that wait are never pushed
    /// out.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn quarantine(
        &self,
        event: &NewQuarantined<'_>,
        limits: QuarantineLimits,
        now: i64,
    ) -> Result<Quarantining, StoreError> {
        let mut transaction = self.write().await?;
        let mut totals = Totals::lock(&mut transaction).await?;
        let body_hash = content_id("", event.body);
        if let Some(id) = see_again(&mut transaction, event, &body_hash, now).await? {
            transaction.commit().await?;
            return Ok(Quarantining::Again { id });
        }
        let n_bytes = event.n_bytes();
        if !totals.make_room(&mut transaction, n_bytes, limits, now).await? {
            transaction.rollback().await?;
            return Ok(Quarantining::Full);
        }
        let id = totals.add(n_bytes);
        insert(&mut transaction, id, event, &body_hash, now).await?;
        totals.store(&mut transaction).await?;
        transaction.commit().await?;
        Ok(Quarantining::Stored { id, pushed_out: totals.trimmed() })
    }
}

/// The id of the event, if it is there. A replayed one waits again: whoever sent it has been promised it anew.
async fn see_again(
    connection: &mut AnyConnection,
    event: &NewQuarantined<'_>,
    body_hash: &str,
    now: i64,
) -> Result<Option<i64>, StoreError> {
    let row: Option<(i64,)> = sqlx::query_as(
        "UPDATE quarantined SET times_seen = times_seen + 1, last_seen_at = $5, cause = $6, path = $7, \
         state = 'waiting' \
         WHERE source = $1 AND event_id = $2 AND body_hash = $3 AND environment = $4 RETURNING id",
    )
    .bind(event.source)
    .bind(event.event_id)
    .bind(body_hash)
    .bind(event.environment)
    .bind(now)
    .bind(event.cause)
    .bind(event.path)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(id,)| id))
}

async fn insert(
    connection: &mut AnyConnection,
    id: i64,
    event: &NewQuarantined<'_>,
    body_hash: &str,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO quarantined (id, environment, source, event_id, body_hash, cause, path, content_type, \
         event_type, event_timestamp, device_id, bridge_id, access_code_id, partition_key, state, times_seen, \
         first_seen_at, last_seen_at, attempts, lease_until, n_body_bytes, n_bytes, body) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 'waiting', 1, $15, $15, 0, 0, \
         $16, $17, $18)",
    )
    .bind(id)
    .bind(event.environment)
    .bind(event.source)
    .bind(event.event_id)
    .bind(body_hash)
    .bind(event.cause)
    .bind(event.path)
    .bind(event.content_type)
    .bind(event.event_type)
    .bind(event.event_timestamp)
    .bind(event.device_id)
    .bind(event.bridge_id)
    .bind(event.access_code_id)
    .bind(event.partition_key)
    .bind(now)
    .bind(i64::try_from(event.body.len()).unwrap_or(i64::MAX))
    .bind(event.n_bytes())
    .bind(event.body)
    .execute(connection)
    .await?;
    Ok(())
}
