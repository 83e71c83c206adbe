//! Every refusal of the service: one row each in [`Kind`], answered as a problem (RFC 9457). It repeats nothing that the
//! caller sent.

use std::borrow::Cow;

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;
use utoipa::ToSchema;

use crate::StoreError;

/// The media type of every problem body.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// A kind of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Query or path are not what the route takes.
    RequestInvalid,
    /// A header is not what the route takes.
    HeaderInvalid,
    /// The body is not what the route takes.
    BodyInvalid,
    /// No bearer token, or one that is not known.
    Unauthorized,
    /// A webhook whose signature is not ours.
    SignatureInvalid,
    /// No such path.
    RouteUnknown,
    /// The path takes another method.
    MethodNotAllowed,
    /// No such thing.
    NotFound,
    /// The known ids share no account.
    Conflict,
    /// The event is being replayed.
    ReplayRunning,
    /// The body is over its bound.
    BodyTooLarge,
    /// The body is not JSON by its header.
    MediaTypeUnsupported,
    /// Too many requests at a time.
    Overloaded,
    /// The quarantine has no room.
    QuarantineFull,
    /// The database, or what else is needed, does not answer.
    Unavailable,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::RequestInvalid,
        Self::HeaderInvalid,
        Self::BodyInvalid,
        Self::Unauthorized,
        Self::SignatureInvalid,
        Self::RouteUnknown,
        Self::MethodNotAllowed,
        Self::NotFound,
        Self::Conflict,
        Self::ReplayRunning,
        Self::BodyTooLarge,
        Self::MediaTypeUnsupported,
        Self::Overloaded,
        Self::QuarantineFull,
        Self::Unavailable,
    ];

    /// Name, status and title.
    const fn row(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::RequestInvalid => (
                "request_invalid",
                StatusCode::BAD_REQUEST,
                "The query or the path is not what is taken here",
            ),
            Self::HeaderInvalid => {
                ("header_invalid", StatusCode::BAD_REQUEST, "A header is not what is taken here")
            }
            Self::BodyInvalid => {
                ("body_invalid", StatusCode::BAD_REQUEST, "The body is not what is taken here")
            }
            Self::Unauthorized => {
                ("unauthorized", StatusCode::UNAUTHORIZED, "A known bearer token is needed")
            }
            Self::SignatureInvalid => {
                ("signature_invalid", StatusCode::UNAUTHORIZED, "The signature is not valid")
            }
            Self::RouteUnknown => ("route_unknown", StatusCode::NOT_FOUND, "There is no such path"),
            Self::MethodNotAllowed => {
                ("method_not_allowed", StatusCode::METHOD_NOT_ALLOWED, "The path takes another method")
            }
            Self::NotFound => ("not_found", StatusCode::NOT_FOUND, "There is no such thing"),
            Self::Conflict => ("conflict", StatusCode::CONFLICT, "The ids belong to different accounts"),
            Self::ReplayRunning => ("replay_running", StatusCode::CONFLICT, "The event is being replayed"),
            Self::BodyTooLarge => ("body_too_large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too large"),
            Self::MediaTypeUnsupported => {
                ("media_type_unsupported", StatusCode::UNSUPPORTED_MEDIA_TYPE, "The body must be JSON")
            }
            Self::Overloaded => {
                ("overloaded", StatusCode::SERVICE_UNAVAILABLE, "Too many requests at a time")
            }
            Self::QuarantineFull => {
                ("quarantine_full", StatusCode::SERVICE_UNAVAILABLE, "The quarantine has no room")
            }
            Self::Unavailable => {
                ("unavailable", StatusCode::SERVICE_UNAVAILABLE, "The directory cannot answer now")
            }
        }
    }

    /// The last part of the problem's type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        self.row().1
    }
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
}

impl Problem {
    /// A refusal. `detail` is for people and holds nothing of the request.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

/// The body of a refusal (RFC 9457, section 3.1).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody<'a> {
    /// `urn:bellhop:problem:` and a name.
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let (name, status, title) = self.kind.row();
        let body = ProblemBody {
            r#type: format!("urn:bellhop:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &self.detail,
        };
        // Strings and a number: this cannot fail.
        let mut response = Response::new(Body::from(serde_json::to_vec(&body).unwrap_or_default()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            // Room is made by people or by age: neither is done in a second.
            let seconds = if self.kind == Kind::QuarantineFull { "60" } else { "1" };
            headers.insert(RETRY_AFTER, HeaderValue::from_static(seconds));
        }
        if self.kind == Kind::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        // The driver's own error can name values.
        tracing::error!(%error, cause = error.cause(), "the store failed");
        Self::new(Kind::Unavailable, "the database does not answer")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_a_status_of_a_refusal() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), Kind::ALL.len());
        assert!(Kind::ALL.iter().all(|kind| kind.status().as_u16() >= 400));
    }
}
