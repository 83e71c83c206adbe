//! The whole way of an event's body: the order of the steps, and what upstream gets.

use crate::accounts::Account;
use crate::directory::{Answer, Owners, Resolution};
use crate::subject::IdKind;
use crate::{Cause, Decision, Edge, Verdict};
use serde_json::{Value, json};
use std::rc::Rc;

fn edge(changes: &[(&str, Value)]) -> Edge {
    let mut config = json!({
        "environment": "production",
        "sources": [{ "name": "acme", "path": "/a", "verify": "none" }, { "name": "other", "path": "/b", "verify": "none" }],
        "accounts": [
            { "connected_account_id": "ca_1", "customer_key": "first, 100%", "devices": ["d", "shared"], "bridges": ["b"] },
            { "connected_account_id": "ca_0", "devices": ["shared"], "bridges": ["b0"], "access_codes": ["a0"] },
            { "connected_account_id": "ca_2", "source": "other", "devices": ["d2", "дверь/7"] },
        ],
    });
    for (pointer, value) in changes {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        config.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    Edge::from_json(config.to_string().as_bytes()).unwrap()
}

fn judge<'e>(edge: &'e Edge, path: &str, body: &[u8]) -> Verdict<'e> {
    let headers =
        [(":path", path), (":method", "POST"), ("content-type", "application/json"), ("x-api-key", "s3cret")];
    let admission = edge.admit(headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))).unwrap();
    edge.judge(&admission, body, 0, &())
}

fn event(members: &Value) -> Vec<u8> {
    let mut event = json!({"event_type": "device.online", "timestamp": "2025-05-22T10:48:18+02:00"});
    event.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    event.to_string().into_bytes()
}

fn forwarded(edge: &Edge, path: &str, members: &Value) -> Vec<(String, String)> {
    match judge(edge, path, &event(members)) {
        Verdict::Forward(headers) => {
            headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        }
        other @ (Verdict::Refuse(_) | Verdict::Ask(_)) => panic!("not forwarded: {other:?}"),
    }
}

fn refused(edge: &Edge, members: &Value) -> (Cause, u16, bool) {
    match judge(edge, "/a", &event(members)) {
        other @ (Verdict::Forward(_) | Verdict::Ask(_)) => panic!("not refused: {other:?}"),
        Verdict::Refuse(refusal) => {
            let retry_after = refusal.headers(0).iter().any(|(name, _)| *name == "retry-after");
            (refusal.cause(), refusal.status(), retry_after)
        }
    }
}

fn get<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
}

#[test]
fn upstream_gets_every_header_once() {
    let headers =
        forwarded(&edge(&[]), "/a", &json!({"device_id": "d", "bridge_id": "b", "access_code_id": "новый"}));
    let names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "x-event-id",
            "idempotency-key",
            "x-event-type",
            "x-event-timestamp",
            "x-device-id",
            "x-bridge-id",
            "x-access-code-id",
            "x-event-partition-key",
            "x-connected-account-id",
            "x-customer-key",
            "x-assigned-by",
            "x-event-source",
            "x-event-environment",
            "x-envoy-upstream-rq-timeout-ms",
            "x-envoy-upstream-rq-per-try-timeout-ms",
            "x-envoy-retry-on",
            "x-envoy-max-retries",
        ]
    );
    for (name, value) in [
        ("x-event-type", "device.online"),
        ("x-event-timestamp", "2025-05-22T08:48:18Z"),
        ("x-event-source", "acme"),
        ("x-event-environment", "production"),
        ("x-device-id", "d"),
        ("x-bridge-id", "b"),
        ("x-access-code-id", "%D0%BD%D0%BE%D0%B2%D1%8B%D0%B9"),
        ("x-event-partition-key", "acme/d"),
        ("x-connected-account-id", "ca_1"),
        ("x-customer-key", "first%2C%20100%25"),
        ("x-assigned-by", "device_id"),
    ] {
        assert_eq!(get(&headers, name), Some(value), "{name}");
    }
    assert_eq!(get(&headers, "x-event-id"), get(&headers, "idempotency-key"));
    assert!(headers.iter().all(|(name, _)| crate::headers::is_reserved(name.as_bytes())));
}

#[test]
fn several_accounts_are_sorted_and_an_absent_customer_is_an_empty_item() {
    let headers = forwarded(&edge(&[]), "/a", &json!({"device_id": "shared"}));
    assert_eq!(get(&headers, "x-connected-account-id"), Some("ca_0,ca_1"));
    assert_eq!(get(&headers, "x-customer-key"), Some(",first%2C%20100%25"));
}

