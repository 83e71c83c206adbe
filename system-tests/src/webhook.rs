//! Webhooks as Seam sends them: signed by Svix's scheme, with a library that others wrote. It sends nothing.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use testbed::message::Request;

/// The secret that the chain's directory verifies with.
pub const SECRET: &str = "whsec_QmVsbGhvcCBjYXJyaWVzIHRoZSBiYWdzIDI0LzI0";

/// A signed webhook to a directory: this event type with these members.
///
/// # Panics
/// When the clock of this machine is before 1970.
pub fn signed(event_type: &str, members: Value) -> Request {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_secs();
    let mut event = members;
    event["event_type"] = event_type.into();
    event["created_at"] = "2026-02-10T14:24:18Z".into();
    event["event_id"] = json!(format!("{event_type}/{now}"));
    let body = event.to_string();
    let id = format!("msg_{}", event_type.replace('.', "_"));
    let webhook = Webhook::new(SECRET).expect("the secret is one");
    let timestamp = i64::try_from(now).expect("the year is not that late");
    let signature = webhook.sign(&id, timestamp, body.as_bytes()).expect("anything can be signed");
    Request::post_json("/webhooks/seam", body)
        .header("svix-id", &id)
        .header("svix-timestamp", timestamp.to_string())
        .header("svix-signature", &signature)
}
