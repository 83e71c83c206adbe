//! A simulated edge with a directory whose answers the tests give. It asserts nothing.

use std::time::Duration;

use envoy_sim::{
    CalloutAnswer, Cluster, EnvoyProfile, Protocol, Request, Response, Seen, Setup, Simulator, StreamId,
};
use host_tests::{filters, on_simulator};
use serde_json::{Value, json};

/// The time-out of the configurations here, in milliseconds.
pub(crate) const TIMEOUT_MS: u64 = 250;

pub(crate) fn profile() -> EnvoyProfile {
    on_simulator::profile(Protocol::Http2, true)
}

/// A configuration with these keys beside `cluster` in its directory.
pub(crate) fn configuration(directory: &Value) -> Vec<u8> {
    let mut configuration = json!({
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }, { "name": "known", "path": "/known", "verify": { "token": { "header": "x-api-key", "secrets": ["s3cret"] } } }],
        "accounts": [{ "connected_account_id": "ca_near", "devices": [NEAR] }],
        "directory": { "cluster": "directory", "token": "t0ken", "timeout_ms": TIMEOUT_MS },
        // What the workers share is the directory's answers alone.
        "order": { "slots": 0 },
        "delivery": { "retry_after_spread_s": 0 },
    });
    let section = configuration["directory"].as_object_mut().unwrap();
    section.extend(directory.as_object().unwrap().clone());
    configuration.to_string().into_bytes()
}

/// An edge whose directory waits for the test. Whatever else is under way when one question is answered runs into its
/// time-out: for several at a time there is [`scripted`].
pub(crate) fn manual(directory: &Value) -> Simulator {
    start(directory, 1, Cluster::manual("directory"))
}

/// An edge whose directory says of everything that it belongs to `ca_far`.
pub(crate) fn answering(directory: &Value, workers: usize) -> Simulator {
    start(directory, workers, Cluster::answering("directory", |_| CalloutAnswer::Now(owned("ca_far"))))
}

/// An edge whose directory gives these answers, each so many milliseconds after its question.
pub(crate) fn scripted(directory: &Value, answers: Vec<(u64, Response)>) -> Simulator {
    let answers = answers.into_iter().map(|(delay_ms, response)| CalloutAnswer::After(delay_ms, response));
    start(directory, 1, Cluster::scripted("directory", answers.collect::<Vec<_>>()))
}

pub(crate) fn start(directory: &Value, workers: usize, cluster: Cluster) -> Simulator {
    let setup = Setup {
        profile: profile(),
        configuration: configuration(directory),
        workers,
        clusters: vec![cluster, Cluster::without_hosts("empty")],
        ..Setup::default()
    };
    Simulator::new(filters::plugin_module(), setup).unwrap()
}

/// The device that an embedded account owns.
pub(crate) const NEAR: &str = "lock_near_0";

/// The body of an event of this device.
pub(crate) fn body(device: &str) -> Vec<u8> {
    json!({"event_type": "device.online", "device_id": device, "timestamp": "2025-05-22T10:48:18Z"})
        .to_string()
        .into_bytes()
}

/// An event of this device.
pub(crate) fn event(device: &str) -> Request {
    Request::post("/provider_events").header("content-type", "application/json").body(body(device))
}

/// Opens a stream and sends all of it; it waits for the directory then.
pub(crate) fn send(sim: &mut Simulator, device: &str) -> StreamId {
    let id = sim.worker(0).open(event(device)).unwrap();
    while sim.step(id).is_ok() {}
    id
}

/// The directory's answer: this account.
pub(crate) fn owned(account: &str) -> Response {
    let body = json!({"accounts": [{"connected_account_id": account, "customer_key": "k"}], "assigned_by": "device_id"});
    Response::new(200).with_body(body.to_string())
}

/// The directory's answer: nobody.
pub(crate) fn unknown() -> Response {
    Response::new(200).with_body(r#"{"accounts":[]}"#)
}

/// The ids of the callouts without an end.
pub(crate) fn pending(sim: &Simulator) -> Vec<u32> {
    sim.pending_callouts().iter().map(|callout| callout.id).collect()
}

pub(crate) fn wait(sim: &mut Simulator, ms: u64) {
    sim.advance(Duration::from_millis(ms)).unwrap();
}

/// The outcome for the log, and the age of a stale assignment.
pub(crate) fn outcome(seen: &Seen) -> (String, Option<String>) {
    let outcome = seen.filter_state.get(b"bellhop.outcome".as_slice()).cloned().unwrap_or_default();
    let stale =
        seen.upstream.as_ref().and_then(|it| it.headers.text("x-assignment-stale").map(str::to_owned));
    (String::from_utf8(outcome).unwrap(), stale)
}

/// The account that upstream was told.
pub(crate) fn account(seen: &Seen) -> Option<&str> {
    seen.upstream.as_ref()?.headers.text("x-connected-account-id")
}

/// Sends an event and lets everything happen.
pub(crate) fn run(sim: &mut Simulator, device: &str) -> (String, Option<String>) {
    outcome(&sim.run(event(device)).unwrap())
}

/// A plain outcome.
pub(crate) fn plain(outcome: &str) -> (String, Option<String>) {
    (outcome.to_owned(), None)
}
