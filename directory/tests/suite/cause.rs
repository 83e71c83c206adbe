//! What a failing database says to operators, from the database itself.

use directory::Store;
use directory::store::Limits;

use super::Fresh;
use crate::database::{Database, NO_DATABASE, NO_TABLE};

#[tokio::test]
async fn a_failure_says_what_the_database_said() {
    let store = Fresh::new().await;
    let pool = sqlx::AnyPool::connect(&store.url()).await.unwrap();
    sqlx::query("DROP TABLE registrations").execute(&pool).await.unwrap();
    pool.close().await;
    let error = store.registrations().await.unwrap_err();
    assert_eq!(
        (error.to_string().as_str(), error.cause().as_deref()),
        ("the database failed", Some(NO_TABLE))
    );
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named() {
    let database = Database::new().await;
    let error = Store::open(&database.absent_url(), Limits::default()).await.unwrap_err();
    assert_eq!(error.cause().as_deref(), Some(NO_DATABASE));
}
