//! What the directory knows, in SQLite or PostgreSQL: the same SQL for both. It asks no API and reads no clock: times are
//! Unix milliseconds that the caller gives.
//!
//! SQLite has one connection that writes and others that only read; PostgreSQL has one pool for both.

mod accounts;
mod batch;
mod cause;
mod export;
mod import;
mod inventory;
mod jobs;
mod lines;
mod links;
mod open;
mod quarantine;
mod registrations;
mod resolve;
mod sync;
mod webviews;

pub use accounts::{
    AccountState, AccountSync, AccountsOf, ConnectedAccount, Connection, NewAccount, Origin, Page,
    PageRequest,
};
pub use export::Exported;
pub use import::Imported;
pub use inventory::{AcsEntrance, AcsSystem, Device, OwnedHere, OwnedPlace};
pub use jobs::{Job, JobCounts};
pub use lines::LineFault;
pub use links::LinkOutcome;
pub use open::Limits;
pub use quarantine::{
    Attempt, Claim, Claimed, NewQuarantined, QuarantineCounts, QuarantineFilter, QuarantineLimits,
    QuarantineState, Quarantined, Quarantining, Trimmed,
};
pub use registrations::Registration;
pub use resolve::Lookup;
pub use sync::{OwnedId, Step, SyncPage, SyncedEntrance};

use directory_api::AssignedBy;
use sqlx::any::Any;
use sqlx::{AnyPool, Transaction};

/// A handle on the database; clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    reader: AnyPool,
    writer: AnyPool,
    backend: Backend,
    limits: Limits,
}

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// Why the store could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address of the database names neither SQLite nor PostgreSQL.
    #[error("`database` has to be `sqlite:` and a file, or `postgres://` and a server")]
    UnknownDatabase,
    /// The database did not do what it was asked, or is not there.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// The tables could not be brought to this version.
    #[error("the database could not be brought to this version")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A line of an import cannot be taken. Lines before it may have been.
    #[error("line {line}: {fault}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong with it.
        fault: LineFault,
    },
    /// What is imported could not be read, or what is exported not be written.
    #[error("the file failed")]
    File(#[from] std::io::Error),
    /// A column holds what this version never writes.
    #[error("column `{column}` holds what this version does not know")]
    UnknownValue {
        /// The column.
        column: &'static str,
    },
}

impl Store {
    /// Whether the database answers.
    ///
    /// # Errors
    /// If it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.reader).await?;
        Ok(())
    }

    /// Ends all connections, after what runs on them.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// A transaction that writes. On SQLite it waits here for its turn, rather than fail in the middle.
    async fn write(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(match self.backend {
            Backend::Sqlite => self.writer.begin_with("BEGIN IMMEDIATE").await?,
            Backend::Postgres => self.writer.begin().await?,
        })
    }
}

/// The number of a kind of id in the tables.
const fn number_of(kind: AssignedBy) -> i64 {
    match kind {
        AssignedBy::DeviceId => 0,
        AssignedBy::BridgeId => 1,
        AssignedBy::AccessCodeId => 2,
    }
}

/// The kind of id that a number of the tables means.
fn kind_of(number: i64) -> Result<AssignedBy, StoreError> {
    AssignedBy::ALL
        .into_iter()
        .find(|kind| number_of(*kind) == number)
        .ok_or(StoreError::UnknownValue { column: "kind" })
}
