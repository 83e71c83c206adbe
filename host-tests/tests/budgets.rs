//! What an event may cost: wasmtime fuel for each kind of request, and the plugin's memory over many events. Fuel is exact, so
//! that no time is measured. What the requests come to is the scenarios' part.

use envoy_sim::{Protocol, Request, Response, Simulator, Upstream};
use host_tests::sign::{Algorithm, Sign};
use host_tests::{events, filters, on_core, on_simulator};

/// Bytes of the event of a known type.
const EVENT_BYTES: usize = 190;

/// Each kind of request with its budget of fuel, all callbacks counted, those of the answer and the SHA-256 of the id too. The
/// first is the bar; the others are what the kind uses and about a tenth.
const BUDGETS: [(&str, u64); 15] = [
    ("known type, 190 bytes", 70_000),
    ("known type, with the headers of a proxy", 83_000),
    ("unknown type", 74_000),
    ("known type with trailers", 78_000),
    ("known type in ten pieces", 79_000),
    ("upstream failed", 89_000),
    ("source_unknown", 16_500),
    ("method_not_allowed", 19_000),
    ("header_ambiguous", 19_500),
    ("media_type_unsupported", 19_500),
    ("body_too_large", 18_500),
    ("json_malformed", 36_500),
    ("event_invalid", 59_000),
    ("subject_missing", 52_500),
    ("account_unknown", 54_000),
];

const CONFIGURATION: &str = r#"{
    "environment": "test",
    "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
    "accounts": [{ "connected_account_id": "ca_hotel", "customer_key": "property-456", "devices": ["lock_491829"] }]
}"#;

/// What a source that verifies may cost over one that does not: with one secret, and for each further one.
const FIRST_SECRET: u64 = 40_000;
const FURTHER_SECRET: u64 = 30_000;

/// An action of a lock: 190 bytes.
fn event() -> String {
    let event = concat!(
        r#"{"event_type":"lock.action_completed","device_id":"lock_491829","timestamp":"2025-05-22T10:48:18Z","#,
        r#""action":"unlock","status":"success","action_id":"act_8817",""#,
        r#"performed_via":"remote_api_2"}"#
    );
    assert_eq!(event.len(), EVENT_BYTES);
    event.to_owned()
}

fn simulator() -> Simulator {
    let profile = on_simulator::profile(Protocol::Http1, true);
    on_simulator::start(filters::plugin_module(), CONFIGURATION.as_bytes(), profile).unwrap()
}

fn post(body: &str) -> Request {
    head("POST", "/provider_events", "application/json", body.len()).body(body)
}

/// The headers that every event has; each further one costs about 800.
fn head(method: &str, path: &str, content_type: &str, length: usize) -> Request {
    Request::new(method, path)
        .header("content-type", content_type)
        .header("content-length", length.to_string())
}

/// What clients, proxies and Envoy add.
fn with_the_headers_of_a_proxy(request: Request) -> Request {
    [
        ("user-agent", "curl/8.5.0"),
        ("accept", "*/*"),
        ("x-forwarded-for", "203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-envoy-external-address", "203.0.113.7"),
        ("x-request-id", "7c8e2a52-61a2-4c8f-a6a5-0c8f2a5261a2"),
    ]
    .into_iter()
    .fold(request, |request, (name, value)| request.header(name, value))
}

