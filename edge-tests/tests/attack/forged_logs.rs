//! Requests that would write lines of their own into the access log, or break its JSON. One line comes of each, and values
//! stay inside their members.

use edge_tests::{Filter, Setup, TestResult, event};
use testbed::message::Request;

/// What a forged line would say.
const FORGED: &str = r#""outcome":"forwarded-4711""#;

#[test]
fn a_request_writes_one_line_of_json_whatever_is_in_it() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    let line = format!("\"}}\\n{{{FORGED},\"path\":\"");
    let requests = [
        Request::post_json(&format!("/{line}"), event::GOOD),
        Request::post_json("/%22%7d%0a%7b%22outcome%22:%22forwarded-4711%22", event::GOOD),
        Request::post_json(&format!("{}?{line}", event::PATH), event::GOOD),
        Request::new("GET", "/\\\"\\").header("x-forwarded-for", line.as_bytes()),
        Request::new("\"GET", event::PATH),
        event::post(event::GOOD).header("x-request-id", line.as_bytes()),
        event::post(event::GOOD.replace("device.online", &line.replace('"', "\\\""))),
    ];
    edge.http1(&event::post(event::GOOD))?;
    let mut n_lines = 1;
    let n_members = edge.access_log(1)?[0].as_object().ok_or("no object")?.len();
    for request in &requests {
        let response = edge.http1(request)?;
        n_lines += 1;
        let log = edge.access_log(n_lines)?;
        assert_eq!(log.len(), n_lines, "{request:?}");
        let written = &log[n_lines - 1];
        assert_eq!(written["status"], response.status, "{request:?}: {written}");
        assert_ne!(written["outcome"], "forwarded-4711", "{request:?}: {written}");
        let members: Vec<_> = written.as_object().ok_or("no object")?.keys().collect();
        assert_eq!(members.len(), n_members, "{written}");
    }
    Ok(())
}
