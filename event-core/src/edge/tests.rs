//! The whole way of an event's body: the order of the steps, and what upstream gets.

use crate::{Cause, Edge, Verdict};
use serde_json::{Value, json};

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
    let headers = [(":path", path), (":method", "POST"), ("content-type", "application/json")];
    let admission = edge.admit(headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))).unwrap();
    edge.judge(&admission, body, 0)
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
        Verdict::Refuse(refusal) => panic!("refused: {refusal:?}"),
    }
}

fn refused(edge: &Edge, members: &Value) -> (Cause, u16, bool) {
    match judge(edge, "/a", &event(members)) {
        Verdict::Forward(headers) => panic!("forwarded: {headers:?}"),
        Verdict::Refuse(refusal) => {
            let retry_after = refusal.headers().iter().any(|(name, _)| *name == "retry-after");
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
        Verdict::Forward(_) => panic!("forwarded"),
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
