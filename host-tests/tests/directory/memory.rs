//! What is remembered, and where: in the worker, and between workers.

use envoy_sim::{CalloutAnswer, Cluster, Request, Response, Simulator, Upstream};
use serde_json::json;

use crate::world::{self, account, plain, run, unknown, wait};

fn asked(sim: &mut Simulator, worker: usize, device: &str) -> usize {
    let seen = sim.worker(worker).request(world::event(device)).run().unwrap();
    assert_eq!(account(&seen), Some("ca_far"), "{seen:?}");
    seen.callouts.len()
}

#[test]
fn an_answer_is_remembered_while_it_is_fresh() {
    let mut sim = world::answering(&json!({"cache": {"fresh_s": 10, "shared_slots": 0}}), 1);
    assert_eq!(asked(&mut sim, 0, "d"), 1);
    assert_eq!(asked(&mut sim, 0, "d"), 0);
    wait(&mut sim, 9_999);
    assert_eq!(asked(&mut sim, 0, "d"), 0);
    wait(&mut sim, 1);
    assert_eq!(asked(&mut sim, 0, "d"), 1);
}

#[test]
fn unknown_is_forgotten_soon_so_that_an_event_that_was_deferred_gets_through() {
    let mut n_asked = 0;
    let cluster = Cluster::answering("directory", move |_| {
        n_asked += 1;
        // The account's first sync ends after the first question.
        CalloutAnswer::Now(if n_asked == 1 { unknown() } else { world::owned("ca_far") })
    });
    let mut sim = world::start(&json!({}), 1, cluster);
    assert_eq!(run(&mut sim, "d"), plain("account_unknown"));
    assert_eq!(run(&mut sim, "d"), plain("account_unknown"), "not asked again at once");
    wait(&mut sim, 5_000);
    assert_eq!(run(&mut sim, "d"), plain("forwarded"));
}

#[test]
fn workers_share_assignments_but_for_a_configuration_without_slots() {
    let mut sim = world::answering(&json!({}), 3);
    assert_eq!(asked(&mut sim, 0, "d"), 1);
    assert_eq!([1, 2].map(|worker| asked(&mut sim, worker, "d")), [0, 0]);
    let mut sim = world::answering(&json!({"cache": {"shared_slots": 0}}), 2);
    assert_eq!([0, 1].map(|worker| asked(&mut sim, worker, "d")), [1, 1]);
    assert_eq!(sim.shared_data_len(), 0);
}

#[test]
fn what_is_shared_ages_like_everything_else() {
    let mut sim = world::answering(&json!({"cache": {"fresh_s": 10}}), 2);
    assert_eq!(asked(&mut sim, 0, "d"), 1);
    wait(&mut sim, 9_999);
    assert_eq!(asked(&mut sim, 1, "d"), 0);
    wait(&mut sim, 1);
    assert_eq!(asked(&mut sim, 1, "d"), 1, "as old there as where it came from");
}

#[test]
fn foreign_bytes_in_a_slot_are_nobodys() {
    let mut sim = world::answering(&json!({"cache": {"shared_slots": 1}}), 7);
    assert_eq!(asked(&mut sim, 0, "d"), 1);
    assert_eq!(asked(&mut sim, 1, "d"), 0);
    let entry = sim.shared_data("bellhop.a.0").unwrap();
    let longer = [entry.as_slice(), b"x"].concat();
    let foreign = [&b""[..], b"\x01", &entry[..entry.len() - 1], &longer, &[0xff; 3000]];
    for (worker, bytes) in (2..).zip(foreign) {
        sim.set_shared_data("bellhop.a.0", bytes);
        assert_eq!(asked(&mut sim, worker, "d"), 1, "{bytes:?}");
    }
}

#[test]
fn the_secret_of_the_slots_is_made_once_and_not_taken_from_others() {
    let sim = world::answering(&json!({}), 3);
    assert_eq!(sim.shared_data("bellhop.secret").unwrap().len(), 16);
    assert_eq!(sim.shared_data_len(), 1);
}

/// An event of a device and an access code, or of the code alone, as its sender proves it.
fn event_of_code(path: &str, device: Option<&str>, status: u16) -> Request {
    let body = json!({
        "event_type": "access_code.updated",
        "device_id": device,
        "access_code_id": "code",
        "timestamp": "2025-05-22T10:48:18Z",
    });
    Request::post(path)
        .header("content-type", "application/json")
        .header("x-api-key", "s3cret")
        .body(body.to_string())
        .upstream(Upstream::Answers(Response::new(status)))
}

#[test]
fn an_accepted_event_of_a_verified_source_teaches_the_worker_and_the_directory() {
    for (path, status, teaches) in
        [("/known", 202, true), ("/known", 422, false), ("/provider_events", 202, false)]
    {
        let mut sim = world::answering(&json!({}), 1);
        let seen = sim.run(event_of_code(path, Some("d"), status)).unwrap();
        assert_eq!(account(&seen), Some("ca_far"));
        let told: Vec<_> =
            seen.callouts.iter().filter(|it| it.headers.text(":method") == Some("POST")).collect();
        assert_eq!(told.len(), usize::from(teaches), "{path} {status}");
        if let [link] = told.as_slice() {
            assert_eq!(link.headers.text(":path"), Some("/v1/links"));
            assert_eq!(link.headers.text("authorization"), Some("Bearer t0ken"));
            let wanted = json!({"source": "known", "device_id": "d", "access_code_id": "code"});
            assert_eq!(serde_json::from_slice::<serde_json::Value>(&link.body).unwrap(), wanted);
        }
        // The code alone is known now, without a question; the link is not told again.
        let alone = sim.run(event_of_code(path, None, 202)).unwrap();
        assert_eq!(account(&alone), Some("ca_far"));
        assert_eq!(alone.callouts.len(), usize::from(!teaches), "{path} {status}");
        let again = sim.run(event_of_code(path, Some("d"), status)).unwrap();
        assert_eq!(again.callouts.len(), 0, "{path} {status}");
    }
}
