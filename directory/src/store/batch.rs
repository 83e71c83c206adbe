//! Inserting many rows with one statement. It knows no table.

use sqlx::any::{Any, AnyArguments};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Transaction};

use super::StoreError;

/// Parameters in one statement: SQLite takes 32,766, PostgreSQL 65,535, and larger statements are no faster.
const N_PARAMETERS: usize = 1000;

/// A value of a row.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value<'a> {
    Text(&'a str),
    OptionalText(Option<&'a str>),
    Number(i64),
}

/// `INSERT INTO {table and columns} VALUES … {what follows}`.
pub(super) struct Insert {
    pub(super) into: &'static str,
    pub(super) then: &'static str,
}

impl Insert {
    /// Inserts all rows. What follows `VALUES` may allow no row to come twice: the caller sees to it.
    pub(super) async fn run<const N: usize>(
        &self,
        transaction: &mut Transaction<'static, Any>,
        rows: &[[Value<'_>; N]],
    ) -> Result<(), StoreError> {
        let n_rows = const { N_PARAMETERS / N };
        for chunk in rows.chunks(n_rows) {
            let values = tuples(chunk.len(), N);
            let sql = format!("INSERT INTO {} VALUES {values} {}", self.into, self.then);
            // Full statements are all alike: worth keeping prepared.
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(chunk.len() == n_rows);
            chunk.iter().flatten().fold(query, bind).execute(&mut **transaction).await?;
        }
        Ok(())
    }
}

fn bind<'q>(query: Query<'q, Any, AnyArguments>, value: &Value<'_>) -> Query<'q, Any, AnyArguments> {
    match value {
        Value::Text(text) => query.bind(storable(text)),
        Value::OptionalText(text) => query.bind(text.map(storable)),
        Value::Number(number) => query.bind(*number),
    }
}

/// PostgreSQL takes no NUL in a text. Ids have none; names that people gave to devices may.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// `($1,$2),($3,$4)`.
fn tuples(n_rows: usize, n_columns: usize) -> String {
    let row = |row: usize| format!("({})", placeholders(row * n_columns + 1, n_columns));
    (0..n_rows).map(row).collect::<Vec<_>>().join(",")
}

/// `$3,$4,$5`.
pub(super) fn placeholders(first: usize, count: usize) -> String {
    (first..first + count).map(|number| format!("${number}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_numbered_through() {
        assert_eq!(tuples(2, 3), "($1,$2,$3),($4,$5,$6)");
        assert_eq!(placeholders(2, 2), "$2,$3");
    }
}
