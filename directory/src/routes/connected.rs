//! `GET /connected`: where a Connect Webview sends the customer's browser at its end. It believes nothing of the query but
//! the id, and asks the API about that.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::response::{IntoResponse, Response};
use directory_api::is_id;
use seam::{Error, WebviewStatus};

use super::webhooks::not_configured;
use crate::clock;
use crate::problem::{Kind, Problem, ProblemBody};
use crate::service::App;
use crate::webhook::{Hint, Reason};

/// What Seam adds to the address.
const ID: &str = "connect_webview_id";

/// The end of a Connect Webview: stores its account and asks for a sync, even if no webhook ever comes.
#[utoipa::path(
    get,
    path = "/connected",
    params(("connect_webview_id" = String, Query, description = "Added by Seam")),
    responses(
        (status = 200, description = "A page for the customer", content_type = "text/html", body = String),
        (status = 400, description = "No usable id", body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, description = "No such webview", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Come again", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn connected(
    State(app): State<App>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let seam = app.seam.as_ref().ok_or_else(not_configured)?;
    let id = webview_id(query.as_deref().unwrap_or_default()).ok_or_else(|| {
        Problem::new(Kind::RequestInvalid, "the query has to have one `connect_webview_id`")
    })?;
    let room = seam.lookups.try_acquire();
    let _room = room.map_err(|_| Problem::new(Kind::Overloaded, "come again in a moment"))?;
    let webview = match seam.api.connect_webview(&id).await {
        Ok(webview) => webview,
        Err(Error::NotFound { .. }) => return Err(Problem::new(Kind::NotFound, "there is no such webview")),
        Err(error) => {
            tracing::warn!(%error, "a webview could not be looked up");
            return Err(Problem::new(Kind::Unavailable, "the Seam API does not answer"));
        }
    };
    let text = match (webview.status, webview.connected_account_id) {
        (WebviewStatus::Authorized, Some(connected_account_id)) => {
            let reason =
                Reason::Connected { customer_key: webview.customer_key, connect_webview_id: Some(id) };
            Hint { connected_account_id, reason }.apply(&app.store, clock::now_ms()).await?;
            seam.wake();
            "The account is connected. You can close this page."
        }
        (WebviewStatus::Failed, _) => "The account could not be connected. Please try again.",
        (_, _) => "The account is not connected yet. Please finish signing in, then load this page again.",
    };
    Ok(page(text))
}

/// The one id of the query. Other parameters are Seam's own matter.
fn webview_id(query: &str) -> Option<String> {
    let mut ids = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == ID);
    let id = match (ids.next(), ids.next()) {
        (Some((_, id)), None) => id.into_owned(),
        (_, _) => return None,
    };
    is_id(&id).then_some(id)
}

/// A page of one sentence. Nothing in it comes from the request.
fn page(text: &str) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ];
    let body = format!("<!doctype html>\n<html lang=\"en\"><title>Bellhop</title><p>{text}</p></html>\n");
    (StatusCode::OK, headers, body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_id_is_taken_and_the_rest_of_the_query_left_alone() {
        let of = |query: &str| webview_id(query);
        assert_eq!(of("connect_webview_id=w%201&state=x").as_deref(), Some("w 1"));
        for none in [
            "",
            "connect_webview_id=",
            "connect_webview_id=a&connect_webview_id=b",
            "id=a",
            "connect_webview_id=%0A",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }
}
