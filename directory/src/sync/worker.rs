//! The loop that runs sync jobs in the service: a few at a time, as they fall due or are woken for. What a job does is not
//! its matter.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::{JoinError, JoinSet};

use super::{Ran, Syncer, delay};
use crate::store::StoreError;

/// Jobs at a time. The API limits requests of a whole workspace, so more would only wait.
const N_RUNNING: usize = 4;

/// The longest sleep: another machine on the same database wakes nobody here.
const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// What jobs get that run when the service is told to stop. A page or two; a whole account can take minutes.
const LAST_WAIT: Duration = Duration::from_secs(3);

/// After the database failed, and after the API said nothing about when to come back.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs jobs until it is told to stop.
#[derive(Debug)]
pub struct Worker {
    syncer: Arc<Syncer>,
    wake: Arc<Notify>,
    /// No job is taken before: the API is down or wants rest, and the next job would meet the same.
    paused_until: i64,
}

impl Worker {
    /// `wake` is notified by whoever has asked for a sync.
    pub fn new(syncer: Arc<Syncer>, wake: Arc<Notify>) -> Self {
        Self { syncer, wake, paused_until: 0 }
    }

    /// Runs until `stop` comes. Jobs that run then get three seconds; what is left is dropped and given back, so that the next
    /// process takes it at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut running = JoinSet::new();
        let mut has_started = false;
        loop {
            let next = match self.fill(&mut running, &mut has_started).await {
                Ok(next) => next,
                Err(error) => {
                    complain(&error);
                    PAUSE
                }
            };
            tokio::select! {
                () = &mut stop => break,
                () = self.wake.notified() => {}
                () = tokio::time::sleep(next) => {}
                Some(ended) = running.join_next() => self.note(ended),
            }
        }
        self.end(running).await;
    }

    async fn end(mut self, mut running: JoinSet<Result<Ran, StoreError>>) {
        let last = async {
            while let Some(ended) = running.join_next().await {
                self.note(ended);
            }
        };
        // Either way: what is left is dropped.
        let _ = tokio::time::timeout(LAST_WAIT, last).await;
        running.shutdown().await;
        match self.syncer.let_go().await {
            Ok(n_jobs) => tracing::info!(n_jobs, "sync jobs were given back"),
            Err(error) => complain(&error),
        }
    }

    /// Takes as many jobs as there is room for. Gives how long nothing more can be due.
    async fn fill(
        &self,
        running: &mut JoinSet<Result<Ran, StoreError>>,
        has_started: &mut bool,
    ) -> Result<Duration, StoreError> {
        if !*has_started {
            self.syncer.start().await?;
            *has_started = true;
        }
        let now = self.syncer.now();
        if now < self.paused_until {
            return Ok(between(now, self.paused_until));
        }
        while running.len() < N_RUNNING {
            let Some(job) = self.syncer.claim().await? else { break };
            let syncer = Arc::clone(&self.syncer);
            running.spawn(async move { syncer.run(&job).await });
        }
        if running.len() == N_RUNNING {
            return Ok(LONGEST_SLEEP);
        }
        let due = self.syncer.store.next_due().await?;
        Ok(due.map_or(LONGEST_SLEEP, |due| between(now, due)))
    }

    fn note(&mut self, ended: Result<Result<Ran, StoreError>, JoinError>) {
        match ended {
            Ok(Ok(Ran::Failed(error))) => {
                let pause = error.retry_after().unwrap_or(PAUSE);
                self.paused_until = self.paused_until.max(self.syncer.now() + delay::millis(pause));
            }
            Ok(Ok(_)) => {}
            Ok(Err(error)) => complain(&error),
            // Its lease ends by itself.
            Err(error) => tracing::error!(%error, "a sync job broke off"),
        }
    }
}

/// A job may fall due, or its lease end, in the same millisecond: at least one is waited.
fn between(now: i64, then: i64) -> Duration {
    let ms = u64::try_from(then.saturating_sub(now)).unwrap_or(0).max(1);
    Duration::from_millis(ms).min(LONGEST_SLEEP)
}

fn complain(error: &StoreError) {
    tracing::error!(%error, cause = error.cause(), "the sync worker cannot use the database");
}
