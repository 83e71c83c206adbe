//! `POST /v1/links`: ids that one accepted event carried together. What they teach stands in the store.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use directory_api::{Link, MAX_LINK_BYTES};
use utoipa::ToSchema;

use super::extract;
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::service::App;
use crate::unassigned::Reason;

/// Ids that one accepted event carried together: at least two.
#[derive(ToSchema)]
#[schema(as = Link)]
#[allow(dead_code, reason = "it describes")]
struct Body {
    /// The source of the event.
    source: String,
    /// Its device.
    device_id: Option<String>,
    /// Its bridge.
    bridge_id: Option<String>,
    /// Its access code.
    access_code_id: Option<String>,
}

/// An event of a verified source was accepted, and carried these ids.
#[utoipa::path(
    post,
    path = "/v1/links",
    request_body = Body,
    security(("bearer" = [])),
    responses(
        (status = 202, description = "Taken; what it teaches depends on who owns the ids"),
        (status = 400, description = "A bad body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "A large body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn learn(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let body = extract::json_body(request, MAX_LINK_BYTES).await?;
    let link = Link::from_json(&body).map_err(|error| Problem::new(Kind::BodyInvalid, error.to_string()))?;
    let now = clock::now_ms();
    let outcome = app.store.learn(&link.source, &link.ids(), now).await?;
    if outcome.contradicted > 0 {
        app.unassigned.saw(Reason::Contradiction, &link.source, &link.ids(), now);
    }
    app.metrics.learned(outcome);
    Ok(StatusCode::ACCEPTED)
}
