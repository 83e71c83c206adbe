//! Three events cut in two at every byte: the simulator takes every cut, Envoy one in seventeen. What an event is judged to be
//! is the scenarios' part; here it must not depend on the cut.

use envoy_sim::Protocol;
use host_tests::events;
use host_tests::{Ending, Exchange, filters, on_core, on_envoy, on_simulator};

/// A forwarded event, one with text of two bytes a character, and one that is refused.
const FILES: [&str; 3] = [
    "forward_seed_lock_action_success.json",
    "forward_id_unicode_nfc.json",
    "refuse_access_code_created_code_number.json",
];

/// A prime, so that the sample meets characters and members at different places.
const SAMPLE: usize = 17;

struct Event {
    configuration: String,
    exchange: Exchange,
    expected: Ending,
}

fn load() -> Vec<Event> {
    let (configuration, cases) = events::load().unwrap();
    let core = on_core::Core::new(event_core::Edge::from_json(configuration.as_bytes()).unwrap());
    FILES
        .iter()
        .map(|file| {
            let case = cases.iter().find(|case| case.file() == *file).expect("the manifest names the file");
            let expected = on_core::run(&core, &case.exchange(), 1).unwrap().ending;
            Event { configuration: configuration.clone(), exchange: case.exchange(), expected }
        })
        .collect()
}

/// The event in two pieces; cut at either end, one of them is empty.
fn cut(exchange: &Exchange, offset: usize, chunked: bool) -> Exchange {
    let body = exchange.body();
    let (before, after) = body.split_at(offset);
    Exchange { pieces: vec![before.to_vec(), after.to_vec()], chunked, ..exchange.clone() }
}

#[test]
fn a_cut_at_any_byte_changes_nothing_in_the_simulator() {
    let events = load();
    let mut n_cuts = 0;
    for downstream in [Protocol::Http1, Protocol::Http2] {
        let profile = on_simulator::profile(downstream, true);
        let configuration = events[0].configuration.as_bytes();
        let mut sim = on_simulator::start(filters::plugin_module(), configuration, profile).unwrap();
        for Event { exchange, expected, .. } in &events {
            for offset in 0..=exchange.body().len() {
                for chunked in [false, true] {
                    let cut = cut(exchange, offset, chunked);
                    let simulated = on_simulator::run(&mut sim, downstream, &cut, 1).unwrap();
                    assert_eq!(simulated.ending, *expected, "cut at {offset}: {:?}", simulated.seen);
                    n_cuts += 1;
                }
            }
        }
    }
    println!("{n_cuts} cuts in the simulator");
}

#[test]
fn a_cut_at_one_byte_in_seventeen_changes_nothing_on_envoy() {
    let events = load();
    let running = on_envoy::Edge::with_configuration(&events[0].configuration).start().unwrap();
    let mut n_cuts = 0;
    for protocol in [on_envoy::Protocol::Http1, on_envoy::Protocol::Http2] {
        for Event { exchange, expected, .. } in &events {
            for offset in (0..=exchange.body().len()).step_by(SAMPLE) {
                let ending = running.run(protocol, &cut(exchange, offset, true), None).unwrap();
                assert_eq!(ending, *expected, "cut at {offset}, {protocol:?}");
                n_cuts += 1;
            }
        }
    }
    println!("{n_cuts} cuts on Envoy");
}
