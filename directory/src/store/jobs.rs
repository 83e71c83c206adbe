//! The sync jobs: at most one an account, taken by lease. It does not run them.
//!
//! A job that is asked for while it runs runs again. A process that dies keeps its lease until it ends; then another takes
//! the job.

use sqlx::FromRow;

use super::sync::Step;
use super::{Backend, Store, StoreError};

/// A job that was taken. Whoever holds it keeps the lease, then completes it or says that it failed.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Job {
    /// The account to sync.
    pub connected_account_id: String,
    /// How often in a row it has failed.
    pub attempts: i64,
    /// Which wishes it answers: those that came later want it again.
    pub started_for: i64,
}

/// How many jobs there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromRow)]
pub struct JobCounts {
    /// All, those that are due in hours included.
    pub jobs: i64,
    /// Due and not taken.
    pub due: i64,
    /// Whose last attempt failed.
    pub failing: i64,
}

impl Store {
    /// Asks for a sync of an account at a time, or earlier if an earlier one was asked for. One that keeps failing stays
    /// at its own time: wishes do not hurry an API that is down.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn want_sync(&self, connected_account_id: &str, due_at: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sync_jobs (connected_account_id, due_at, attempts, wanted, started_for, lease_until) \
             VALUES ($1, $2, 0, 1, 0, 0) \
             ON CONFLICT (connected_account_id) DO UPDATE SET wanted = sync_jobs.wanted + 1, \
             due_at = CASE WHEN sync_jobs.attempts > 0 THEN sync_jobs.due_at \
                           WHEN sync_jobs.wanted = sync_jobs.started_for THEN excluded.due_at \
                           WHEN excluded.due_at < sync_jobs.due_at THEN excluded.due_at \
                           ELSE sync_jobs.due_at END",
        )
        .bind(connected_account_id)
        .bind(due_at)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Asks for a sync of every account of the API that has no job. How many had none.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn want_missing_syncs(&self, due_at: i64) -> Result<u64, StoreError> {
        let sql = "INSERT INTO sync_jobs \
                   (connected_account_id, due_at, attempts, wanted, started_for, lease_until) \
                   SELECT a.connected_account_id, CAST($1 AS BIGINT), 0, 1, 0, 0 FROM accounts a \
                   WHERE a.origin = 'seam' AND NOT EXISTS \
                   (SELECT 1 FROM sync_jobs j WHERE j.connected_account_id = a.connected_account_id) \
                   ON CONFLICT DO NOTHING";
        Ok(sqlx::query(sql).bind(due_at).execute(&self.writer).await?.rows_affected())
    }

    /// Takes a job that is due and that nobody holds. `None` also when another process was faster: ask
    /// [`Store::next_due`].
    ///
    /// # Errors
    /// If the database fails.
    pub async fn claim_job(&self, now: i64, owner: &str, lease_ms: i64) -> Result<Option<Job>, StoreError> {
        let sql = "UPDATE sync_jobs SET lease_until = $1 + $3, lease_owner = $2, started_for = wanted \
                   WHERE lease_until <= $1 AND connected_account_id = \
                   (SELECT connected_account_id FROM sync_jobs WHERE due_at <= $1 AND lease_until <= $1 \
                    ORDER BY due_at LIMIT 1) \
                   RETURNING connected_account_id, attempts, started_for";
        let query = sqlx::query_as(sql).bind(now).bind(owner).bind(lease_ms);
        Ok(query.fetch_optional(&self.writer).await?)
    }

    /// Keeps a job for longer.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn renew(&self, job: &Job, owner: &str, now: i64, lease_ms: i64) -> Result<Step, StoreError> {
        let sql = "UPDATE sync_jobs SET lease_until = $3 + $4 \
                   WHERE connected_account_id = $1 AND lease_owner = $2 AND lease_until > $3";
        let query = sqlx::query(sql).bind(&job.connected_account_id).bind(owner).bind(now).bind(lease_ms);
        Ok(step(query.execute(&self.writer).await?.rows_affected()))
    }

    /// Ends a job that succeeded. If it was asked for meanwhile it runs again; otherwise at `next_at`, or never.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn complete_job(
        &self,
        job: &Job,
        owner: &str,
        next_at: Option<i64>,
    ) -> Result<Step, StoreError> {
        let mut transaction = self.write().await?;
        let released = sqlx::query(
            "UPDATE sync_jobs SET lease_until = 0, lease_owner = NULL, attempts = 0, last_error = NULL \
             WHERE connected_account_id = $1 AND lease_owner = $2 AND started_for = $3",
        )
        .bind(&job.connected_account_id)
        .bind(owner)
        .bind(job.started_for)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
        if released == 0 {
            return Ok(Step::Superseded);
        }
        let query = match next_at {
            None => sqlx::query("DELETE FROM sync_jobs WHERE connected_account_id = $1 AND wanted = $2"),
            Some(_) => sqlx::query(
                "UPDATE sync_jobs SET due_at = $3, wanted = wanted + 1 \
                 WHERE connected_account_id = $1 AND wanted = $2",
            ),
        };
        let query = query.bind(&job.connected_account_id).bind(job.started_for);
        let query = match next_at {
            None => query,
            Some(next_at) => query.bind(next_at),
        };
        query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(Step::Done)
    }

    /// Ends a job that failed: it is due again at a time. `error` is for people.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn fail_job(
        &self,
        job: &Job,
        owner: &str,
        retry_at: i64,
        error: &str,
    ) -> Result<Step, StoreError> {
        let sql = "UPDATE sync_jobs SET lease_until = 0, lease_owner = NULL, attempts = attempts + 1, \
                   due_at = $3, last_error = $4 \
                   WHERE connected_account_id = $1 AND lease_owner = $2 AND started_for = $5";
        let query = sqlx::query(sql)
            .bind(&job.connected_account_id)
            .bind(owner)
            .bind(retry_at)
            .bind(error)
            .bind(job.started_for);
        Ok(step(query.execute(&self.writer).await?.rows_affected()))
    }

    /// When a job can be taken next; `None` without jobs.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn next_due(&self) -> Result<Option<i64>, StoreError> {
        let free = "SELECT due_at FROM sync_jobs WHERE lease_until = 0 ORDER BY due_at LIMIT 1";
        let free: Option<(i64,)> = sqlx::query_as(free).fetch_optional(&self.reader).await?;
        // Only as many as run.
        let taken = "SELECT lease_until, due_at FROM sync_jobs WHERE lease_until > 0";
        let taken: Vec<(i64, i64)> = sqlx::query_as(taken).fetch_all(&self.reader).await?;
        let taken = taken.into_iter().map(|(lease_until, due_at)| lease_until.max(due_at));
        Ok(free.map(|(due_at,)| due_at).into_iter().chain(taken).min())
    }

    /// Frees what an earlier process held, where there can only be one: on SQLite. For the service at its start. On
    /// PostgreSQL another machine may hold them: leases end by themselves.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn free_leases(&self) -> Result<(), StoreError> {
        if self.backend == Backend::Sqlite {
            let sql = "UPDATE sync_jobs SET lease_until = 0, lease_owner = NULL WHERE lease_until <> 0";
            sqlx::query(sql).execute(&self.writer).await?;
        }
        Ok(())
    }

    /// Frees what this owner holds: it ends, and others need not wait for its leases. How many jobs that were.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn free_leases_of(&self, owner: &str) -> Result<u64, StoreError> {
        let sql = "UPDATE sync_jobs SET lease_until = 0, lease_owner = NULL WHERE lease_owner = $1";
        Ok(sqlx::query(sql).bind(owner).execute(&self.writer).await?.rows_affected())
    }

    /// How many jobs there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn job_counts(&self, now: i64) -> Result<JobCounts, StoreError> {
        let sql = "SELECT COUNT(*) AS jobs, \
                   COUNT(CASE WHEN due_at <= $1 AND lease_until <= $1 THEN 1 END) AS due, \
                   (SELECT COUNT(*) FROM sync_jobs WHERE attempts > 0) AS failing FROM sync_jobs";
        Ok(sqlx::query_as(sql).bind(now).fetch_one(&self.reader).await?)
    }
}

const fn step(rows: u64) -> Step {
    if rows == 0 { Step::Superseded } else { Step::Done }
}
