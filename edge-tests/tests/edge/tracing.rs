//! Trace context, and the spans that `envoy.yaml` exports once tracing is out of its comment. The spans are protobuf; they are
//! searched for what must be in them as bytes, not decoded.

use edge_tests::{Edge, Filter, Setup, TestResult, event, until};
use testbed::message::Request;
use testbed::upstream::Upstream;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn traced(body: &str) -> Request {
    event::post(body).header("traceparent", format!("00-{TRACE}-{PARENT}-01"))
}

fn upstreams_traceparent(edge: &Edge) -> Option<String> {
    edge.upstream().received().first()?.headers.get("traceparent").map(str::to_owned)
}

/// The length in one byte and the text: how protobuf writes a short string.
fn string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("short");
    [&[length], text.as_bytes()].concat()
}

fn holds(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn trace_context_reaches_upstream_as_it_came() -> TestResult {
    let edge = edge_tests::shipped()?;
    edge.http1(&traced(event::GOOD).header("tracestate", "vendor=1"))?;
    let received = edge.upstream().received();
    let headers = &received.first().ok_or("nothing arrived")?.headers;
    assert_eq!(headers.get("traceparent"), Some(&*format!("00-{TRACE}-{PARENT}-01")));
    assert_eq!(headers.get("tracestate"), Some("vendor=1"));
    Ok(())
}

#[test]
fn spans_are_exported_with_outcomes_and_without_queries() -> TestResult {
    let collector = Upstream::start()?;
    let edge = Setup::new(Filter::Bellhop)
        .with_tracing(collector.port())
        .change("random_sampling: { value: 10 }", "random_sampling: { value: 100 }")
        .start()?;
    // One whose sender wants no span.
    let unsampled = event::post(event::GOOD.replace("online", "offline"))
        .header("traceparent", format!("00-{TRACE}-{PARENT}-00"));
    assert_eq!(edge.http1(&unsampled)?.status, 200);
    edge.upstream().take();
    let secret = "7391524";
    let forwarded = Request::post_json(&format!("{}?token={secret}", event::PATH), event::GOOD)
        .header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    assert_eq!(edge.http1(&forwarded)?.status, 200);
    assert_eq!(edge.http1(&traced("{"))?.status, 400);
    // The gateway's span has taken the place of the sender's.
    let onward = upstreams_traceparent(&edge).ok_or("upstream got no traceparent")?;
    assert!(onward.contains(TRACE) && !onward.contains(PARENT), "{onward}");
    let exported = || -> Vec<u8> {
        let received = collector.received();
        assert!(received.iter().all(|it| it.path == "/v1/traces"), "{received:?}");
        received.into_iter().flat_map(|it| it.body).collect()
    };
    let spans =
        until(|| Some(exported()).filter(|it| holds(it, b"json_malformed") && holds(it, b"forwarded")));
    let spans = spans.ok_or_else(|| format!("no spans: {}", String::from_utf8_lossy(&exported())))?;
    let trace: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&TRACE[2 * at..2 * at + 2], 16)).collect::<Result<_, _>>()?;
    assert!(holds(&spans, &trace), "the sender's trace is not gone on with");
    for (tag, value) in [
        ("bellhop.outcome", "forwarded"),
        ("bellhop.outcome", "json_malformed"),
        ("bellhop.source", "acme"),
        ("bellhop.event_type", "device.online"),
        ("http.url", event::PATH),
    ] {
        // An attribute: the key, then a message with the value as a string.
        let length = u8::try_from(value.len() + 2)?;
        let attribute = [&string(tag)[..], &[0x12, length, 0x0a], &string(value)].concat();
        assert!(holds(&spans, &attribute), "{tag} {value}: {}", String::from_utf8_lossy(&spans));
    }
    for absent in [secret, "device.offline"] {
        assert!(!holds(&spans, absent.as_bytes()), "{}", String::from_utf8_lossy(&spans));
    }
    Ok(())
}
