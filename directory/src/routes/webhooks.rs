//! `POST /webhooks/seam`: what Seam tells of accounts. What follows from it stands in `webhook` and `sync`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use utoipa::ToSchema;

use super::extract;
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::service::App;
use crate::webhook::{Hint, NoHint};

/// Bytes of the largest webhook.
const MAX_BODY_BYTES: usize = 1 << 20;

/// An event of Seam. Its other members are left alone.
#[derive(ToSchema)]
#[schema(as = SeamEvent)]
#[allow(dead_code, reason = "it describes")]
struct Body {
    /// What happened.
    event_type: String,
    /// The account that it is about.
    connected_account_id: Option<String>,
    /// The customer's own key, where Seam sends it.
    customer_key: Option<String>,
    /// The webview that the account was connected through.
    connect_webview_id: Option<String>,
}

/// A webhook of Seam, signed by Svix with one of `seam.webhook_secrets`.
///
/// Taken is every type: those that change who owns what cause a sync, the rest is counted.
#[utoipa::path(
    post,
    path = "/webhooks/seam",
    request_body = Body,
    responses(
        (status = 204, description = "Taken"),
        (status = 400, description = "Signed, and no event", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No valid signature", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "Seam is not configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "A large body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn receive(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let seam = app.seam.as_ref().ok_or_else(not_configured)?;
    let headers = request.headers().clone();
    let body = extract::json_body(request, MAX_BODY_BYTES).await?;
    if let Err(why) = seam.signatures.verify(&headers, &body) {
        seam.metrics.count_webhook(why.name());
        tracing::warn!(%why, "a webhook was not believed");
        // The same whatever the reason.
        return Err(Problem::new(Kind::SignatureInvalid, "the webhook is not signed as it has to be"));
    }
    match Hint::read(&body) {
        Ok(hint) => {
            hint.apply(&app.store, clock::now_ms()).await?;
            seam.wake();
            seam.metrics.count_webhook("taken");
        }
        Err(NoHint::Irrelevant) => seam.metrics.count_webhook("irrelevant"),
        Err(NoHint::NoAccount) => seam.metrics.count_webhook("no_account"),
        Err(NoHint::Malformed(_)) => {
            seam.metrics.count_webhook("malformed");
            return Err(Problem::new(Kind::BodyInvalid, "the body has to be an event of Seam"));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

pub(super) fn not_configured() -> Problem {
    Problem::new(Kind::NotFound, "the configuration has no `seam`")
}
