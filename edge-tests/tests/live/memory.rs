//! What is still known after a change: what the workers share lives in Envoy's process, under `vm_id`. Nobody promises more.

use std::sync::{Mutex, mpsc};

use edge_tests::{BoxError, Filter, Setup, TestResult, event, until};
use testbed::http1;
use testbed::message::Response;
use testbed::paths;
use testbed::upstream::{Answer, Received, Upstream};

use crate::gateway::{DRAIN_TIME, LiveGateway, Ports, Read};

/// An event that the first configuration accepts.
fn first() -> String {
    event::GOOD.to_owned()
}

/// One of the same device, older.
fn older() -> String {
    event::GOOD.replace("2026-02-10", "2026-02-09")
}

/// Which of two configurations has judged an event shows in its customer.
fn with_customer(customer: &str) -> Setup {
    Setup::new(Filter::Bellhop).change("\"property-456\"", &format!("\"{customer}\""))
}

fn setup(customer: &str) -> Setup {
    with_customer(customer)
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

#[test]
fn a_question_to_the_directory_is_answered_by_the_configuration_that_asked() -> TestResult {
    let (arrived, has_arrived) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel::<()>();
    let (arrived, released) = (Mutex::new(arrived), Mutex::new(released));
    let directory = Upstream::start_with(0, move |_| {
        let _ = arrived.lock().unwrap_or_else(|it| it.into_inner()).send(());
        let _ = released.lock().unwrap_or_else(|it| it.into_inner()).recv();
        let answer = r#"{"accounts":[{"connected_account_id":"ca_asked"}],"assigned_by":"device_id"}"#;
        Answer::status(200).header("content-type", "application/json").body(answer)
    })?;
    let upstream = Upstream::start()?;
    let asking = |customer: &str| {
        let directory = "\"directory\": { \"cluster\": \"directory\", \"timeout_ms\": 30000 }";
        with_customer(customer).change("\"on_unassigned\"", &format!("{directory}, \"on_unassigned\""))
    };
    let ports = Ports { upstream: upstream.port(), directory: Some(directory.port()) };
    let live = LiveGateway::start_before("question", &asking("before"), ports, DRAIN_TIME)?;
    std::thread::scope(|scope| -> TestResult {
        let held =
            scope.spawn(|| send(&live, &event::about("lock_asked")).map_err(|error| error.to_string()));
        has_arrived.recv_timeout(testbed::PATIENCE)?;
        assert_eq!(live.replace(&asking("after"))?, Read { taken: 1, refused: 0 });
        let serves = || {
            upstream.take();
            send(&live, &first()).ok()?;
            (customer(upstream.received().first()?) == Some("after")).then_some(())
        };
        until(serves).ok_or("the new configuration does not serve")?;
        release.send(())?;
        let response = held.join().map_err(|_| "the sender panicked")??;
        assert_eq!(response.status, 200, "{}", response.text());
        let asked = upstream.take().pop().ok_or("nothing is upstream")?;
        assert_eq!(asked.headers.get("x-connected-account-id"), Some("ca_asked"));
        Ok(())
    })
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