/// The request of one row of the table.
fn request(kind: &str) -> Request {
    let event = event();
    let short = |text: &str| post(text);
    match kind {
        "known type, 190 bytes" => post(&event),
        "known type, with the headers of a proxy" => with_the_headers_of_a_proxy(post(&event)),
        "unknown type" => post(&event.replace("lock.action_completed", "lock.action_abandoned")),
        "known type with trailers" => post(&event).trailer("x-checksum", "1"),
        "known type in ten pieces" => head("POST", "/provider_events", "application/json", EVENT_BYTES)
            .body_pieces(event.as_bytes().chunks(19)),
        "upstream failed" => post(&event).upstream(Upstream::Answers(Response::new(503))),
        "source_unknown" => head("POST", "/nowhere", "application/json", EVENT_BYTES).body(event),
        "method_not_allowed" => head("PUT", "/provider_events", "application/json", EVENT_BYTES).body(event),
        "header_ambiguous" => post(&event).header("webhook-id", "a").header("webhook-id", "b"),
        "media_type_unsupported" => head("POST", "/provider_events", "text/plain", EVENT_BYTES).body(event),
        "body_too_large" => head("POST", "/provider_events", "application/json", 300_000).body("x"),
        "json_malformed" => short(&event[..EVENT_BYTES - 1]),
        "event_invalid" => short(&event.replace(r#""lock_491829""#, "4918291234567")),
        "subject_missing" => short(&event.replace("device_id", "device_no")),
        "account_unknown" => short(&event.replace("lock_491829", "lock_000000")),
        other => panic!("no request for {other}"),
    }
}

#[test]
fn every_kind_of_request_stays_within_its_budget() {
    let mut sim = simulator();
    // The first requests grow the heap.
    for _ in 0..20 {
        sim.run(request("known type, 190 bytes")).unwrap();
    }
    let mut over = Vec::new();
    for (kind, budget) in BUDGETS {
        // The first of its kind defines its counter.
        sim.run(request(kind)).unwrap();
        let seen = sim.run(request(kind)).unwrap();
        let cause = seen.filter_state.get(b"bellhop.outcome".as_slice()).cloned().unwrap_or_default();
        let cause = String::from_utf8(cause).unwrap();
        let wanted = match kind {
            "upstream failed" => "upstream_unavailable",
            refused if refused.contains('_') => refused,
            _ => "forwarded",
        };
        assert_eq!(cause, wanted, "{kind}: {seen:?}");
        let used = seen.fuel.total();
        println!("{used:>7} of {budget:>7} fuel  {kind}");
        if used > budget {
            over.push(format!("{kind}: {used} of {budget}"));
        }
    }
    assert!(over.is_empty(), "over budget: {over:?}");
}

/// A simulator whose source verifies like this; `SECRETS` stands for its secrets.
fn verifying(verify: &str, secrets: &[String]) -> Simulator {
    let secrets = secrets.iter().map(|secret| format!("\"{secret}\"")).collect::<Vec<_>>().join(",");
    let verify = verify.replace("SECRETS", &secrets);
    let configuration = CONFIGURATION.replace(r#""none""#, &verify);
    let profile = on_simulator::profile(Protocol::Http1, true);
    on_simulator::start(filters::plugin_module(), configuration.as_bytes(), profile).unwrap()
}

/// The fuel of an event that is accepted, once the heap has grown.
fn fuel(sim: &mut Simulator, request: &Request) -> u64 {
    let mut used = 0;
    for _ in 0..20 {
        let seen = sim.run(request.clone()).unwrap();
        assert!(seen.forwarded(), "{seen:?}");
        used = seen.fuel.total();
    }
    used
}

#[test]
fn verification_stays_within_its_budget_for_the_first_secret_and_each_further_one() {
    let body = event();
    let without = fuel(&mut simulator(), &post(&body));
    let signed = |text: &str, headers: &[(&str, &str)]| {
        let sign = Sign {
            algorithm: Algorithm::Sha256,
            key: b"the key of this sender".to_vec(),
            text: text.to_owned(),
            seconds_from_now: 0,
        };
        headers.iter().fold(post(&body), |request, (name, value)| {
            request.header(name, sign.fill(value, body.as_bytes(), on_core::NOW_S))
        })
    };
    let webhook_id = "msg_2KWPBgLlAfxdpT2AI54pPJ85f4W";
    let cases = [
        (
            "standard_webhooks",
            r#"{"standard_webhooks": {"secrets": [SECRETS]}}"#,
            // The same key in base64.
            "dGhlIGtleSBvZiB0aGlzIHNlbmRlcg==",
            "YW5vdGhlciBrZXk",
            signed(
                &format!("{webhook_id}.{{timestamp}}.{{body}}"),
                &[
                    ("webhook-id", webhook_id),
                    ("webhook-timestamp", "{timestamp}"),
                    ("webhook-signature", "v1,{base64}"),
                ],
            ),
        ),
        (
            "hmac, as GitHub",
            r#"{"hmac": {"header": "x-hub-signature-256", "prefix": "sha256=", "secrets": [SECRETS]}}"#,
            "the key of this sender",
            "another key",
            signed("{body}", &[("x-hub-signature-256", "sha256={hex}")]),
        ),
        (
            "hmac, as Stripe",
            r#"{"hmac": {"header": "stripe-signature", "item": "v1", "timestamp": {"item": "t"}, "secrets": [SECRETS]}}"#,
            "the key of this sender",
            "another key",
            signed("{timestamp}.{body}", &[("stripe-signature", "t={timestamp},v1={hex}")]),
        ),
        (
            "token",
            r#"{"token": {"header": "x-api-key", "secrets": [SECRETS]}}"#,
            "the key of this sender",
            "another key",
            post(&body).header("x-api-key", "the key of this sender"),
        ),
    ];
    let mut over = Vec::new();
    for (kind, verify, secret, other, request) in cases {
        let others: Vec<_> = (0..9).map(|number| format!("{other}{number}")).collect();
        let secrets: Vec<String> = std::iter::once(secret.to_owned()).chain(others).collect();
        let with = |n: usize| fuel(&mut verifying(verify, &secrets[..n]), &request);
        let (one, ten) = (with(1), with(10));
        let first = one.saturating_sub(without);
        let further = (ten - one) / 9;
        println!("{first:>7} fuel for one secret, {further:>6} for each further one  {kind}");
        if first > FIRST_SECRET || further > FURTHER_SECRET {
            over.push(kind);
        }
    }
    assert!(over.is_empty(), "over budget: {over:?}");
}

/// Sends so many events, good and bad in turn, and gives the pages of memory at the end.
fn pages_after(sim: &mut Simulator, bodies: &[Vec<u8>], n_events: usize) -> u64 {
    for body in bodies.iter().cycle().take(n_events) {
        let request = head("POST", "/provider_events", "application/json", body.len()).body(body);
        let seen = sim.run(request).unwrap();
        assert_ne!(seen.status(), 0, "{seen:?}");
    }
    sim.worker(0).memory_pages().unwrap()
}

#[test]
fn memory_is_the_same_after_ten_thousand_events_and_after_a_hundred_thousand() {
    let (configuration, cases) = events::load().unwrap();
    let profile = on_simulator::profile(Protocol::Http1, true);
    let module = filters::plugin_module();
    let mut sim = on_simulator::start(module, configuration.as_bytes(), profile).unwrap();
    // The deepest and longest of the cases are in the first round only: they take time and grow the heap at once.
    let all: Vec<_> = cases.into_iter().map(|case| case.body).collect();
    let warm = pages_after(&mut sim, &all, all.len());
    let short: Vec<_> = all.into_iter().filter(|body| body.len() < 2_000).collect();
    let first = pages_after(&mut sim, &short, 10_000);
    assert_eq!(first, warm, "pages after the first round and after 10,000 events");
    let last = pages_after(&mut sim, &short, 90_000);
    assert_eq!(last, first, "pages after 100,000 events and after 10,000");
    println!("{last} pages of 64 KiB after 100,000 events");
}
