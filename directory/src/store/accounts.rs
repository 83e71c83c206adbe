//! Connected accounts: stored, found, listed, deleted. What they own is synced or imported elsewhere.

use sqlx::{AssertSqlSafe, FromRow};

use super::{Store, StoreError};

/// Where an account is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The Seam API; syncs keep it current.
    Seam,
    /// An import; only another import changes it.
    Import,
}

impl Origin {
    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Seam => "seam",
            Self::Import => "import",
        }
    }
}

/// What the API says of the connection of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// It works.
    Connected,
    /// It does not, for now: what the account owns stays its own.
    Disconnected,
}

/// How far an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountState {
    /// Its first sync is not done.
    Connected,
    /// Synced or imported.
    Ready,
    /// The connection does not work; what the account owns is still assigned to it.
    Disconnected,
}

impl AccountState {
    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Ready => "ready",
            Self::Disconnected => "disconnected",
        }
    }
}

/// An account as a webhook or the API tells of it. What is `None` or false keeps what is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount<'a> {
    /// Identifies the account.
    pub connected_account_id: &'a str,
    /// The source that its events come from.
    pub source: Option<&'a str>,
    /// What the API calls its provider.
    pub provider: Option<&'a str>,
    /// The customer that it belongs to.
    pub customer_key: Option<&'a str>,
    /// Whether the connection works.
    pub connection: Connection,
    /// The webview waited for the devices: they can be asked for at once.
    pub wait_for_devices: bool,
    /// Seam's own first sync is done.
    pub first_synced: bool,
}

/// A stored account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectedAccount {
    /// Identifies the account.
    pub connected_account_id: String,
    /// Where it is known from.
    pub origin: Origin,
    /// The source that its events come from; of an import, `None`: its ids say it themselves.
    pub source: Option<String>,
    /// What the API calls its provider.
    pub provider: Option<String>,
    /// The customer that it belongs to.
    pub customer_key: Option<String>,
    /// How far it is.
    pub state: AccountState,
    /// The webview waited for the devices.
    pub wait_for_devices: bool,
    /// Seam's own first sync is done.
    pub first_synced: bool,
    /// It has devices, managed or not.
    pub has_devices: bool,
    /// It has ACS systems.
    pub has_acs: bool,
    /// When its last sync ended, if one did.
    pub synced_at: Option<i64>,
    /// When it was first stored.
    pub created_at: i64,
    /// When something was last told of it.
    pub updated_at: i64,
    /// Its sync job; `None` if it has none, as imported accounts.
    pub sync: Option<AccountSync>,
}

/// How far the sync job of an account is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSync {
    /// When it is due, or was when it began.
    pub due_at: i64,
    /// How often in a row it has failed.
    pub attempts: i64,
    /// Why it failed the last time, if it did: a name, nothing that an API has said.
    pub last_error: Option<String>,
    /// Until when a process holds it; in the past, or 0, if none does.
    pub lease_until: i64,
}

/// Which accounts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountsOf<'a> {
    /// All.
    Everyone,
    /// Those of a customer.
    Customer(&'a str),
    /// Those of a customer of this key, and the one of this id.
    Named(&'a str),
}

/// Which part of a list.
#[derive(Clone, Copy, Debug)]
pub struct PageRequest<'a> {
    /// What the page before gave as `next`; `None` at the start.
    pub after: Option<&'a str>,
    /// The most items, at least 1.
    pub limit: u16,
}

/// A part of a list, in the order of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// At most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// From one item more than asked for, if there are as many. The cursor of the last one is where the next page begins.
    pub(crate) fn of(mut items: Vec<T>, limit: u16, cursor: impl Fn(&T) -> String) -> Self {
        let more = items.len() > usize::from(limit);
        items.truncate(usize::from(limit));
        let next = if more { items.last().map(cursor) } else { None };
        Self { items, next }
    }
}

/// The columns of [`Row`].
const SELECT: &str = "SELECT connected_account_id, origin, source, provider, customer_key, state, wait_for_devices, \
                      first_synced, has_devices, has_acs, synced_at, created_at, updated_at, due_at, attempts, \
                      last_error, lease_until FROM accounts";

#[derive(FromRow)]
struct Row {
    connected_account_id: String,
    origin: String,
    source: Option<String>,
    provider: Option<String>,
    customer_key: Option<String>,
    state: String,
    wait_for_devices: i64,
    first_synced: i64,
    has_devices: i64,
    has_acs: i64,
    synced_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    due_at: Option<i64>,
    attempts: Option<i64>,
    last_error: Option<String>,
    lease_until: Option<i64>,
}

impl TryFrom<Row> for ConnectedAccount {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let origin = [Origin::Seam, Origin::Import].into_iter().find(|it| it.name() == row.origin);
        let states = [AccountState::Connected, AccountState::Ready, AccountState::Disconnected];
        let state = states.into_iter().find(|it| it.name() == row.state);
        let sync = match (row.due_at, row.attempts, row.lease_until) {
            (Some(due_at), Some(attempts), Some(lease_until)) => {
                Some(AccountSync { due_at, attempts, last_error: row.last_error, lease_until })
            }
            (_, _, _) => None,
        };
        Ok(Self {
            connected_account_id: row.connected_account_id,
            origin: origin.ok_or(StoreError::UnknownValue { column: "origin" })?,
            source: row.source,
            provider: row.provider,
            customer_key: row.customer_key,
            state: state.ok_or(StoreError::UnknownValue { column: "state" })?,
            wait_for_devices: row.wait_for_devices != 0,
            first_synced: row.first_synced != 0,
            has_devices: row.has_devices != 0,
            has_acs: row.has_acs != 0,
            synced_at: row.synced_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            sync,
        })
    }
}

