//! `GET /v1/overview`: how the directory is, in a few numbers. Dashboards have `/metrics`, which has all of them.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract;
use crate::clock;
use crate::problem::{Problem, ProblemBody};
use crate::service::App;

/// How the directory is. Times are Unix milliseconds.
#[derive(Serialize, ToSchema)]
pub(super) struct Overview {
    /// When this process began: what it counts counts from there.
    started_at: i64,
    /// How many connected accounts there are.
    accounts: i64,
    #[schema(required = true)]
    sync: Option<Sync>,
    questions: Questions,
    links: Links,
    #[schema(required = true)]
    quarantine: Option<Quarantine>,
}

/// Sync jobs; null without a Seam API.
#[derive(Serialize, ToSchema)]
struct Sync {
    /// All of them, those that are due in hours included.
    jobs: i64,
    /// Due and not begun.
    due: i64,
    /// Whose last attempt failed.
    failing: i64,
}

/// Questions of the filter, whose ids are: those that this process answered.
#[derive(Serialize, ToSchema)]
struct Questions {
    assigned: u64,
    unknown: u64,
    conflict: u64,
}

/// What events taught this process.
#[derive(Serialize, ToSchema)]
struct Links {
    stored: u64,
    known: u64,
    /// Contradictions: all that links said of an id is gone.
    contradicted: u64,
    full: u64,
}

/// How full the quarantine is; null if none is configured.
#[derive(Serialize, ToSchema)]
#[schema(as = QuarantineOverview)]
struct Quarantine {
    waiting: i64,
    replayed: i64,
    bytes: i64,
    max_events: i64,
    max_bytes: i64,
    /// An event that was not seen for so long goes, replayed or not.
    max_age_ms: i64,
    /// When the event that waits longest was last seen.
    #[schema(required = true)]
    oldest_waiting_at: Option<i64>,
    /// Whether there is an edge to replay at.
    can_replay: bool,
}

/// How the directory is.
#[utoipa::path(
    get,
    path = "/v1/overview",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "How it is", body = Overview),
        (status = 400, description = "A query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn overview(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<Overview>, Problem> {
    extract::query(query.as_deref(), [])?;
    let sync = match &app.seam {
        None => None,
        Some(_) => {
            let counts = app.store.job_counts(clock::now_ms()).await?;
            Some(Sync { jobs: counts.jobs, due: counts.due, failing: counts.failing })
        }
    };
    let quarantine = match &app.quarantine {
        None => None,
        Some(side) => {
            let counts = app.store.quarantine_counts().await?;
            Some(Quarantine {
                waiting: counts.waiting,
                replayed: counts.replayed,
                bytes: counts.bytes,
                max_events: side.limits.events,
                max_bytes: side.limits.bytes,
                max_age_ms: side.limits.age_ms,
                oldest_waiting_at: counts.oldest_waiting,
                can_replay: side.replayer.is_some(),
            })
        }
    };
    let metrics = &app.metrics;
    Ok(Json(Overview {
        started_at: app.started_at,
        accounts: app.store.account_count().await?,
        sync,
        questions: Questions {
            assigned: metrics.n_resolved("assigned"),
            unknown: metrics.n_resolved("unknown"),
            conflict: metrics.n_resolved("conflict"),
        },
        links: Links {
            stored: metrics.n_learned("stored"),
            known: metrics.n_learned("known"),
            contradicted: metrics.n_learned("contradicted"),
            full: metrics.n_learned("full"),
        },
        quarantine,
    }))
}
