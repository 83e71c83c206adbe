//! Opening the database: its connections, their settings, the migrations. It knows no table.

use std::num::NonZeroU32;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, ConnectOptions, Connection, Executor};

use super::{Backend, Store, StoreError};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// How long a request waits for a connection before it fails.
const ACQUIRE: Duration = Duration::from_secs(5);

/// A connection that was idle for longer is tried before it is used: the server may have gone meanwhile.
const TRUSTED_IDLE: Duration = Duration::from_secs(2);

/// A process waits so long for another one that writes, e.g. an import beside the service.
const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 30000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                             PRAGMA cache_size = -16384";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = 1; PRAGMA cache_size = -8192";

/// What bounds the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many links one source can have. When it has them all, new ones are refused until old ones go.
    pub links_per_source: u64,
    /// How many connections read at a time; on PostgreSQL, how many there are.
    pub connections: NonZeroU32,
}

impl Default for Limits {
    fn default() -> Self {
        const CONNECTIONS: NonZeroU32 = NonZeroU32::new(4).unwrap();
        Self { links_per_source: 1_000_000, connections: CONNECTIONS }
    }
}

impl Store {
    /// Connects and brings the tables to this version. `url` is `sqlite:FILE` (made if absent) or `postgres://…`.
    ///
    /// # Errors
    /// If it names no database of these, or the database is not there or not usable.
    pub async fn open(url: &str, limits: Limits) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let (backend, url) = parse(url)?;
        let options: AnyConnectOptions = url.parse().map_err(|_| StoreError::UnknownDatabase)?;
        // The statements of this program are known; what they are given is not for the log.
        let options = options.disable_statement_logging();
        let (writer, reader) = match backend {
            Backend::Postgres => {
                let pool = pool(limits.connections.get(), None).connect_with(options).await?;
                (pool.clone(), pool)
            }
            Backend::Sqlite => {
                let writer = pool(1, Some(SQLITE_WRITER)).connect_with(options.clone()).await?;
                let reader =
                    pool(limits.connections.get(), Some(SQLITE_READER)).connect_with(options).await?;
                (writer, reader)
            }
        };
        MIGRATIONS.run(&writer).await?;
        Ok(Self { reader, writer, backend, limits })
    }
}

/// The kind of database, and its address with what the driver wants to be told.
fn parse(url: &str) -> Result<(Backend, String), StoreError> {
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Ok((Backend::Postgres, url.to_owned()));
    }
    let file = url.strip_prefix("sqlite:").ok_or(StoreError::UnknownDatabase)?;
    // Connections would each have a database of their own.
    if file.is_empty() || file.contains(":memory:") || file.contains('?') {
        return Err(StoreError::UnknownDatabase);
    }
    Ok((Backend::Sqlite, format!("{url}?mode=rwc")))
}

fn pool(connections: u32, settings: Option<&'static str>) -> AnyPoolOptions {
    let options = AnyPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .before_acquire(|connection: &mut AnyConnection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        });
    let Some(settings) = settings else { return options };
    options.after_connect(move |connection: &mut AnyConnection, _| {
        Box::pin(async move {
            connection.execute(settings).await?;
            Ok(())
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_of_sqlite_or_a_server_of_postgresql_is_taken() {
        assert_eq!(parse("sqlite:a.db").unwrap(), (Backend::Sqlite, "sqlite:a.db?mode=rwc".to_owned()));
        assert_eq!(parse("postgres://h/d").unwrap().0, Backend::Postgres);
        for other in ["", "a.db", "mysql://h/d", "sqlite:", "sqlite::memory:", "sqlite:a?mode=ro"] {
            assert!(matches!(parse(other), Err(StoreError::UnknownDatabase)), "{other}");
        }
    }
}
