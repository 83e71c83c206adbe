//! The routes: what they answer, what they refuse and how, and that the document says so.

use std::collections::BTreeSet;

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use directory::store::QuarantineCounts;
use directory::{Config, Service};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::{Fresh, code, device, overview, quarantine_routes, resolved};

pub(super) const TOKEN: &str = "a-token-of-the-tests";

const FLEET: &str = r#"
{"connected_account_id":"one","customer_key":"key 1","source":"acme","devices":["d","d2"],"bridges":["b"]}
{"connected_account_id":"two","customer_key":"key 1","source":"acme","access_codes":["c"]}
{"connected_account_id":"alone","source":"acme","devices":["e"]}
"#;

/// The service on a fleet.
pub(super) struct Running {
    pub(super) store: Fresh,
    pub(super) service: Service,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Running {
    pub(super) async fn new() -> Self {
        Self::with("").await
    }

    pub(super) async fn with(more: &str) -> Self {
        let store = Fresh::new().await.imported(FLEET).await;
        let config =
            format!("database = '{}'\ntokens = ['other-0123456789', '{TOKEN}']\n{more}", store.url());
        let config = Config::from_toml(&config, &|_| None).unwrap();
        Self { service: Service::new(config).await.unwrap(), store }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.service.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path, "").body(Body::empty()).unwrap()).await
    }

    pub(super) async fn document(&self) -> Value {
        self.get("/openapi.json").await.json()
    }
}

/// With a token, and `name: value` lines of headers besides.
pub(super) fn request(method: &str, path: &str, headers: &str) -> axum::http::request::Builder {
    let mut builder = Request::builder().method(method).uri(path);
    if !headers.contains("authorization") {
        builder = builder.header("authorization", format!("Bearer {TOKEN}"));
    }
    for line in headers.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        builder = builder.header(name, value);
    }
    builder
}

/// The part of the document about this path, and its template.
fn described<'d>(document: &'d Value, path: &str) -> Option<(&'d str, &'d Value)> {
    let path: Vec<&str> = path.split('?').next().unwrap().split('/').collect();
    let fits = |template: &str| {
        let template: Vec<&str> = template.split('/').collect();
        template.len() == path.len()
            && template.iter().zip(&path).all(|(part, word)| part == word || part.starts_with('{'))
    };
    let paths = document["paths"].as_object().unwrap();
    paths.iter().find(|(template, _)| fits(template)).map(|(template, item)| (template.as_str(), item))
}

/// Holds a body against the schema that the document gives for the status.
pub(super) fn check_schema(document: &Value, method: &str, path: &str, answer: &Answer) {
    let (_, item) = described(document, path).unwrap();
    let status = answer.status.as_u16().to_string();
    let response = &item[method.to_lowercase()]["responses"][&status];
    assert!(response.is_object(), "{method} {path} answers {status}, which the document does not say");
    let content_type = answer.headers.get("content-type").map_or("", |it| it.to_str().unwrap());
    if !content_type.contains("json") {
        return;
    }
    let content = &response["content"][content_type];
    assert!(content.is_object(), "{method} {path} {status}: {content_type} is not in the document");
    if content["schema"].is_null() {
        return;
    }
    let mut schema = content["schema"].clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let body = answer.json();
    let errors: Vec<_> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{method} {path} {status}: {errors:?} in {body}");
}

