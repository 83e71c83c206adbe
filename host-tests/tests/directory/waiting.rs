//! Requests that wait: one question for many, and nobody is forgotten when whoever asked goes away.

use envoy_sim::{CalloutAnswer, Outcome};
use serde_json::json;

use crate::world::{self, TIMEOUT_MS, account, outcome, owned, pending, plain, send, unknown, wait};

#[test]
fn one_question_serves_all_that_wait_for_the_same_subject() {
    let mut sim = world::scripted(&json!({}), vec![(20, owned("ca_far")), (10, unknown())]);
    let streams: Vec<_> = (0..5).map(|_| send(&mut sim, "d")).collect();
    let other = send(&mut sim, "e");
    assert_eq!(pending(&sim).len(), 2, "one question a subject");
    sim.settle().unwrap();
    assert_eq!(outcome(&sim.take(other).unwrap()), plain("account_unknown"));
    for stream in streams {
        let seen = sim.take(stream).unwrap();
        assert_eq!(account(&seen), Some("ca_far"), "{seen:?}");
        assert_eq!(seen.status(), 200);
        assert_eq!(seen.upstream.unwrap().body, world::body("d"), "the body is intact");
    }
}

#[test]
fn a_question_says_who_asks_and_about_what() {
    let mut sim = world::manual(&json!({"authority": "directory.internal"}));
    send(&mut sim, "lock 1/ü");
    let asked = sim.pending_callouts()[0].clone();
    let header = |name| asked.headers.text(name);
    assert_eq!(header(":method"), Some("GET"));
    assert_eq!(header(":path"), Some("/v1/resolve?source=acme&device_id=lock%201%2F%C3%BC"));
    assert_eq!(header(":authority"), Some("directory.internal"));
    assert_eq!(header("authorization"), Some("Bearer t0ken"));
    assert_eq!((asked.body.len(), u64::from(asked.timeout_ms)), (0, TIMEOUT_MS));
}

#[test]
fn when_whoever_asked_goes_away_the_others_still_get_their_answer() {
    // The answer to the leader comes late, reaches nobody and harms nobody.
    let mut sim = world::scripted(&json!({}), vec![(100, unknown()), (100, owned("ca_far"))]);
    let leader = send(&mut sim, "d");
    let followers = [send(&mut sim, "d"), send(&mut sim, "d")];
    sim.disconnect(leader).unwrap();
    assert_eq!(sim.callouts().len(), 1);
    // The root notices at its tick.
    wait(&mut sim, 50);
    assert_eq!(sim.callouts().len(), 2, "asked once more");
    sim.settle().unwrap();
    assert_eq!(sim.callouts().len(), 2);
    for stream in followers {
        assert_eq!(account(&sim.take(stream).unwrap()), Some("ca_far"));
    }
    assert_eq!(sim.take(leader).unwrap().outcome, Outcome::Reset);
}

#[test]
fn a_follower_that_goes_away_changes_nothing() {
    let mut sim = world::manual(&json!({}));
    let leader = send(&mut sim, "d");
    let follower = send(&mut sim, "d");
    sim.disconnect(follower).unwrap();
    let asked = pending(&sim);
    sim.answer_callout(asked[0], CalloutAnswer::Now(owned("ca_far"))).unwrap();
    assert_eq!(account(&sim.take(leader).unwrap()), Some("ca_far"));
}

#[test]
fn an_answer_that_nobody_waits_for_any_more_is_dropped_and_the_tick_stops() {
    let mut sim = world::manual(&json!({}));
    let stream = send(&mut sim, "d");
    sim.disconnect(stream).unwrap();
    wait(&mut sim, 2 * TIMEOUT_MS);
    assert_eq!(pending(&sim).len(), 0, "it timed out");
    let fuel = sim.worker(0).root_fuel().unwrap();
    wait(&mut sim, 10_000);
    assert_eq!(sim.worker(0).root_fuel().unwrap(), fuel, "the root does nothing any more");
    assert!(!sim.worker(0).has_failed().unwrap());
}

#[test]
fn a_configuration_that_goes_lets_those_who_wait_finish() {
    let mut sim = world::manual(&json!({}));
    let streams = [send(&mut sim, "d"), send(&mut sim, "d")];
    sim.worker(0).shut_down().unwrap();
    let asked = pending(&sim);
    sim.answer_callout(asked[0], CalloutAnswer::Now(owned("ca_far"))).unwrap();
    for stream in streams {
        assert_eq!(account(&sim.take(stream).unwrap()), Some("ca_far"));
    }
}

#[test]
fn a_request_whose_end_is_in_trailers_waits_like_any_other() {
    let mut sim = world::manual(&json!({}));
    let id = sim.worker(0).open(world::event("d").trailer("x-checksum", "1")).unwrap();
    while sim.step(id).is_ok() {}
    let asked = pending(&sim);
    sim.answer_callout(asked[0], CalloutAnswer::Now(owned("ca_far"))).unwrap();
    let seen = sim.take(id).unwrap();
    assert_eq!(account(&seen), Some("ca_far"));
    assert_eq!(seen.upstream.unwrap().trailers.unwrap().text("x-checksum"), Some("1"));
}

#[test]
fn embedded_accounts_go_first() {
    let mut sim = world::manual(&json!({}));
    let near = send(&mut sim, world::NEAR);
    sim.settle().unwrap();
    assert_eq!(account(&sim.take(near).unwrap()), Some("ca_near"));
    assert!(sim.callouts().is_empty());
}
