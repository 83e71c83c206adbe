//! Posting an event to the edge once more: HTTP/1.1 without TLS, one connection a replay. It does not know what the answer
//! means for the event.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::header::{CONTENT_TYPE, HOST, USER_AGENT};
use axum::http::{HeaderName, HeaderValue, Method, Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::metrics::known_cause;
use crate::config;
use crate::problem::MEDIA_TYPE;
use crate::store::Claimed;

const REPLAY: HeaderName = HeaderName::from_static("x-bellhop-replay");
const REPLAY_ID: HeaderName = HeaderName::from_static("x-bellhop-replay-id");
/// What the filter says to the sender of an event that it has set aside.
const QUARANTINED: HeaderName = HeaderName::from_static("x-event-quarantined");

/// Bytes of an answer that are read for its cause.
const ANSWER_BYTES: usize = 16 * 1024;

/// Where and how to post.
#[derive(Debug)]
pub(super) struct EdgeClient {
    edge: config::Edge,
}

/// What the edge has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The cause, if it is a problem with one that is known.
    pub(super) cause: Option<&'static str>,
    /// It set the event aside again: it does not know of replays.
    pub(super) set_aside: bool,
}

/// Why there is no answer. It holds nothing of the event.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAnswer {
    /// Nobody listens there, or the name is not known.
    #[error("no connection to the edge")]
    Connect(#[source] std::io::Error),
    /// The connection ended before the answer, or what came was none.
    #[error("the edge gave no answer")]
    Http(#[source] hyper::Error),
    /// What is stored makes no request.
    #[error("what is stored makes no request")]
    Request,
    /// It took too long.
    #[error("the edge did not answer within {0:?}")]
    Time(Duration),
}

/// The one member of a problem that counts.
#[derive(Deserialize)]
struct Problem<'a> {
    #[serde(borrow)]
    cause: Option<std::borrow::Cow<'a, str>>,
}

impl EdgeClient {
    pub(super) fn new(edge: &config::Edge) -> Self {
        Self { edge: edge.clone() }
    }

    /// How long [`EdgeClient::post`] takes at most.
    pub(super) const fn timeout(&self) -> Duration {
        self.edge.timeout
    }

    /// Posts the event as it came.
    pub(super) async fn post(&self, event: &Claimed) -> Result<Answer, NoAnswer> {
        let request = self.request(event).ok_or(NoAnswer::Request)?;
        let answer = tokio::time::timeout(self.edge.timeout, self.send(request));
        answer.await.unwrap_or(Err(NoAnswer::Time(self.edge.timeout)))
    }

    fn request(&self, event: &Claimed) -> Option<Request<Body>> {
        let mut secret = HeaderValue::from_str(self.edge.secret.expose()).ok()?;
        secret.set_sensitive(true);
        Request::builder()
            .method(Method::POST)
            .uri(event.path.as_str())
            .header(HOST, &self.edge.authority)
            .header(USER_AGENT, "bellhop")
            .header(CONTENT_TYPE, &event.content_type)
            .header(REPLAY, secret)
            .header(REPLAY_ID, &event.event_id)
            .body(Body::from(event.body.clone()))
            .ok()
    }

    async fn send(&self, request: Request<Body>) -> Result<Answer, NoAnswer> {
        let address = (self.edge.host.as_str(), self.edge.port);
        let stream = TcpStream::connect(address).await.map_err(NoAnswer::Connect)?;
        // A small event shall not wait for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(NoAnswer::Http)?;
        // It ends with this call, however that ends.
        let mut connections = JoinSet::new();
        connections.spawn(connection);
        let response = sender.send_request(request).await.map_err(NoAnswer::Http)?;
        let (head, body) = response.into_parts();
        let is_problem =
            head.headers.get(CONTENT_TYPE).is_some_and(|it| it.as_bytes() == MEDIA_TYPE.as_bytes());
        // Without it the status still counts.
        let cause = if is_problem {
            to_bytes(Body::new(body), ANSWER_BYTES).await.ok().and_then(|body| cause_in(&body))
        } else {
            None
        };
        Ok(Answer { status: head.status, cause, set_aside: head.headers.contains_key(QUARANTINED) })
    }
}

/// The cause that a problem names. Upstream may have written it: only a known one is kept.
fn cause_in(body: &[u8]) -> Option<&'static str> {
    let problem: Problem<'_> = serde_json::from_slice(body).ok()?;
    known_cause(&problem.cause?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_known_cause_is_kept() {
        assert_eq!(cause_in(br#"{"status":503,"cause":"account_unknown"}"#), Some("account_unknown"));
        for none in [r#"{"cause":"pin_4711"}"#, r#"{"cause":5}"#, "{}", "[]", ""] {
            assert_eq!(cause_in(none.as_bytes()), None, "{none}");
        }
    }
}