impl Store {
    /// Stores what is told of an account of the API. An account that was imported is the API's from then on.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn upsert_account(&self, account: &NewAccount<'_>, now: i64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO accounts (connected_account_id, origin, source, provider, customer_key, state, \
             wait_for_devices, first_synced, generation, has_devices, has_acs, synced_at, created_at, updated_at) \
             VALUES ($1, 'seam', $2, $3, $4, $5, $6, $7, 0, 0, 0, NULL, $8, $8) \
             ON CONFLICT (connected_account_id) DO UPDATE SET \
             origin = 'seam', \
             source = COALESCE(excluded.source, accounts.source), \
             provider = COALESCE(excluded.provider, accounts.provider), \
             customer_key = COALESCE(excluded.customer_key, accounts.customer_key), \
             state = CASE WHEN excluded.state = 'disconnected' THEN 'disconnected' \
                          WHEN accounts.synced_at IS NULL THEN 'connected' ELSE 'ready' END, \
             wait_for_devices = CASE WHEN excluded.wait_for_devices = 1 THEN 1 ELSE accounts.wait_for_devices END, \
             first_synced = CASE WHEN excluded.first_synced = 1 THEN 1 ELSE accounts.first_synced END, \
             updated_at = excluded.updated_at",
        )
        .bind(account.connected_account_id)
        .bind(account.source)
        .bind(account.provider)
        .bind(account.customer_key)
        .bind(match account.connection {
            Connection::Connected => "connected",
            Connection::Disconnected => "disconnected",
        })
        .bind(i64::from(account.wait_for_devices))
        .bind(i64::from(account.first_synced))
        .bind(now)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// An account.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn account(&self, connected_account_id: &str) -> Result<Option<ConnectedAccount>, StoreError> {
        let sql = format!(
            "{SELECT} LEFT JOIN sync_jobs USING (connected_account_id) WHERE connected_account_id = $1"
        );
        let query = sqlx::query_as(AssertSqlSafe(sql)).bind(connected_account_id);
        let row: Option<Row> = query.fetch_optional(&self.reader).await?;
        row.map(TryInto::try_into).transpose()
    }

    /// A page of accounts; `is_failing`: only those whose last sync failed.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn accounts(
        &self,
        which: AccountsOf<'_>,
        is_failing: bool,
        page: PageRequest<'_>,
    ) -> Result<Page<ConnectedAccount>, StoreError> {
        let (condition, name) = match which {
            AccountsOf::Everyone => ("", None),
            AccountsOf::Customer(key) => ("AND customer_key = $3", Some(key)),
            AccountsOf::Named(name) => ("AND (customer_key = $3 OR connected_account_id = $3)", Some(name)),
        };
        // The index over failing jobs serves only a query that says `attempts > 0` as it does.
        let (join, state) = if is_failing { ("JOIN", "AND attempts > 0") } else { ("LEFT JOIN", "") };
        let sql = format!(
            "{SELECT} {join} sync_jobs USING (connected_account_id) \
             WHERE connected_account_id > $1 {state} {condition} ORDER BY connected_account_id LIMIT $2"
        );
        let query = sqlx::query_as(AssertSqlSafe(sql));
        let query = query.bind(page.after.unwrap_or_default()).bind(i64::from(page.limit) + 1);
        let query = name.into_iter().fold(query, |query, name| query.bind(name));
        let rows: Vec<Row> = query.fetch_all(&self.reader).await?;
        let accounts = rows.into_iter().map(TryInto::try_into).collect::<Result<Vec<_>, _>>()?;
        Ok(Page::of(accounts, page.limit, |account| account.connected_account_id.clone()))
    }

    /// How many accounts there are.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn account_count(&self) -> Result<i64, StoreError> {
        let (count,): (i64,) =
            sqlx::query_as("SELECT COUNT(*) FROM accounts").fetch_one(&self.reader).await?;
        Ok(count)
    }

    /// Forgets an account and all that it owns. Its sync job stays: it may have been asked for again meanwhile.
    ///
    /// # Errors
    /// If the database fails.
    pub async fn delete_account(&self, connected_account_id: &str) -> Result<(), StoreError> {
        let mut transaction = self.write().await?;
        // The account first: a sync of it that writes at the same time waits, and then finds it gone.
        for sql in [
            "DELETE FROM accounts WHERE connected_account_id = $1",
            "DELETE FROM owned_ids WHERE connected_account_id = $1",
            "DELETE FROM devices WHERE connected_account_id = $1",
            "DELETE FROM acs_systems WHERE connected_account_id = $1",
            "DELETE FROM acs_entrances WHERE connected_account_id = $1",
            "DELETE FROM webviews WHERE connected_account_id = $1",
        ] {
            sqlx::query(sql).bind(connected_account_id).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }
}