#[test]
fn an_account_of_one_source_is_unknown_to_another() {
    assert_eq!(
        get(&forwarded(&edge(&[]), "/b", &json!({"device_id": "дверь/7"})), "x-connected-account-id"),
        Some("ca_2")
    );
    assert_eq!(refused(&edge(&[]), &json!({"device_id": "дверь/7"})).0, Cause::AccountUnknown);
}

#[test]
fn an_unassigned_event_is_treated_as_configured() {
    let unknown = json!({"device_id": "nobody's"});
    let with = |value: &str| edge(&[("/on_unassigned", json!(value))]);
    assert_eq!(refused(&edge(&[]), &unknown), (Cause::AccountUnknown, 503, true));
    assert_eq!(refused(&with("defer"), &unknown), (Cause::AccountUnknown, 503, true));
    assert_eq!(refused(&with("reject"), &unknown), (Cause::AccountUnknown, 422, false));
    let edge = with("forward");
    let headers = forwarded(&edge, "/a", &unknown);
    for name in ["x-connected-account-id", "x-customer-key", "x-assigned-by"] {
        assert_eq!(get(&headers, name), None, "{name}");
    }
    assert_eq!(get(&headers, "x-event-partition-key"), Some("acme/nobody's"));
}

#[test]
fn steps_are_taken_in_order() {
    let edge = edge(&[
        ("/sources/0/events", json!(["device.offline"])),
        ("/sources/0/unregistered", json!("reject")),
    ]);
    let conflict = json!({"device_id": "d", "bridge_id": "b0"});
    assert_eq!(refused(&edge, &json!({"device_id": 7})).0, Cause::EventInvalid);
    assert_eq!(refused(&edge, &json!({})).0, Cause::EventTypeRefused);
    let of_type = |mut members: Value| {
        members["event_type"] = json!("device.offline");
        refused(&edge, &members).0
    };
    assert_eq!(of_type(json!({})), Cause::SubjectMissing);
    assert_eq!(of_type(conflict), Cause::AccountConflict);
    assert_eq!(of_type(json!({"device_id": "?"})), Cause::AccountUnknown);
}

