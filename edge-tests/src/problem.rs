//! What every answer of Envoy's own must look like. It knows no cause by heart.

use serde_json::Value;
use testbed::message::Response;

/// Checks that the answer is a problem body with this status and cause, in the form that Bellhop's have.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_problem(response: &Response, status: u16, cause: &str) {
    let shown = format!("{} {:?}\n{}", response.status, response.headers, response.text());
    assert_eq!(response.status, status, "{shown}");
    let types: Vec<_> = response.headers.all("content-type").collect();
    assert_eq!(types, [b"application/problem+json"], "{shown}");
    let Ok(Value::Object(problem)) = response.json() else { panic!("no JSON object: {shown}") };
    let members: Vec<_> = problem.keys().map(String::as_str).collect();
    assert_eq!(members, ["cause", "detail", "status", "title", "type"], "{shown}");
    assert_eq!(problem["status"], status, "{shown}");
    assert_eq!(problem["cause"], cause, "{shown}");
    assert_eq!(problem["type"], format!("urn:bellhop:cause:{cause}"), "{shown}");
    for text in ["title", "detail"] {
        assert!(problem[text].as_str().is_some_and(|it| it.len() > 10), "{text}: {shown}");
    }
}

/// Checks that the answer says "not now": `upstream_unavailable` with the `Retry-After` of `envoy.yaml`.
///
/// # Panics
/// When it does not.
#[track_caller]
pub fn assert_try_again(response: &Response, status: u16) {
    assert_problem(response, status, "upstream_unavailable");
    assert_retry_after(response);
}

/// Checks that the sender is told once when to come back: after `delivery.retry_after_s` of `envoy.yaml`, or up to half as
/// much later.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn assert_retry_after(response: &Response) {
    let values: Vec<_> = response.headers.all("retry-after").collect();
    let seconds = match values.as_slice() {
        [value] => std::str::from_utf8(value).ok().and_then(|text| text.parse::<u32>().ok()),
        _ => None,
    };
    assert!(seconds.is_some_and(|seconds| (30..=45).contains(&seconds)), "{:?}", response.headers);
}
