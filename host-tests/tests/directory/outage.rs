//! A directory that is away: every way to fail has its branch, an outage costs few time-outs, and stale answers bridge it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use envoy_sim::{CalloutAnswer, Cluster, Response, Simulator};
use serde_json::{Value, json};

use crate::world::{self, TIMEOUT_MS, owned, plain, run, wait};

fn failing(answer: CalloutAnswer) -> Simulator {
    let cluster = Cluster::answering("directory", move |_| answer.clone());
    world::start(&json!({}), 1, cluster)
}

#[test]
fn every_failure_is_answered_and_none_hangs() {
    let large = Response::new(200).with_body(format!(r#"{{"accounts":[],"x":"{}"}}"#, "x".repeat(65_536)));
    for answer in [
        CalloutAnswer::Silence,
        CalloutAnswer::Broken,
        CalloutAnswer::Reset,
        CalloutAnswer::ConnectFailure,
        CalloutAnswer::Now(Response::new(200)),
        CalloutAnswer::Now(Response::new(200).with_body("{")),
        CalloutAnswer::Now(Response::new(200).with_body(r#"{"accounts":[{}]}"#)),
        CalloutAnswer::Now(Response::new(200).with_body(r#"{"accounts":[],"assigned_by":"device_id"}"#)),
        CalloutAnswer::Now(large),
        CalloutAnswer::Now(Response::new(204)),
        CalloutAnswer::Now(Response::new(302)),
        CalloutAnswer::Now(Response::new(400)),
        CalloutAnswer::Now(Response::new(401)),
        CalloutAnswer::Now(Response::new(404)),
        CalloutAnswer::Now(Response::new(429)),
        CalloutAnswer::Now(Response::new(500)),
        CalloutAnswer::Now(Response::new(503)),
    ] {
        let mut sim = failing(answer.clone());
        let seen = sim.run(world::event("d")).unwrap();
        assert_eq!(world::outcome(&seen), plain("directory_unavailable"), "{answer:?}");
        assert_eq!(seen.status(), 503, "{answer:?}");
        assert_eq!(seen.response.unwrap().headers.text("retry-after"), Some("30"), "{answer:?}");
        assert!(!sim.worker(0).has_failed().unwrap(), "{answer:?}");
    }
}

#[test]
fn a_cluster_that_cannot_be_called_is_answered_too() {
    for cluster in ["nowhere", "empty"] {
        let mut sim = world::manual(&json!({ "cluster": cluster }));
        let seen = sim.run(world::event("d")).unwrap();
        assert_eq!(world::outcome(&seen), plain("directory_unavailable"), "{cluster}");
        assert!(seen.logs.iter().any(|line| line.message.contains("is away")), "{cluster}");
    }
}

#[test]
fn ids_in_conflict_are_refused_for_good() {
    let mut sim = failing(CalloutAnswer::Now(Response::new(409)));
    let seen = sim.run(world::event("d")).unwrap();
    assert_eq!((world::outcome(&seen), seen.status()), (plain("account_conflict"), 422));
}

/// An edge whose directory is well while the switch is on, and silent otherwise.
fn switched(directory: &Value) -> (Simulator, Arc<AtomicBool>) {
    let well = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&well);
    let cluster = Cluster::answering("directory", move |_| {
        if switch.load(Ordering::Relaxed) {
            CalloutAnswer::Now(owned("ca_far"))
        } else {
            CalloutAnswer::Silence
        }
    });
    (world::start(directory, 1, cluster), well)
}

#[test]
fn an_outage_does_not_cost_each_event_its_time_out() {
    let (mut sim, well) = switched(&json!({"pause_ms": 1_000}));
    well.store(false, Ordering::Relaxed);
    let (mut n_asked, mut n_said) = (0, 0);
    let start_ns = sim.now_ns();
    for number in 0..100 {
        let seen = sim.run(world::event(&format!("d{number}"))).unwrap();
        assert_eq!(world::outcome(&seen), plain("directory_unavailable"));
        n_asked += seen.callouts.len();
        n_said += seen.logs.len();
    }
    assert_eq!((n_asked, n_said), (1, 1));
    assert_eq!(sim.now_ns() - start_ns, TIMEOUT_MS * 1_000_000, "one time-out in all");
    // Then one question at a time tries it, and the first answer ends the pause.
    wait(&mut sim, 1_000);
    assert_eq!(sim.run(world::event("still away")).unwrap().callouts.len(), 1);
    assert_eq!(sim.run(world::event("in the pause")).unwrap().callouts.len(), 0);
    well.store(true, Ordering::Relaxed);
    wait(&mut sim, 1_000);
    let back = sim.run(world::event("back")).unwrap();
    assert_eq!(world::outcome(&back), plain("forwarded"));
    assert!(back.logs.iter().any(|line| line.message.contains("is back")), "{:?}", back.logs);
    assert_eq!(run(&mut sim, "back too"), plain("forwarded"));
}

#[test]
fn what_was_known_is_served_stale_for_a_while_and_says_so() {
    let (mut sim, well) = switched(&json!({"cache": {"fresh_s": 10, "stale_s": 60}}));
    assert_eq!(run(&mut sim, "d"), plain("forwarded"));
    well.store(false, Ordering::Relaxed);
    wait(&mut sim, 9_999);
    assert_eq!(run(&mut sim, "d"), plain("forwarded"), "still fresh");
    wait(&mut sim, 1);
    assert_eq!(run(&mut sim, "d"), ("forwarded".to_owned(), Some("10".to_owned())), "after a time-out");
    assert_eq!(run(&mut sim, "d"), ("forwarded".to_owned(), Some("10".to_owned())), "in the pause");
    assert_eq!(run(&mut sim, "e"), plain("directory_unavailable"), "never known");
    wait(&mut sim, 60_000);
    assert_eq!(run(&mut sim, "d"), plain("directory_unavailable"), "too old");
    well.store(true, Ordering::Relaxed);
    wait(&mut sim, 1_000);
    assert_eq!(run(&mut sim, "d"), plain("forwarded"));
}
