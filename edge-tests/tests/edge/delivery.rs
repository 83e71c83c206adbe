//! From the gateway to upstream and back: retries, timeouts, and what of upstream's answer the sender sees.

use edge_tests::problem::{assert_problem, assert_try_again};
use edge_tests::{Edge, Filter, PROTOCOLS, Setup, TestResult, event, shipped};
use testbed::message::{Request, Response};
use testbed::upstream::Answer;

/// The attempts that upstream saw, by its own header.
fn attempts(edge: &Edge) -> Vec<String> {
    let received = edge.upstream().received();
    received.iter().map(|it| it.headers.get("x-envoy-attempt-count").unwrap_or("none").to_owned()).collect()
}

/// Checks that a largest event is tried until upstream takes it, each time whole.
#[track_caller]
fn assert_retried_whole(send: impl Fn(&Edge, Request) -> std::io::Result<Response>) -> TestResult {
    let edge = shipped()?;
    edge.upstream().next_times(2, &Answer::status(503));
    let body = event::of_bytes(event::LARGEST);
    assert_eq!(send(&edge, event::post(&body))?.status, 200);
    assert_eq!(attempts(&edge), ["1", "2", "3"]);
    let whole = edge.upstream().received().iter().all(|received| received.body == body);
    assert!(whole, "an attempt had another body");
    Ok(())
}

#[test]
fn the_largest_event_is_retried_over_http1() -> TestResult {
    assert_retried_whole(|edge, request| edge.http1(&request))
}

#[test]
fn the_largest_event_in_chunks_is_retried() -> TestResult {
    assert_retried_whole(|edge, request| edge.http1(&request.cut_at(&[1, 16_384, 65_536, 200_000]).chunked()))
}

#[test]
fn the_largest_event_is_retried_over_http2() -> TestResult {
    assert_retried_whole(|edge, request| edge.http2(&request))
}

#[test]
fn the_largest_event_with_trailers_is_retried() -> TestResult {
    assert_retried_whole(|edge, request| edge.http2(&request.trailer("x-t", "1")))
}

#[test]
fn one_byte_more_than_the_largest_event_never_leaves() -> TestResult {
    let edge = shipped()?;
    let body = event::of_bytes(event::LARGEST + 1);
    for protocol in PROTOCOLS {
        assert_problem(&edge.send(protocol, &event::post(&body))?, 413, "body_too_large");
    }
    assert_problem(&edge.http1(&event::post(&body).chunked())?, 413, "body_too_large");
    assert_problem(&edge.http2(&event::post(&body).trailer("x-t", "1"))?, 413, "body_too_large");
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn an_upstream_that_is_down_is_a_503_from_the_filter() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_without_upstream()?;
    for protocol in PROTOCOLS {
        let response = edge.send(protocol, &event::post(event::GOOD))?;
        assert_try_again(&response, 503);
        assert!(response.text().contains("upstream did not accept"), "{}", response.text());
    }
    Ok(())
}

#[test]
fn an_upstream_that_is_down_is_a_503_from_envoy_where_the_filter_does_not_say_so() -> TestResult {
    let edge = Setup::new(Filter::Minimal).start_without_upstream()?;
    assert_try_again(&edge.http1(&event::post(event::GOOD))?, 503);
    Ok(())
}

#[test]
fn an_upstream_that_hangs_is_a_503_from_the_filter() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change(r#""timeout_ms": 15000"#, r#""timeout_ms": 600"#)
        .change(r#""per_try_timeout_ms": 4000"#, r#""per_try_timeout_ms": 200"#)
        .start_with(|_| Answer::Hang)?;
    let response = edge.http1(&event::post(event::GOOD))?;
    assert_try_again(&response, 503);
    assert!(response.text().contains("upstream did not accept"), "{}", response.text());
    Ok(())
}

#[test]
fn an_upstream_that_hangs_is_a_504_from_envoy_where_the_filter_does_not_say_so() -> TestResult {
    let edge =
        Setup::new(Filter::Minimal).change(" timeout: 15s", " timeout: 0.3s").start_with(|_| Answer::Hang)?;
    assert_try_again(&edge.http1(&event::post(event::GOOD))?, 504);
    Ok(())
}

#[test]
fn an_upstream_that_resets_is_a_503() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|_| Answer::Reset)?;
    assert_try_again(&edge.http1(&event::post(event::GOOD))?, 503);
    Ok(())
}

#[test]
fn upstreams_failures_and_redirects_become_upstream_unavailable() -> TestResult {
    for status in [301, 302, 304, 307, 410, 500, 501, 503, 599] {
        let edge = Setup::new(Filter::Bellhop).start_with(move |_| {
            Answer::status(status).header("location", "http://elsewhere.test/").body("secret of upstream")
        })?;
        let response = edge.http1(&event::post(event::GOOD))?;
        assert_try_again(&response, 503);
        assert!(!response.headers.has("location"), "{status}: {:?}", response.headers);
    }
    Ok(())
}

#[test]
fn upstreams_refusals_pass_with_their_bodies() -> TestResult {
    let edge = shipped()?;
    for status in [400, 404, 409, 413, 422, 429] {
        let answer = Answer::status(status).header("content-type", "text/plain").header("x-why", "mine");
        edge.upstream().next(answer.body("upstream says no"));
        let response = edge.http1(&event::post(event::GOOD))?;
        assert_eq!((response.status, response.text().as_str()), (status, "upstream says no"));
        assert_eq!(response.headers.get("content-type"), Some("text/plain"));
        assert_eq!(response.headers.get("x-why"), Some("mine"));
    }
    Ok(())
}

#[test]
fn upstreams_own_wish_when_to_come_back_is_kept() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|_| Answer::status(500).header("retry-after", "77"))?;
    let response = edge.http1(&event::post(event::GOOD))?;
    assert_problem(&response, 503, "upstream_unavailable");
    assert_eq!(response.headers.all("retry-after").collect::<Vec<_>>(), [b"77"]);
    Ok(())
}

#[test]
fn upstreams_wish_that_leaves_time_for_another_try_is_obeyed() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    edge.upstream().next(Answer::status(503).header("retry-after", "1"));
    assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 200);
    let waited = edge.gateway().stat("cluster.upstream.upstream_rq_retry_backoff_ratelimited")?;
    assert_eq!(waited, Some(1), "the wait was Envoy's own");
    Ok(())
}

#[test]
fn upstreams_timings_and_names_stay_inside() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start_with(|_| {
        Answer::status(200).header("server", "upstream/9").header("x-envoy-upstream-service-time", "5")
    })?;
    let response = edge.http1(&event::post(event::GOOD))?;
    assert_eq!(response.headers.get("server"), Some("bellhop"));
    let envoys: Vec<_> = response.headers.iter().filter(|(name, _)| name.starts_with(b"x-envoy-")).collect();
    assert!(envoys.is_empty(), "{envoys:?}");
    Ok(())
}
