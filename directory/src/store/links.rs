//! Links that events teach: which owned id an id without owners was seen with. It does not judge events: whoever calls
//! has accepted and verified them.
//!
//! An access code is tied to the device of its event, else to the bridge; a bridge is tied to the device. What is tied to
//! must be owned itself, so links form no chains. Ids with owners learn nothing.

use std::collections::{BTreeMap, BTreeSet};

use directory_api::{AssignedBy, Ids};
use sqlx::AnyConnection;

use super::{Store, StoreError, number_of};

/// How many owned ids one id can be tied to. More say nothing new.
const ANCHORS_OF_AN_ID: usize = 64;

/// A link that was seen is not written again for so long.
const FRESH_MS: i64 = 24 * 3600 * 1000;

/// What became of the links of one event, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkOutcome {
    /// New ones.
    pub stored: u32,
    /// Known before.
    pub known: u32,
    /// Those that the same id had said otherwise: all of them are gone.
    pub contradicted: u32,
    /// Refused: the source has as many as it may, or the id is tied to enough.
    pub full: u32,
}

/// An id and what it is tied to.
#[derive(Debug)]
struct Tie<'a> {
    kind: i64,
    id: &'a str,
    anchor_kind: i64,
    anchor_id: &'a str,
    /// Who owns the anchor. Never empty.
    owners: BTreeSet<String>,
}

/// What a tie means beside those that are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Judgement {
    New,
    Known { seen_at: i64 },
    Contradiction,
    Enough,
}

impl Store {
    /// Learns from ids that one event carried together.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn learn(&self, source: &str, ids: &Ids<'_>, now: i64) -> Result<LinkOutcome, StoreError> {
        if let Some(outcome) = self.nothing_new(source, ids, now).await? {
            return Ok(outcome);
        }
        let mut outcome = LinkOutcome::default();
        let mut transaction = self.write().await?;
        for tie in ties(&mut transaction, source, ids).await? {
            match judge(&mut transaction, source, &tie).await? {
                Judgement::Contradiction => {
                    forget(&mut transaction, source, &tie).await?;
                    outcome.contradicted += 1;
                }
                Judgement::Enough => outcome.full += 1,
                Judgement::Known { .. } => {
                    put(&mut transaction, source, &tie, now).await?;
                    outcome.known += 1;
                }
                Judgement::New => {
                    if self.take_room(&mut transaction, source).await? {
                        put(&mut transaction, source, &tie, now).await?;
                        outcome.stored += 1;
                    } else {
                        outcome.full += 1;
                    }
                }
            }
        }
        transaction.commit().await?;
        Ok(outcome)
    }

    /// Removes the links that no event has shown since then. How many.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn expire_links(&self, seen_before: i64) -> Result<u64, StoreError> {
        let sources: Vec<(String,)> =
            sqlx::query_as("SELECT source FROM learned_link_counts").fetch_all(&self.reader).await?;
        let mut n_gone = 0;
        for (source,) in sources {
            let mut transaction = self.write().await?;
            let gone = sqlx::query("DELETE FROM learned_links WHERE source = $1 AND seen_at < $2")
                .bind(&source)
                .bind(seen_before)
                .execute(&mut *transaction)
                .await?
                .rows_affected();
            give_room(&mut transaction, &source, gone).await?;
            transaction.commit().await?;
            n_gone += gone;
        }
        Ok(n_gone)
    }

    /// The outcome, if it takes no write: most events say what is known.
    async fn nothing_new(
        &self,
        source: &str,
        ids: &Ids<'_>,
        now: i64,
    ) -> Result<Option<LinkOutcome>, StoreError> {
        let mut outcome = LinkOutcome::default();
        let mut connection = self.reader.acquire().await?;
        for tie in ties(&mut connection, source, ids).await? {
            match judge(&mut connection, source, &tie).await? {
                Judgement::Known { seen_at } if now - seen_at < FRESH_MS => outcome.known += 1,
                Judgement::Enough => outcome.full += 1,
                Judgement::New | Judgement::Known { .. } | Judgement::Contradiction => return Ok(None),
            }
        }
        Ok(Some(outcome))
    }

    /// Counts one link more, if the source may have it.
    async fn take_room(&self, connection: &mut AnyConnection, source: &str) -> Result<bool, StoreError> {
        sqlx::query(
            "INSERT INTO learned_link_counts (source, n_links) VALUES ($1, 0) ON CONFLICT DO NOTHING",
        )
        .bind(source)
        .execute(&mut *connection)
        .await?;
        let most = i64::try_from(self.limits.links_per_source).unwrap_or(i64::MAX);
        let sql = "UPDATE learned_link_counts SET n_links = n_links + 1 WHERE source = $1 AND n_links < $2";
        let taken = sqlx::query(sql).bind(source).bind(most).execute(connection).await?;
        Ok(taken.rows_affected() == 1)
    }
}

