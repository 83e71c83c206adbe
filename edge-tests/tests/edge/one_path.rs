//! One spelling per path: whatever way a path is written, it names the same source or none, and is never a redirect.

use edge_tests::{PROTOCOLS, TestResult, event, shipped};
use testbed::message::Request;

#[test]
fn other_spellings_of_the_path_reach_the_source() -> TestResult {
    let edge = shipped()?;
    for path in [
        "//provider_events",
        "/a/../provider_events",
        "/./provider_events",
        "/%70rovider_events",
        "/provider_events?a=b",
    ] {
        for protocol in PROTOCOLS {
            let response = edge.send(protocol, &Request::post_json(path, event::GOOD))?;
            assert_eq!(response.status, 200, "{path} over {protocol:?}: {}", response.text());
        }
    }
    Ok(())
}
