//! What is still known after a change: what the workers share lives in Envoy's process, under `vm_id`. Nobody promises more.

use edge_tests::{BoxError, Filter, Setup, TestResult, event, until};
use testbed::http1;
use testbed::message::Response;
use testbed::paths;
use testbed::upstream::{Received, Upstream};

use crate::gateway::{LiveGateway, Read};

/// An event that the first configuration accepts.
fn first() -> String {
    event::GOOD.to_owned()
}

/// One of the same device, older.
fn older() -> String {
    event::GOOD.replace("2026-02-10", "2026-02-09")
}

/// Which of two configurations has judged an event shows in its customer.
fn setup(customer: &str) -> Setup {
    Setup::new(Filter::Bellhop)
        .change("\"property-456\"", &format!("\"{customer}\""))
        .change("\"on_unassigned\"", "\"duplicates\": { \"window_s\": 3600 }, \"on_unassigned\"")
}

fn customer(received: &Received) -> Option<&str> {
    received.headers.get("x-customer-key")
}

fn send(live: &LiveGateway, body: &str) -> Result<Response, BoxError> {
    Ok(http1::send(live.gateway.listener("edge")?, &event::post(body))?)
}

/// Replaces the listener after the first event, and looks for what is still known of it.
#[track_caller]
fn assert_remembers(name: &str, changed: &Setup) -> TestResult {
    let upstream = Upstream::start()?;
    let live = LiveGateway::start(name, &setup("before"), upstream.port())?;
    assert_eq!(send(&live, &first())?.status, 200);
    assert_eq!(upstream.take().len(), 1);
    assert_eq!(live.replace(changed)?, Read { taken: 1, refused: 0 });
    // A new event for each question, until one is judged by the new configuration.
    let mut n_asked = 0;
    until(|| {
        n_asked += 1;
        send(&live, &older().replace("T14:24:18Z", &format!("T14:24:18.{n_asked}Z"))).ok()?;
        let received = upstream.take();
        let it = received.first()?;
        assert_eq!(it.headers.get("x-event-out-of-order"), Some("true"), "{:?}", it.headers);
        (customer(it) == Some("after")).then_some(())
    })
    .ok_or("the new configuration does not serve")?;
    let again = send(&live, &first())?;
    assert_eq!((again.status, again.headers.get("x-event-duplicate")), (200, Some("true")));
    assert!(upstream.received().is_empty());
    Ok(())
}

#[test]
fn duplicates_and_order_survive_a_change_of_the_plugin_configuration() -> TestResult {
    assert_remembers("configuration", &setup("after"))
}

#[test]
fn duplicates_and_order_survive_a_change_of_the_module() -> TestResult {
    // An empty custom section makes another module of the same code: Envoy tells modules by their bytes.
    let module = Filter::Bellhop.module()?;
    let mut bytes = std::fs::read(&module)?;
    bytes.extend_from_slice(&[0, 4, 3, b'n', b'e', b'w']);
    let other = paths::scratch()?.join(format!("another-module-{}.wasm", std::process::id()));
    std::fs::write(&other, bytes)?;
    let changed = setup("after").change(&module.display().to_string(), &other.display().to_string());
    let result = assert_remembers("module", &changed);
    std::fs::remove_file(&other)?;
    result
}

/// Replaces the listener after the first event, which is new again then.
#[track_caller]
fn assert_forgets(name: &str, changed: &Setup) -> TestResult {
    let upstream = Upstream::start()?;
    let live = LiveGateway::start(name, &setup("before"), upstream.port())?;
    assert_eq!(send(&live, &first())?.status, 200);
    assert_eq!(send(&live, &first())?.headers.get("x-event-duplicate"), Some("true"));
    assert_eq!(live.replace(changed)?, Read { taken: 1, refused: 0 });
    let serves = || {
        upstream.take();
        let response = send(&live, &first()).ok()?;
        (response.status == 200 && !response.headers.has("x-event-duplicate")).then_some(())
    };
    until(serves).ok_or("what the workers shared is still known")?;
    assert_eq!(customer(&upstream.received()[0]), Some("after"));
    Ok(())
}

#[test]
fn another_name_of_the_vm_forgets() -> TestResult {
    assert_forgets("vm-id", &setup("after").change("vm_id: bellhop", "vm_id: other"))
}

#[test]
fn another_environment_forgets() -> TestResult {
    assert_forgets(
        "environment",
        &setup("after").change("\"environment\": \"demo\"", "\"environment\": \"other\""),
    )
}
