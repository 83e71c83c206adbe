//! Whom to believe: nothing that a sender writes into the headers of Bellhop or Envoy arrives or is logged.

use edge_tests::{Filter, PROTOCOLS, Setup, TestResult, event, shipped};
use event_core::headers::RESERVED;
use testbed::message::{Headers, Request};

/// A value that no part of the gateway makes up.
const FORGED: &str = "forged-4711";

/// Headers of Envoy and of switched-off features, beside those that Bellhop sets.
const OTHERS: [&str; 16] = [
    "ce-id",
    "ce-source",
    "x-bellhop-anything",
    "x-envoy-attempt-count",
    "x-envoy-decorator-operation",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-force-trace",
    "x-envoy-hedge-on-per-try-timeout",
    "x-envoy-internal",
    "x-envoy-ip-tags",
    "x-envoy-original-host",
    "x-envoy-original-path",
    "x-envoy-peer-metadata",
    "x-envoy-retry-grpc-on",
    "x-envoy-upstream-alt-stat-name",
];

fn forging(request: Request) -> Request {
    RESERVED.iter().chain(&OTHERS).fold(request, |request, name| request.header(name, FORGED))
}

#[track_caller]
fn assert_nothing_forged(headers: &Headers) {
    let forged: Vec<_> = headers
        .iter()
        .filter(|(_, value)| value.windows(FORGED.len()).any(|it| it == FORGED.as_bytes()))
        .collect();
    assert!(forged.is_empty(), "{headers:?}");
}

#[test]
fn forged_headers_do_not_reach_upstream() -> TestResult {
    let edge = shipped()?;
    for protocol in PROTOCOLS {
        assert_eq!(edge.send(protocol, &forging(event::post(event::GOOD)))?.status, 200);
    }
    let received = edge.upstream().take();
    assert_eq!(received.len(), 2);
    for received in received {
        assert_nothing_forged(&received.headers);
        // What Bellhop says itself is there all the same.
        assert_eq!(received.headers.get("x-connected-account-id"), Some("ca_hotel"));
    }
    Ok(())
}

#[test]
fn forged_trailers_do_not_reach_upstream() -> TestResult {
    let edge = shipped()?;
    for protocol in PROTOCOLS {
        let request = RESERVED.iter().fold(event::post(event::GOOD), |it, name| it.trailer(name, FORGED));
        assert_eq!(edge.send(protocol, &request)?.status, 200);
    }
    for received in edge.upstream().take() {
        assert_nothing_forged(&received.headers);
        assert_nothing_forged(&received.trailers);
    }
    Ok(())
}

#[test]
fn forged_headers_are_not_logged() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    edge.http1(&forging(event::post(event::GOOD)))?;
    // Refused before the filter drops anything: by the filter, by Envoy's route of gRPC, by Envoy's codec.
    edge.http1(&forging(Request::post_json("/other", event::GOOD)))?;
    edge.http1(&forging(Request::new("POST", event::PATH).header("content-type", "application/grpc")))?;
    edge.http1(&forging(event::post(event::GOOD).header("x_a", "b")))?;
    let log = edge.access_log(4)?;
    let text = serde_json::to_string(&log)?;
    assert!(!text.contains(FORGED), "{text}");
    Ok(())
}

#[test]
fn forged_headers_do_not_steer_the_router() -> TestResult {
    let edge = Setup::new(Filter::Minimal).start_with(|_| testbed::upstream::Answer::status(503))?;
    let request =
        event::post(event::GOOD).header("x-envoy-retry-on", "5xx").header("x-envoy-max-retries", "3");
    edge.http1(&request)?;
    assert_eq!(edge.n_upstream(), 1);
    Ok(())
}

#[test]
fn nobody_is_internal_not_even_this_machine() -> TestResult {
    let edge = shipped()?;
    edge.http1(&event::post(event::GOOD))?;
    let received = edge.upstream().wait_for(1)?;
    assert!(!received[0].headers.has("x-envoy-internal"), "{:?}", received[0].headers);
    Ok(())
}

#[test]
fn of_envoys_headers_upstream_gets_attempt_and_client_only() -> TestResult {
    let edge = shipped()?;
    edge.http1(&event::post(event::GOOD))?;
    let received = edge.upstream().wait_for(1)?;
    let names = received[0].headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned());
    let envoys: Vec<_> = names.filter(|name| name.starts_with("x-envoy-")).collect();
    assert!(envoys.contains(&"x-envoy-attempt-count".to_owned()), "{envoys:?}");
    let known = ["x-envoy-attempt-count", "x-envoy-external-address"];
    assert!(envoys.iter().all(|name| known.contains(&name.as_str())), "{envoys:?}");
    Ok(())
}

#[test]
fn the_clients_address_is_its_own_whatever_it_says() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    edge.http1(&event::post(event::GOOD).header("x-forwarded-for", "10.1.2.3"))?;
    assert_eq!(edge.access_log(1)?[0]["client"], "127.0.0.1");
    Ok(())
}

#[test]
fn the_request_id_is_the_gateways_and_goes_both_ways() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    let response = edge.http1(&event::post(event::GOOD).header("x-request-id", FORGED))?;
    let id = response.headers.get("x-request-id").ok_or("no request id")?;
    assert_ne!(id, FORGED);
    assert_eq!(edge.upstream().wait_for(1)?[0].headers.get("x-request-id"), Some(id));
    assert_eq!(edge.access_log(1)?[0]["request_id"], id);
    Ok(())
}
