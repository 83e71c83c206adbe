//! `/v1/quarantine…`: where the filter sets events aside, and what operators see of them. No answer holds a body as it came.

mod headers;
pub(super) mod replay;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::StatusCode;
use utoipa::IntoParams;

use super::extract;
use super::lists::{self, List};
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::quarantine::{Entry, QuarantineSide, Shown};
use crate::service::{App, Shared};
use crate::store::{Claim, NewQuarantined, Page, QuarantineFilter, QuarantineState, Quarantining};

/// Bytes of the largest event that is taken.
const MAX_BODY_BYTES: usize = 1 << 20;

/// The parameter of the path.
type Id = Result<Path<String>, PathRejection>;

/// The query of the list, for the document: it is read by `extract`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
struct Query {
    /// Who sent the events.
    source: Option<String>,
    /// Why they were not forwarded.
    cause: Option<String>,
    /// `waiting` or `replayed`.
    state: Option<String>,
}

fn side(app: &Shared) -> Result<&QuarantineSide, Problem> {
    let absent = || Problem::new(Kind::NotFound, "the configuration has no `quarantine`");
    app.quarantine.as_ref().ok_or_else(absent)
}

fn absent() -> Problem {
    Problem::new(Kind::NotFound, "no quarantined event has this id")
}

fn busy() -> Problem {
    Problem::new(Kind::ReplayRunning, "the event is being replayed: come again in a moment")
}

/// A number of an event, as lists and cursors have it.
fn number(name: &'static str, text: &str) -> Result<i64, Problem> {
    extract::digits(text).ok_or_else(|| {
        Problem::new(Kind::RequestInvalid, format!("`{name}` has to be the number of an event"))
    })
}

fn path_id(id: Id) -> Result<i64, Problem> {
    number("id", id.as_ref().map_or("", |path| &path.0))
}

/// A cause to look for.
fn cause(cause: Option<String>) -> Result<Option<String>, Problem> {
    extract::named("cause", cause, headers::is_cause)
}

/// An event that the filter does not forward: keeps it, byte by byte.
///
/// The answer comes when it is on disk. The query of the address is left alone. The same bytes with the same id are kept
/// once; they wait again, with the newer cause.
#[utoipa::path(
    post,
    path = "/v1/quarantine",
    params(
        ("x-event-id" = String, Header, description = "As the filter names the event"),
        ("x-event-source" = String, Header, description = "Who sent it"),
        ("x-event-environment" = String, Header, description = "Of the edge that it came through"),
        ("x-event-cause" = String, Header, description = "Why it is not forwarded"),
        ("x-envoy-original-path" = String, Header, description = "Path and query that it was sent to"),
        ("content-type" = String, Header, description = "The media type that it was sent with"),
        ("x-event-type" = Option<String>, Header, description = "If it could be read"),
        ("x-event-timestamp" = Option<String>, Header, description = "If it could be read"),
        ("x-device-id" = Option<String>, Header, description = "If it could be read"),
        ("x-bridge-id" = Option<String>, Header, description = "If it could be read"),
        ("x-access-code-id" = Option<String>, Header, description = "If it could be read"),
        ("x-event-partition-key" = Option<String>, Header, description = "Those with the same one are kept in order"),
    ),
    request_body(content = Vec<u8>, content_type = "*/*", description = "The event as it came: any bytes, or none"),
    security(("bearer" = [])),
    responses(
        (status = 202, description = "Kept"),
        (status = 400, description = "A bad header", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It is not configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "A large body", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "No room, or come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn take(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let side = side(&app)?;
    let headers = request.headers().clone();
    let event = headers::read(&headers)?;
    let body = extract::body(request, MAX_BODY_BYTES).await?;
    let event = NewQuarantined { body: &body, ..event };
    let outcome = app.store.quarantine(&event, side.limits, clock::now_ms()).await?;
    side.metrics.taken(outcome, event.cause);
    match outcome {
        Quarantining::Stored { .. } | Quarantining::Again { .. } => Ok(StatusCode::ACCEPTED),
        Quarantining::Full => {
            tracing::warn!(source = event.source, "the quarantine has no room");
            Err(Problem::new(
                Kind::QuarantineFull,
                "replay or drop events, or raise the bounds of `quarantine`",
            ))
        }
    }
}

/// Events that were set aside, in the order in which they first came.
#[utoipa::path(
    get,
    path = "/v1/quarantine",
    params(Query, lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<Entry>),
        (status = 400, description = "A bad query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "It is not configured", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<Entry>>, Problem> {
    side(&app)?;
    let names = ["source", "cause", "state", "limit", "page_cursor"];
    let [source, cause, state, limit, cursor] = extract::query(query.as_deref(), names)?;
    let (source, cause) = (extract::source(source)?, self::cause(cause)?);
    let expected = "`state` has to be `waiting` or `replayed`";
    let state = extract::one_of(state, QuarantineState::of_name, expected)?;
    let filter = QuarantineFilter { source: source.as_deref(), cause: cause.as_deref(), state };
    let limit = lists::limit(limit)?;
    let after = cursor.map_or(Ok(0), |cursor| number("page_cursor", &cursor))?;
    // One more, to know whether there are more.
    let items = app.store.quarantined_after(filter, after, limit + 1).await?;
    Ok(List::of(Page::of(items, limit, |item| item.id.to_string())))
}

/// An event that was set aside. Codes, PINs and the like in its body are hidden.
#[utoipa::path(
    get,
    path = "/v1/quarantine/{id}",
    params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The event", body = Shown),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such event", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn show(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<Shown>, Problem> {
    side(&app)?;
    extract::query(query.as_deref(), [])?;
    let (event, body) = app.store.quarantined(path_id(id)?).await?.ok_or_else(absent)?;
    Ok(Json(Shown::new(event, &body)))
}

/// Removes an event for good, replayed or not.
#[utoipa::path(
    delete,
    path = "/v1/quarantine/{id}",
    params(("id" = i64, Path)),
    security(("bearer" = [])),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such event", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "It is being replayed", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn remove(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let side = side(&app)?;
    extract::query(query.as_deref(), [])?;
    match app.store.drop_quarantined(path_id(id)?, clock::now_ms()).await? {
        Claim::Taken(()) => {
            side.metrics.dropped();
            Ok(StatusCode::NO_CONTENT)
        }
        Claim::Busy => Err(busy()),
        Claim::Absent => Err(absent()),
    }
}
