//! How one stream goes through the filter: holding, answering, hanging, ending.

use envoy_sim::{Answerer, EnvoyProfile, Outcome, Request, Response, Setup, Simulator, Upstream, WaitingFor};

use crate::guest::probe;

fn simulator(allow_on_headers_stop_iteration: bool) -> Simulator {
    let profile = EnvoyProfile { allow_on_headers_stop_iteration, ..Default::default() };
    Simulator::new(probe(), Setup { profile, ..Default::default() }).unwrap()
}

#[test]
fn a_filter_that_does_nothing_lets_both_messages_through() {
    let mut sim = simulator(true);
    let response = Response::new(201).header("x-up", "1").body_pieces(["ab", "cd"]).trailer("x-end", "2");
    let seen = sim
        .run(
            Request::post("/plain")
                .header("x-t", "1")
                .body_pieces(["one", "two"])
                .trailer("x-tail", "t")
                .upstream(Upstream::Answers(response.clone())),
        )
        .unwrap();
    assert!(seen.forwarded(), "{seen:?}");
    assert_eq!(seen.response, Some(response));
    let upstream = seen.upstream.unwrap();
    assert_eq!(upstream.body, b"onetwo");
    assert_eq!(upstream.headers.text("x-t"), Some("1"));
    assert_eq!(upstream.trailers.unwrap().text("x-tail"), Some("t"));
}

#[test]
fn pausing_on_headers_hangs_a_post_unless_the_setting_allows_it() {
    let request = || {
        Request::post("/hold")
            .header("x-probe-request-headers", "return 1")
            .header("x-probe-request-body", "return 1")
            .header("x-probe-request-end", "set 0 x-late 1; return 0")
            .body_pieces(["one", "two"])
    };
    let seen = simulator(true).run(request()).unwrap();
    assert!(seen.forwarded(), "{seen:?}");
    assert_eq!(seen.upstream_header("x-late"), Some("1"));

    let seen = simulator(false).run(request()).unwrap();
    assert_eq!(seen.outcome, Outcome::Hung(WaitingFor::Filter));
    assert_eq!(seen.upstream, None);
    assert!(!seen.trace.callbacks().contains(&"proxy_on_request_body"));
}

#[test]
fn a_local_reply_keeps_the_request_from_upstream_and_passes_the_response_callbacks() {
    let seen = simulator(true)
        .run(
            Request::post("/reply")
                .header("x-probe-request-headers", "reply 429 slow x-a=b; return 0")
                .header("x-probe-response-headers", "set 2 x-seen 1")
                .body("ignored"),
        )
        .unwrap();
    assert_eq!((seen.outcome, seen.answered_by), (Outcome::Answered, Answerer::Filter));
    assert_eq!((seen.status(), seen.body().as_slice()), (429, b"slow".as_slice()));
    assert_eq!((seen.response_header("x-a"), seen.response_header("x-seen")), (Some("b"), Some("1")));
    assert_eq!(seen.upstream, None);
}
