//! An event that was set aside, as it is shown: over HTTP and by the program, the same. Nothing of its body but what is
//! masked, nothing of its path's query.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::mask::{Masked, mask};
use crate::store::Quarantined;

/// An event that was set aside. Times are Unix milliseconds.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = QuarantinedEvent)]
pub struct Entry {
    /// What it is called: later ones have larger numbers.
    pub id: i64,
    /// `waiting`, or `replayed` once the edge has taken it.
    pub state: &'static str,
    /// Of the edge that it came through.
    pub environment: String,
    /// Who sent it.
    pub source: String,
    /// Why it was not forwarded, the last time.
    pub cause: String,
    /// As the filter names the event.
    pub event_id: String,
    /// Where it was sent to, without the query.
    pub path: String,
    /// The media type that it was sent with.
    pub content_type: String,
    /// Its type, if it could be read.
    #[schema(required = true)]
    pub event_type: Option<String>,
    /// Its time, if it could be read.
    #[schema(required = true)]
    pub event_timestamp: Option<String>,
    /// Its device, if it could be read.
    #[schema(required = true)]
    pub device_id: Option<String>,
    /// Its bridge, if it could be read.
    #[schema(required = true)]
    pub bridge_id: Option<String>,
    /// Its access code, if it could be read.
    #[schema(required = true)]
    pub access_code_id: Option<String>,
    /// Events with the same one are replayed in order.
    #[schema(required = true)]
    pub partition_key: Option<String>,
    /// Bytes of the body.
    pub body_bytes: i64,
    /// How often it came.
    pub times_seen: i64,
    /// When it came first.
    pub first_seen_at: i64,
    /// When it came last: its age counts from here.
    pub last_seen_at: i64,
    /// How often it was replayed.
    pub replay_attempts: i64,
    /// When the last replay ended.
    #[schema(required = true)]
    pub replayed_at: Option<i64>,
    /// What the edge answered then; null if it did not.
    #[schema(required = true)]
    pub replay_status: Option<i64>,
    /// The cause that the edge gave then, if it gave one.
    #[schema(required = true)]
    pub replay_cause: Option<String>,
}

impl From<Quarantined> for Entry {
    fn from(event: Quarantined) -> Self {
        let path = event.path.split('?').next().unwrap_or_default().to_owned();
        Self {
            id: event.id,
            state: event.state.name(),
            environment: event.environment,
            source: event.source,
            cause: event.cause,
            event_id: event.event_id,
            path,
            content_type: event.content_type,
            event_type: event.event_type,
            event_timestamp: event.event_timestamp,
            device_id: event.device_id,
            bridge_id: event.bridge_id,
            access_code_id: event.access_code_id,
            partition_key: event.partition_key,
            body_bytes: event.n_body_bytes,
            times_seen: event.times_seen,
            first_seen_at: event.first_seen_at,
            last_seen_at: event.last_seen_at,
            replay_attempts: event.attempts,
            replayed_at: event.attempted_at,
            replay_status: event.answer_status,
            replay_cause: event.answer_cause,
        }
    }
}

/// An event that was set aside, with its body masked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = QuarantinedEventShown)]
pub struct Shown {
    /// What is known of it.
    #[serde(flatten)]
    pub event: Entry,
    /// Whether the body is strict JSON.
    pub body_is_json: bool,
    /// JSON: the value, with codes, PINs and the like hidden. Otherwise a string, with every letter and digit replaced.
    #[schema(required = true)]
    pub masked_body: Value,
}

impl Shown {
    /// Masks the body.
    #[must_use]
    pub fn new(event: Quarantined, body: &[u8]) -> Self {
        let (body_is_json, masked_body) = match mask(body) {
            Masked::Json(value) => (true, value),
            Masked::Text(text) => (false, Value::String(text)),
        };
        Self { event: event.into(), body_is_json, masked_body }
    }
}
