//! Replaying: the edge judges an event once more, as it came, now that the cause may be mended. It is taken as accepted
//! only by the edge's own 2xx, so at least once: whoever dies in between has left it waiting.
//!
//! Events of one partition key are replayed one after the other, in the order in which they came.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::edge::{EdgeClient, NoAnswer};
use super::metrics::QuarantineMetrics;
use crate::store::{Attempt, Claim, Claimed, QuarantineFilter, QuarantineState, Step, Store};
use crate::{StoreError, clock, config};

/// Events that are replayed at a time, when many are.
const N_AT_A_TIME: usize = 4;

/// A replay of many begins none after this: the rest is for the next call.
const BEGIN_WITHIN: Duration = Duration::from_secs(40);

/// A lease outlives its replay by this much: for writing down what came of it.
const LEASE_RESERVE: Duration = Duration::from_secs(30);

/// What came of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The edge has accepted it.
    Replayed,
    /// The edge has answered otherwise. It waits.
    Refused,
    /// The edge has not answered. It waits; upstream may have it.
    Unreachable,
    /// Somebody else is replaying it.
    Busy,
    /// There is no such event.
    Absent,
    /// It was not tried: the edge did not answer for another one, or there was no time.
    NotTried,
}

impl Outcome {
    /// As it is shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Replayed => "replayed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Busy => "busy",
            Self::Absent => "absent",
            Self::NotTried => "not_tried",
        }
    }
}

/// What came of the replay of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// The event.
    pub id: i64,
    /// What came of it.
    pub outcome: Outcome,
    /// What the edge answered, if it did.
    pub status: Option<u16>,
    /// The cause that it gave, if it gave one.
    pub cause: Option<&'static str>,
}

/// What came of the replay of many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replays {
    /// One for each, in the order in which they came.
    pub events: Vec<Replayed>,
    /// Where to go on; `None` if there are no more.
    pub next: Option<i64>,
}

/// Replays events. Clones share their counters.
#[derive(Clone, Debug)]
pub struct Replayer {
    store: Store,
    edge: Arc<EdgeClient>,
    metrics: QuarantineMetrics,
    /// Different in each process.
    owner: String,
    n_claimed: Arc<AtomicU64>,
}

impl Replayer {
    /// Replays events of the store at this edge.
    #[must_use]
    pub fn new(store: Store, edge: &config::Edge, metrics: QuarantineMetrics) -> Self {
        let random = RandomState::new().hash_one(0_u8);
        let owner = format!("{}-{random:016x}", std::process::id());
        Self { store, edge: Arc::new(EdgeClient::new(edge)), metrics, owner, n_claimed: Arc::default() }
    }

    /// Replays one event, also one that was replayed before.
    ///
    /// # Errors
    /// If the database fails. The edge may have accepted the event nevertheless.
    pub async fn one(&self, id: i64) -> Result<Replayed, StoreError> {
        let owner = format!("{}-{}", self.owner, self.n_claimed.fetch_add(1, Ordering::Relaxed));
        let lease = self.edge.timeout() + LEASE_RESERVE;
        let lease_ms = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
        let without_answer = |outcome| Replayed { id, outcome, status: None, cause: None };
        let claimed = match self.store.claim_replay(id, &owner, clock::now_ms(), lease_ms).await? {
            Claim::Taken(claimed) => claimed,
            Claim::Busy => return Ok(without_answer(Outcome::Busy)),
            Claim::Absent => return Ok(without_answer(Outcome::Absent)),
        };
        let replayed = self.post(&claimed).await;
        let attempt = Attempt {
            accepted: replayed.outcome == Outcome::Replayed,
            status: replayed.status,
            cause: replayed.cause,
        };
        if self.store.finish_replay(&claimed, &owner, attempt, clock::now_ms()).await? == Step::Superseded {
            tracing::warn!(id, "a replay took longer than its lease");
        }
        self.metrics.replayed(replayed.outcome);
        Ok(replayed)
    }

    async fn post(&self, event: &Claimed) -> Replayed {
        let id = event.id;
        match self.edge.post(event).await {
            Ok(answer) => {
                let accepted = answer.status.is_success() && !answer.set_aside;
                let outcome = if accepted { Outcome::Replayed } else { Outcome::Refused };
                Replayed { id, outcome, status: Some(answer.status.as_u16()), cause: answer.cause }
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(id, %error, source, "a replay failed");
                // What is wrong with one event shall not keep others from being tried.
                let is_its_own = matches!(error, NoAnswer::Request);
                let outcome = if is_its_own { Outcome::Refused } else { Outcome::Unreachable };
                Replayed { id, outcome, status: None, cause: None }
            }
        }
    }

    /// Replays up to `limit` waiting events after `after`, oldest first and some at a time. When the edge does not answer,
    /// no more are begun.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn many(
        &self,
        source: Option<&str>,
        cause: Option<&str>,
        after: i64,
        limit: u16,
    ) -> Result<Replays, StoreError> {
        let filter = QuarantineFilter { source, cause, state: Some(QuarantineState::Waiting) };
        let events = self.store.quarantined_after(filter, after, limit).await?;
        let is_full = events.len() == usize::from(limit);
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        // In each group the order in which they came; of groups, that of their first.
        let mut groups: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        let mut first_of: BTreeMap<String, i64> = BTreeMap::new();
        for event in events {
            // Without a key nothing says what it has to follow.
            let first = event.partition_key.map_or(event.id, |key| *first_of.entry(key).or_insert(event.id));
            groups.entry(first).or_default().push(event.id);
        }
        let mut done = self.replay_groups(groups.into_values().collect()).await?;
        let not_tried = |id| Replayed { id, outcome: Outcome::NotTried, status: None, cause: None };
        let events: Vec<_> = ids.iter().map(|id| done.remove(id).unwrap_or_else(|| not_tried(*id))).collect();
        // Those that were not tried come again.
        let first_left = events.iter().position(|event| event.outcome == Outcome::NotTried);
        let next = match first_left {
            Some(place) => {
                Some(place.checked_sub(1).and_then(|before| ids.get(before)).map_or(after, |id| *id))
            }
            None => ids.last().copied().filter(|_| is_full),
        };
        Ok(Replays { events, next })
    }

    async fn replay_groups(&self, groups: Vec<Vec<i64>>) -> Result<BTreeMap<i64, Replayed>, StoreError> {
        let began = Instant::now();
        let is_over = Arc::new(AtomicBool::new(false));
        let mut groups = groups.into_iter();
        let mut running = JoinSet::new();
        let mut done = BTreeMap::new();
        loop {
            while running.len() < N_AT_A_TIME
                && let Some(group) = groups.next()
            {
                let (replayer, is_over) = (self.clone(), Arc::clone(&is_over));
                running.spawn(async move { replayer.replay_in_order(group, began, &is_over).await });
            }
            let Some(ended) = running.join_next().await else { return Ok(done) };
            // They are never told to end, and do not panic.
            let Ok(ended) = ended else { continue };
            done.extend(ended?.into_iter().map(|replayed| (replayed.id, replayed)));
        }
    }

    async fn replay_in_order(
        &self,
        group: Vec<i64>,
        began: Instant,
        is_over: &AtomicBool,
    ) -> Result<Vec<Replayed>, StoreError> {
        let mut done = Vec::new();
        for id in group {
            if is_over.load(Ordering::Relaxed) || began.elapsed() > BEGIN_WITHIN {
                break;
            }
            let replayed = self.one(id).await?;
            if replayed.outcome == Outcome::Unreachable {
                is_over.store(true, Ordering::Relaxed);
            }
            done.push(replayed);
        }
        Ok(done)
    }
}
