//! More than one upstream host: which one an event goes to, and when a host is put aside.

use edge_tests::{BoxError, Edge, Filter, Setup, TestResult, event};
use testbed::upstream::{Answer, Upstream};

/// Forwards events about any device.
fn setup() -> Setup {
    Setup::new(Filter::Bellhop).change(r#""on_unassigned": "defer""#, r#""on_unassigned": "forward""#)
}

fn three_hosts() -> Result<Edge, BoxError> {
    let hosts: Vec<_> = (0..3).map(|_| Upstream::start()).collect::<Result<_, _>>()?;
    setup().start_before(hosts)
}

/// The partition keys that each host has seen, in order.
fn keys_by_host(edge: &Edge) -> Vec<Vec<String>> {
    let key = |it: &testbed::upstream::Received| {
        it.headers.get("x-event-partition-key").unwrap_or_default().to_owned()
    };
    edge.upstreams().iter().map(|host| host.received().iter().map(key).collect()).collect()
}

#[test]
fn events_of_one_subject_reach_one_host() -> TestResult {
    let edge = three_hosts()?;
    for _ in 0..12 {
        assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 200);
    }
    let mut n_by_host: Vec<_> = keys_by_host(&edge).iter().map(Vec::len).collect();
    n_by_host.sort_unstable();
    assert_eq!(n_by_host, [0, 0, 12]);
    Ok(())
}

#[test]
fn subjects_are_spread_over_the_hosts() -> TestResult {
    let edge = three_hosts()?;
    let mut connection = edge.connect()?;
    // With a thousand places on the ring, the chance that a host gets none of 60 keys is nil.
    for n in 0..60 {
        assert_eq!(connection.send(&event::post(event::about(&format!("lock_{n}"))))?.status, 200);
    }
    let n_by_host: Vec<_> = keys_by_host(&edge).iter().map(Vec::len).collect();
    assert!(n_by_host.iter().all(|n| *n > 0), "{n_by_host:?}");
    Ok(())
}

/// Two hosts that answer the same, and a fifth of all requests must not be retried.
fn two_hosts(respond: fn() -> Answer) -> Result<Edge, BoxError> {
    let hosts: Vec<_> =
        (0..2).map(|_| Upstream::start_with(0, move |_| respond())).collect::<Result<_, _>>()?;
    setup().start_before(hosts)
}

#[test]
fn a_host_that_keeps_failing_is_put_aside_and_its_subjects_go_to_another() -> TestResult {
    let edge = two_hosts(|| Answer::status(200))?;
    edge.http1(&event::post(event::GOOD))?;
    let ill = edge.upstreams().iter().find(|host| !host.received().is_empty()).ok_or("no host")?;
    ill.next_times(100, &Answer::status(503));
    // Three tries of the first event and two of the second are five failures in a row.
    assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 503);
    assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 200);
    assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 200);
    let name = "cluster.upstream.outlier_detection.ejections_enforced_consecutive_gateway_failure";
    assert_eq!(edge.gateway().stat(name)?, Some(1));
    Ok(())
}

#[test]
fn an_event_that_upstream_fails_on_puts_no_host_aside() -> TestResult {
    let edge = two_hosts(|| Answer::status(500))?;
    for _ in 0..12 {
        assert_eq!(edge.http1(&event::post(event::GOOD))?.status, 503);
    }
    assert_eq!(edge.n_upstream(), 12);
    assert_eq!(edge.gateway().stat("cluster.upstream.outlier_detection.ejections_enforced_total")?, Some(0));
    Ok(())
}
