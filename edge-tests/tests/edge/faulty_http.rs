//! HTTP that Envoy does not take: refused with a problem body over HTTP/1.1, with a reset of the stream over HTTP/2 where
//! the headers are at fault. No such request reaches upstream.

use edge_tests::problem::assert_problem;
use edge_tests::{Edge, Filter, Setup, TestResult, event, shipped};
use testbed::message::Request;

fn with_an_underscore() -> Request {
    event::post(event::GOOD).header("x_device_id", "forged")
}

fn with_40_kb_of_a_header() -> Request {
    event::post(event::GOOD).header("x-big", vec![b'a'; 40_000])
}

fn with_120_headers() -> Request {
    (0..120).fold(event::post(event::GOOD), |request, n| request.header(format!("x-{n}"), "1"))
}

#[track_caller]
fn assert_refused(edge: &Edge, request: &Request, status: u16) -> TestResult {
    assert_problem(&edge.http1(request)?, status, "request_refused");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[track_caller]
fn assert_refused_raw(request: &str, status: u16) -> TestResult {
    let edge = shipped()?;
    assert_problem(&edge.raw(request.as_bytes())?, status, "request_refused");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn a_header_name_with_an_underscore_is_refused() -> TestResult {
    let edge = shipped()?;
    assert_refused(&edge, &with_an_underscore(), 400)
}

#[test]
fn too_large_headers_are_refused() -> TestResult {
    let edge = shipped()?;
    assert_refused(&edge, &with_40_kb_of_a_header(), 431)
}

#[test]
fn too_many_headers_are_refused() -> TestResult {
    let edge = shipped()?;
    assert_refused(&edge, &with_120_headers(), 431)
}

#[test]
fn over_http2_faulty_headers_reset_the_stream() -> TestResult {
    let edge = shipped()?;
    for request in [with_an_underscore(), with_40_kb_of_a_header(), with_120_headers()] {
        let Err(error) = edge.http2(&request) else { panic!("answered: {request:?}") };
        assert!(error.to_string().contains("stream error received"), "{error}");
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn an_escaped_slash_in_the_path_is_refused() -> TestResult {
    let edge = shipped()?;
    for path in ["/a%2Fprovider_events", "/%2fprovider_events", "/a%5c..%5cprovider_events"] {
        assert_refused(&edge, &Request::post_json(path, event::GOOD), 400)?;
    }
    Ok(())
}

#[test]
fn http_1_0_is_refused() -> TestResult {
    assert_refused_raw("POST /provider_events HTTP/1.0\r\ncontent-length: 0\r\n\r\n", 426)
}

#[test]
fn an_upgrade_is_refused() -> TestResult {
    assert_refused_raw(
        "GET /provider_events HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        403,
    )
}

#[test]
fn what_is_no_http_is_refused() -> TestResult {
    assert_refused_raw("this is no request\r\n\r\n", 400)
}

#[test]
fn two_lengths_for_one_body_are_refused() -> TestResult {
    assert_refused_raw(
        "POST /provider_events HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    )
}

#[test]
fn a_request_that_no_route_takes_names_no_source() -> TestResult {
    // The minimal filter judges nothing: the answer is Envoy's.
    let edge = Setup::new(Filter::Minimal).start()?;
    let response = edge.http1(&Request::new("OPTIONS", "*"))?;
    assert_problem(&response, 404, "source_unknown");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}
