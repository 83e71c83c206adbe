//! `/health` and `/ready`: whether the process lives, and whether it can answer. Anyone may ask.

use axum::extract::State;

use crate::problem::{Problem, ProblemBody};
use crate::service::App;

/// The process lives.
#[utoipa::path(get, path = "/health", responses((status = 200, description = "It does", body = String)))]
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// The database answers; its tables are of this version since the service listens.
#[utoipa::path(
    get,
    path = "/ready",
    responses(
        (status = 200, description = "It does", body = String),
        (status = 503, description = "It does not", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn ready(State(app): State<App>) -> Result<&'static str, Problem> {
    app.store.ping().await?;
    Ok("ready\n")
}
