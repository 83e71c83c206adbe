//! Answers of the filter itself reach the sender as `event-core` words them: `local_reply_config` leaves them alone. And gRPC,
//! which never reaches the filter.

use edge_tests::problem::{assert_problem, assert_retry_after};
use edge_tests::{BoxError, PROTOCOLS, Protocol, TestResult, event, shipped};
use event_core::{Cause, Refusal, Verdict};
use testbed::message::Request;

use crate::configuration::shipped_plugin_configuration;

/// What the core answers to this request.
fn refusal(request: &Request, configuration: &str) -> Result<Refusal, BoxError> {
    let core = event_core::Edge::from_json(configuration.as_bytes())?;
    let pseudo = [(":method", &request.method), (":path", &request.path)];
    let pseudo = pseudo.into_iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let admission = match core.admit(pseudo.chain(request.headers.iter())) {
        Ok(admission) => admission,
        Err(refusal) => return Ok(refusal),
    };
    match core.judge(&admission, &request.pieces.concat(), 0, &()) {
        Verdict::Refuse(refusal) => Ok(refusal),
        Verdict::Forward(_) | Verdict::Ask(_) => Err("the core does not refuse it".into()),
    }
}

#[track_caller]
fn assert_answered_by_the_core(request: &Request, cause: Cause) -> TestResult {
    let edge = shipped()?;
    let expected = refusal(request, &shipped_plugin_configuration(&edge)?)?;
    assert_eq!(expected.cause(), cause);
    for protocol in PROTOCOLS {
        let response = edge.send(protocol, request)?;
        assert_eq!(response.status, expected.status(), "{protocol:?}");
        if request.method != "HEAD" {
            assert_eq!(response.text(), String::from_utf8(expected.body())?, "{protocol:?}");
        }
        for (name, value) in expected.headers(0) {
            let values: Vec<_> = response.headers.all(name).collect();
            if name == "retry-after" {
                assert_retry_after(&response);
            } else {
                assert_eq!(values, [value.as_bytes()], "{name} over {protocol:?}");
            }
        }
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn an_unknown_path_is_answered_by_the_core() -> TestResult {
    assert_answered_by_the_core(&Request::post_json("/other", event::GOOD), Cause::SourceUnknown)
}

#[test]
fn another_method_is_answered_by_the_core() -> TestResult {
    assert_answered_by_the_core(&Request::new("GET", event::PATH), Cause::MethodNotAllowed)
}

#[test]
fn a_head_is_answered_by_the_core_without_a_body() -> TestResult {
    assert_answered_by_the_core(&Request::new("HEAD", event::PATH), Cause::MethodNotAllowed)
}

#[test]
fn malformed_json_is_answered_by_the_core() -> TestResult {
    assert_answered_by_the_core(&event::post("{"), Cause::JsonMalformed)
}

#[test]
fn an_announced_body_over_the_limit_is_answered_by_the_core() -> TestResult {
    let request = event::post(event::of_bytes(event::LARGEST + 1));
    assert_answered_by_the_core(
        &request.header("content-length", (event::LARGEST + 1).to_string()),
        Cause::BodyTooLarge,
    )
}

#[test]
fn a_body_that_grows_over_the_limit_is_answered_by_the_core() -> TestResult {
    assert_answered_by_the_core(
        &event::post(event::of_bytes(event::LARGEST + 1)).chunked(),
        Cause::BodyTooLarge,
    )
}

#[test]
fn another_content_type_is_answered_by_the_core() -> TestResult {
    let request = Request::new("POST", event::PATH).header("content-type", "text/plain").body(event::GOOD);
    assert_answered_by_the_core(&request, Cause::MediaTypeUnsupported)
}

#[test]
fn a_wrong_shape_is_answered_by_the_core() -> TestResult {
    let body = r#"{"event_type":"device.online","timestamp":7,"device_id":"lock_491829"}"#;
    assert_answered_by_the_core(&event::post(body), Cause::EventInvalid)
}

#[test]
fn an_unowned_device_is_answered_by_the_core() -> TestResult {
    assert_answered_by_the_core(&event::post(event::about("nobodys")), Cause::AccountUnknown)
}

/// Content types that Envoy takes for gRPC, or that look like it.
const GRPC: [&str; 4] =
    ["application/grpc", "application/grpc+json", "application/grpc+proto", "application/grpc;x"];

#[test]
fn grpc_is_never_answered_with_2xx() -> TestResult {
    let edge = shipped()?;
    for content_type in GRPC {
        for protocol in PROTOCOLS {
            let request =
                Request::new("POST", event::PATH).header("content-type", content_type).body(event::GOOD);
            let response = edge.send(protocol, &request)?;
            assert_problem(&response, 415, "media_type_unsupported");
            assert!(!response.headers.has("grpc-status"), "{:?}", response.headers);
        }
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn grpc_with_trailers_or_a_large_body_is_refused_just_the_same() -> TestResult {
    let edge = shipped()?;
    let request =
        Request::new("POST", event::PATH).header("content-type", "application/grpc").body(event::GOOD);
    for request in [request.clone().trailer("x-t", "1"), request.body(vec![b'x'; 600_000])] {
        assert_problem(&edge.send(Protocol::Http2, &request)?, 415, "media_type_unsupported");
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn a_head_of_grpc_is_refused_without_a_body() -> TestResult {
    let edge = shipped()?;
    for protocol in PROTOCOLS {
        let request = Request::new("HEAD", event::PATH).header("content-type", "application/grpc");
        let response = edge.send(protocol, &request)?;
        assert_eq!((response.status, response.body.len()), (415, 0), "{protocol:?}");
        assert_eq!(response.headers.get("content-type"), Some("application/problem+json"), "{protocol:?}");
    }
    Ok(())
}
