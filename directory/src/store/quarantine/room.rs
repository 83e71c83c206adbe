//! Room in the quarantine: how much is taken, and who goes when more is needed. It takes nothing that waits and is not too
//! old, and nothing that is being replayed.

use sqlx::{AnyConnection, AssertSqlSafe};

use super::{QuarantineLimits, QuarantineState};
use crate::store::batch::placeholders;
use crate::store::{Store, StoreError};

/// How many events one statement removes.
const N_AT_A_TIME: usize = 256;

/// How many transactions one call of [`Store::trim_quarantine`] makes at most: the rest is for the next call.
const N_TRANSACTIONS: usize = 64;

/// How many events went, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// They were too old, and had not been replayed.
    pub expired: u64,
    /// They were too old, or their room was needed, and they had been replayed.
    pub replayed: u64,
}

/// What `quarantine_totals` says, while its row is locked.
#[derive(Debug)]
pub(super) struct Totals {
    n_events: i64,
    n_bytes: i64,
    last_id: i64,
    trimmed: Trimmed,
}

/// Who goes.
#[derive(Clone, Copy, Debug)]
enum Victims {
    /// Who was not seen since then.
    OlderThan(i64),
    /// Who was replayed.
    Replayed,
}

impl Totals {
    /// Locks the row until the transaction ends. Writing is the one way to lock that both databases know.
    pub(super) async fn lock(connection: &mut AnyConnection) -> Result<Self, StoreError> {
        let sql = "UPDATE quarantine_totals SET last_id = last_id RETURNING n_events, n_bytes, last_id";
        let (n_events, n_bytes, last_id) = sqlx::query_as(sql).fetch_one(connection).await?;
        Ok(Self { n_events, n_bytes, last_id, trimmed: Trimmed::default() })
    }

    pub(super) async fn store(&self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        sqlx::query("UPDATE quarantine_totals SET n_events = $1, n_bytes = $2, last_id = $3")
            .bind(self.n_events)
            .bind(self.n_bytes)
            .bind(self.last_id)
            .execute(connection)
            .await?;
        Ok(())
    }

    /// Counts an event more. What it is called.
    pub(super) fn add(&mut self, n_bytes: i64) -> i64 {
        self.n_events += 1;
        self.n_bytes += n_bytes;
        self.last_id += 1;
        self.last_id
    }

    /// Counts an event less.
    pub(super) fn remove(&mut self, n_bytes: i64) {
        self.n_events -= 1;
        self.n_bytes -= n_bytes;
    }

    /// How many went in this transaction.
    pub(super) const fn trimmed(&self) -> Trimmed {
        self.trimmed
    }

    fn fits(&self, n_events: i64, n_bytes: i64, limits: QuarantineLimits) -> bool {
        self.n_events + n_events <= limits.events && self.n_bytes.saturating_add(n_bytes) <= limits.bytes
    }

    /// Removes as many as it takes to have room for an event more. Whether there is.
    pub(super) async fn make_room(
        &mut self,
        connection: &mut AnyConnection,
        n_bytes: i64,
        limits: QuarantineLimits,
        now: i64,
    ) -> Result<bool, StoreError> {
        for victims in [Victims::OlderThan(now - limits.age_ms), Victims::Replayed] {
            while !self.fits(1, n_bytes, limits) {
                let enough = |totals: &Self| totals.fits(1, n_bytes, limits);
                if self.remove_some(connection, victims, now, enough).await? == 0 {
                    break;
                }
            }
        }
        Ok(self.fits(1, n_bytes, limits))
    }

    /// Removes up to [`N_AT_A_TIME`], oldest first, until it is enough. How many went.
    async fn remove_some(
        &mut self,
        connection: &mut AnyConnection,
        victims: Victims,
        now: i64,
        enough: impl Fn(&Self) -> bool,
    ) -> Result<usize, StoreError> {
        let query = match victims {
            Victims::OlderThan(seen_before) => sqlx::query_as(
                "SELECT id, n_bytes FROM quarantined WHERE last_seen_at < $3 AND lease_until <= $1 \
                 ORDER BY last_seen_at, id LIMIT $2",
            )
            .bind(now)
            .bind(N_AT_A_TIME as i64)
            .bind(seen_before),
            Victims::Replayed => sqlx::query_as(
                "SELECT id, n_bytes FROM quarantined WHERE state = 'replayed' AND lease_until <= $1 \
                 ORDER BY last_seen_at, id LIMIT $2",
            )
            .bind(now)
            .bind(N_AT_A_TIME as i64),
        };
        let rows: Vec<(i64, i64)> = query.fetch_all(&mut *connection).await?;
        let mut after = Self { trimmed: Trimmed::default(), ..*self };
        let mut ids = Vec::new();
        for (id, n_bytes) in rows {
            if enough(&after) {
                break;
            }
            after.remove(n_bytes);
            ids.push(id);
        }
        if ids.is_empty() {
            return Ok(0);
        }
        // A replay may have begun in between.
        let sql = format!(
            "DELETE FROM quarantined WHERE lease_until <= $1 AND id IN ({}) RETURNING n_bytes, state",
            placeholders(2, ids.len())
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).persistent(ids.len() == N_AT_A_TIME).bind(now);
        let query = ids.iter().fold(query, |query, id| query.bind(*id));
        let gone: Vec<(i64, String)> = query.fetch_all(connection).await?;
        for (n_bytes, state) in &gone {
            self.remove(*n_bytes);
            let is_replayed = state == QuarantineState::Replayed.name();
            let count = if is_replayed { &mut self.trimmed.replayed } else { &mut self.trimmed.expired };
            *count += 1;
        }
        Ok(gone.len())
    }
}

impl Store {
    /// Removes what is too old, and replayed events until the rest is within bounds that may have become narrower. It
    /// goes on for a bounded time and says how many went; call it again later.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn trim_quarantine(&self, limits: QuarantineLimits, now: i64) -> Result<Trimmed, StoreError> {
        let mut trimmed = Trimmed::default();
        let mut all = [Victims::OlderThan(now - limits.age_ms), Victims::Replayed].into_iter();
        let mut victims = all.next();
        for _ in 0..N_TRANSACTIONS {
            let Some(these) = victims else { break };
            let mut transaction = self.write().await?;
            let mut totals = Totals::lock(&mut transaction).await?;
            let enough = |totals: &Totals| match these {
                Victims::OlderThan(_) => false,
                Victims::Replayed => totals.fits(0, 0, limits),
            };
            let n_gone = totals.remove_some(&mut transaction, these, now, enough).await?;
            totals.store(&mut transaction).await?;
            transaction.commit().await?;
            trimmed.expired += totals.trimmed.expired;
            trimmed.replayed += totals.trimmed.replayed;
            if n_gone < N_AT_A_TIME {
                victims = all.next();
            }
        }
        Ok(trimmed)
    }
}
