//! `GET /v1/resolve`: whose ids are. The rules stand in the store.

use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use directory_api::{Ids, Resolved, is_source};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::extract;
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::service::App;
use crate::store::Lookup;
use crate::unassigned::Reason;

/// The query, for the document: it is read by `extract`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
struct Query {
    /// The source of the event.
    source: String,
    /// The device of the event.
    device_id: Option<String>,
    /// Its bridge.
    bridge_id: Option<String>,
    /// Its access code.
    access_code_id: Option<String>,
}

/// The accounts of an event.
#[derive(Serialize, ToSchema)]
#[schema(as = Resolved)]
#[allow(dead_code, reason = "it describes")]
struct Answer {
    /// Sorted by id, at most 16; empty if no id is known.
    accounts: Vec<AnswerAccount>,
    /// `device_id`, `bridge_id` or `access_code_id`; absent if there are no accounts.
    #[schema(required = false, nullable = false)]
    assigned_by: Option<String>,
}

/// An owner.
#[derive(Serialize, ToSchema)]
#[schema(as = ResolvedAccount)]
#[allow(dead_code, reason = "it describes")]
struct AnswerAccount {
    /// Identifies the account.
    connected_account_id: String,
    /// The customer that it belongs to.
    #[schema(required = true)]
    customer_key: Option<String>,
}

/// Whose are these ids?
#[utoipa::path(
    get,
    path = "/v1/resolve",
    params(Query),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The accounts, possibly none", body = Answer),
        (status = 400, description = "A bad query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "The ids belong to different accounts", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn resolve(State(app): State<App>, RawQuery(query): RawQuery) -> Result<Response, Problem> {
    let names = ["source", "device_id", "bridge_id", "access_code_id"];
    let [source, device_id, bridge_id, access_code_id] = extract::query(query.as_deref(), names)?;
    let source = source
        .filter(|source| is_source(source))
        .ok_or_else(|| Problem::new(Kind::RequestInvalid, "`source` has to be the name of a source"))?;
    let device_id = extract::id("device_id", device_id)?;
    let bridge_id = extract::id("bridge_id", bridge_id)?;
    let access_code_id = extract::id("access_code_id", access_code_id)?;
    let ids = Ids {
        device_id: device_id.as_deref(),
        bridge_id: bridge_id.as_deref(),
        access_code_id: access_code_id.as_deref(),
    };
    if ids.present().next().is_none() {
        let detail = "one of `device_id`, `bridge_id` and `access_code_id` is needed";
        return Err(Problem::new(Kind::RequestInvalid, detail));
    }
    let (outcome, resolved) = match app.store.resolve(&source, &ids).await? {
        Lookup::Assigned { accounts, assigned_by } => {
            ("assigned", Ok(Resolved { accounts, assigned_by: Some(assigned_by) }))
        }
        Lookup::Unknown => {
            app.unassigned.saw(Reason::Unknown, &source, &ids, clock::now_ms());
            ("unknown", Ok(Resolved::default()))
        }
        Lookup::Conflict => {
            app.unassigned.saw(Reason::Conflict, &source, &ids, clock::now_ms());
            let detail = "the known ids share no account, or too many own them";
            ("conflict", Err(Problem::new(Kind::Conflict, detail)))
        }
    };
    app.metrics.resolved(outcome);
    Ok(([(CONTENT_TYPE, "application/json")], resolved?.to_json()).into_response())
}
