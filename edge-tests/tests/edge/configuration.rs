//! The file against the schema and the core, as Envoy itself reads it, and configurations that Envoy must not start with.

use edge_tests::{BoxError, Edge, Filter, Setup, TestResult};
use event_core::{Cause, Refusal};
use serde_json::Value;
use testbed::gateway::StartError;
use testbed::upstream::ClosedPort;

/// The text of the plugin configuration that Envoy hands to the filter.
pub(crate) fn shipped_plugin_configuration(edge: &Edge) -> Result<String, BoxError> {
    let manager = edge.connection_manager()?;
    let filters = manager["http_filters"].as_array().ok_or("no filters")?;
    let bellhop = filters.iter().find(|filter| filter["name"] == "bellhop").ok_or("no bellhop")?;
    let text = bellhop["typed_config"]["config"]["configuration"]["value"].as_str();
    Ok(text.ok_or("no text")?.to_owned())
}

/// The shipped file as Envoy reads it: its connection manager, and its plugin configuration.
fn shipped() -> Result<(Value, Value), BoxError> {
    let edge = Setup::new(Filter::Bellhop).start_without_upstream()?;
    Ok((edge.connection_manager()?, serde_json::from_str(&shipped_plugin_configuration(&edge)?)?))
}

/// The bodies of `local_reply_config`, in order, with what else their mapper does.
fn local_replies(manager: &Value) -> Result<Vec<&Value>, BoxError> {
    let mappers = manager["local_reply_config"]["mappers"].as_array().ok_or("no mappers")?;
    let replies: Vec<_> = mappers.iter().filter(|it| it.get("body_format_override").is_some()).collect();
    assert!(replies.len() >= 4, "only {} replies", replies.len());
    Ok(replies)
}

#[test]
fn the_shipped_plugin_configuration_meets_its_schema() -> TestResult {
    let (_, configuration) = shipped()?;
    let path = testbed::paths::repository().join("schemas/plugin-config.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path)?)?;
    let errors: Vec<_> =
        jsonschema::validator_for(&schema)?.iter_errors(&configuration).map(|it| it.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    Ok(())
}

#[test]
fn twice_the_largest_body_fits_into_the_buffer() -> TestResult {
    let (manager, configuration) = shipped()?;
    let largest = configuration["limits"]["body_bytes"].as_u64().ok_or("no limit")?;
    let host = &manager["route_config"]["virtual_hosts"][0];
    // A 64-bit number is a string in protobuf's JSON.
    let buffer: u64 = host["request_body_buffer_limit"].as_str().ok_or("no buffer limit")?.parse()?;
    assert!(largest * 2 <= buffer, "{largest} × 2 > {buffer}");
    Ok(())
}

#[test]
fn envoy_and_the_filter_say_the_same_time_to_come_back() -> TestResult {
    let (manager, configuration) = shipped()?;
    let replies = local_replies(&manager)?;
    let added: Vec<_> = replies.iter().filter_map(|it| it.get("headers_to_add")).collect();
    let [added] = added.as_slice() else { panic!("one reply adds headers, not {added:?}") };
    assert_eq!(added[0]["header"]["key"], "retry-after");
    assert_eq!(added[0]["header"]["value"], configuration["delivery"]["retry_after_s"].to_string());
    Ok(())
}

#[test]
fn envoys_answers_have_the_titles_of_their_causes() -> TestResult {
    let (manager, _) = shipped()?;
    let mut n_known = 0;
    for reply in local_replies(&manager)? {
        let body = &reply["body_format_override"]["json_format"];
        let cause = body["cause"].as_str().ok_or("no cause")?;
        assert_eq!(body["type"], format!("urn:bellhop:cause:{cause}"));
        // `request_refused` is Envoy's own: the core knows no such cause.
        if let Some(known) = Cause::ALL.iter().find(|it| it.name() == cause) {
            assert_eq!(body["title"], known.title());
            n_known += 1;
        }
    }
    assert_eq!(n_known, 3);
    Ok(())
}

#[test]
fn the_answer_to_grpc_has_the_title_of_its_cause() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_without_upstream()?;
    let request =
        testbed::message::Request::new("POST", "/").header("content-type", "application/grpc").body("{}");
    let ours: Value = serde_json::from_slice(&Refusal::new(Cause::MediaTypeUnsupported, "").body())?;
    let answer = edge.http1(&request)?.json()?;
    for member in ["type", "title", "status", "cause"] {
        assert_eq!(answer[member], ours[member], "{member}");
    }
    Ok(())
}

/// What Envoy says when it does not start with this file.
fn refusal(setup: &Setup) -> Result<String, BoxError> {
    let closed = ClosedPort::hold()?;
    match setup.launch(&[closed.port()?])?.start() {
        Err(StartError::Refused { status, log }) => {
            assert!(!status.success(), "{status}");
            Ok(log)
        }
        other => Err(format!("Envoy should not start: {other:?}").into()),
    }
}

#[track_caller]
fn assert_says(setup: &Setup, sentence: &str) -> TestResult {
    let log = refusal(setup)?;
    assert!(log.contains(sentence), "{log}");
    Ok(())
}

#[test]
fn an_unknown_key_is_named() -> TestResult {
    let setup = Setup::new(Filter::Bellhop).change(r#""on_unassigned":"#, r#""on_unasigned":"#);
    assert_says(&setup, "plugin configuration: `on_unasigned`: unknown key")
}

#[test]
fn a_source_that_does_not_say_how_it_is_verified_is_named() -> TestResult {
    let setup = Setup::new(Filter::Bellhop).change(r#", "verify": "none""#, "");
    assert_says(&setup, "plugin configuration: `sources[0].verify`: missing")
}

#[test]
fn a_token_that_is_not_in_the_environment_is_named() -> TestResult {
    let directory = r#""directory": { "cluster": "d", "token": { "env": "BELLHOP_UNSET" } },"#;
    let setup = Setup::new(Filter::Bellhop)
        .change(r#""environment": "demo","#, &format!(r#""environment": "demo", {directory}"#));
    assert_says(
        &setup,
        "plugin configuration: `directory.token.env`: the environment variable BELLHOP_UNSET is not set",
    )
}

#[test]
fn a_struct_is_told_from_text() -> TestResult {
    let text = Setup::new(Filter::Bellhop).plugin_configuration("IN_ITS_PLACE");
    let setup = text.change(
        "StringValue\n                          value: |\n                            IN_ITS_PLACE\n",
        "Struct\n                          value: { environment: demo, sources: [] }\n",
    );
    assert_says(&setup, "plugin configuration: expected JSON text in a google.protobuf.StringValue")
}

#[test]
fn a_missing_module_is_refused() -> TestResult {
    let module = Filter::Bellhop.module()?.display().to_string();
    let setup = Setup::new(Filter::Bellhop).change(&module, "target/no_such_module.wasm");
    assert_says(&setup, "no_such_module.wasm")
}

#[test]
fn a_refused_configuration_keeps_its_secrets() -> TestResult {
    let secret = "c2VjcmV0LW9mLWFjbWU";
    let verify = format!(r#""verify": {{ "token": {{ "header": "x-api-key", "secrets": ["{secret}"] }} }}"#);
    let setup = Setup::new(Filter::Bellhop)
        .change(r#""verify": "none""#, &verify)
        .change(r#""on_unassigned":"#, r#""on_unasigned":"#);
    let log = refusal(&setup)?;
    assert!(log.contains("plugin configuration: "), "{log}");
    assert!(!log.contains(secret), "{log}");
    Ok(())
}
