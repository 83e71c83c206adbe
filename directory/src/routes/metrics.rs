//! `/metrics`: what the service counts.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::problem::{Problem, ProblemBody};
use crate::service::App;
use crate::{clock, metrics};

/// What the service counts, for Prometheus.
#[utoipa::path(
    get,
    path = "/metrics",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "OpenMetrics text", content_type = "application/openmetrics-text", body = String),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn metrics(State(app): State<App>) -> Result<Response, Problem> {
    app.metrics.set_jobs(app.store.job_counts(clock::now_ms()).await?);
    if let Some(quarantine) = &app.quarantine {
        quarantine.metrics.set(app.store.quarantine_counts().await?, clock::now_ms());
    }
    Ok(([(CONTENT_TYPE, metrics::MEDIA_TYPE)], app.metrics.encode()).into_response())
}
