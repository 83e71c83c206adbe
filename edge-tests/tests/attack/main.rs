//! Attacks on the shipped gateway, on real Envoy: one file per attack. Whatever is sent, nothing reaches upstream but events
//! that the filter has judged, and the next sender is served. Rules about events are tested with `event-core`, not here.

mod floods;
mod forged_logs;
mod http2_frames;
mod large_and_deep;
mod slow_bodies;
mod smuggled_headers;
mod smuggled_requests;
mod split_headers;

use edge_tests::{Edge, event};
use testbed::upstream::Received;

/// What upstream has got must be whole events that the filter let through: it has computed the id of each from these bytes.
#[track_caller]
fn assert_all_judged(received: &[Received], attack: &str) {
    for request in received {
        assert_eq!((request.method.as_str(), &*request.path), ("POST", event::PATH), "{attack}: {request:?}");
        assert_eq!(request.body, event::GOOD.as_bytes(), "{attack}: {request:?}");
        let owners: Vec<_> = request.headers.all("x-connected-account-id").collect();
        assert_eq!(owners, [b"ca_hotel"], "{attack}: {request:?}");
        let ids: Vec<_> = request.headers.all("x-event-id").collect();
        assert!(matches!(ids[..], [id] if id.len() == 32), "{attack}: {request:?}");
    }
}

/// Somebody else is served, whatever has happened before.
#[track_caller]
fn assert_serves(edge: &Edge, attack: &str) {
    let response = edge.http1(&event::post(event::GOOD)).unwrap_or_else(|error| panic!("{attack}: {error}"));
    assert_eq!(response.status, 200, "{attack}: {}", response.text());
}
