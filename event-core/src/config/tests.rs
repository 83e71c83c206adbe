//! The configuration's own parser against `schemas/plugin-config.schema.json` and its cases, and the words of its errors.

use super::{ConfigFault, RETRY_ON};
use crate::Edge;
use crate::json;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

fn schemas() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../schemas")
}

fn cases(kind: &str) -> Vec<(String, Value)> {
    let folder = schemas().join("cases/plugin-config").join(kind);
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            (path.display().to_string(), json::parse(&fs::read(&path).unwrap(), json::MAX_DEPTH).unwrap())
        })
        .collect()
}

fn schema() -> Value {
    serde_json::from_slice(&fs::read(schemas().join("plugin-config.schema.json")).unwrap()).unwrap()
}

fn load(config: &Value) -> Result<Edge, String> {
    let environment = |name: &str| match name {
        "ACME_SECRET" => Some("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned()),
        "LOCKWORKS_SECRET" => Some("It's a Secret to Everybody".to_owned()),
        "DOORCO_TOKEN" => Some("t0ken".to_owned()),
        "WITH_NEWLINE" => Some("topsecret\n".to_owned()),
        _ => None,
    };
    let text = config.to_string();
    Edge::with_environment(text.as_bytes(), &environment).map_err(|error| error.to_string())
}

fn base() -> Value {
    json!({
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
    })
}

/// The base with one place set to something else, addressed by a JSON Pointer whose last token may be new.
fn with(pointer: &str, value: Value) -> Value {
    let mut config = base();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[key] = value;
    config
}

#[test]
fn parser_and_schema_accept_and_refuse_the_same_cases() {
    let validator =
        jsonschema::draft202012::options().should_validate_formats(true).build(&schema()).unwrap();
    let mut count = 0;
    for (kind, accepted) in [("accept", true), ("reject", false)] {
        for (path, case) in cases(kind) {
            let config = if kind == "reject" { &case["config"] } else { &case };
            // Uniqueness across items, and a name that refers to another place, are beyond JSON Schema.
            if !case["pointers"].as_array().is_some_and(Vec::is_empty) {
                assert_eq!(validator.is_valid(config), accepted, "{path}: the schema");
            }
            assert_eq!(load(config).is_ok(), accepted, "{path}: the parser says {:?}", load(config).err());
            count += 1;
        }
    }
    assert!(count > 60, "only {count} cases were found");
}

#[test]
fn what_a_schema_allows_for_retries_is_what_the_parser_allows() {
    let schema = schema();
    let listed = schema
        .pointer("/properties/delivery/properties/retry_on/items/enum")
        .and_then(Value::as_array)
        .unwrap();
    let mut names: Vec<_> = listed.iter().map(|name| name.as_str().unwrap()).collect();
    names.sort_unstable();
    assert_eq!(names, RETRY_ON);
}

#[test]
fn an_error_names_the_key_and_what_was_expected() {
    for (config, message) in [
        (json!([]), "plugin configuration: expected an object, found an array"),
        (
            with("/enviroment", json!("x")),
            "plugin configuration: `enviroment`: unknown key, expected one of accounts, delivery, directory, duplicates, environment, limits, on_invalid, on_unassigned, order, replay, sources",
        ),
        (
            with("/sources", json!([])),
            "plugin configuration: `sources`: expected an array of 1 to 64 items, found an array",
        ),
        (
            with("/sources/0/verify", json!("hmac")),
            "plugin configuration: `sources[0].verify`: expected \"none\", or an object with one of `standard_webhooks`, `hmac`, `token`, found another string",
        ),
        (
            with("/limits", json!({"depth": 65})),
            "plugin configuration: `limits.depth`: expected a whole number from 1 to 64, found another number",
        ),
        (
            with("/directory", json!({"cluster": "d", "cache": {"fresh_s": 0}})),
            "plugin configuration: `directory.cache.fresh_s`: expected a whole number from 1 to 86400, found another number",
        ),
        (
            with("/on_unassigned", json!("drop")),
            "plugin configuration: `on_unassigned`: expected one of \"defer\", \"reject\", \"quarantine\", \"forward\", found another string",
        ),
        (
            with("/delivery", json!({"timeout_ms": 100, "per_try_timeout_ms": 100})),
            "plugin configuration: `delivery.per_try_timeout_ms`: expected a whole number from 1 to 99, found another number",
        ),
        (
            with("/accounts", json!([{"connected_account_id": "ca", "source": "nobody"}])),
            "plugin configuration: `accounts[0].source`: expected the name of a source, found another string",
        ),
        (
            with("/sources/0/verify", json!({"standard_webhooks": {"secrets": ["whsec_?"]}})),
            "plugin configuration: `sources[0].verify.standard_webhooks.secrets[0]`: the secret must be base64, behind `whsec_` or not",
        ),
        (
            with("/sources/0/verify", json!({"token": {"header": "x-device-id", "secrets": ["s"]}})),
            "plugin configuration: `sources[0].verify.token.header`: expected a header that neither Bellhop nor Envoy sets, nor frames the request, found another string",
        ),
        (
            with(
                "/sources/0/verify",
                json!({"token": {"header": "x-api-key", "secrets": [{"env": "UNSET"}]}}),
            ),
            "plugin configuration: `sources[0].verify.token.secrets[0].env`: the environment variable UNSET is not set, or empty; Envoy hands over what `vm_config.environment_variables` names",
        ),
        (
            with(
                "/sources/0/verify",
                json!({"hmac": {"header": "x-sig", "secrets": ["s"], "signed": "{timestamp}.{body}"}}),
            ),
            "plugin configuration: `sources[0].verify.hmac.signed`: expected `{body}` once, with printable ASCII around it, at most 256 characters; `{timestamp}` needs `timestamp`, found another string",
        ),
        (
            with("/sources/0/unregistered", json!("reject")),
            "plugin configuration: `sources[0].unregistered`: needs `events` beside it",
        ),
    ] {
        assert_eq!(load(&config).unwrap_err(), message);
    }
}

#[test]
fn a_source_without_verify_is_refused() {
    let config = json!({"environment": "test", "sources": [{ "name": "acme", "path": "/provider_events" }]});
    assert_eq!(load(&config).unwrap_err(), "plugin configuration: `sources[0].verify`: missing");
}

#[test]
fn a_text_that_is_not_json_is_told_about_structs() {
    for bytes in [
        &b""[..],
        b"\x0a\x0d\x0a\x0benvironment",
        b"environment: test",
        b"{\"environment\":\"a\",\"environment\":\"b\"}",
    ] {
        let error = Edge::from_json(bytes).unwrap_err();
        assert!(matches!(error.fault, ConfigFault::NotJson(_)));
        assert!(error.to_string().contains("google.protobuf.StringValue"), "{error}");
    }
}

#[test]
fn no_error_repeats_a_secret() {
    let hmac =
        |secret: Value| json!({"hmac": {"header": "x-sig", "secret_encoding": "hex", "secrets": [secret]}});
    for config in [
        with("/sources/0/verify", hmac(json!("whsec_topsecret"))),
        with("/sources/0/verify", hmac(json!("whsec_topsecret\n"))),
        with("/sources/0/verify", hmac(json!({"env": "WITH_NEWLINE"}))),
        with("/sources/0/verify", hmac(json!(["whsec_topsecret"]))),
        with("/sources/0/verify", json!({"standard_webhooks": {"secrets": ["whsec_topsecret!"]}})),
        with("/sources/0/verify", json!({"hmac": {"header": "topsecret topsecret", "secrets": ["s"]}})),
        with("/sources/0/verify", json!("whsec_topsecret")),
        with("/sources/0/name", json!("whsec_topsecret!")),
        with("/environment", json!(["whsec_topsecret"])),
    ] {
        let error = load(&config).unwrap_err();
        assert!(!error.contains("topsecret"), "{error}");
    }
}

#[test]
fn an_id_claimed_by_seventeen_accounts_is_refused() {
    let account =
        |number: usize| json!({"connected_account_id": format!("ca_{number}"), "devices": ["shared"]});
    let accounts = |count: usize| with("/accounts", (0..count).map(account).collect());
    assert!(load(&accounts(16)).is_ok());
    let message = "plugin configuration: `accounts[16].devices[0]`: an id can have at most 16 accounts";
    assert_eq!(load(&accounts(17)).unwrap_err(), message);
}

#[test]
fn the_router_is_told_the_defaults() {
    let edge = load(&base()).unwrap();
    let headers: Vec<_> = edge
        .config()
        .delivery
        .others()
        .router_headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    assert_eq!(
        headers,
        [
            ("x-envoy-upstream-rq-timeout-ms", "15000"),
            ("x-envoy-upstream-rq-per-try-timeout-ms", "4000"),
            ("x-envoy-retry-on", "connect-failure,refused-stream,gateway-error"),
            ("x-envoy-max-retries", "2"),
        ]
    );
}

#[test]
fn retriable_status_codes_bring_the_policy_that_reads_them() {
    let edge =
        load(&with("/delivery", json!({"retry_on": [], "retriable_status_codes": [429, 500]}))).unwrap();
    let get = |name| {
        edge.config()
            .delivery
            .others()
            .router_headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| &**value)
    };
    assert_eq!(get("x-envoy-retry-on"), Some("retriable-status-codes"));
    assert_eq!(get("x-envoy-retriable-status-codes"), Some("429,500"));
}

