//! Bodies that are made to cost more than their bytes, or to be read in two ways: fuel is held as ratios within one run, and
//! every spelling is tried on the core. What Envoy is attacked with is tested on Envoy.

use envoy_sim::{Protocol, Request, Simulator};
use event_core::Edge;
use host_tests::on_core::{self, Core};
use host_tests::{Exchange, filters, on_simulator};

const CONFIGURATION: &str = r#"{
    "environment": "test",
    "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
    "accounts": [{ "connected_account_id": "ca_hotel", "devices": ["lock_491829"] }],
    "on_unassigned": "forward"
}"#;

const PATH: &str = "/provider_events";

/// The fuel of members whose names collide, over that of as many plain names of the same length. A table of hashes that meets
/// collisions would need hundreds of times as much.
const MOST_FOR_COLLIDING: f64 = 1.6;

/// The same for names that share their beginning: an ordered map compares it with each of a dozen others.
const MOST_FOR_ALIKE: f64 = 3.0;

/// The fuel of twice as many members. Twice is linear; the rest is the logarithm of ordered maps.
const MOST_FOR_TWICE: f64 = 2.3;

/// Two pairs of letters with one hash: `31 * a + b`, as Java and many copies of it have it, and `33 * a + b` of DJB.
const COLLIDING: [[&str; 2]; 2] = [["Aa", "BB"], ["Ez", "FY"]];

/// So many names of two to the power of this.
const BLOCKS: usize = 11;

fn simulator() -> Simulator {
    let profile = on_simulator::profile(Protocol::Http1, true);
    on_simulator::start(filters::plugin_module(), CONFIGURATION.as_bytes(), profile).unwrap()
}

/// A good event with these members besides.
fn event(names: &[String]) -> String {
    let mut body =
        r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829""#
            .to_owned();
    for name in names {
        body += &format!(",\"{name}\":1");
    }
    body + "}"
}

/// The fuel of an event with these members, once the heap has grown for it.
fn fuel(sim: &mut Simulator, names: &[String]) -> f64 {
    let body = event(names);
    let mut used = 0;
    for _ in 0..3 {
        let length = body.len().to_string();
        let request = Request::post(PATH).header("content-type", "application/json");
        let seen = sim.run(request.header("content-length", length).body(&body)).unwrap();
        assert!(seen.forwarded(), "{:?}", seen.response);
        used = seen.fuel.total();
    }
    used as f64
}

/// Every name of so many pairs.
fn of_pairs(pairs: [&str; 2], n_pairs: usize) -> Vec<String> {
    (0..1_usize << n_pairs).map(|bits| (0..n_pairs).map(|at| pairs[bits >> at & 1]).collect()).collect()
}

/// As many names of this length that share nothing in particular.
fn plain(n_names: usize, length: usize) -> Vec<String> {
    let mut state = 7_u64;
    let mut letter = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + (state >> 33) as u8 % 26)
    };
    (0..n_names).map(|_| (0..length).map(|_| letter()).collect()).collect()
}

#[test]
fn names_that_collide_cost_no_more_than_others() {
    let mut sim = simulator();
    let usual = fuel(&mut sim, &plain(1 << BLOCKS, 2 * BLOCKS));
    let mut shapes: Vec<(String, Vec<String>, f64)> = Vec::new();
    for pairs in COLLIDING {
        shapes.push((format!("{pairs:?}"), of_pairs(pairs, BLOCKS), MOST_FOR_COLLIDING));
    }
    let numbered: Vec<String> =
        (0..1 << BLOCKS).map(|n| format!("{n:0>width$}", width = 2 * BLOCKS)).collect();
    shapes.push(("rising, and alike to the last letters".to_owned(), numbered.clone(), MOST_FOR_ALIKE));
    shapes.push(("falling".to_owned(), numbered.into_iter().rev().collect(), MOST_FOR_ALIKE));
    for (shape, names, most) in shapes {
        assert!(names.iter().all(|name| name.len() == 2 * BLOCKS));
        let ratio = fuel(&mut sim, &names) / usual;
        println!("{ratio:.2} of plain names' fuel  {shape}");
        assert!(ratio <= most, "{shape}: {ratio:.2}");
    }
}

#[test]
fn twice_as_many_members_cost_about_twice_as_much() {
    let mut sim = simulator();
    for pairs in COLLIDING {
        let names = of_pairs(pairs, BLOCKS);
        let (half, whole) = (fuel(&mut sim, &names[..names.len() / 2]), fuel(&mut sim, &names));
        let ratio = whole / half;
        println!("{ratio:.2} for twice as many  {pairs:?}");
        assert!(ratio <= MOST_FOR_TWICE, "{pairs:?}: {ratio:.2}");
    }
}

/// The members that decide where an event goes.
const ROUTED: [&str; 6] = ["event_type", "timestamp", "data", "device_id", "bridge_id", "access_code_id"];

/// What the core says: the cause, or nothing.
fn cause(core: &Core, body: &str) -> Option<String> {
    on_core::run(core, &Exchange::post(PATH, body), 1).unwrap().ending.cause
}

fn with_member(member: &str) -> String {
    format!(
        r#"{{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829",{member}}}"#
    )
}

/// Every other spelling of a name by the case of its letters.
fn spellings(name: &str) -> Vec<String> {
    let letters = name.bytes().filter(u8::is_ascii_alphabetic).count();
    (1..1_usize << letters)
        .map(|bits| {
            let mut nth = 0;
            let spelt = |it: char| {
                let upper = it.is_ascii_alphabetic() && bits >> nth & 1 == 1;
                nth += usize::from(it.is_ascii_alphabetic());
                if upper { it.to_ascii_uppercase() } else { it }
            };
            name.chars().map(spelt).collect()
        })
        .collect()
}

#[test]
fn every_other_case_of_a_member_that_routes_is_refused() {
    let core = Core::new(Edge::from_json(CONFIGURATION.as_bytes()).unwrap());
    let mut n_tried = 0;
    for name in ROUTED {
        for spelling in spellings(name) {
            // Also with an escape, which is the same name.
            let escaped = format!("\\u{:04x}{}", spelling.as_bytes()[0], &spelling[1..]);
            for name in [&spelling, &escaped] {
                let body = with_member(&format!("\"{name}\":null"));
                assert_eq!(cause(&core, &body).as_deref(), Some("event_invalid"), "{body}");
                n_tried += 1;
            }
        }
    }
    assert!(n_tried > 10_000, "only {n_tried}");
}

#[test]
fn a_repeated_member_is_refused_however_it_is_escaped() {
    let core = Core::new(Edge::from_json(CONFIGURATION.as_bytes()).unwrap());
    for name in ["event_type", "timestamp", "device_id"] {
        for (at, letter) in name.char_indices() {
            let code = u32::from(letter);
            for escape in [format!("\\u{code:04x}"), format!("\\u{code:04X}")] {
                let escaped = format!("{}{escape}{}", &name[..at], &name[at + 1..]);
                let body = with_member(&format!("\"{escaped}\":\"lock_204\""));
                assert_eq!(cause(&core, &body).as_deref(), Some("json_malformed"), "{body}");
                // Inside another member too, where nothing routes.
                let inside = with_member(&format!("\"x\":{{\"{name}\":1,\"{escaped}\":2}}"));
                assert_eq!(cause(&core, &inside).as_deref(), Some("json_malformed"), "{inside}");
                // Alone it is the name.
                let alone = with_member("\"x\":1").replace(&format!("\"{name}\""), &format!("\"{escaped}\""));
                assert_eq!(cause(&core, &alone), None, "{alone}");
            }
        }
    }
}
