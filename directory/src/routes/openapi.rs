//! The OpenAPI document. It is made from the routes themselves.

use axum::Extension;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::{console, inspect};
use crate::problem::ProblemBody;

/// Paths of routes, as labels of metrics: a label that came from a request would let anyone make metrics.
const ROUTES: [&str; 21] = [
    "/connected",
    "/health",
    "/metrics",
    "/openapi.json",
    "/ready",
    "/v1/accounts",
    "/v1/accounts/{connected_account_id}",
    "/v1/accounts/{connected_account_id}/acs_entrances",
    "/v1/accounts/{connected_account_id}/acs_systems",
    "/v1/accounts/{connected_account_id}/devices",
    "/v1/accounts/{connected_account_id}/ids",
    "/v1/customers/{customer_key}/accounts",
    "/v1/links",
    "/v1/overview",
    "/v1/quarantine",
    "/v1/quarantine/replay",
    "/v1/quarantine/{id}",
    "/v1/quarantine/{id}/replay",
    "/v1/resolve",
    "/v1/unassigned",
    "/webhooks/seam",
];

/// Paths of pages: all files of one are one label.
const PAGES: [&str; 2] = [console::PATH, inspect::PATH];

/// The route as a label.
pub(super) fn known(path: &str) -> &'static str {
    let is_of =
        |page: &&str| path.strip_prefix(*page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let page = || PAGES.into_iter().find(is_of);
    ROUTES.into_iter().find(|route| *route == path).or_else(page).unwrap_or("other")
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bellhop account directory",
        description = "Which connected account owns which device. Every refusal is a problem (RFC 9457) with a type \
                       `urn:bellhop:problem:NAME`."
    ),
    components(schemas(ProblemBody))
)]
struct Frame;

/// What the document says besides the routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    document.components.get_or_insert_default().add_security_scheme("bearer", bearer);
    document
}

/// The document as text.
#[derive(Clone)]
pub(super) struct Document(Bytes);

impl Document {
    pub(super) fn new(document: &utoipa::openapi::OpenApi) -> Self {
        // Made of strings: this cannot fail.
        Self(Bytes::from(serde_json::to_vec(document).unwrap_or_default()))
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    security(("bearer" = [])),
    responses(
        (status = 200, description = "The document", content_type = "application/json"),
        (status = 401, description = "No known token", body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn document(Extension(document): Extension<Document>) -> Response {
    ([(CONTENT_TYPE, "application/json")], document.0).into_response()
}
