//! A steady stream of events while the owner of their device changes: every event is answered, is upstream once, and for the right
//! account.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use edge_tests::{BoxError, TestResult, event, until};
use testbed::http1::{self, Connection};
use testbed::message::{Request, Response};
use testbed::upstream::{Answer, Received, Upstream};

use crate::gateway::{LiveGateway, Ports, Read, owned_by};

/// How many events are sent in each phase, at least.
const N_EVENTS: usize = 60;

/// How many are sent at most: senders stop by themselves if the test does not stop them.
const N_MOST: usize = 20_000;

/// The accounts in the order in which the configurations name them.
const ACCOUNTS: [&str; 3] = ["ca_first", "ca_second", "ca_third"];

/// Which configurations an event may have met: from the one that certainly served when it was sent to the newest that may have
/// served when it was answered.
#[derive(Debug)]
struct Sent {
    oldest: usize,
    newest: usize,
    status: u16,
}

/// What the senders share. `certain` is the configuration that serves every new connection, `possible` the newest that may.
#[derive(Default)]
struct Progress {
    certain: AtomicUsize,
    possible: AtomicUsize,
    stop: AtomicBool,
    n_sent: AtomicUsize,
    sent: Mutex<BTreeMap<String, Sent>>,
}

impl Progress {
    fn send_until_stopped(
        &self,
        sender: &str,
        mut send: impl FnMut(&Request) -> std::io::Result<Response>,
    ) -> std::io::Result<()> {
        for n in 0..N_MOST {
            if self.stop.load(Ordering::SeqCst) {
                break;
            }
            let name = format!("{sender}-{n}");
            let oldest = self.certain.load(Ordering::SeqCst);
            let response = send(&event::post(named(&name)))?;
            let newest = self.possible.load(Ordering::SeqCst);
            let sent = Sent { oldest, newest, status: response.status };
            self.sent.lock().unwrap_or_else(|it| it.into_inner()).insert(name, sent);
            self.n_sent.fetch_add(1, Ordering::SeqCst);
        }
        Ok(())
    }

    fn wait_for_more(&self) -> Result<(), BoxError> {
        let before = self.n_sent.load(Ordering::SeqCst);
        let more = || (self.n_sent.load(Ordering::SeqCst) >= before + N_EVENTS).then_some(());
        until(more).ok_or_else(|| "the senders have stopped".into())
    }
}

/// An event that only its name tells from others.
fn named(name: &str) -> String {
    event::GOOD.replace('}', &format!(",\"name\":\"{name}\"}}"))
}

fn name_of(received: &Received) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(&received.body).ok()?;
    Some(body["name"].as_str()?.to_owned())
}

/// Sends on one connection for as long as it is kept.
fn on_kept_connections(address: SocketAddr) -> impl FnMut(&Request) -> std::io::Result<Response> {
    let mut kept: Option<Connection> = None;
    move |request| {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => Connection::open(address)?,
        };
        let response = connection.send(request)?;
        if response.headers.get("connection") != Some("close") {
            kept = Some(connection);
        }
        Ok(response)
    }
}

#[test]
fn what_takes_longer_than_the_drain_time_is_cut_off() -> TestResult {
    let (arrived, has_arrived) = mpsc::channel::<()>();
    let arrived = Mutex::new(arrived);
    let upstream = Upstream::start_with(0, move |_| {
        let _ = arrived.lock().unwrap_or_else(|it| it.into_inner()).send(());
        Answer::Hang
    })?;
    let ports = Ports { upstream: upstream.port(), directory: None };
    let live = LiveGateway::start_before("longer", &owned_by(ACCOUNTS[0]), ports, Duration::from_secs(1))?;
    let address = live.gateway.listener("edge")?;
    std::thread::scope(|scope| -> TestResult {
        let held = scope.spawn(move || http1::send(address, &event::post(event::GOOD)));
        has_arrived.recv_timeout(testbed::PATIENCE)?;
        assert_eq!(live.replace(&owned_by(ACCOUNTS[1]))?, Read { taken: 1, refused: 0 });
        // The filter would answer 503 after the time for a delivery.
        let response = held.join().map_err(|_| "the sender panicked")?;
        assert!(response.is_err(), "{response:?}");
        Ok(())
    })
}

