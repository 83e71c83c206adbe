//! What the directory may cost: requests that wait, questions under way, memory, fuel. `UNKNOWN_IDS` chooses how many ids that
//! nobody owns are sent; 2,000,000 take some minutes.

use envoy_sim::{CalloutAnswer, Cluster, Simulator};
use serde_json::json;

use crate::world::{self, outcome, owned, pending, plain, run, send, unknown};

#[test]
fn a_request_that_cannot_wait_is_answered_at_once() {
    let mut sim = world::manual(&json!({"max_waiting": 2}));
    let waiting = [send(&mut sim, "d"), send(&mut sim, "d")];
    let third = send(&mut sim, "d");
    assert_eq!(outcome(&sim.seen(third).unwrap()), plain("directory_unavailable"));
    let asked = pending(&sim);
    sim.answer_callout(asked[0], CalloutAnswer::Now(owned("ca_far"))).unwrap();
    for stream in waiting {
        assert_eq!(outcome(&sim.take(stream).unwrap()), plain("forwarded"));
    }
    assert_eq!(run(&mut sim, "d"), plain("forwarded"), "there is room again");
}

#[test]
fn questions_under_way_are_bounded() {
    let mut sim = world::manual(&json!({"max_callouts": 1}));
    let first = send(&mut sim, "d");
    let other = send(&mut sim, "e");
    assert_eq!(outcome(&sim.seen(other).unwrap()), plain("directory_unavailable"));
    let follower = send(&mut sim, "d");
    let asked = pending(&sim);
    assert_eq!(asked.len(), 1);
    sim.answer_callout(asked[0], CalloutAnswer::Now(owned("ca_far"))).unwrap();
    for stream in [first, follower] {
        assert_eq!(outcome(&sim.take(stream).unwrap()), plain("forwarded"));
    }
}

/// How many ids that nobody owns are sent.
fn n_unknown_ids() -> usize {
    std::env::var("UNKNOWN_IDS").map_or(12_000, |text| text.parse().expect("a number"))
}

#[test]
fn ids_that_nobody_owns_leave_memory_bounded_and_push_nothing_out() {
    let cluster = Cluster::answering("directory", |callout| {
        let is_ours = callout.headers.text(":path").is_some_and(|path| path.ends_with("=ours"));
        CalloutAnswer::Now(if is_ours { owned("ca_far") } else { unknown() })
    });
    let mut sim = world::start(&json!({}), 1, cluster);
    assert_eq!(run(&mut sim, "ours"), plain("forwarded"));
    let n_shared = sim.shared_data_len();
    let n_ids = n_unknown_ids();
    let flood = |sim: &mut Simulator, ids: std::ops::Range<usize>| {
        for number in ids {
            assert_eq!(run(sim, &format!("nobody's device of number {number}")), plain("account_unknown"));
        }
        sim.worker(0).memory_pages().unwrap()
    };
    let full = flood(&mut sim, 0..n_ids / 2);
    let last = flood(&mut sim, n_ids / 2..n_ids);
    println!("{full} pages after {} ids, {last} after {n_ids}", n_ids / 2);
    assert_eq!(last, full);
    assert_eq!(sim.shared_data_len(), n_shared);
    assert_eq!(sim.run(world::event("ours")).unwrap().callouts.len(), 0, "what is known stays");
}

#[test]
fn devices_that_are_owned_leave_memory_bounded_too() {
    let cache = json!({"cache": {"entries": 2_000, "shared_slots": 64}});
    let mut sim = world::answering(&cache, 1);
    let flood = |sim: &mut Simulator, ids: std::ops::Range<usize>| {
        for number in ids {
            assert_eq!(run(sim, &format!("device of number {number}")), plain("forwarded"));
        }
        sim.worker(0).memory_pages().unwrap()
    };
    let full = flood(&mut sim, 0..3_000);
    assert_eq!(flood(&mut sim, 3_000..6_000), full);
    assert_eq!(sim.shared_data_len(), 64 + 1, "the slots and the secret");
}

#[test]
fn a_warm_cache_costs_little_more_than_embedded_accounts() {
    let mut sim = world::answering(&json!({}), 1);
    // The first requests grow the heap, and a full cache is deeper than an empty one.
    for number in 0..10_500 {
        run(&mut sim, &format!("lock_{number:06}"));
    }
    let mut fuel = |device: &str| {
        let seen = sim.run(world::event(device)).unwrap();
        assert_eq!(outcome(&seen), plain("forwarded"));
        (seen.fuel.total(), seen.callouts.len())
    };
    let (embedded, _) = fuel(world::NEAR);
    let (_, _) = fuel("lock_010111");
    let (warm, n_asked) = fuel("lock_010111");
    assert_eq!(n_asked, 0);
    let (missed, n_asked) = fuel("lock_999999");
    assert_eq!(n_asked, 1);
    println!("fuel: embedded {embedded}, warm {warm}, missed {missed}");
    assert!(warm * 100 <= embedded * 115, "{warm} is more than 1.15 times {embedded}");
    assert!(missed <= embedded * 5 / 2, "{missed} of {embedded}");
}
