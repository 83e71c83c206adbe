//! What holds for an edge wherever it runs: the shortest proof that filter, routes and local replies are in their places.

use std::path::PathBuf;

use edge_tests::problem::assert_problem;
use edge_tests::{BoxError, Filter, TestResult, event};
use serde_json::Value;
use testbed::gateway::{Gateway, Launch};
use testbed::message::Request;
use testbed::upstream::{Answer, Upstream};
use testbed::{envoy, http1, http2, paths};

/// What envoy.yaml has, as JSON.
pub(crate) fn shipped() -> Result<Value, BoxError> {
    let mut documents = super::yaml::documents(&super::yaml::file("envoy.yaml"))?;
    Ok(documents.pop().ok_or("no document")?)
}

/// The connection manager of envoy.yaml.
pub(crate) fn shipped_manager(shipped: &Value) -> &Value {
    &shipped["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// The compiled filter.
pub(crate) fn module() -> Result<PathBuf, BoxError> {
    Filter::Bellhop.module()
}

/// Starts this bootstrap.
pub(crate) fn start(bootstrap: &Value) -> Result<Gateway, BoxError> {
    Ok(Launch::new(envoy::shared()?, serde_json::to_string_pretty(bootstrap)?).start()?)
}

/// An upstream that tells which attempt it sees.
pub(crate) fn upstream() -> Result<Upstream, BoxError> {
    Ok(Upstream::start_with(0, |_| Answer::status(200))?)
}

/// Sends what tells an edge with all its parts from one that lacks some.
pub(crate) fn assert_is_an_edge(gateway: &Gateway, upstream: &Upstream) -> TestResult {
    let address = gateway.only_listener()?;
    let send =
        |request: &Request| http1::send(address, &request.clone().header("host", "events.example.com"));
    let post = |body: &str| send(&event::post(body));

    let response = post(event::GOOD)?;
    assert_eq!(response.status, 200, "{}", response.text());
    let timings: Vec<_> = response.headers.iter().filter(|(name, _)| name.starts_with(b"x-envoy-")).collect();
    assert!(timings.is_empty(), "upstream's timings are nobody's business: {timings:?}");
    let received = upstream.take();
    assert_eq!(received[0].headers.get("x-connected-account-id"), Some("ca_hotel"));
    assert_eq!(received[0].headers.get("x-envoy-attempt-count"), Some("1"));
    assert_eq!(received[0].body, event::GOOD.as_bytes());

    let largest = event::of_bytes(event::LARGEST);
    upstream.next_times(2, &Answer::status(503));
    assert_eq!(send(&event::post(&largest))?.status, 200, "tried three times");
    assert_eq!(upstream.take().iter().filter(|it| it.body == largest).count(), 3);
    assert_problem(&send(&event::post(event::of_bytes(event::LARGEST + 1)))?, 413, "body_too_large");
    assert_eq!(post("{}")?.status, 422);
    assert_eq!(post(&event::about("nobodys"))?.status, 503);
    assert_problem(&send(&Request::post_json("/elsewhere", event::GOOD))?, 404, "source_unknown");
    // Trailers end the request too.
    let with_trailers = event::post("{}").header("host", "events.example.com").trailer("x-t", "1");
    assert_eq!(http2::send(address, &with_trailers)?.status, 422);

    // Neither a client's choice of the route nor its steering of the router.
    let forged =
        event::post(event::GOOD).header("x-bellhop-route", "quarantine").header("x-envoy-max-retries", "9");
    assert_eq!(send(&forged)?.status, 200);
    assert_eq!(upstream.take().len(), 1);
    // What is set aside meets no upstream.
    let grpc = Request::new("POST", event::PATH).header("content-type", "application/grpc").body(event::GOOD);
    assert_problem(&send(&grpc)?, 415, "media_type_unsupported");
    let underscore = event::post(event::GOOD).header("x_device_id", "1");
    assert_problem(&send(&underscore)?, 400, "request_refused");
    assert_problem(&send(&Request::post_json("/a%2Fb", event::GOOD))?, 400, "request_refused");
    assert!(upstream.received().is_empty());
    assert_has_labels(&gateway.prometheus()?);
    Ok(())
}

/// What the filter counts has its labels, by which dashboard and alert rules find it.
fn assert_has_labels(page: &str) {
    let labels =
        [r#"source="acme""#, r#"event_type="device.online""#, r#"outcome="forwarded""#, r#"cause="none""#];
    let is_count = |line: &&str| line.starts_with("bellhop_events_total{");
    let mut counts = page.lines().filter(is_count);
    assert!(counts.any(|line| labels.iter().all(|label| line.contains(label))), "{page}");
}

/// Where a bootstrap may name the upstream's port.
pub(crate) fn with_port(text: &str, port: u16) -> String {
    text.replace("UPSTREAM_PORT", &port.to_string())
}

/// A file in the scratch folder.
pub(crate) fn scratch(name: &str) -> Result<PathBuf, BoxError> {
    Ok(paths::scratch()?.join(format!("{}-{name}", std::process::id())))
}
