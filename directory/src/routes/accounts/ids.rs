//! `/v1/accounts/{id}/ids`: every id that makes an account the owner of an event. Links that events taught are not among
//! them: those belong to no account, but to other ids.

use axum::Json;
use axum::extract::{RawQuery, State};
use directory_api::{AssignedBy, is_id, is_source};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{Id, find};
use crate::problem::{Kind, Problem, ProblemBody};
use crate::routes::extract;
use crate::routes::lists::{self, List};
use crate::service::App;
use crate::store::{OwnedHere, OwnedPlace, Page};

/// The query, for the document: it is read by `extract`.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it describes")]
struct Query {
    /// `device_id`, `bridge_id` or `access_code_id`; all of them if it is left out.
    kind: Option<String>,
}

/// An id of an account.
#[derive(Serialize, ToSchema)]
#[schema(as = OwnedId)]
pub(in crate::routes) struct OwnedIdItem {
    /// `device_id`, `bridge_id` or `access_code_id`.
    kind: &'static str,
    id: String,
    /// The source whose events it appears in; null: every source.
    #[schema(required = true)]
    source: Option<String>,
}

impl From<OwnedHere> for OwnedIdItem {
    fn from(owned: OwnedHere) -> Self {
        let source = Some(owned.source).filter(|source| !source.is_empty());
        Self { kind: owned.kind.name(), id: owned.id, source }
    }
}

/// A cursor: the last id of the page, behind its kind and source, which have no colon.
fn cursor(last: &OwnedHere) -> String {
    format!("{}:{}:{}", last.kind.name(), last.source, last.id)
}

fn place(cursor: &str) -> Option<OwnedPlace<'_>> {
    let (kind, rest) = cursor.split_once(':')?;
    let (source, id) = rest.split_once(':')?;
    let is_place = (source.is_empty() || is_source(source)) && is_id(id);
    kind_of(kind).filter(|_| is_place).map(|kind| OwnedPlace { kind, source, id })
}

fn kind_of(name: &str) -> Option<AssignedBy> {
    AssignedBy::ALL.into_iter().find(|kind| kind.name() == name)
}

/// Its ids, by kind, source and id: what it was imported with, or what its syncs found.
#[utoipa::path(
    get,
    path = "/v1/accounts/{connected_account_id}/ids",
    params(("connected_account_id" = String, Path), Query, lists::Parameters),
    security(("bearer" = [])),
    responses(
        (status = 200, description = "A page of them", body = List<OwnedIdItem>),
        (status = 400, description = "A bad path or query", body = ProblemBody, content_type = "application/problem+json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such account", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(in crate::routes) async fn ids(
    State(app): State<App>,
    id: Id,
    RawQuery(query): RawQuery,
) -> Result<Json<List<OwnedIdItem>>, Problem> {
    let [kind, limit, after] = extract::query(query.as_deref(), ["kind", "limit", "page_cursor"])?;
    let expected = "`kind` has to be `device_id`, `bridge_id` or `access_code_id`";
    let kind = extract::one_of(kind, kind_of, expected)?;
    let limit = lists::limit(limit)?;
    let bad = || Problem::new(Kind::RequestInvalid, "`page_cursor` has to be what the page before gave");
    let after = after.as_deref().map(|cursor| place(cursor).ok_or_else(bad)).transpose()?;
    let account = find(&app, id).await?;
    // One more, to know whether there are more.
    let items = app.store.owned_ids(&account.connected_account_id, kind, after, limit + 1).await?;
    Ok(List::of(Page::of(items, limit, cursor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_id_whatever_that_holds() {
        for (source, id) in [("acme", "a:b::c"), ("", ":"), ("a-1_b", "\u{e4} <b>")] {
            let last = OwnedHere { source: source.to_owned(), kind: AssignedBy::BridgeId, id: id.to_owned() };
            let expected = OwnedPlace { kind: AssignedBy::BridgeId, source, id };
            assert_eq!(place(&cursor(&last)), Some(expected));
        }
        for bad in ["", "device_id", "device_id:acme", "device_id:acme:", "device_id:Acme:x", "x:acme:y"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
