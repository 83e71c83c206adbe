//! `/v1/quarantine…`: taking, listing, showing without secrets, and replaying at an edge that is a real server.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};

use axum::body::Body;
use axum::http::StatusCode;
use directory::store::{Claim, QuarantineFilter};
use serde_json::{Value, json};
use testbed::upstream::{Answer as Reply, Upstream};
use tower::ServiceExt;

use super::service::{Answer, Running, check_schema, request};

/// An edge that is away: nothing listens on port 1.
pub(super) const SETTINGS: &str = "[quarantine]\nmax_events = 100\nedge_url = 'http://127.0.0.1:1'\nreplay_secret = 'a-secret-for-replays'\n";

const HEADERS: &str = "x-event-id: e1\nx-event-source: acme\nx-event-environment: production\n\
                       x-event-cause: event_invalid\nx-envoy-original-path: /provider_events\n\
                       content-type: application/json";

/// A request, the status of its refusal, and the name of its problem.
type BadRequest = ((&'static str, String, String, String), u16, &'static str);

/// What is refused, for the test that tries every route.
pub(super) fn bad_requests() -> Vec<BadRequest> {
    let mut cases: Vec<BadRequest> = Vec::new();
    let without = |name: &str| {
        let rest: Vec<_> = HEADERS.lines().filter(|line| !line.starts_with(&format!("{name}:"))).collect();
        rest.join("\n")
    };
    let mut put = |headers: String, status, kind| {
        cases.push((("POST", "/v1/quarantine".to_owned(), headers, "secret".to_owned()), status, kind));
    };
    let long = "s".repeat(9000);
    for (name, bad) in [
        ("x-event-id", &["", "a.b", "a b", "\u{e4}", &long][..]),
        ("x-event-source", &["", "Secret", "a/b", &long]),
        ("x-event-environment", &["", "a b", &long]),
        ("x-event-cause", &["", "Secret", "se-cret", &long]),
        ("x-envoy-original-path", &["", "secret", "http://secret/", "/a#secret", "/a b", "*", &long]),
        ("content-type", &["", "\u{e4}", &long]),
    ] {
        put(without(name), 400, "header_invalid");
        put(format!("{HEADERS}\n{name}: second"), 400, "header_invalid");
        for value in bad {
            put(format!("{}\n{name}: {value}", without(name)), 400, "header_invalid");
        }
    }
    for name in [
        "x-event-type",
        "x-event-timestamp",
        "x-device-id",
        "x-bridge-id",
        "x-access-code-id",
        "x-event-partition-key",
    ] {
        for value in ["", "se cret", &long] {
            put(format!("{HEADERS}\n{name}: {value}"), 400, "header_invalid");
        }
        put(format!("{HEADERS}\n{name}: a\n{name}: b"), 400, "header_invalid");
    }
    put(format!("{HEADERS}\ncontent-encoding: gzip"), 400, "header_invalid");
    put(format!("{HEADERS}\ncontent-length: 1048577"), 413, "body_too_large");
    put(format!("{HEADERS}\nauthorization: Bearer secret"), 401, "unauthorized");
    let too_large = "s".repeat((1 << 20) + 1);
    cases.push((("POST", "/v1/quarantine".to_owned(), HEADERS.to_owned(), too_large), 413, "body_too_large"));

    let mut plain = |method, path: &str, status, kind| {
        cases.push(((method, path.to_owned(), String::new(), String::new()), status, kind));
    };
    for query in [
        "source=",
        "source=Secret",
        "cause=Secret",
        "cause=",
        "state=secret",
        "limit=0",
        "limit=501",
        "page_cursor=secret",
        "page_cursor=-1",
        "page_cursor=",
        "secret=1",
        "limit=1&limit=2",
    ] {
        plain("GET", &format!("/v1/quarantine?{query}"), 400, "request_invalid");
    }
    for (method, ending) in [("GET", ""), ("DELETE", ""), ("POST", "/replay")] {
        for id in ["secret", "-1", "+1", "1.0", "%20", "99999999999999999999", "%FF"] {
            plain(method, &format!("/v1/quarantine/{id}{ending}"), 400, "request_invalid");
        }
        plain(method, &format!("/v1/quarantine/1{ending}?secret=1"), 400, "request_invalid");
        plain(method, &format!("/v1/quarantine/1{ending}"), 404, "not_found");
    }
    plain("DELETE", "/v1/quarantine", 405, "method_not_allowed");
    plain("GET", "/v1/quarantine/replay", 405, "method_not_allowed");

    let mut many = |query: &str, headers: &str, body: &str, status, kind| {
        let path = format!("/v1/quarantine/replay{query}");
        cases.push((("POST", path, headers.to_owned(), body.to_owned()), status, kind));
    };
    let is_json = "content-type: application/json";
    for body in [
        "",
        "[]",
        "[null,null,1,null]",
        "secret",
        r#"{"secret":1}"#,
        r#"{"limit":0}"#,
        r#"{"limit":101}"#,
        r#"{"limit":1.5}"#,
        r#"{"limit":1,"limit":2}"#,
        r#"{"source":5}"#,
    ] {
        many("", is_json, body, 400, "body_invalid");
    }
    for body in [r#"{"source":"Secret"}"#, r#"{"cause":"Secret"}"#, r#"{"page_cursor":"secret"}"#] {
        many("", is_json, body, 400, "request_invalid");
    }
    many("?secret=1", is_json, "{}", 400, "request_invalid");
    many("", "", "{}", 415, "media_type_unsupported");
    many("", is_json, &format!("{{{}}}", " ".repeat(5000)), 413, "body_too_large");
    many("", &format!("{is_json}\nauthorization: Bearer secret"), "{}", 401, "unauthorized");
    cases
}

/// A service whose edge is this server.
async fn at(edge: &Upstream) -> Running {
    Running::with(&format!(
        "[quarantine]\nedge_url = 'http://{}'\nreplay_secret = 'a-secret-for-replays'\nreplay_timeout_s = 60\n",
        edge.address()
    ))
    .await
}

/// Sets an event aside; `more` are lines of headers that take the place of the usual ones.
async fn put(service: &Running, more: &str, body: impl Into<Body>) -> Answer {
    let is_other = |line: &&str| {
        let name = line.split(':').next().unwrap();
        !more.lines().any(|other| other.split(':').next() == Some(name))
    };
    let lines: Vec<_> = HEADERS.lines().filter(is_other).chain(more.lines()).collect();
    service.send(request("POST", "/v1/quarantine", &lines.join("\n")).body(body.into()).unwrap()).await
}

pub(super) async fn taken(service: &Running, more: &str, body: impl Into<Body>) {
    let answer = put(service, more, body).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
}

/// Posts, and holds the answer against the document.
async fn post(service: &Running, path: &str, body: &str) -> Answer {
    let headers = if body.is_empty() { "" } else { "content-type: application/json" };
    let answer = service.send(request("POST", path, headers).body(body.to_owned().into()).unwrap()).await;
    check_schema(&service.document().await, "POST", path, &answer);
    answer
}

async fn replay(service: &Running, id: i64) -> Value {
    post(service, &format!("/v1/quarantine/{id}/replay"), "").await.json()
}

/// What came of each, as `id outcome`, and where to go on.
async fn replay_many(service: &Running, body: &str) -> (Vec<String>, Value) {
    let answer = post(service, "/v1/quarantine/replay", body).await.json();
    let of = |item: &Value| format!("{} {}", item["id"], item["outcome"].as_str().unwrap());
    let items = answer["items"].as_array().unwrap_or_else(|| panic!("{answer}"));
    (items.iter().map(of).collect(), answer["next_page_cursor"].clone())
}

async fn show(service: &Running, id: i64) -> Value {
    service.get(&format!("/v1/quarantine/{id}")).await.json()
}

#[tokio::test]
async fn an_event_is_kept_listed_shown_without_secrets_and_dropped() {
    let service = Running::with(SETTINGS).await;
    let document = service.document().await;
    let body = r#"{"event_type":"access_code.created","data":{"code":"4711","access_code_id":"c1","name":"Ann 4711"}}"#;
    let more = "x-event-type: access_code.created\nx-event-timestamp: 2026-02-10T14:24:18Z\nx-device-id: d1\n\
                x-bridge-id: b1\nx-access-code-id: c1\nx-event-partition-key: acme/d1\n\
                x-envoy-original-path: /provider_events?token=hidden";
    let answer = put(&service, more, body).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
    check_schema(&document, "POST", "/v1/quarantine", &answer);
    taken(&service, more, body).await;
    taken(&service, "x-event-id: e2\nx-event-cause: json_malformed", "{\"pin\":4711,}").await;

    let list = service.get("/v1/quarantine").await;
    check_schema(&document, "GET", "/v1/quarantine", &list);
    let items = list.json()["items"].clone();
    assert_eq!(items.as_array().unwrap().len(), 2);
    for (name, value) in [
        ("id", json!(1)),
        ("state", json!("waiting")),
        ("environment", json!("production")),
        ("source", json!("acme")),
        ("cause", json!("event_invalid")),
        ("event_id", json!("e1")),
        ("path", json!("/provider_events")),
        ("content_type", json!("application/json")),
        ("event_type", json!("access_code.created")),
        ("event_timestamp", json!("2026-02-10T14:24:18Z")),
        ("device_id", json!("d1")),
        ("bridge_id", json!("b1")),
        ("access_code_id", json!("c1")),
        ("partition_key", json!("acme/d1")),
        ("body_bytes", json!(body.len())),
        ("times_seen", json!(2)),
        ("replay_attempts", json!(0)),
        ("replayed_at", Value::Null),
    ] {
        assert_eq!(items[0][name], value, "{name}");
    }
    let answer = service.get("/v1/quarantine/1").await;
    check_schema(&document, "GET", "/v1/quarantine/1", &answer);
    assert!(!answer.body.contains("4711") && !answer.body.contains("hidden"), "{}", answer.body);
    assert_eq!(answer.json()["body_is_json"], true);
    assert_eq!(
        answer.json()["masked_body"],
        json!({"event_type": "access_code.created", "data": {"code": "***", "access_code_id": "c1", "name": "Ann 0000"}})
    );
    let other = service.get("/v1/quarantine/2").await;
    check_schema(&document, "GET", "/v1/quarantine/2", &other);
    assert_eq!(other.json()["body_is_json"], false);
    assert_eq!(other.json()["masked_body"], "{\"xxx\":0000,}");

    for (query, expected) in [
        ("?cause=json_malformed", json!([2])),
        ("?source=other", json!([])),
        ("?source=acme&state=waiting", json!([1, 2])),
        ("?state=replayed", json!([])),
        ("?limit=1", json!([1])),
        ("?limit=1&page_cursor=1", json!([2])),
    ] {
        let list = service.get(&format!("/v1/quarantine{query}")).await.json();
        let ids: Value = list["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(ids, expected, "{query}");
        assert_eq!(list["next_page_cursor"] == "1", query == "?limit=1", "{query}");
    }
    let metrics = service.get("/metrics").await.body;
    for line in [
        "bellhop_directory_quarantined_total{outcome=\"stored\",cause=\"event_invalid\"} 1",
        "bellhop_directory_quarantined_total{outcome=\"again\",cause=\"event_invalid\"} 1",
        "bellhop_directory_quarantine_events{state=\"waiting\"} 2",
        "bellhop_directory_quarantine_events{state=\"replayed\"} 0",
        "bellhop_directory_quarantine_max_age_seconds 1209600",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
    let delete = || request("DELETE", "/v1/quarantine/1", "").body(Body::empty()).unwrap();
    let gone = service.send(delete()).await;
    assert_eq!((gone.status, gone.body.as_str()), (StatusCode::NO_CONTENT, ""));
    check_schema(&document, "DELETE", "/v1/quarantine/1", &gone);
    assert_eq!(service.send(delete()).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/v1/quarantine/1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_query_of_the_source_is_no_query_of_ours() {
    let service = Running::with(SETTINGS).await;
    let request =
        request("POST", "/v1/quarantine?token=%zz&token=x", HEADERS).body(Body::from("{}")).unwrap();
    assert_eq!(service.send(request).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_full_quarantine_says_when_to_come_again() {
    let service = Running::with("[quarantine]\nmax_events = 1\n").await;
    taken(&service, "", "{}").await;
    let answer = put(&service, "x-event-id: e2", "{}").await;
    assert_eq!(
        (answer.status, &answer.headers["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"60".parse().unwrap())
    );
    assert_eq!(answer.json()["type"], "urn:bellhop:problem:quarantine_full");
    check_schema(&service.document().await, "POST", "/v1/quarantine", &answer);
    taken(&service, "", "{}").await;
    assert!(
        service
            .get("/metrics")
            .await
            .body
            .contains("quarantined_total{outcome=\"full\",cause=\"event_invalid\"} 1")
    );
}

#[tokio::test]
async fn without_its_configuration_there_is_no_quarantine_and_without_an_edge_no_replay() {
    let service = Running::new().await;
    let document = service.document().await;
    assert_eq!(put(&service, "", "{}").await.json()["type"], "urn:bellhop:problem:not_found");
    for (method, path) in [
        ("GET", "/v1/quarantine"),
        ("GET", "/v1/quarantine/1"),
        ("DELETE", "/v1/quarantine/1"),
        ("POST", "/v1/quarantine/1/replay"),
        ("POST", "/v1/quarantine/replay"),
    ] {
        let answer = service.send(request(method, path, "").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
        check_schema(&document, method, path, &answer);
    }
    let service = Running::with("[quarantine]\n").await;
    taken(&service, "", "{}").await;
    for (path, body) in [("/v1/quarantine/1/replay", ""), ("/v1/quarantine/replay", "{}")] {
        let answer = post(&service, path, body).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.body.contains("quarantine.edge_url"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_replay_sends_what_came_and_says_who_it_is() {
    let edge = Upstream::start().unwrap();
    let service = at(&edge).await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let more = "x-event-id: msg_1%2C\nx-envoy-original-path: //provider_events?a=%2F&b\n\
                content-type: application/vnd.acme+json; charset=utf-8";
    taken(&service, more, every_byte.clone()).await;
    taken(&service, "", "").await;
    assert_eq!(
        replay(&service, 1).await,
        json!({"id": 1, "outcome": "replayed", "status": 200, "cause": null})
    );
    assert_eq!(replay(&service, 2).await["outcome"], "replayed");
    let received = edge.take();
    assert!(received[0].body == every_byte && received[1].body.is_empty());
    assert_eq!(
        (received[0].method.as_str(), received[0].path.as_str()),
        ("POST", "//provider_events?a=%2F&b")
    );
    let headers: BTreeMap<_, _> = received[0]
        .headers
        .iter()
        .map(|(name, value)| (str::from_utf8(name).unwrap(), str::from_utf8(value).unwrap()))
        .collect();
    let authority = edge.address().to_string();
    let expected = [
        ("content-length", "256"),
        ("content-type", "application/vnd.acme+json; charset=utf-8"),
        ("host", authority.as_str()),
        ("user-agent", "bellhop"),
        ("x-bellhop-replay", "a-secret-for-replays"),
        ("x-bellhop-replay-id", "msg_1%2C"),
    ];
    assert_eq!(headers, BTreeMap::from(expected));
    let shown = show(&service, 1).await;
    assert_eq!((&shown["state"], &shown["replay_attempts"]), (&json!("replayed"), &json!(1)));
    assert_eq!(shown["replay_status"], 200);
    assert!(shown["replayed_at"].as_i64() >= shown["first_seen_at"].as_i64());
    // Again, because somebody wants it.
    assert_eq!(replay(&service, 1).await["outcome"], "replayed");
    assert_eq!(show(&service, 1).await["replay_attempts"], 2);
    let metrics = service.get("/metrics").await.body;
    assert!(
        metrics.contains("bellhop_directory_quarantine_replays_total{outcome=\"replayed\"} 3"),
        "{metrics}"
    );
}

#[tokio::test]
async fn what_the_edge_does_not_accept_waits_with_its_answer() {
    let edge = Upstream::start().unwrap();
    let service = at(&edge).await;
    taken(&service, "", "{}").await;
    let problem = |status, body: &str| {
        Reply::status(status).header("content-type", "application/problem+json").body(body)
    };
    let large = format!(r#"{{"cause":"account_unknown","detail":"{}"}}"#, "x".repeat(100_000));
    for (attempt, (reply, outcome, status, cause)) in [
        (
            problem(422, r#"{"cause":"subject_missing","detail":"4711"}"#),
            "refused",
            json!(422),
            json!("subject_missing"),
        ),
        (problem(503, r#"{"cause":"pin_4711"}"#), "refused", json!(503), Value::Null),
        (problem(503, &large), "refused", json!(503), Value::Null),
        (Reply::status(404).body(r#"{"cause":"account_unknown"}"#), "refused", json!(404), Value::Null),
        (Reply::status(302).header("location", "/elsewhere"), "refused", json!(302), Value::Null),
        // An edge that knows of no replays has set it aside again.
        (Reply::status(202).header("x-event-quarantined", "true"), "refused", json!(202), Value::Null),
        (Reply::Close, "unreachable", Value::Null, Value::Null),
        (Reply::Reset, "unreachable", Value::Null, Value::Null),
        (Reply::Raw(b"SSH-2.0\r\n\r\n".to_vec()), "unreachable", Value::Null, Value::Null),
    ]
    .into_iter()
    .enumerate()
    {
        edge.next(reply);
        let answer = replay(&service, 1).await;
        assert_eq!(answer, json!({"id": 1, "outcome": outcome, "status": status, "cause": cause}));
        let shown = show(&service, 1).await;
        assert_eq!((&shown["state"], &shown["cause"]), (&json!("waiting"), &json!("event_invalid")));
        assert_eq!(shown["replay_attempts"], attempt + 1);
        assert_eq!((&shown["replay_status"], &shown["replay_cause"]), (&status, &cause));
    }
    // Accepted before, says the edge.
    edge.next(Reply::status(200).header("x-event-duplicate", "true"));
    assert_eq!(replay(&service, 1).await["outcome"], "replayed");
    // A replay that fails does not undo one that did not.
    edge.next(Reply::status(500));
    assert_eq!(replay(&service, 1).await["outcome"], "refused");
    assert_eq!(show(&service, 1).await["state"], "replayed");
}

#[tokio::test]
async fn an_edge_that_is_away_or_hangs_is_not_waited_for_without_end() {
    let service = Running::with(SETTINGS).await;
    taken(&service, "", "{}").await;
    assert_eq!(replay(&service, 1).await["outcome"], "unreachable");
    let edge = Upstream::start_with(0, |_| Reply::Hang).unwrap();
    let service = Running::with(&format!(
        "[quarantine]\nedge_url = 'http://{}'\nreplay_secret = 'a-secret-for-replays'\nreplay_timeout_s = 1\n",
        edge.address()
    ))
    .await;
    taken(&service, "", "{}").await;
    assert_eq!(
        replay(&service, 1).await,
        json!({"id": 1, "outcome": "unreachable", "status": null, "cause": null})
    );
    assert_eq!(show(&service, 1).await["replay_attempts"], 1);
}

#[tokio::test]
async fn an_event_is_replayed_once_at_a_time_and_a_caller_who_goes_does_not_stop_it() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let edge = Upstream::start_with(0, move |_| {
        asked.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
        Reply::status(200)
    })
    .unwrap();
    let service = at(&edge).await;
    taken(&service, "", "{}").await;
    let path = "/v1/quarantine/1/replay";
    let first = request("POST", path, "").body(Body::empty()).unwrap();
    let first = tokio::spawn(service.service.router().oneshot(first));
    was_asked.recv().await.unwrap();
    for (method, path) in [("POST", path), ("DELETE", "/v1/quarantine/1")] {
        let answer = service.send(request(method, path, "").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.json()["type"], "urn:bellhop:problem:replay_running");
        check_schema(&service.document().await, method, path, &answer);
    }
    assert_eq!(replay_many(&service, "{}").await.0, ["1 busy"]);
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    release.send(()).unwrap();
    // The store says when it is written down.
    while show(&service, 1).await["state"] == "waiting" {
        tokio::task::yield_now().await;
    }
    let shown = show(&service, 1).await;
    assert_eq!((&shown["state"], &shown["replay_attempts"]), (&json!("replayed"), &json!(1)));
    assert_eq!(edge.take().len(), 1);
}

#[tokio::test]
async fn many_are_replayed_by_source_and_cause_and_in_order_of_their_keys() {
    let edge = Upstream::start().unwrap();
    let service = at(&edge).await;
    for n in 0..12 {
        let (source, cause) = (
            if n < 10 { "acme" } else { "other" },
            if n % 2 == 0 { "json_malformed" } else { "account_unknown" },
        );
        let key = n % 3;
        let more = format!(
            "x-event-id: e{n}\nx-event-source: {source}\nx-event-cause: {cause}\nx-event-partition-key: acme/{key}"
        );
        taken(&service, &more, format!("{n}")).await;
    }
    let (done, next) =
        replay_many(&service, r#"{"source":"acme","cause":"account_unknown","limit":2}"#).await;
    assert_eq!((done, next), (vec!["2 replayed".to_owned(), "4 replayed".to_owned()], json!("4")));
    edge.take();
    let (done, next) = replay_many(&service, "{}").await;
    let rest = [1, 3, 5, 6, 7, 8, 9, 10, 11, 12].map(|id| format!("{id} replayed"));
    assert_eq!((done.as_slice(), next), (rest.as_slice(), Value::Null));
    let received = edge.take();
    for key in 0..3 {
        let of_key: Vec<u32> = received
            .iter()
            .map(|it| String::from_utf8(it.body.clone()).unwrap().parse().unwrap())
            .filter(|n| n % 3 == key)
            .collect();
        assert!(of_key.is_sorted() && of_key.len() >= 3, "{of_key:?}");
    }
    assert_eq!(replay_many(&service, "{}").await, (Vec::new(), Value::Null));
}

#[tokio::test]
async fn an_edge_that_goes_away_ends_the_replay_of_many() {
    let edge = Upstream::start().unwrap();
    let service = at(&edge).await;
    for n in 0..8 {
        // One key: one after the other.
        taken(&service, &format!("x-event-id: e{n}\nx-event-partition-key: acme/d"), "{}").await;
    }
    edge.next(Reply::status(200));
    edge.next(Reply::status(422));
    edge.next(Reply::Close);
    let (done, next) = replay_many(&service, "{}").await;
    assert_eq!(done[..3], ["1 replayed", "2 refused", "3 unreachable"]);
    assert!(done[3..].iter().all(|it| it.ends_with("not_tried")) && done.len() == 8, "{done:?}");
    assert_eq!(next, "3");
    assert_eq!(edge.take().len(), 3);
    assert_eq!(show(&service, 4).await["replay_attempts"], 0);
    let (done, next) = replay_many(&service, r#"{"page_cursor":"3"}"#).await;
    assert_eq!((done.len(), next), (5, Value::Null));
    let left: Vec<_> = [2, 3].into();
    let waiting =
        QuarantineFilter { state: Some(directory::store::QuarantineState::Waiting), ..Default::default() };
    let waiting = service.store.quarantined_after(waiting, 0, 500).await.unwrap();
    assert_eq!(waiting.iter().map(|it| it.id).collect::<Vec<i64>>(), left);
}

#[tokio::test]
async fn no_more_than_four_are_replayed_at_a_time() {
    let (barrier, running, most) = (Barrier::new(4), AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&most);
    let edge = Upstream::start_with(0, move |_| {
        seen.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        // It answers when four have asked.
        barrier.wait();
        running.fetch_sub(1, Ordering::SeqCst);
        Reply::status(200)
    })
    .unwrap();
    let service = at(&edge).await;
    for n in 0..12 {
        taken(&service, &format!("x-event-id: e{n}"), "{}").await;
    }
    let (done, _) = replay_many(&service, "{}").await;
    assert!(done.len() == 12 && done.iter().all(|it| it.ends_with(" replayed")), "{done:?}");
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn there_is_one_replay_of_many_at_a_time_and_eight_of_one() {
    let (asked, mut was_asked) = tokio::sync::mpsc::unbounded_channel();
    let edge = Upstream::start_with(0, move |_| {
        asked.send(()).unwrap();
        Reply::Hang
    })
    .unwrap();
    let service = at(&edge).await;
    let json = "content-type: application/json";
    let many = || request("POST", "/v1/quarantine/replay", json).body(Body::from("{}")).unwrap();
    taken(&service, "x-event-id: first", "{}").await;
    let mut running = tokio::task::JoinSet::new();
    running.spawn(service.service.router().oneshot(many()));
    was_asked.recv().await.unwrap();
    assert_eq!(service.send(many()).await.json()["type"], "urn:bellhop:problem:overloaded");
    for n in 2..10 {
        taken(&service, &format!("x-event-id: e{n}"), "{}").await;
        let one = request("POST", &format!("/v1/quarantine/{n}/replay"), "").body(Body::empty()).unwrap();
        running.spawn(service.service.router().oneshot(one));
        was_asked.recv().await.unwrap();
    }
    taken(&service, "x-event-id: last", "{}").await;
    let answer = post(&service, "/v1/quarantine/10/replay", "").await;
    assert_eq!(answer.json()["type"], "urn:bellhop:problem:overloaded");
    assert!(matches!(service.store.claim_replay(10, "o", 1, 1).await.unwrap(), Claim::Taken(_)));
    running.shutdown().await;
}
