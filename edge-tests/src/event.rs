//! Events and requests that the tests send. The account of `envoy.yaml` owns their device.

use testbed::message::Request;

/// Where the source of `envoy.yaml` posts.
pub const PATH: &str = "/provider_events";

/// An event that is forwarded.
pub const GOOD: &str =
    r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829"}"#;

/// The largest body that `envoy.yaml` allows, in bytes.
pub const LARGEST: usize = 262_144;

/// A POST of this body to the source.
pub fn post(body: impl AsRef<[u8]>) -> Request {
    Request::post_json(PATH, body)
}

/// A good event of exactly this many bytes.
///
/// # Panics
/// When it cannot be that short.
pub fn of_bytes(n_bytes: usize) -> Vec<u8> {
    let start = format!(r#"{},"pad":""#, GOOD.trim_end_matches('}'));
    let end = "\"}";
    let n_padding = n_bytes.checked_sub(start.len() + end.len()).expect("too short for an event");
    let mut event = start.into_bytes();
    event.resize(event.len() + n_padding, b'x');
    event.extend_from_slice(end.as_bytes());
    event
}

/// A good event about another device, which nobody owns.
pub fn about(device_id: &str) -> String {
    GOOD.replace("lock_491829", device_id)
}
