//! What the workers of one Envoy remember together of accepted events. What counts as a copy or as late is the core's part.

use envoy_sim::{Conflicts, Protocol, Request, Response, Seen, Setup, Simulator, Upstream};
use host_tests::{filters, on_simulator};
use serde_json::{Value, json};

fn start(changes: &Value, workers: usize, conflicts: Conflicts) -> Simulator {
    let mut configuration = json!({
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
        "on_unassigned": "forward",
    });
    configuration.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    let setup = Setup {
        profile: on_simulator::profile(Protocol::Http1, true),
        configuration: configuration.to_string().into_bytes(),
        workers,
        conflicts,
        ..Setup::default()
    };
    Simulator::new(filters::plugin_module(), setup).unwrap()
}

fn event(device: &str, second: u32) -> Request {
    let timestamp = format!("2026-01-01T00:00:{second:02}Z");
    let body =
        json!({"event_type": "device.online", "timestamp": timestamp, "device_id": device}).to_string();
    let head = Request::new("POST", "/provider_events").header("content-type", "application/json");
    head.header("content-length", body.len().to_string()).body(body)
}

fn is_flagged(seen: &Seen) -> bool {
    let upstream = seen.upstream.as_ref().expect("it is forwarded");
    upstream.headers.text("x-event-out-of-order") == Some("true")
}

#[test]
fn a_copy_is_known_to_every_worker() {
    let mut sim = start(&json!({"duplicates": {"window_s": 60}}), 3, Conflicts::Never);
    assert!(sim.worker(0).request(event("d", 0)).run().unwrap().forwarded());
    for worker in 0..3 {
        let seen = sim.worker(worker).request(event("d", 0)).run().unwrap();
        assert!(!seen.forwarded() && seen.status() == 200, "{seen:?}");
        assert_eq!(seen.response.unwrap().headers.text("x-event-duplicate"), Some("true"));
    }
}

#[test]
fn two_copies_under_way_at_once_both_go_upstream() {
    let mut sim = start(&json!({"duplicates": {"window_s": 60}}), 2, Conflicts::Never);
    let open =
        [0, 1].map(|worker| sim.worker(worker).open(event("d", 0).upstream(Upstream::Silent)).unwrap());
    sim.settle().unwrap();
    for id in open {
        assert!(sim.seen(id).unwrap().upstream.is_some(), "it waits for upstream");
        sim.answer_upstream(id, Response::new(200)).unwrap();
    }
    sim.settle().unwrap();
    assert!(!sim.run(event("d", 0)).unwrap().forwarded(), "the third one is a copy");
}

#[test]
fn a_late_event_is_known_to_every_worker() {
    let mut sim = start(&json!({}), 3, Conflicts::Never);
    assert!(!is_flagged(&sim.worker(0).request(event("d", 30)).run().unwrap()));
    for worker in 0..3 {
        let late = sim.worker(worker).request(event("d", 29)).run().unwrap();
        assert!(is_flagged(&late), "worker {worker}");
        let new = sim.worker(worker).request(event("d", 31)).run().unwrap();
        assert!(!is_flagged(&new), "worker {worker}");
    }
}

/// Another worker writes between each look and each write.
#[test]
fn writes_that_meet_others_cost_a_flag_at_most() {
    let mut sim = start(&json!({}), 1, Conflicts::Percent(100));
    for second in [30, 29, 31, 30] {
        let seen = sim.run(event("d", second)).unwrap();
        assert!(seen.forwarded() && seen.status() == 200, "{seen:?}");
    }
}

#[test]
fn what_is_remembered_does_not_grow_with_what_is_accepted() {
    let settings = json!({"duplicates": {"window_s": 60, "slots": 32}, "order": {"slots": 16}});
    let mut sim = start(&settings, 1, Conflicts::Never);
    let mut accept = |from: usize, to: usize| {
        for device in from..to {
            assert!(sim.run(event(&device.to_string(), 0)).unwrap().forwarded());
        }
        (sim.shared_data_len(), sim.worker(0).memory_pages().unwrap())
    };
    let first = accept(0, 2_000);
    assert_eq!(first.0, 32 + 16 + 1, "the places and the secret");
    assert_eq!(accept(2_000, 10_000), first);
}

#[test]
fn without_places_nothing_is_shared() {
    let mut sim = start(&json!({"order": {"slots": 0}}), 1, Conflicts::Never);
    assert!(sim.run(event("d", 0)).unwrap().forwarded());
    assert_eq!(sim.shared_data_len(), 0);
}
