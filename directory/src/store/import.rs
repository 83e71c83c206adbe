//! Importing accounts from JSON lines. It reads one line at a time, and stores many in one transaction.
//!
//! An account of the lines replaces what was imported of it before; several lines of one account add up. Accounts that no
//! line names stay. After a failure the lines before it may have been taken: the whole file can be imported again.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, Read};

use directory_api::AssignedBy;
use sqlx::any::Any;
use sqlx::{AssertSqlSafe, Transaction};

use super::batch::{Insert, Value, placeholders};
use super::lines::{LINE_BYTES, Line, LineFault};
use super::sync::OWNED_IDS;
use super::{Store, StoreError, number_of};

/// A transaction takes so many accounts and ids, together, and then the rest of a line.
const BATCH: usize = 20_000;

/// Accounts that one statement looks for.
const LOOKUP: usize = 500;

/// How much was imported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Lines that were taken.
    pub lines: u64,
    /// Ids on them.
    pub ids: u64,
}

const ACCOUNTS: Insert = Insert {
    into: "accounts (connected_account_id, origin, customer_key, state, wait_for_devices, generation, \
           has_devices, has_acs, synced_at, first_synced, created_at, updated_at)",
    then: "ON CONFLICT (connected_account_id) DO UPDATE SET \
           customer_key = CASE WHEN accounts.generation = excluded.generation \
               THEN COALESCE(excluded.customer_key, accounts.customer_key) ELSE excluded.customer_key END, \
           has_devices = CASE WHEN accounts.generation = excluded.generation AND accounts.has_devices = 1 \
               THEN 1 ELSE excluded.has_devices END, \
           generation = excluded.generation, synced_at = excluded.synced_at, updated_at = excluded.updated_at",
};

/// Lines that go into one transaction.
#[derive(Default)]
struct Batch {
    accounts: BTreeMap<String, Account>,
    /// Source, kind, id, account: each once.
    owned: BTreeSet<(String, i64, String, String)>,
}

struct Account {
    first_line: u64,
    customer_key: Option<String>,
    has_devices: bool,
}

impl Store {
    /// Imports JSON lines, each one entry of `accounts` in the plugin configuration; empty lines count for nothing. Reading
    /// blocks: for files, at the command line.
    ///
    /// # Errors
    /// On the first line that cannot be taken, by its number; or if reading or the database fails.
    pub async fn import(&self, mut reader: impl BufRead + Send, now: i64) -> Result<Imported, StoreError> {
        let generation = self.import_generation(now).await?;
        let (mut imported, mut batch) = (Imported::default(), Batch::default());
        let mut bytes = Vec::new();
        for number in 1.. {
            let fault = |fault| StoreError::Line { line: number, fault };
            if !read_line(&mut reader, &mut bytes)? {
                break;
            }
            if bytes.len() > LINE_BYTES {
                return Err(fault(LineFault::TooLong));
            }
            if bytes.trim_ascii().is_empty() {
                continue;
            }
            let line = Line::read(&bytes).map_err(fault)?;
            imported.lines += 1;
            imported.ids += line.n_ids() as u64;
            batch.add(number, line);
            if batch.accounts.len() + batch.owned.len() >= BATCH {
                self.store_batch(std::mem::take(&mut batch), generation, now).await?;
            }
        }
        self.store_batch(batch, generation, now).await?;
        Ok(imported)
    }

