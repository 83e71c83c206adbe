//! `GET /v1/unassigned`: what the filter asked for, lately, and nobody owns. What is remembered stands in `unassigned`.

use axum::Json;
use axum::extract::{RawQuery, State};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract;
use super::lists::{self, List};
use crate::problem::{Problem, ProblemBody};
use crate::service::{App, Shared};
use crate::store::{Lookup, Page};
use crate::unassigned::{Reason, Sighting, Which};

/// The query, for the document: it is read by `extract`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
struct Query {
    /// The source of the events.
    source: Option<String>,
    /// `unknown`, `conflict` or `contradiction`.
    reason: Option<String>,
}

/// Ids that led to no account. Times are Unix milliseconds.
#[derive(Serialize, ToSchema)]
#[schema(as = UnassignedIds)]
pub(super) struct Item {
    /// `unknown`: nobody owns any of them. `conflict`: their owners share no account. `contradiction`: an accepted event
    /// contradicted what links said of one of them, and those links are gone.
    reason: &'static str,
    /// The source of the event.
    source: String,
    #[schema(required = true)]
    device_id: Option<String>,
    #[schema(required = true)]
    bridge_id: Option<String>,
    #[schema(required = true)]
    access_code_id: Option<String>,
    /// How often the filter asked, or told. It remembers answers for a while: events can be more.
    times_seen: u64,
    first_seen_at: i64,
    last_seen_at: i64,
}

impl From<Sighting> for Item {
    fn from(sighting: Sighting) -> Self {
        let Sighting { number: _, reason, source, ids, times_seen, first_seen_at, last_seen_at } = sighting;
        let [device_id, bridge_id, access_code_id] = ids;
        let reason = reason.name();
        Self { reason, source, device_id, bridge_id, access_code_id, times_seen, first_seen_at, last_seen_at }
    }
}

/// What led to no account lately, newest first: the last 1,000 at most, as this process saw them since it began. What has
/// an account by now is left out, so that a page can be short and still have a next one.
#[utoipa::path(
    get,
    path = "/v1/unassigned",
    params(Query, lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<Item>),
        (status = 400, description = "A bad query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Json<List<Item>>, Problem> {
    let names = ["source", "reason", "limit", "page_cursor"];
    let [source, reason, limit, cursor] = extract::query(query.as_deref(), names)?;
    let source = extract::source(source)?;
    let expected = "`reason` has to be `unknown`, `conflict` or `contradiction`";
    let reason = extract::one_of(reason, Reason::of_name, expected)?;
    let which = Which { source: source.as_deref(), reason };
    let limit = lists::limit(limit)?;
    let expected = "`page_cursor` has to be what the page before gave";
    let before = extract::one_of(cursor, extract::digits, expected)?.unwrap_or(u64::MAX);
    // One more, to know whether there are more.
    let found = app.unassigned.before(which, before, usize::from(limit) + 1);
    let Page { items: found, next } = Page::of(found, limit, |last| last.number.to_string());
    let mut items = Vec::with_capacity(found.len());
    for sighting in found {
        if is_assigned_now(&app, &sighting).await? {
            app.unassigned.forget(&sighting.source, sighting.number);
        } else {
            items.push(sighting);
        }
    }
    Ok(List::of(Page { items, next }))
}

/// Somebody may have connected, or mended it, since.
async fn is_assigned_now(app: &Shared, sighting: &Sighting) -> Result<bool, Problem> {
    match sighting.reason {
        // It has an account by its other ids. What is told is that links went.
        Reason::Contradiction => Ok(false),
        Reason::Unknown | Reason::Conflict => {
            let lookup = app.store.resolve(&sighting.source, &sighting.ids()).await?;
            Ok(matches!(lookup, Lookup::Assigned { .. }))
        }
    }
}
