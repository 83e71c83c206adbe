//! A filter that traps: the sender is told to come back, nothing slips through, and events are served again. Bellhop's
//! own filter never traps, so the probe filter stands in its place.

use edge_tests::problem::assert_try_again;
use edge_tests::{Edge, Filter, PROTOCOLS, Setup, TestResult, event, until};

/// Nothing of the probe's is left in the VM: it starts anew after its back-off and serves.
#[track_caller]
fn assert_served_again(edge: &Edge) {
    let served = until(|| edge.http1(&event::post(event::GOOD)).ok().filter(|it| it.status == 200));
    assert!(served.is_some(), "{}", edge.gateway().log_tail());
}

/// A request in which the probe traps there.
fn trapping_in(phase: &str) -> testbed::message::Request {
    event::post(event::GOOD)
        .header(format!("x-probe-{phase}"), "trap")
        // The body is waited for before anything leaves, as Bellhop does.
        .header(if phase == "request-headers" { "x-none" } else { "x-probe-request-headers" }, "return 1")
}

#[test]
fn a_trap_in_the_headers_lets_nothing_through_and_is_over_soon() -> TestResult {
    for protocol in PROTOCOLS {
        let edge = Setup::new(Filter::Probe).start()?;
        assert_try_again(&edge.send(protocol, &trapping_in("request-headers"))?, 503);
        assert_eq!(edge.n_upstream(), 0);
        assert_served_again(&edge);
    }
    Ok(())
}

#[test]
fn a_trap_in_the_body_lets_nothing_through_and_is_over_soon() -> TestResult {
    for protocol in PROTOCOLS {
        let edge = Setup::new(Filter::Probe).start()?;
        assert_try_again(&edge.send(protocol, &trapping_in("request-body"))?, 503);
        assert_eq!(edge.n_upstream(), 0);
        assert_served_again(&edge);
    }
    Ok(())
}

#[test]
fn a_trap_in_the_trailers_lets_nothing_through_and_is_over_soon() -> TestResult {
    let edge = Setup::new(Filter::Probe).start()?;
    let request =
        trapping_in("request-trailers").header("x-probe-request-body", "return 1").trailer("x-t", "1");
    assert_try_again(&edge.http2(&request)?, 503);
    assert_eq!(edge.n_upstream(), 0);
    assert_served_again(&edge);
    Ok(())
}

#[test]
fn a_trap_in_the_answer_tells_the_sender_to_come_back() -> TestResult {
    let edge = Setup::new(Filter::Probe).start()?;
    assert_try_again(&edge.http1(&trapping_in("response-headers"))?, 503);
    assert_served_again(&edge);
    Ok(())
}

#[test]
fn no_event_passes_while_the_filter_is_not_back() -> TestResult {
    // A back-off that outlasts the test.
    let edge = Setup::new(Filter::Probe)
        .change("base_interval: 1s, max_interval: 10s", "base_interval: 600s, max_interval: 600s")
        .start()?;
    assert_try_again(&edge.http1(&trapping_in("request-headers"))?, 503);
    for protocol in PROTOCOLS {
        assert_try_again(&edge.send(protocol, &event::post(event::GOOD))?, 503);
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}
