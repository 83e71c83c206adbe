//! A whole event through the edge. It checks promises that hold for any body, not the verdict on one.

use event_core::directory::{Answer, Resolution};
use event_core::forward::ForwardHeaders;
use event_core::{Cause, Decision, Edge, Refusal, Verdict};
use std::cell::OnceCell;

/// One source and one account with an id of each kind; a directory knows the rest. Limits are low, so that small inputs reach
/// them.
const CONFIGURATION: &str = r#"{
    "environment": "fuzz",
    "sources": [{ "name": "acme", "path": "/e", "verify": "none" }],
    "accounts": [{ "connected_account_id": "ca", "devices": ["d"], "bridges": ["b"], "access_codes": ["a"] }],
    "directory": { "cluster": "directory" },
    "on_unassigned": "forward",
    "limits": { "body_bytes": 1024, "depth": 8, "id_bytes": 16 }
}"#;

/// A value that must never come back. It stands in the dictionary of the fuzzer.
const PIN: &str = "PIN-4711-SECRET";

thread_local! {
    static EDGE: OnceCell<Edge> = const { OnceCell::new() };
}

/// Checks one body.
///
/// # Panics
/// When something that must hold does not.
pub fn check(body: &[u8]) {
    EDGE.with(|edge| check_on(edge.get_or_init(edge_of_configuration), body));
}

fn edge_of_configuration() -> Edge {
    Edge::from_json(CONFIGURATION.as_bytes()).expect("the configuration is good")
}

fn check_on(edge: &Edge, body: &[u8]) {
    let post = [(":method", "POST"), (":path", "/e"), ("content-type", "application/json")];
    let headers = post.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let admission = edge.admit(headers).expect("the headers are good");
    match edge.judge(&admission, body, 0, &()) {
        Verdict::Forward(headers) => check_headers(&headers),
        Verdict::Refuse(refusal) => check_refusal(&refusal),
        Verdict::Ask(question) => match edge.resolve(question, &Resolution::Answered(Answer::Unknown)) {
            Decision::Forward(headers) => check_headers(&headers),
            Decision::Refuse(_) => panic!("unassigned events are forwarded here"),
        },
    }
}

fn check_headers(headers: &ForwardHeaders<'_>) {
    for (name, value) in headers.iter() {
        assert!(event_core::headers::is_reserved(name.as_bytes()), "{name} could be smuggled in");
        let visible = value.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
        assert!(visible, "{name} is no header value");
    }
    let id = headers.get("x-event-id").expect("every event has an id");
    assert_eq!(Some(id), headers.get("idempotency-key"));
    assert_eq!(id.len(), 32);
}

fn check_refusal(refusal: &Refusal) {
    let answer = refusal.body();
    let problem: serde_json::Value = serde_json::from_slice(&answer).expect("a refusal is JSON");
    assert_eq!(problem["status"], refusal.status());
    assert_eq!(problem["cause"], refusal.cause().name());
    assert!(answer.len() < 8 * 1024, "an answer grows with what is sent");
    let echoed = answer.windows(PIN.len()).any(|window| window == PIN.as_bytes());
    assert!(!echoed, "a value of the event is echoed");
    let not_of_a_body = [Cause::SourceUnknown, Cause::MethodNotAllowed, Cause::UpstreamUnavailable];
    assert!(!not_of_a_body.contains(&refusal.cause()), "a cause that no body can have");
}