#[test]
fn an_unregistered_type_is_forwarded_unless_it_is_refused() {
    let edge = edge(&[("/sources/0/events", json!(["device.offline"]))]);
    assert_eq!(
        get(&forwarded(&edge, "/a", &json!({"device_id": "d"})), "x-event-type"),
        Some("device.online")
    );
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_is_read() {
    let edge = edge(&[("/limits", json!({"body_bytes": 10}))]);
    let cause = |body: &[u8]| match judge(&edge, "/a", body) {
        Verdict::Refuse(refusal) => refusal.cause(),
        other @ (Verdict::Forward(_) | Verdict::Ask(_)) => panic!("not refused: {other:?}"),
    };
    assert_eq!(cause(b"0123456789"), Cause::JsonMalformed);
    assert_eq!(cause(b"01234567890"), Cause::BodyTooLarge);
}

#[test]
fn equal_bytes_have_one_id_per_source() {
    let edge = edge(&[("/on_unassigned", json!("forward"))]);
    let id = |path: &str, device: &str| {
        get(&forwarded(&edge, path, &json!({"device_id": device})), "x-event-id").unwrap().to_owned()
    };
    assert_eq!(id("/a", "d"), id("/a", "d"));
    assert_ne!(id("/a", "d"), id("/b", "d"));
    assert_ne!(id("/a", "d"), id("/a", "d2"));
}

fn asks(edge: &Edge, members: &Value) -> crate::directory::question::Question {
    match judge(edge, "/a", &event(members)) {
        Verdict::Ask(question) => question,
        other @ (Verdict::Forward(_) | Verdict::Refuse(_)) => panic!("not asked: {other:?}"),
    }
}

fn owners(assigned_by: IdKind) -> Owners {
    let account = Account { connected_account_id: "ca_far".into(), customer_key: Some("k".into()) };
    Owners::new(vec![Rc::new(account)], assigned_by).unwrap()
}

fn with_directory(changes: &[(&str, Value)]) -> Edge {
    let directory = [("/directory", json!({"cluster": "d"}))];
    edge(&[directory.as_slice(), changes].concat())
}

#[test]
fn the_directory_is_asked_only_about_what_no_embedded_account_knows() {
    let edge = with_directory(&[]);
    let question = asks(&edge, &json!({"bridge_id": "?", "access_code_id": "дверь"}));
    let ids = question.subject().ids();
    assert_eq!((ids.device, ids.bridge, ids.access_code), (None, Some("?"), Some("дверь")));
    let headers = forwarded(&edge, "/a", &json!({"device_id": "?", "bridge_id": "b"}));
    assert_eq!(get(&headers, "x-assigned-by"), Some("bridge_id"), "embedded knowledge goes first");
    assert_eq!(refused(&edge, &json!({"device_id": "d", "bridge_id": "b0"})).0, Cause::AccountConflict);
}

#[test]
fn an_event_that_waited_gets_the_headers_that_it_would_have_had() {
    let members = json!({"device_id": "дверь, 7", "bridge_id": "?"});
    let embedded = edge(&[(
        "/accounts",
        json!([{"connected_account_id": "ca_far", "customer_key": "k", "devices": ["дверь, 7"]}]),
    )]);
    let edge = with_directory(&[]);
    let assigned = Resolution::Answered(Answer::Assigned(owners(IdKind::Device)));
    let Decision::Forward(headers) = edge.resolve(asks(&edge, &members), &assigned) else { panic!() };
    let headers: Vec<_> = headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    assert_eq!(headers, forwarded(&embedded, "/a", &members));
    assert_eq!(get(&headers, "x-assignment-stale"), None);
}

#[test]
fn each_answer_of_the_directory_has_its_outcome() {
    let outcome = |edge: &Edge, resolution: Resolution| match edge
        .resolve(asks(edge, &json!({"device_id": "?"})), &resolution)
    {
        Decision::Forward(headers) => Ok(["x-connected-account-id", "x-assignment-stale"]
            .map(|name| headers.get(name).map(ToOwned::to_owned))),
        Decision::Refuse(refusal) => {
            let retries = refusal.headers(0).iter().any(|(name, _)| *name == "retry-after");
            Err((refusal.cause(), refusal.status(), retries))
        }
    };
    let defer = with_directory(&[]);
    let reject = with_directory(&[("/on_unassigned", json!("reject"))]);
    let forward = with_directory(&[("/on_unassigned", json!("forward"))]);
    let far = || Some("ca_far".to_owned());
    for edge in [&defer, &reject, &forward] {
        assert_eq!(
            outcome(edge, Resolution::Answered(Answer::Assigned(owners(IdKind::Device)))),
            Ok([far(), None])
        );
        assert_eq!(
            outcome(edge, Resolution::Stale(owners(IdKind::Device), 17)),
            Ok([far(), Some("17".to_owned())])
        );
        assert_eq!(
            outcome(edge, Resolution::Answered(Answer::Conflict)),
            Err((Cause::AccountConflict, 422, false))
        );
        assert_eq!(outcome(edge, Resolution::Unavailable), Err((Cause::DirectoryUnavailable, 503, true)));
    }
    let unknown = || Resolution::Answered(Answer::Unknown);
    assert_eq!(outcome(&defer, unknown()), Err((Cause::AccountUnknown, 503, true)));
    assert_eq!(outcome(&reject, unknown()), Err((Cause::AccountUnknown, 422, false)));
    assert_eq!(outcome(&forward, unknown()), Ok([None, None]));
}

#[test]
fn only_assigned_events_of_verified_sources_with_two_ids_teach() {
    let token = json!({"token": {"header": "x-api-key", "secrets": ["s3cret"]}});
    let verified = ("/sources/0/verify", token);
    let both = json!({"device_id": "d", "access_code_id": "?"});
    let lesson = |edge: &Edge, members: &Value| match judge(edge, "/a", &event(members)) {
        Verdict::Forward(headers) => headers.into_sent().lesson().cloned(),
        Verdict::Ask(question) => {
            let assigned = Resolution::Answered(Answer::Assigned(owners(IdKind::Device)));
            match edge.resolve(question, &assigned) {
                Decision::Forward(headers) => headers.into_sent().lesson().cloned(),
                Decision::Refuse(refusal) => panic!("{refusal:?}"),
            }
        }
        Verdict::Refuse(refusal) => panic!("{refusal:?}"),
    };
    let edge_of_strangers = with_directory(&[]);
    let edge_without_directory = edge(std::slice::from_ref(&verified));
    let edge = with_directory(&[verified]);
    let elsewhere = json!({"device_id": "?", "bridge_id": "?"});
    for members in [&both, &elsewhere] {
        let lesson = lesson(&edge, members).unwrap();
        assert_eq!(lesson.subject().ids().device, members["device_id"].as_str());
    }
    assert_eq!(lesson(&edge, &json!({"device_id": "d"})), None);
    assert_eq!(lesson(&edge, &json!({"device_id": "?"})), None);
    assert_eq!(lesson(&edge_of_strangers, &both), None);
    assert_eq!(lesson(&edge_of_strangers, &elsewhere), None);
    assert_eq!(lesson(&edge_without_directory, &both), None);
}