#[tokio::test]
async fn the_routes_answer_as_the_contract_says() {
    let service = Running::new().await;
    let document = service.document().await;
    for (path, expected) in [
        (
            "/v1/resolve?source=acme&device_id=d",
            json!({"accounts": [{"connected_account_id": "one", "customer_key": "key 1"}], "assigned_by": "device_id"}),
        ),
        (
            "/v1/resolve?source=acme&device_id=%3F&access_code_id=c",
            json!({"accounts": [{"connected_account_id": "two", "customer_key": "key 1"}], "assigned_by": "access_code_id"}),
        ),
        (
            "/v1/resolve?source=acme&device_id=e",
            json!({"accounts": [{"connected_account_id": "alone", "customer_key": null}], "assigned_by": "device_id"}),
        ),
        ("/v1/resolve?source=other&bridge_id=b", json!({"accounts": []})),
        ("/v1/accounts/one/devices", json!({"items": [], "next_page_cursor": null})),
        ("/v1/accounts/one/acs_systems?limit=500", json!({"items": [], "next_page_cursor": null})),
        ("/v1/accounts/one/acs_entrances?page_cursor=x", json!({"items": [], "next_page_cursor": null})),
        ("/v1/customers/nobody/accounts", json!({"items": [], "next_page_cursor": null})),
    ] {
        let answer = service.get(path).await;
        assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected), "{path}");
        check_schema(&document, "GET", path, &answer);
    }
    let path = "/v1/customers/key%201/accounts?limit=1";
    let first = service.get(path).await;
    check_schema(&document, "GET", path, &first);
    let cursor = first.json()["next_page_cursor"].as_str().unwrap().to_owned();
    let second = service.get(&format!("{path}&page_cursor={cursor}")).await.json();
    let name = |list: &Value| list["items"][0]["connected_account_id"].as_str().unwrap().to_owned();
    assert_eq!([name(&first.json()), name(&second)], ["one", "two"]);
    assert_eq!(second["next_page_cursor"], Value::Null);
    let account = service.get("/v1/accounts/one").await;
    check_schema(&document, "GET", "/v1/accounts/one", &account);
    assert_eq!((&account.json()["state"], &account.json()["origin"]), (&json!("ready"), &json!("import")));
}