/// Changes to this configuration, and waits until it serves a new connection.
fn change(
    live: &LiveGateway,
    progress: &Progress,
    address: SocketAddr,
    index: usize,
    upstream: &Upstream,
) -> TestResult {
    progress.possible.store(index, Ordering::SeqCst);
    assert_eq!(live.replace(&owned_by(ACCOUNTS[index]))?, Read { taken: 1, refused: 0 });
    let mut n_asked = 0;
    let serves = || {
        n_asked += 1;
        let name = format!("probe-{index}-{n_asked}");
        let answered = http1::send(address, &event::post(named(&name))).is_ok_and(|it| it.status == 200);
        let received = upstream.received();
        let probe = received.iter().find(|it| name_of(it).as_ref() == Some(&name))?;
        (answered && account_of(probe) == ACCOUNTS[index]).then_some(())
    };
    until(serves).ok_or("the new configuration does not serve")?;
    progress.certain.store(index, Ordering::SeqCst);
    Ok(())
}

fn account_of(received: &Received) -> &str {
    received.headers.get("x-connected-account-id").unwrap_or("none")
}

#[test]
fn no_event_is_lost_doubled_or_misrouted_while_the_configuration_changes() -> TestResult {
    // One event is held upstream until the test lets it go.
    let (arrived, has_arrived) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel::<()>();
    let (arrived, released) = (Mutex::new(arrived), Mutex::new(released));
    let upstream = Upstream::start_with(0, move |received| {
        if name_of(received).as_deref() == Some("held") {
            let _ = arrived.lock().unwrap_or_else(|it| it.into_inner()).send(());
            let _ = released.lock().unwrap_or_else(|it| it.into_inner()).recv();
        }
        Answer::status(200)
    })?;
    let live = LiveGateway::start("stream", &owned_by(ACCOUNTS[0]), upstream.port())?;
    let address = live.gateway.listener("edge")?;
    let progress = Progress::default();
    let (kept, held) = std::thread::scope(|scope| -> Result<_, BoxError> {
        let senders = ["a", "b"].map(|name| {
            let progress = &progress;
            scope.spawn(move || progress.send_until_stopped(name, |request| http1::send(address, request)))
        });
        let kept = scope.spawn(|| progress.send_until_stopped("kept", on_kept_connections(address)));
        let held = scope.spawn(move || http1::send(address, &event::post(named("held"))));
        let steps = || -> TestResult {
            has_arrived.recv_timeout(testbed::PATIENCE)?;
            progress.wait_for_more()?;
            change(&live, &progress, address, 1, &upstream)?;
            progress.wait_for_more()?;
            // What the filter refuses, Envoy refuses, and goes on as before.
            let bad = owned_by(ACCOUNTS[1]).change("\"on_unassigned\"", "\"on_unasigned\"");
            assert_eq!(live.replace(&bad)?, Read { taken: 0, refused: 1 });
            progress.wait_for_more()?;
            change(&live, &progress, address, 2, &upstream)?;
            progress.wait_for_more()
        };
        let steps = steps();
        progress.stop.store(true, Ordering::SeqCst);
        // Only now does the first listener get the answer that it waits for.
        let _ = release.send(());
        let held = held.join().map_err(|_| "a sender panicked")?;
        for sender in senders {
            sender.join().map_err(|_| "a sender panicked")??;
        }
        let kept = kept.join().map_err(|_| "a sender panicked")?;
        steps?;
        Ok((kept, held))
    })?;
    kept?;
    assert_eq!(held?.status, 200, "what the old listener had under way");

    let mut received: BTreeMap<String, String> = BTreeMap::new();
    for request in upstream.received() {
        let name = name_of(&request).ok_or("no name")?;
        let before = received.insert(name.clone(), account_of(&request).to_owned());
        assert_eq!(before, None, "{name} was upstream twice");
    }
    assert_eq!(received["held"], ACCOUNTS[0], "it was judged before any change");
    let sent = progress.sent.into_inner().unwrap_or_else(|it| it.into_inner());
    assert!(sent.len() >= 4 * N_EVENTS, "only {} events", sent.len());
    let mut seen = BTreeSet::new();
    for (name, Sent { oldest, newest, status }) in &sent {
        assert_eq!(*status, 200, "{name}");
        // A connection that is kept open keeps the configuration that it was opened with.
        let oldest = if name.starts_with("kept") { 0 } else { *oldest };
        let account = received.get(name).ok_or_else(|| format!("{name} is not upstream"))?;
        let possible = &ACCOUNTS[oldest..=*newest];
        assert!(possible.contains(&account.as_str()), "{name} went to {account}, not to one of {possible:?}");
        seen.insert(account.as_str());
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ACCOUNTS, "events came in every phase");
    Ok(())
}
