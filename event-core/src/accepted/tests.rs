//! What is remembered of accepted events, against a model that forgets nothing.

use super::{Entry, Place, Places, Table};
use crate::response::Sent;
use crate::{Cause, Edge, Verdict};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;

const START_S: u64 = 1_767_225_600;
const WINDOW_S: u64 = 600;

/// The places that the workers of one Envoy share.
#[derive(Default)]
struct World(RefCell<BTreeMap<Place, Entry>>);

impl World {
    /// As Envoy does it: nothing is written if the version is another one.
    fn write(&self, place: Place, bytes: Vec<u8>, version: Option<u32>) -> bool {
        let mut places = self.0.borrow_mut();
        let found = places.get(&place).map(|entry| entry.version);
        if version.is_some() && found != version {
            return false;
        }
        places.insert(place, Entry { bytes, version: found.unwrap_or_default() + 1 });
        true
    }

    /// Upstream has accepted it.
    fn remember(&self, sent: Sent, now_s: u64) {
        if let Some(fingerprint) = sent.fingerprint() {
            self.write(fingerprint.place(), fingerprint.entry(now_s), None);
        }
        let mut latest = sent.into_latest();
        while let Some(it) = latest {
            let Some((entry, version)) = it.entry() else { break };
            let nothing_there = version.is_none() && !self.0.borrow().contains_key(&it.place());
            if nothing_there && self.write(it.place(), entry.to_vec(), None)
                || version.is_some() && self.write(it.place(), entry.to_vec(), version)
            {
                break;
            }
            latest = Some(it.look(self));
        }
    }

    fn n_of(&self, table: Table) -> usize {
        self.0.borrow().keys().filter(|place| place.table == table).count()
    }
}

impl Places for World {
    fn read(&self, place: Place) -> Option<Entry> {
        self.0.borrow().get(&place).cloned()
    }
}

fn edge_of(environment: &str, slots: u32) -> Edge {
    let source =
        |name: &str, verify: Value| json!({"name": name, "path": format!("/{name}"), "verify": verify});
    let config = json!({
        "environment": environment,
        "sources": [source("acme", json!("none")), source("other", json!("none"))],
        "on_unassigned": "forward",
        "duplicates": {"window_s": WINDOW_S, "slots": slots},
        "order": {"slots": slots},
        "replay": {"secrets": ["replayer"]},
    });
    Edge::from_json(config.to_string().as_bytes()).unwrap().remembering(b"secret")
}

fn edge() -> Edge {
    edge_of("test", 1 << 20)
}

fn body(device: &str, second: u32, more: &str) -> Vec<u8> {
    let timestamp = format!("2026-01-01T00:{:02}:{:02}Z", second / 60, second % 60);
    json!({"event_type": "device.online", "timestamp": timestamp, "device_id": device, "more": more})
        .to_string()
        .into_bytes()
}

/// What becomes of a body: the cause, or what is kept and whether it is flagged as late.
fn judge(
    edge: &Edge,
    world: &World,
    source: &str,
    id: Option<&str>,
    body: &[u8],
    now_s: u64,
) -> Result<(Sent, bool), Cause> {
    let path = format!("/{source}");
    let mut headers =
        vec![(":path", path.as_str()), (":method", "POST"), ("content-type", "application/json")];
    // The shortest way to an id of the sender's choice.
    headers.extend(
        id.into_iter().flat_map(|id| [("x-bellhop-replay", "replayer"), ("x-bellhop-replay-id", id)]),
    );
    let admission =
        edge.admit(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))).unwrap();
    match edge.judge(&admission, body, now_s, world) {
        Verdict::Forward(headers) => {
            let late = headers.get("x-event-out-of-order").is_some();
            Ok((*headers.into_sent(), late))
        }
        Verdict::Refuse(refusal) => Err(refusal.cause()),
        Verdict::Ask(question) => panic!("{question:?}"),
    }
}

#[test]
fn a_copy_of_an_accepted_event_is_a_duplicate_within_the_window() {
    let (edge, world) = (edge(), World::default());
    let event = body("d", 0, "");
    let judge = |now_s| judge(&edge, &world, "acme", None, &event, now_s);
    let (first, _) = judge(START_S).unwrap();
    assert!(judge(START_S).is_ok(), "nothing was accepted yet: both copies go on");
    world.remember(first, START_S + 5);
    for (now_s, found) in [
        (START_S + 5, true),
        (START_S + 4 + WINDOW_S, true),
        (START_S + 5 + WINDOW_S, false),
        // The clock was set back.
        (START_S - 86_400, true),
    ] {
        assert_eq!(judge(now_s).is_err_and(|cause| cause == Cause::Duplicate), found, "{now_s}");
    }
}

#[test]
fn another_source_id_body_or_environment_is_another_event() {
    let (edge, world) = (edge(), World::default());
    let event = body("d", 0, "");
    let (accepted, _) = judge(&edge, &world, "acme", Some("msg_1"), &event, START_S).unwrap();
    world.remember(accepted, START_S);
    let other = body("d", 0, "?");
    for (source, id, body, found) in [
        ("acme", Some("msg_1"), &event, true),
        ("acme", Some("msg_2"), &event, false),
        ("acme", None, &event, false),
        ("acme", Some("msg_1"), &other, false),
        ("other", Some("msg_1"), &event, false),
    ] {
        let judged = judge(&edge, &world, source, id, body, START_S);
        assert_eq!(judged.is_err(), found, "{source} {id:?}");
    }
    let elsewhere = edge_of("staging", 1 << 20);
    assert!(judge(&elsewhere, &world, "acme", Some("msg_1"), &event, START_S).is_ok());
}