#[tokio::test]
async fn a_link_that_is_told_is_resolved() {
    let service = Running::new().await;
    let body = json!({"source": "acme", "device_id": "d", "access_code_id": "new"}).to_string();
    let headers = "content-type: application/json; charset=utf-8";
    let answer = service.send(request("POST", "/v1/links", headers).body(body.into()).unwrap()).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::ACCEPTED, ""));
    check_schema(&service.document().await, "POST", "/v1/links", &answer);
    let resolved = service.get("/v1/resolve?source=acme&access_code_id=new").await.json();
    assert_eq!(resolved["assigned_by"], "access_code_id");
    let metrics = service.get("/metrics").await.body;
    for line in [
        "bellhop_directory_links_total{outcome=\"stored\"} 1",
        "bellhop_directory_resolves_total{outcome=\"assigned\"} 1",
        "bellhop_directory_requests_total{route=\"/v1/links\",status=\"202\"} 1",
        "bellhop_directory_sync_jobs{state=\"all\"} 0",
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[tokio::test]
async fn bad_input_is_a_problem_and_changes_nothing() {
    const JSON: &str = "content-type: application/json";
    let service = Running::with(quarantine_routes::SETTINGS).await;
    let document = service.document().await;
    let link = |members: &str| format!(r#"{{"source":"acme","device_id":"d"{members}}}"#);
    let long = "secret".repeat(200);
    let get = |path: &str| ("GET", path.to_owned(), String::new(), String::new());
    let post = |headers: &str, body: String| ("POST", "/v1/links".to_owned(), headers.to_owned(), body);
    let with = |path: &str, headers: &str| ("GET", path.to_owned(), headers.to_owned(), String::new());
    let mut cases = vec![
        (get("/v1/resolve"), 400, "request_invalid"),
        (get("/v1/resolve?device_id=secret"), 400, "request_invalid"),
        (get("/v1/resolve?source=acme"), 400, "request_invalid"),
        (get("/v1/resolve?source=Secret!&device_id=d"), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id="), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id=%00secret"), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id=%FFsecret"), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id=d&device_id=secret"), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id=d&secret=1"), 400, "request_invalid"),
        (get(&format!("/v1/resolve?source=acme&bridge_id={long}")), 400, "request_invalid"),
        (get("/v1/resolve?source=acme&device_id=d&access_code_id=c"), 409, "conflict"),
        (get("/v1/accounts/secret"), 404, "not_found"),
        (get("/v1/accounts/%00"), 400, "request_invalid"),
        (get("/v1/accounts/%FFsecret"), 400, "request_invalid"),
        (get("/v1/accounts/one?secret=1"), 400, "request_invalid"),
        (get(&format!("/v1/accounts/{long}")), 400, "request_invalid"),
        (get("/v1/customers/%20/accounts"), 400, "request_invalid"),
        (get("/v1/customers/k/accounts?limit=0"), 400, "request_invalid"),
        (get("/v1/customers/k/accounts?limit=501"), 400, "request_invalid"),
        (get("/v1/customers/k/accounts?limit=secret"), 400, "request_invalid"),
        (get("/v1/customers/k/accounts?page_cursor=%0a"), 400, "request_invalid"),
        // There is no `seam` in this configuration.
        (get("/connected?connect_webview_id=secret"), 404, "not_found"),
        (("POST", "/webhooks/seam".to_owned(), JSON.to_owned(), "{}".to_owned()), 404, "not_found"),
        (get("/secret"), 404, "route_unknown"),
        (get("/v1/links"), 405, "method_not_allowed"),
        (("DELETE", "/v1/accounts/one".to_owned(), String::new(), String::new()), 405, "method_not_allowed"),
        (post(JSON, String::new()), 400, "body_invalid"),
        (post(JSON, "secret".to_owned()), 400, "body_invalid"),
        (post(JSON, link("")), 400, "body_invalid"),
        (post(JSON, link(r#","bridge_id":5"#)), 400, "body_invalid"),
        (post(JSON, link(r#","bridge_id":" ""#)), 400, "body_invalid"),
        (post(JSON, link(r#","secret":1"#)), 400, "body_invalid"),
        (post(JSON, link(r#","bridge_id":"x","bridge_id":"secret""#)), 400, "body_invalid"),
        (post(JSON, link(&format!(r#","bridge_id":"{long}""#))), 400, "body_invalid"),
        (post(JSON, format!("{}{}", link(r#","bridge_id":"x""#), " ".repeat(20_000))), 413, "body_too_large"),
        (post("", link(r#","bridge_id":"x""#)), 415, "media_type_unsupported"),
        (post("content-type: text/secret", link(r#","bridge_id":"x""#)), 415, "media_type_unsupported"),
        (post(&format!("{JSON}\n{JSON}"), link(r#","bridge_id":"x""#)), 415, "media_type_unsupported"),
        (
            post(&format!("{JSON}\ncontent-encoding: gzip"), link(r#","bridge_id":"x""#)),
            415,
            "media_type_unsupported",
        ),
        (post("authorization: Bearer secret", link(r#","bridge_id":"x""#)), 401, "unauthorized"),
    ];
    for list in ["devices", "acs_systems", "acs_entrances"] {
        cases.push((get(&format!("/v1/accounts/secret/{list}")), 404, "not_found"));
        cases.push((get(&format!("/v1/accounts/%09/{list}")), 400, "request_invalid"));
        cases.push((get(&format!("/v1/accounts/one/{list}?limit=-1")), 400, "request_invalid"));
    }
    cases.push((get("/v1/accounts/secret/ids"), 404, "not_found"));
    cases.extend(overview::bad_queries().iter().map(|path| (get(path), 400, "request_invalid")));
    cases.extend(quarantine_routes::bad_requests());
    let guarded = ["/v1/resolve?source=acme&device_id=d", "/v1/accounts/one", "/metrics", "/openapi.json"];
    let lists = ["/v1/customers/k/accounts", "/v1/accounts/one/devices", "/v1/accounts/one/acs_systems"];
    for path in guarded.into_iter().chain(lists).chain([
        "/v1/accounts",
        "/v1/accounts/one/acs_entrances",
        "/v1/accounts/one/ids",
        "/v1/overview",
        "/v1/quarantine",
        "/v1/quarantine/1",
        "/v1/unassigned",
    ]) {
        for value in [
            "",
            "secret",
            "Bearer",
            "Bearer ",
            "Bearer secret",
            "Basic a-token-of-the-tests",
            "Bearer a-token-of-the-test",
            "Bearer a-token-of-the-testss",
            "Bearer other-0123456789, Bearer a-token-of-the-tests",
            "Bearer a-token-of-the-tests\nauthorization: Bearer other-0123456789",
        ] {
            cases.push((with(path, &format!("authorization: {value}")), 401, "unauthorized"));
        }
    }
    let operations = |(path, item): (&String, &Value)| -> Vec<String> {
        item.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())).collect()
    };
    let mut untried: BTreeSet<String> =
        document["paths"].as_object().unwrap().iter().flat_map(operations).collect();
    // Nothing is read from a request for these.
    untried.remove("GET /health");
    untried.remove("GET /ready");
    let mut before = Vec::new();
    service.store.export(&mut before).await.unwrap();
    for ((method, path, headers, body), status, kind) in cases {
        let answer = service.send(request(method, &path, &headers).body(body.into()).unwrap()).await;
        let case = format!("{method} {path} {headers}: {answer:?}");
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{case}");
        let problem = answer.json();
        assert_eq!(problem["type"], format!("urn:bellhop:problem:{kind}"), "{case}");
        assert_eq!(problem["status"], status, "{case}");
        assert!(!format!("{answer:?}").contains("secret"), "{case}");
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401, "{case}");
        if status == 405 {
            assert!(answer.headers.contains_key("allow"), "{case}");
        } else if let Some((template, _)) = described(&document, &path) {
            untried.remove(&format!("{method} {template}"));
            check_schema(&document, method, &path, &answer);
        }
    }
    assert_eq!(untried, BTreeSet::new(), "routes without a bad request");
    let mut after = Vec::new();
    service.store.export(&mut after).await.unwrap();
    assert_eq!(before, after);
    assert_eq!(resolved(&service.store, "acme", super::bridge("x")).await, "unknown");
    assert_eq!(resolved(&service.store, "acme", code("secret")).await, "unknown");
    assert_eq!(resolved(&service.store, "acme", device("d")).await, "device_id: one");
    assert_eq!(service.store.quarantine_counts().await.unwrap(), QuarantineCounts::default());
}

/// A Seam API that is away: nothing listens on port 1.
const SEAM: &str = "[seam]\nurl = 'http://127.0.0.1:1'\napi_key = 'key'\nwebhook_secrets = ['whsec_c2VjcmV0IG9mIHRoZSB0ZXN0cw==']";

#[tokio::test]
async fn what_seam_did_not_send_is_a_problem_and_changes_nothing() {
    const JSON: &str = "content-type: application/json\nauthorization: none";
    const EVENT: &str = r#"{"event_type":"connected_account.deleted","connected_account_id":"one"}"#;
    let service = Running::with(SEAM).await;
    let document = service.document().await;
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let proof = |id: &str, at: u64| {
        format!("{JSON}\nsvix-id: {id}\nsvix-timestamp: {at}\nsvix-signature: v1,c2VjcmV0")
    };
    let post = |headers: &str, body: &str| ("POST", "/webhooks/seam", headers.to_owned(), body.to_owned());
    let get = |path| ("GET", path, "authorization: none".to_owned(), String::new());
    let large = format!("{EVENT}{}", " ".repeat(1 << 20));
    for ((method, path, headers, body), status, kind) in [
        (post(JSON, EVENT), 401, "signature_invalid"),
        (post(&proof("msg_1", now), EVENT), 401, "signature_invalid"),
        (post(&proof("msg_1", now - 3_600), EVENT), 401, "signature_invalid"),
        (post(&format!("{}\nsvix-id: msg_2", proof("msg_1", now)), EVENT), 401, "signature_invalid"),
        (post("authorization: none", EVENT), 415, "media_type_unsupported"),
        (post(JSON, &large), 413, "body_too_large"),
        (get("/connected"), 400, "request_invalid"),
        (get("/connected?connect_webview_id=%0Asecret"), 400, "request_invalid"),
        (get("/connected?connect_webview_id=secret"), 503, "unavailable"),
        (
            ("POST", "/connected?connect_webview_id=w", JSON.to_owned(), String::new()),
            405,
            "method_not_allowed",
        ),
    ] {
        let answer = service.send(request(method, path, &headers).body(body.into()).unwrap()).await;
        let case = format!("{method} {path} {headers}: {answer:?}");
        assert_eq!(answer.status, status, "{case}");
        assert_eq!(answer.json()["type"], format!("urn:bellhop:problem:{kind}"), "{case}");
        assert!(!format!("{answer:?}").contains("secret"), "{case}");
        if status != 405 {
            check_schema(&document, method, path, &answer);
        }
    }
    assert_eq!(service.get("/v1/accounts/one").await.status, StatusCode::OK);
}

#[tokio::test]
async fn health_and_readiness_need_no_token_and_readiness_needs_the_database() {
    let service = Running::new().await;
    let get = |path| request("GET", path, "authorization: none").body(Body::empty()).unwrap();
    assert_eq!(service.send(get("/health")).await.status, StatusCode::OK);
    assert_eq!(service.send(get("/ready")).await.status, StatusCode::OK);
    service.service.app().store.close().await;
    assert_eq!(service.send(get("/health")).await.status, StatusCode::OK);
    for path in ["/ready", "/v1/resolve?source=acme&device_id=d", "/v1/accounts/one", "/metrics"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.headers["retry-after"], "1", "{path}");
        assert_eq!(answer.json()["type"], "urn:bellhop:problem:unavailable", "{path}");
    }
}

#[tokio::test]
async fn more_requests_than_configured_are_told_to_come_again() {
    let service = Running::with("requests = 1").await;
    // A body that never ends holds the one place.
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let body = Body::new(Endless(sender));
    let headers = "content-type: application/json";
    let router = service.service.router();
    let first = tokio::spawn(router.oneshot(request("POST", "/v1/links", headers).body(body).unwrap()));
    asked.recv().await.unwrap();
    let answer = service.get("/v1/accounts/one").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["type"], "urn:bellhop:problem:overloaded");
    assert_eq!(service.get("/health").await.status, StatusCode::OK);
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(service.get("/v1/accounts/one").await.status, StatusCode::OK);
}

#[tokio::test]
async fn strangers_leave_room_for_those_who_show_a_token() {
    let service = Running::with(&format!("requests = 8\n{SEAM}")).await;
    let (sender, mut asked) = tokio::sync::mpsc::unbounded_channel();
    let headers = "authorization: none\ncontent-type: application/json";
    let mut slow = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let body = Body::new(Endless(sender.clone()));
        let request = request("POST", "/webhooks/seam", headers).body(body).unwrap();
        slow.spawn(service.service.router().oneshot(request));
        asked.recv().await.unwrap();
    }
    let third =
        service.send(request("POST", "/webhooks/seam", headers).body(Body::from("{}")).unwrap()).await;
    assert_eq!(third.json()["type"], "urn:bellhop:problem:overloaded");
    assert_eq!(service.get("/v1/accounts/one").await.status, StatusCode::OK);
    slow.shutdown().await;
    let next = service.send(request("POST", "/webhooks/seam", headers).body(Body::from("{}")).unwrap()).await;
    assert_eq!(next.status, StatusCode::UNAUTHORIZED);
}

/// Says when it is asked, and gives nothing.
struct Endless(tokio::sync::mpsc::UnboundedSender<()>);

impl axum::body::HttpBody for Endless {
    type Data = axum::body::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        let _ = self.0.send(());
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn every_reference_of_the_document_leads_somewhere() {
    let document = Running::new().await.document().await;
    let mut references = BTreeSet::new();
    collect(&document, &mut references);
    assert!(references.len() >= 8, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    assert_eq!(document["openapi"].as_str().map(|it| &it[..3]), Some("3.1"));
}

fn collect(value: &Value, references: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