#[test]
fn without_anything_to_retry_on_the_router_is_told_of_no_retries() {
    let edge = load(&with("/delivery", json!({"retry_on": []}))).unwrap();
    let names: Vec<_> =
        edge.config().delivery.others().router_headers.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms"]);
}

#[test]
fn a_token_comes_from_the_environment_and_is_never_shown() {
    let config = with("/directory", json!({"cluster": "d", "token": {"env": "DIRECTORY_TOKEN"}}));
    let text = config.to_string();
    let environment = |name: &str| (name == "DIRECTORY_TOKEN").then(|| "topsecret".to_owned());
    let edge = Edge::with_environment(text.as_bytes(), &environment).unwrap();
    let token = edge.config().directory().and_then(|directory| directory.token.as_ref());
    assert_eq!(token.map(|token| token.expose()), Some("topsecret"));
    assert!(!format!("{edge:?}").contains("topsecret"));
    let error = load(&config).unwrap_err();
    assert!(error.contains("`directory.token.env`: the environment variable DIRECTORY_TOKEN "), "{error}");
    let spaced = |_: &str| Some("top secret".to_owned());
    let error = Edge::with_environment(text.as_bytes(), &spaced).unwrap_err().to_string();
    assert!(error.contains("`directory.token`") && !error.contains("top secret"), "{error}");
}

