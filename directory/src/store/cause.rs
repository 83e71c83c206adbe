//! What a failure of the database means for whoever runs it: its code, and its message where that cannot hold a value of a
//! row. It does not judge whether to try again.

use sqlx::error::DatabaseError;
use sqlx::migrate::MigrateError;

use super::StoreError;

/// Classes of SQLSTATE whose messages are about the server, its connections and who may use them: none names a row.
/// PostgreSQL's other messages can, e.g. `invalid input syntax for type bigint: "…"`.
const ABOUT_THE_SERVER: [&str; 8] = ["08", "28", "3D", "53", "55", "57", "58", "XX"];

impl StoreError {
    /// What the database has said, for the log of an operator; `None` if the error itself says all.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        match self {
            Self::Database(error) => Some(of_driver(error)),
            Self::Migration(error) => Some(of_migration(error)),
            Self::File(error) => Some(error.to_string()),
            Self::UnknownDatabase | Self::Line { .. } | Self::UnknownValue { .. } => None,
        }
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "sqlx adds variants at will")]
fn of_migration(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) => of_driver(error),
        MigrateError::ExecuteMigration(error, version) => {
            format!("migration {version}: {}", of_driver(error))
        }
        // They name versions.
        other => other.to_string(),
    }
}

#[allow(clippy::wildcard_enum_match_arm, reason = "sqlx adds variants at will")]
fn of_driver(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => of_database(error.as_ref()),
        // What the system says of a connection.
        sqlx::Error::Io(error) => error.to_string(),
        sqlx::Error::Tls(error) => format!("TLS: {error}"),
        sqlx::Error::PoolTimedOut => {
            "no connection was free in time, or the server cannot be reached".to_owned()
        }
        sqlx::Error::PoolClosed => "the service ends".to_owned(),
        sqlx::Error::WorkerCrashed => "the database's thread broke off".to_owned(),
        sqlx::Error::ColumnDecode { index, .. } => format!("column {index} cannot be read"),
        // Their texts can hold what was read or sent.
        sqlx::Error::Protocol(_) => "the server does not speak as it has to".to_owned(),
        _ => "the driver failed".to_owned(),
    }
}

fn of_database(error: &dyn DatabaseError) -> String {
    let Some(code) = error.code() else { return "no code".to_owned() };
    // SQLSTATE has five characters; the codes of SQLite are numbers of up to four, and its messages name tables and columns.
    let is_sqlstate = code.len() == 5;
    let may_speak = !is_sqlstate || ABOUT_THE_SERVER.iter().any(|class| code.starts_with(class));
    if may_speak { format!("code {code}: {}", error.message()) } else { format!("code {code}") }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::error::Error;
    use std::fmt;

    use super::*;

    /// What a server could say.
    #[derive(Debug)]
    struct Said(&'static str, &'static str);

    impl fmt::Display for Said {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.1)
        }
    }

    impl Error for Said {}

    impl DatabaseError for Said {
        fn message(&self) -> &str {
            self.1
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> sqlx::error::ErrorKind {
            sqlx::error::ErrorKind::Other
        }
    }

    #[test]
    fn a_message_is_shown_where_it_cannot_hold_a_value() {
        for (code, message, shown) in [
            ("57P01", "terminating connection", "code 57P01: terminating connection"),
            ("53300", "too many clients", "code 53300: too many clients"),
            ("22P02", "invalid input syntax: \"property-456\"", "code 22P02"),
            ("23505", "duplicate key", "code 23505"),
            (
                "2067",
                "UNIQUE constraint failed: accounts.id",
                "code 2067: UNIQUE constraint failed: accounts.id",
            ),
        ] {
            let error = StoreError::from(sqlx::Error::Database(Box::new(Said(code, message))));
            assert_eq!(error.cause().as_deref(), Some(shown));
        }
        let error = StoreError::from(sqlx::Error::Protocol("property-456".to_owned()));
        assert!(!error.cause().unwrap().contains("property"));
    }
}
