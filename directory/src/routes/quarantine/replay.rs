//! Replaying events that were set aside. What a replay is stands in `quarantine`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, Request, State};
use serde::{Deserialize, Serialize};
use tokio::task::JoinError;
use utoipa::ToSchema;

use super::{Id, absent, busy, number, path_id, side};
use crate::StoreError;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::quarantine::{Outcome, QuarantineSide, Replayed, Replayer};
use crate::routes::extract;
use crate::routes::lists::List;
use crate::service::App;
use crate::store::Page;

/// The most events of one call.
const MOST: u16 = 100;

const MAX_BODY_BYTES: usize = 4096;
/// The body is flat.
const DEPTH: usize = 2;

/// What came of the replay of one event.
#[derive(Serialize, ToSchema)]
#[schema(as = Replay)]
pub(in crate::routes) struct Item {
    id: i64,
    /// `replayed`: the edge has accepted it. `refused`: it has not. `unreachable`: it did not answer, and may have it.
    /// In lists also `busy`, `absent`, and `not_tried`.
    outcome: &'static str,
    /// What the edge answered.
    #[schema(required = true)]
    status: Option<u16>,
    /// The cause that it gave, if it gave one.
    #[schema(required = true)]
    cause: Option<&'static str>,
}

impl From<Replayed> for Item {
    fn from(replayed: Replayed) -> Self {
        let Replayed { id, outcome, status, cause } = replayed;
        Self { id, outcome: outcome.name(), status, cause }
    }
}

/// Which waiting events to replay. All members can be left out.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ReplayOfMany)]
struct Which {
    /// Who sent them.
    source: Option<String>,
    /// Why they were not forwarded.
    cause: Option<String>,
    /// The most events, 1 to 100; 100 if it is left out.
    limit: Option<u16>,
    /// What the call before gave as `next_page_cursor`.
    page_cursor: Option<String>,
}

fn replayer(side: &QuarantineSide) -> Result<Replayer, Problem> {
    let absent = || Problem::new(Kind::NotFound, "the configuration has no `quarantine.edge_url`");
    side.replayer.clone().ok_or_else(absent)
}

fn overloaded() -> Problem {
    Problem::new(Kind::Overloaded, "others are replaying: come again in a moment")
}

/// A task's end. It is nobody's to stop, and does not panic.
fn ended<T>(ended: Result<Result<T, StoreError>, JoinError>) -> Result<T, Problem> {
    Ok(ended.map_err(|_| Problem::new(Kind::Unavailable, "the replay broke off"))??)
}

/// Replays an event, also one that was replayed before. The answer tells what the edge made of it.
#[utoipa::path(
    post,
    path = "/v1/quarantine/{id}/replay",
    params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "It was tried", body = Item),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such event, or no edge", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is being replayed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(in crate::routes) async fn one(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<Item>, Problem> {
    let side = side(&app)?;
    extract::query(query.as_deref(), [])?;
    let id = path_id(id)?;
    let replayer = replayer(side)?;
    let room = Arc::clone(&side.singles).try_acquire_owned().map_err(|_| overloaded())?;
    // A caller that goes away does not undo what the edge has accepted.
    let task = tokio::spawn(async move {
        let _room = room;
        replayer.one(id).await
    });
    let replayed = ended(task.await)?;
    match replayed.outcome {
        Outcome::Busy => Err(busy()),
        Outcome::Absent => Err(absent()),
        Outcome::Replayed | Outcome::Refused | Outcome::Unreachable | Outcome::NotTried => {
            Ok(Json(replayed.into()))
        }
    }
}

/// Replays waiting events, oldest first, some at a time; those of one partition key in order. When the edge does not
/// answer for one, or after 40 seconds, no more are begun.
#[utoipa::path(
    post,
    path = "/v1/quarantine/replay",
    request_body = Which,
    security(("bearer" = [])),
    responses(
        (status = 200, description = "What came of each", body = List<Item>),
        (status = 400, description = "A bad body or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "There is no edge", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "A large body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(in crate::routes) async fn many(
    State(app): State<App>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Json<List<Item>>, Problem> {
    let side = side(&app)?;
    extract::query(query.as_deref(), [])?;
    let which = read(&extract::json_body(request, MAX_BODY_BYTES).await?)?;
    let (source, cause) = (extract::source(which.source)?, super::cause(which.cause)?);
    let limit = Some(which.limit.unwrap_or(MOST)).filter(|limit| (1..=MOST).contains(limit));
    let limit = limit.ok_or_else(|| {
        Problem::new(Kind::BodyInvalid, format!("`limit` has to be a whole number from 1 to {MOST}"))
    })?;
    let after = which.page_cursor.map_or(Ok(0), |cursor| number("page_cursor", &cursor))?;
    let replayer = replayer(side)?;
    let room = Arc::clone(&side.many).try_acquire_owned().map_err(|_| overloaded())?;
    let task = tokio::spawn(async move {
        let _room = room;
        replayer.many(source.as_deref(), cause.as_deref(), after, limit).await
    });
    let replays = ended(task.await)?;
    Ok(List::of(Page { items: replays.events, next: replays.next.map(|id| id.to_string()) }))
}

/// One object of these members, each at most once.
fn read(body: &[u8]) -> Result<Which, Problem> {
    let value = event_core::json::parse(body, DEPTH).ok().filter(serde_json::Value::is_object);
    let which = value.and_then(|value| serde_json::from_value(value).ok());
    which.ok_or_else(|| {
        let detail =
            "the body has to be an object of `source`, `cause`, `limit` and `page_cursor`, and nothing else";
        Problem::new(Kind::BodyInvalid, detail)
    })
}