#[test]
fn an_unknown_account_is_forgotten_before_the_sender_comes_back() {
    let unknown_ms = |retry_after_s: u64| {
        let mut config = with("/directory", json!({"cluster": "d"}));
        config["delivery"] = json!({ "retry_after_s": retry_after_s });
        load(&config).unwrap().config().directory().unwrap().cache.unknown_ms
    };
    assert_eq!([1, 2, 5, 6, 30].map(unknown_ms), [0, 1_000, 4_000, 5_000, 5_000]);
}

#[test]
fn only_sources_that_anyone_can_post_to_are_told_of() {
    let mut config = base();
    let token = json!({"token": {"header": "x-api-key", "secrets": ["t0ken"]}});
    config["sources"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "other", "path": "/other", "verify": token}));
    let edge = load(&config).unwrap();
    assert_eq!(edge.config().unverified_sources().collect::<Vec<_>>(), ["acme"]);
    assert_eq!(
        edge.config().sources.iter().map(|source| source.is_verified()).collect::<Vec<_>>(),
        [false, true]
    );
}

#[test]
fn an_event_type_is_delivered_as_the_first_entry_that_names_it_says() {
    let edge = load(&with(
        "/delivery",
        json!({
            "timeout_ms": 20_000, "per_try_timeout_ms": 9_000, "max_retries": 1, "retry_after_s": 20,
            "per_event_type": [
                { "events": ["access_code.used"], "retry_on": [] },
                { "events": ["lock.action_completed", "access_code.*"], "timeout_ms": 1_000, "max_retries": 7, "retry_after_s": 5 },
                { "events": ["lock.*"], "timeout_ms": 10_000 },
            ]
        }),
    ))
    .unwrap();
    let headers = |event_type: &str| {
        let delivery = edge.config().delivery.of(event_type);
        let value = |name| {
            delivery
                .router_headers
                .iter()
                .find(|(other, _)| *other == name)
                .map(|(_, value)| value.to_string())
        };
        (
            value("x-envoy-upstream-rq-timeout-ms").unwrap(),
            value("x-envoy-upstream-rq-per-try-timeout-ms").unwrap(),
            value("x-envoy-max-retries"),
            delivery.retry_after.seconds,
        )
    };
    for (event_type, timeout, per_try, retries, retry_after_s) in [
        ("access_code.used", "20000", "9000", None, 20),
        ("access_code.created", "1000", "500", Some("7"), 5),
        ("lock.action_completed", "1000", "500", Some("7"), 5),
        ("lock.action.completed", "10000", "9000", Some("1"), 20),
        ("access_codes.created", "20000", "9000", Some("1"), 20),
        ("device.online", "20000", "9000", Some("1"), 20),
    ] {
        let expected = (timeout.to_owned(), per_try.to_owned(), retries.map(str::to_owned), retry_after_s);
        assert_eq!(headers(event_type), expected, "{event_type}");
    }
}

#[test]
fn the_shortest_retry_after_says_how_long_unknown_accounts_are_kept() {
    let mut config = with("/directory", json!({"cluster": "d"}));
    config["delivery"] = json!({"per_event_type": [{"events": ["a.b"], "retry_after_s": 3}]});
    assert_eq!(load(&config).unwrap().config().directory().unwrap().cache.unknown_ms, 2_000);
}
