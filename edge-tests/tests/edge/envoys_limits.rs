//! Limits that Envoy keeps in front of or behind the filter: the buffer and the time a request may take.

use edge_tests::problem::assert_problem;
use edge_tests::{Filter, PROTOCOLS, Setup, TestResult, event};

#[test]
fn a_body_over_envoys_buffer_is_too_large_where_the_filter_does_not_say_so() -> TestResult {
    let edge = Setup::new(Filter::Minimal).start()?;
    for protocol in PROTOCOLS {
        let response = edge.send(protocol, &event::post(event::of_bytes(600_000)))?;
        assert_problem(&response, 413, "body_too_large");
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn a_body_that_does_not_end_is_given_up() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).change("request_timeout: 30s", "request_timeout: 0.5s").start()?;
    let half = "POST /provider_events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    assert_problem(&edge.raw(half.as_bytes())?, 408, "request_refused");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn headers_that_do_not_end_are_given_up() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change("request_headers_timeout: 10s", "request_headers_timeout: 0.5s")
        .start()?;
    let half = "POST /provider_events HTTP/1.1\r\nhost: a\r\n";
    assert_problem(&edge.raw(half.as_bytes())?, 408, "request_refused");
    Ok(())
}

#[test]
fn a_sender_that_stops_in_the_body_is_given_up() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change("stream_idle_timeout: 60s", "stream_idle_timeout: 0.5s")
        .start()?;
    let half = "POST /provider_events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{";
    assert_problem(&edge.raw(half.as_bytes())?, 408, "request_refused");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}
