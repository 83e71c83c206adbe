//! Whose ids are: one query, then the rules of owners, links and conflicts. It learns nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::LazyLock;

use directory_api::{Account, AssignedBy, Ids, MAX_ACCOUNTS};
use sqlx::FromRow;

use super::{Store, StoreError, kind_of, number_of};

/// So many devices of one account have to be seen with a bridge before the bridge counts as its own: one could have
/// been carried from one site to another.
const DEVICES_OF_A_BRIDGE: usize = 2;

/// What the directory says of the ids of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The known ids agree.
    Assigned {
        /// Sorted by id, never empty, at most [`MAX_ACCOUNTS`].
        accounts: Vec<Account>,
        /// The kind of the first known id.
        assigned_by: AssignedBy,
    },
    /// No id is known.
    Unknown,
    /// The known ids share no account, or more than [`MAX_ACCOUNTS`] own the first one.
    Conflict,
}

/// An owner of an id, or of what a link ties it to.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
struct Row {
    /// The id that was asked for.
    kind: i64,
    /// What the link ties it to; `None` for an owner of the id itself.
    anchor_kind: Option<i64>,
    anchor_id: Option<String>,
    connected_account_id: String,
    customer_key: Option<String>,
}

/// The query for each set of kinds that are there, as bits.
static QUERIES: LazyLock<[String; 8]> = LazyLock::new(|| std::array::from_fn(query));

impl Store {
    /// The accounts of these ids.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn resolve(&self, source: &str, ids: &Ids<'_>) -> Result<Lookup, StoreError> {
        let set = ids.present().map(|(kind, _)| 1 << number_of(kind)).sum::<usize>();
        let Some(sql) = QUERIES.get(set).filter(|sql| !sql.is_empty()) else { return Ok(Lookup::Unknown) };
        let query = sqlx::query_as(sqlx::AssertSqlSafe(sql.as_str())).bind(source);
        let query = ids.present().fold(query, |query, (_, id)| query.bind(id));
        decide(query.fetch_all(&self.reader).await?)
    }
}

/// Owners of each id, and owners of what links tie it to. Each part is answered from the front of a primary key.
fn query(set: usize) -> String {
    let mut parts = Vec::new();
    let kinds = AssignedBy::ALL.into_iter().filter(|kind| set & (1 << number_of(*kind)) != 0);
    for (place, kind) in kinds.enumerate() {
        let (number, parameter) = (number_of(kind), place + 2);
        parts.push(format!(
            "SELECT o.kind AS kind, CAST(NULL AS BIGINT) AS anchor_kind, CAST(NULL AS TEXT) AS anchor_id, \
             a.connected_account_id AS connected_account_id, a.customer_key AS customer_key \
             FROM owned_ids o JOIN accounts a ON a.connected_account_id = o.connected_account_id \
             WHERE o.source IN ($1, '') AND o.kind = {number} AND o.id = ${parameter}"
        ));
        // A device is what others are tied to.
        if kind != AssignedBy::DeviceId {
            parts.push(format!(
                "SELECT l.kind, l.anchor_kind, l.anchor_id, a.connected_account_id, a.customer_key \
                 FROM learned_links l \
                 JOIN owned_ids o ON o.source IN ($1, '') AND o.kind = l.anchor_kind AND o.id = l.anchor_id \
                 JOIN accounts a ON a.connected_account_id = o.connected_account_id \
                 WHERE l.source = $1 AND l.kind = {number} AND l.id = ${parameter}"
            ));
        }
    }
    let mut sql = String::new();
    for (place, part) in parts.iter().enumerate() {
        // Writing to a string cannot fail.
        let _ = write!(sql, "{}{part}", if place == 0 { "" } else { " UNION ALL " });
    }
    sql
}

/// Accounts by id, each with its customer key.
type Owners = BTreeMap<String, Option<String>>;

/// What was found for one id.
#[derive(Debug, Default)]
struct Found {
    direct: Owners,
    by_anchor: BTreeMap<(i64, String), Owners>,
}

impl Found {
    /// The owners of the id; links count only if it has none of its own.
    fn owners(self, kind: AssignedBy) -> Owners {
        if !self.direct.is_empty() {
            return self.direct;
        }
        if kind == AssignedBy::BridgeId && self.by_anchor.len() < DEVICES_OF_A_BRIDGE {
            return Owners::new();
        }
        let mut anchors = self.by_anchor.into_values();
        let mut shared = anchors.next().unwrap_or_default();
        for owners in anchors {
            shared.retain(|account, _| owners.contains_key(account));
        }
        shared
    }
}

/// The rule of assignment: known ids must share an account, and the first of them says which.
fn decide(rows: Vec<Row>) -> Result<Lookup, StoreError> {
    let mut found: BTreeMap<AssignedBy, Found> = BTreeMap::new();
    for row in rows {
        let of_kind = found.entry(kind_of(row.kind)?).or_default();
        let owners = match row.anchor_kind.zip(row.anchor_id) {
            None => &mut of_kind.direct,
            Some(anchor) => of_kind.by_anchor.entry(anchor).or_default(),
        };
        owners.insert(row.connected_account_id, row.customer_key);
    }
    let mut known = found
        .into_iter()
        .map(|(kind, found)| (kind, found.owners(kind)))
        .filter(|(_, owners)| !owners.is_empty());
    let Some((assigned_by, owners)) = known.next() else { return Ok(Lookup::Unknown) };
    let mut shared: BTreeSet<&String> = owners.keys().collect();
    for (_, others) in known {
        shared.retain(|account| others.contains_key(*account));
    }
    if shared.is_empty() || owners.len() > MAX_ACCOUNTS {
        return Ok(Lookup::Conflict);
    }
    let account = |(connected_account_id, customer_key)| Account { connected_account_id, customer_key };
    Ok(Lookup::Assigned { accounts: owners.into_iter().map(account).collect(), assigned_by })
}
