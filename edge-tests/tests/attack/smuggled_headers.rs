//! Headers that upstream trusts, brought by a stranger: each that Bellhop can set, in any case, repeated, with `_` for `-`,
//! in trailers, and nominated to be dropped on the way. The list is event-core's, so that a new header is in it.

use edge_tests::{BoxError, Edge, Filter, PROTOCOLS, Protocol, Setup, TestResult, event, shipped};
use event_core::headers::{RESERVED, is_reserved};
use testbed::message::{Headers, Request};

use crate::assert_all_judged;

/// A value that no part of the gateway makes up.
const FORGED: &str = "forged-4711";

/// Names that only their beginning reserves.
const BY_PREFIX: [&str; 4] = ["ce-id", "ce-anything", "x-bellhop-anything", "x-envoy-original-path"];

/// A trailer that may pass.
const HARMLESS: &str = "x-checksum";

fn names() -> impl Iterator<Item = &'static str> {
    RESERVED.into_iter().chain(BY_PREFIX)
}

/// Upper and lower case in turn.
fn mixed(name: &str) -> String {
    let in_turn = |(at, it): (usize, char)| if at % 2 == 0 { it.to_ascii_uppercase() } else { it };
    name.chars().enumerate().map(in_turn).collect()
}

/// HTTP/2 knows lower case only.
fn spellings(name: &str, protocol: Protocol) -> Vec<String> {
    match protocol {
        Protocol::Http1 => vec![name.to_owned(), name.to_uppercase(), mixed(name), name.to_owned()],
        Protocol::Http2 => vec![name.to_owned(); 3],
    }
}

/// The first, the last, and every hyphen as an underscore.
fn with_underscores(name: &str) -> [String; 3] {
    let last = name.rfind('-').unwrap_or_default();
    let mut last_only = name.to_owned();
    last_only.replace_range(last..=last, "_");
    [name.replacen('-', "_", 1), last_only, name.replace('-', "_")]
}

#[track_caller]
fn assert_nothing_forged(headers: &Headers, name: &str) {
    let forged = |value: &[u8]| value.windows(FORGED.len()).any(|it| it == FORGED.as_bytes());
    assert!(!headers.iter().any(|(_, value)| forged(value)), "{name}: {headers:?}");
}

/// Sends each request and looks at what reached upstream of it.
fn send_each(edge: &Edge, protocol: Protocol, requests: Vec<(String, Request)>) -> TestResult {
    assert!(requests.len() >= RESERVED.len());
    for (name, request) in requests {
        assert_eq!(edge.send(protocol, &request)?.status, 200, "{name} over {protocol:?}");
        let received = edge.upstream().take();
        assert_eq!(received.len(), 1, "{name}");
        assert_all_judged(&received, &name);
        assert_nothing_forged(&received[0].headers, &name);
        assert_nothing_forged(&received[0].trailers, &name);
        for (present, _) in received[0].trailers.iter() {
            assert!(!is_reserved(present), "{name}: {received:?}");
        }
    }
    Ok(())
}

#[test]
fn no_reserved_header_passes_in_any_case_and_number() -> TestResult {
    let edge = shipped()?;
    for protocol in PROTOCOLS {
        let request = |name: &str| {
            let all = spellings(name, protocol);
            all.iter().fold(event::post(event::GOOD), |request, it| request.header(it, FORGED))
        };
        send_each(&edge, protocol, names().map(|name| (name.to_owned(), request(name))).collect())?;
    }
    Ok(())
}

#[test]
fn a_listener_that_lets_underscores_pass_does_not_let_reserved_headers_pass() -> TestResult {
    let edge = Setup::new(Filter::Bellhop)
        .change("headers_with_underscores_action: REJECT_REQUEST", "headers_with_underscores_action: ALLOW")
        .start()?;
    // The underscore itself passes.
    assert_eq!(edge.http1(&event::post(event::GOOD).header("x_harmless", "1"))?.status, 200);
    assert!(edge.upstream().take()[0].headers.has("x_harmless"));
    for protocol in PROTOCOLS {
        let request = |name: &str| {
            let mut all = with_underscores(name).to_vec();
            if protocol == Protocol::Http1 {
                all.extend(with_underscores(name).map(|it| mixed(&it)));
            }
            all.iter().fold(event::post(event::GOOD), |request, it| request.header(it, FORGED))
        };
        send_each(&edge, protocol, names().map(|name| (name.to_owned(), request(name))).collect())?;
    }
    Ok(())
}

/// Envoy drops HTTP/1.1 trailers by default, a client's and upstream's: here it passes them on.
fn with_trailers() -> Result<Edge, BoxError> {
    Setup::new(Filter::Bellhop)
        .change("headers_with_underscores_action: REJECT_REQUEST", "headers_with_underscores_action: ALLOW")
        .change(
            "                http2_protocol_options:\n",
            "                http_protocol_options: { enable_trailers: true }\n                http2_protocol_options:\n",
        )
        .change(
            "explicit_http_config: { http_protocol_options: {} }",
            "explicit_http_config: { http_protocol_options: { enable_trailers: true } }",
        )
        .start()
}

#[test]
fn no_reserved_trailer_passes_where_trailers_do() -> TestResult {
    let edge = with_trailers()?;
    for protocol in PROTOCOLS {
        let request = event::post(event::GOOD).trailer(HARMLESS, "1");
        assert_eq!(edge.send(protocol, &request)?.status, 200);
        assert_eq!(edge.upstream().take()[0].trailers.get(HARMLESS), Some("1"), "{protocol:?}");
        let request = |name: &str| {
            let mut all = spellings(name, protocol);
            all.extend(with_underscores(name));
            all.iter().fold(event::post(event::GOOD), |request, it| request.trailer(it, FORGED))
        };
        send_each(&edge, protocol, names().map(|name| (name.to_owned(), request(name))).collect())?;
    }
    Ok(())
}

/// RFC 9110, section 7.6.1: whatever `connection` names is for one hop only.
#[test]
fn headers_of_bellhop_cannot_be_nominated_away() -> TestResult {
    let edge = shipped()?;
    for name in RESERVED {
        let request = event::post(event::GOOD).header("connection", format!("keep-alive, {name}"));
        let status = edge.http1(&request)?.status;
        let received = edge.upstream().take();
        assert_eq!((status, received.len()), (200, 1), "{name}");
        assert_all_judged(&received, name);
        assert!(received[0].headers.has("x-event-partition-key"), "{name}: {received:?}");
        let nominated = received[0].headers.get("connection").unwrap_or_default();
        assert!(!nominated.contains(name), "{name}: {received:?}");
    }
    Ok(())
}
