//! Overload: what is refused says "later", and whoever looks into it gets in.

use edge_tests::problem::assert_try_again;
use edge_tests::{Filter, PROTOCOLS, Setup, TestResult, event, until};

#[test]
fn without_memory_new_events_are_told_to_come_back() -> TestResult {
    // The loadshed point would refuse the connection itself.
    let edge = Setup::new(Filter::Bellhop)
        .change("max_heap_size_bytes: 1073741824", "max_heap_size_bytes: 1000000")
        .change("- name: envoy.load_shed_points.tcp_listener_accept\n      triggers:\n        - { name: envoy.resource_monitors.fixed_heap, threshold: { value: 0.98 } }", "[]")
        .start()?;
    let stat = "overload.envoy.overload_actions.stop_accepting_requests.active";
    let overloaded = until(|| edge.gateway().stat(stat).ok().flatten().filter(|active| *active == 1));
    assert!(overloaded.is_some(), "{:?}", edge.gateway().stats()?);
    for protocol in PROTOCOLS {
        assert_try_again(&edge.send(protocol, &event::post(event::GOOD))?, 503);
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn a_connection_too_many_is_closed_and_the_admin_port_still_answers() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change("max_active_downstream_connections: 10000", "max_active_downstream_connections: 1")
        .start()?;
    let mut first = edge.connect()?;
    assert_eq!(first.send(&event::post(event::GOOD))?.status, 200);
    assert!(edge.http1(&event::post(event::GOOD)).is_err());
    edge.gateway().stats()?;
    assert_eq!(first.send(&event::post(event::GOOD))?.status, 200);
    Ok(())
}