#[test]
fn an_event_that_is_older_than_an_accepted_one_of_its_device_is_late() {
    let (edge, world) = (edge(), World::default());
    let send = |source: &str, device: &str, second: u32| {
        let (sent, late) = judge(&edge, &world, source, None, &body(device, second, ""), START_S).unwrap();
        world.remember(sent, START_S);
        late
    };
    for (source, device, second, late) in [
        ("acme", "d", 10, false),
        ("acme", "d", 9, true),
        ("acme", "e", 9, false),
        ("other", "d", 9, false),
        ("acme", "d", 8, true),
        ("acme", "d", 11, false),
        ("acme", "d", 10, true),
    ] {
        // Not a copy of an earlier row.
        world.0.borrow_mut().retain(|place, _| place.table == Table::Order);
        assert_eq!(send(source, device, second), late, "{source} {device} {second}");
    }
}

#[test]
fn an_event_of_the_same_instant_is_not_late() {
    let (edge, world) = (edge(), World::default());
    let (sent, _) = judge(&edge, &world, "acme", None, &body("d", 10, "one"), START_S).unwrap();
    world.remember(sent, START_S);
    let (_, late) = judge(&edge, &world, "acme", None, &body("d", 10, "two"), START_S).unwrap();
    assert!(!late);
}

#[test]
fn two_workers_that_accept_at_once_keep_the_newer_timestamp() {
    for order in [[3, 5], [5, 3]] {
        let (edge, world) = (edge(), World::default());
        let judged = order.map(|second| judge(&edge, &world, "acme", None, &body("d", second, ""), START_S));
        for sent in judged {
            world.remember(sent.unwrap().0, START_S);
        }
        let (_, late) = judge(&edge, &world, "acme", None, &body("d", 4, ""), START_S).unwrap();
        assert!(late, "{order:?}");
    }
}

#[test]
fn without_a_secret_nothing_is_remembered() {
    let world = World::default();
    let config = br#"{"environment": "test", "sources": [{"name": "acme", "path": "/acme", "verify": "none"}], "on_unassigned": "forward", "duplicates": {"window_s": 600}}"#;
    let edge = Edge::from_json(config).unwrap();
    let (sent, _) = judge(&edge, &world, "acme", None, &body("d", 0, ""), START_S).unwrap();
    world.remember(sent, START_S);
    assert!(world.0.borrow().is_empty());
}

#[test]
fn what_stands_in_a_place_and_is_no_entry_is_nobodys() {
    let (edge, world) = (edge(), World::default());
    let event = body("d", 0, "");
    let (sent, _) = judge(&edge, &world, "acme", None, &event, START_S).unwrap();
    world.remember(sent, START_S);
    let places: Vec<_> =
        world.0.borrow().iter().map(|(place, entry)| (*place, entry.bytes.clone())).collect();
    assert_eq!(places.len(), 2);
    for (place, bytes) in places {
        for cut in 0..bytes.len() {
            world.write(place, bytes[..cut].to_vec(), None);
            let judged = judge(&edge, &world, "acme", None, &event, START_S);
            assert!(place.table == Table::Order && judged.is_err() || judged.is_ok_and(|(_, late)| !late));
        }
        world.write(place, bytes, None);
    }
}

proptest! {
    /// With few places, events take each other's: then something is forgotten, but never made up.
    #[test]
    fn nothing_is_taken_for_a_copy_or_late_that_is_not(
        events in prop::collection::vec((0..3_u8, 0..4_u32, 0..2_u8, 0..400_u64, any::<bool>()), 1..60),
        slots in prop_oneof![Just(1_u32), Just(3), Just(1 << 20)],
    ) {
        let (edge, world) = (edge_of("test", slots), World::default());
        let mut accepted: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        let mut newest: BTreeMap<String, u32> = BTreeMap::new();
        let mut now_s = START_S;
        for (device, second, more, later_s, is_accepted) in events {
            now_s += later_s;
            let device = format!("d{device}");
            let event = body(&device, second, &more.to_string());
            let copy = accepted.get(&event).is_some_and(|at| now_s - at < WINDOW_S);
            let late = newest.get(&device).is_some_and(|newest| second < *newest);
            match judge(&edge, &world, "acme", None, &event, now_s) {
                Err(cause) => {
                    prop_assert_eq!(cause, Cause::Duplicate);
                    prop_assert!(copy);
                }
                Ok((sent, flagged)) => {
                    prop_assert!(!copy || slots < 1_000, "a copy was overlooked");
                    prop_assert!(late || !flagged);
                    prop_assert!(flagged || !late || slots < 1_000, "a late event was overlooked");
                    if is_accepted {
                        world.remember(sent, now_s);
                        accepted.insert(event, now_s);
                        newest.entry(device).and_modify(|it| *it = (*it).max(second)).or_insert(second);
                    }
                }
            }
        }
        for table in [Table::Duplicates, Table::Order] {
            prop_assert!(world.n_of(table) <= slots as usize, "the places grow with what is sent");
        }
    }
}