/// Counts links that are gone.
async fn give_room(connection: &mut AnyConnection, source: &str, count: u64) -> Result<(), StoreError> {
    sqlx::query("UPDATE learned_link_counts SET n_links = n_links - $2 WHERE source = $1")
        .bind(source)
        .bind(i64::try_from(count).unwrap_or(i64::MAX))
        .execute(connection)
        .await?;
    Ok(())
}

/// What these ids teach.
async fn ties<'a>(
    connection: &mut AnyConnection,
    source: &str,
    ids: &Ids<'a>,
) -> Result<Vec<Tie<'a>>, StoreError> {
    let mut owners = BTreeMap::new();
    for (kind, id) in ids.present() {
        owners.insert(kind, (id, owners_of(connection, source, kind, id).await?));
    }
    let is_owned = |kind| owners.get(&kind).is_some_and(|(_, owners)| !owners.is_empty());
    let anchor = [AssignedBy::DeviceId, AssignedBy::BridgeId].into_iter().find(|kind| is_owned(*kind));
    let Some((anchor, (anchor_id, anchor_owners))) = anchor.and_then(|kind| Some((kind, owners.get(&kind)?)))
    else {
        return Ok(Vec::new());
    };
    let tied = [AssignedBy::BridgeId, AssignedBy::AccessCodeId];
    let tied = tied.into_iter().filter(|kind| *kind > anchor && !is_owned(*kind));
    let tie = |kind| {
        let (id, _) = owners.get(&kind)?;
        Some(Tie {
            kind: number_of(kind),
            id,
            anchor_kind: number_of(anchor),
            anchor_id,
            owners: anchor_owners.clone(),
        })
    };
    Ok(tied.filter_map(tie).collect())
}

async fn owners_of(
    connection: &mut AnyConnection,
    source: &str,
    kind: AssignedBy,
    id: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let sql = "SELECT connected_account_id FROM owned_ids WHERE source IN ($1, '') AND kind = $2 AND id = $3";
    let query = sqlx::query_as(sql).bind(source).bind(number_of(kind)).bind(id);
    let rows: Vec<(String,)> = query.fetch_all(connection).await?;
    Ok(rows.into_iter().map(|(account,)| account).collect())
}

/// Holds a tie against those that its id has.
async fn judge(connection: &mut AnyConnection, source: &str, tie: &Tie<'_>) -> Result<Judgement, StoreError> {
    let rows: Vec<(i64, String, i64, Option<String>)> = sqlx::query_as(
        "SELECT l.anchor_kind, l.anchor_id, l.seen_at, o.connected_account_id FROM learned_links l \
         LEFT JOIN owned_ids o ON o.source IN ($1, '') AND o.kind = l.anchor_kind AND o.id = l.anchor_id \
         WHERE l.source = $1 AND l.kind = $2 AND l.id = $3",
    )
    .bind(source)
    .bind(tie.kind)
    .bind(tie.id)
    .fetch_all(connection)
    .await?;
    let mut anchors: BTreeMap<(i64, String), (i64, BTreeSet<String>)> = BTreeMap::new();
    for (kind, id, seen_at, owner) in rows {
        let (_, owners) = anchors.entry((kind, id)).or_insert_with(|| (seen_at, BTreeSet::new()));
        owners.extend(owner);
    }
    let mut shared = tie.owners.clone();
    // An anchor that nobody owns any more says nothing.
    for (_, owners) in anchors.values().filter(|(_, owners)| !owners.is_empty()) {
        shared.retain(|account| owners.contains(account));
    }
    if shared.is_empty() {
        return Ok(Judgement::Contradiction);
    }
    Ok(match anchors.get(&(tie.anchor_kind, tie.anchor_id.to_owned())) {
        Some((seen_at, _)) => Judgement::Known { seen_at: *seen_at },
        None if anchors.len() >= ANCHORS_OF_AN_ID => Judgement::Enough,
        None => Judgement::New,
    })
}

/// Stores a tie, or the time when it was seen again.
async fn put(
    connection: &mut AnyConnection,
    source: &str,
    tie: &Tie<'_>,
    now: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO learned_links (source, kind, id, anchor_kind, anchor_id, seen_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (source, kind, id, anchor_kind, anchor_id) DO UPDATE SET seen_at = excluded.seen_at",
    )
    .bind(source)
    .bind(tie.kind)
    .bind(tie.id)
    .bind(tie.anchor_kind)
    .bind(tie.anchor_id)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes every tie of the id.
async fn forget(connection: &mut AnyConnection, source: &str, tie: &Tie<'_>) -> Result<(), StoreError> {
    let gone = sqlx::query("DELETE FROM learned_links WHERE source = $1 AND kind = $2 AND id = $3")
        .bind(source)
        .bind(tie.kind)
        .bind(tie.id)
        .execute(&mut *connection)
        .await?
        .rows_affected();
    give_room(connection, source, gone).await
}
