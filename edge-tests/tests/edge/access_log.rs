//! The access log: one line of JSON a request, with its outcome and without anything that only the sender should know.

use edge_tests::{BoxError, Filter, Setup, TestResult, event};
use serde_json::Value;
use testbed::message::Request;
use testbed::upstream::Answer;

/// The line of one request to an edge of its own.
fn line_of(request: &Request) -> Result<Value, BoxError> {
    let edge = Setup::new(Filter::Bellhop).start()?;
    edge.http1(request)?;
    only_line(&edge)
}

fn only_line(edge: &edge_tests::Edge) -> Result<Value, BoxError> {
    let lines = edge.access_log(1)?;
    let [line] = lines.as_slice() else { return Err(format!("one line expected: {lines:#?}").into()) };
    Ok(line.clone())
}

#[test]
fn a_forwarded_event_is_logged_with_its_outcome_and_headers() -> TestResult {
    let line = line_of(&event::post(event::GOOD))?;
    assert_eq!(line["outcome"], "forwarded", "{line}");
    assert_eq!(line["status"], 200);
    assert_eq!(line["path"], event::PATH);
    assert_eq!(line["event_type"], "device.online");
    assert_eq!(line["source"], "acme");
    assert_eq!(line["attempts"], 1);
    assert_eq!(line["event_id"].as_str().map(str::len), Some(32), "{line}");
    assert!(line["upstream"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")), "{line}");
    Ok(())
}

#[test]
fn an_event_that_upstream_refuses_counts_as_forwarded() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|_| Answer::status(422))?;
    edge.http1(&event::post(event::GOOD))?;
    let line = only_line(&edge)?;
    assert_eq!((&line["outcome"], &line["status"]), (&"forwarded".into(), &422.into()), "{line}");
    Ok(())
}

#[test]
fn an_event_refused_by_its_headers_is_logged_with_its_cause() -> TestResult {
    let line = line_of(&Request::post_json("/other", event::GOOD))?;
    assert_eq!(line["outcome"], "source_unknown", "{line}");
    Ok(())
}

#[test]
fn an_event_refused_by_its_body_is_logged_with_its_cause() -> TestResult {
    let line = line_of(&event::post("{"))?;
    assert_eq!(line["outcome"], "json_malformed", "{line}");
    Ok(())
}

#[test]
fn an_event_that_upstream_fails_on_is_logged_with_its_cause() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|_| Answer::status(500))?;
    edge.http1(&event::post(event::GOOD))?;
    let line = only_line(&edge)?;
    assert_eq!(line["outcome"], "upstream_unavailable", "{line}");
    Ok(())
}

#[test]
fn an_event_without_an_upstream_is_logged_with_its_cause() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_without_upstream()?;
    edge.http1(&event::post(event::GOOD))?;
    let line = only_line(&edge)?;
    assert_eq!(line["outcome"], "upstream_unavailable", "{line}");
    Ok(())
}

#[test]
fn what_envoy_answers_itself_is_never_logged_as_forwarded() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    edge.http1(&event::post(event::GOOD).header("x_a", "b"))?;
    edge.http1(&Request::new("POST", event::PATH).header("content-type", "application/grpc").body("{}"))?;
    for line in edge.access_log(2)? {
        assert_ne!(line["outcome"], "forwarded", "{line}");
        assert!(!line["details"].is_null(), "{line}");
    }
    Ok(())
}

#[test]
fn neither_queries_nor_bodies_nor_pins_are_logged() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|received| Answer::status(200).body(&received.body))?;
    let secret = "7391524";
    let used = format!(
        r#"{{"event_type":"access_code.used","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829","code":"{secret}"}}"#
    );
    let path = format!("{}?token={secret}", event::PATH);
    edge.http1(&Request::post_json(&path, &used))?;
    edge.http1(&Request::post_json(&path, used.replace("2026-", "")))?;
    edge.http1(&Request::post_json(&format!("/other?token={secret}"), &used))?;
    edge.http1(&Request::post_json(&format!("/a%2Fb?token={secret}"), &used))?;
    edge.access_log(4)?;
    // Envoy's own messages may not have it either.
    let log = edge.gateway().log();
    assert!(!log.contains(secret) && !log.contains("token"), "{log}");
    Ok(())
}