    /// Later than that of every import before, whatever the clock says.
    async fn import_generation(&self, now: i64) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(MAX(generation), 0) FROM accounts WHERE origin = 'import'";
        let (last,): (i64,) = sqlx::query_as(sql).fetch_one(&self.reader).await?;
        Ok(now.max(last + 1))
    }

    async fn store_batch(&self, batch: Batch, generation: i64, now: i64) -> Result<(), StoreError> {
        if batch.accounts.is_empty() {
            return Ok(());
        }
        let mut transaction = self.write().await?;
        let names: Vec<&str> = batch.accounts.keys().map(String::as_str).collect();
        for names in names.chunks(LOOKUP) {
            if let Some(name) = kept_by_seam(&mut transaction, names).await? {
                let line = batch.accounts.get(&name).map_or(0, |account| account.first_line);
                return Err(StoreError::Line { line, fault: LineFault::KeptBySeam });
            }
            forget_older(&mut transaction, names, generation).await?;
        }
        let rows: Vec<_> =
            batch.accounts.iter().map(|(name, account)| account.row(name, generation, now)).collect();
        ACCOUNTS.run(&mut transaction, &rows).await?;
        let mut rows = Vec::with_capacity(batch.owned.len());
        for (source, kind, id, account) in &batch.owned {
            let (account, generation) = (Value::Text(account), Value::Number(generation));
            rows.push([Value::Text(source), Value::Number(*kind), Value::Text(id), account, generation]);
        }
        OWNED_IDS.run(&mut transaction, &rows).await?;
        transaction.commit().await?;
        Ok(())
    }
}

impl Batch {
    fn add(&mut self, number: u64, line: Line) {
        let Line { connected_account_id, customer_key, source, devices, bridges, access_codes } = line;
        let account = self.accounts.entry(connected_account_id.clone()).or_insert_with(|| Account {
            first_line: number,
            customer_key: None,
            has_devices: false,
        });
        account.has_devices |= !devices.is_empty();
        account.customer_key = customer_key.or(account.customer_key.take());
        let source = source.unwrap_or_default();
        let lists = [
            (AssignedBy::DeviceId, devices),
            (AssignedBy::BridgeId, bridges),
            (AssignedBy::AccessCodeId, access_codes),
        ];
        for (kind, ids) in lists {
            let kind = number_of(kind);
            self.owned
                .extend(ids.into_iter().map(|id| (source.clone(), kind, id, connected_account_id.clone())));
        }
    }
}

impl Account {
    /// In the order of the columns of [`ACCOUNTS`].
    fn row<'a>(&'a self, name: &'a str, generation: i64, now: i64) -> [Value<'a>; 12] {
        [
            Value::Text(name),
            Value::Text("import"),
            Value::OptionalText(self.customer_key.as_deref()),
            Value::Text("ready"),
            Value::Number(0),
            Value::Number(generation),
            Value::Number(i64::from(self.has_devices)),
            Value::Number(0),
            Value::Number(now),
            Value::Number(1),
            Value::Number(now),
            Value::Number(now),
        ]
    }
}

/// One of the accounts that the API keeps, if there is any.
async fn kept_by_seam(
    transaction: &mut Transaction<'static, Any>,
    names: &[&str],
) -> Result<Option<String>, StoreError> {
    let sql = format!(
        "SELECT connected_account_id FROM accounts WHERE origin = 'seam' AND connected_account_id IN ({}) LIMIT 1",
        placeholders(1, names.len())
    );
    let query = sqlx::query_as(AssertSqlSafe(sql)).persistent(names.len() == LOOKUP);
    let query = names.iter().fold(query, |query, name| query.bind((*name).to_owned()));
    let row: Option<(String,)> = query.fetch_optional(&mut **transaction).await?;
    Ok(row.map(|(name,)| name))
}

/// Removes what earlier imports said of these accounts.
async fn forget_older(
    transaction: &mut Transaction<'static, Any>,
    names: &[&str],
    generation: i64,
) -> Result<(), StoreError> {
    let sql = format!(
        "DELETE FROM owned_ids WHERE generation < $1 AND connected_account_id IN ({})",
        placeholders(2, names.len())
    );
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(names.len() == LOOKUP).bind(generation);
    let query = names.iter().fold(query, |query, name| query.bind((*name).to_owned()));
    query.execute(&mut **transaction).await?;
    Ok(())
}

/// Reads a line with at most one byte more than the bound. Whether there was one.
fn read_line(reader: &mut impl BufRead, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    Ok(reader.take(LINE_BYTES as u64 + 1).read_until(b'\n', line)? > 0)
}
