//! HTTP/1.1 that two readers frame differently: a second request hidden in a body, lengths that disagree, lines that one
//! reader folds and the other does not. Whatever Envoy makes of it, upstream gets judged events and nothing else.

use edge_tests::{BoxError, Edge, Filter, Setup, TestResult, event};
use testbed::upstream::Answer;

use crate::{assert_all_judged, assert_serves};

/// Comes back in the answer to the request that had it.
const MARKER: &str = "x-marker";

/// What must not come true.
const SMUGGLED: &str =
    "POST /provider_events HTTP/1.1\r\nhost: a\r\nx-smuggled: 1\r\ncontent-length: 0\r\n\r\n";

/// An edge whose upstream says which request it answers, and that does not wait long for bytes that never come.
fn start() -> Result<Edge, BoxError> {
    Setup::new(Filter::Bellhop).change("request_timeout: 30s", "request_timeout: 0.5s").start_with(
        |received| {
            let marker = received.headers.get(MARKER).unwrap_or("none").to_owned();
            Answer::status(200).header(MARKER, marker)
        },
    )
}

/// A good event with these further lines in its head, before the body. A `|` stands for the end of a line.
fn head(lines: &str) -> String {
    let path = event::PATH;
    let lines = lines.replace('|', "\r\n");
    format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{lines}\r\n\r\n")
}

/// The good event in one chunk, with this behind the size.
fn chunk(extension: &str) -> String {
    format!("{:x}{extension}\r\n{}\r\n0\r\n\r\n", event::GOOD.len(), event::GOOD)
}

/// Sends an attack and a good event behind it, and gives the statuses up to the good one's.
fn statuses(edge: &Edge, attack: &[u8]) -> Result<Vec<u16>, BoxError> {
    let good =
        format!("{}{}", head(&format!("{MARKER}: last|content-length: {}", event::GOOD.len())), event::GOOD);
    let mut connection = edge.connect()?;
    // Envoy may have answered and closed before all is written.
    let _ = connection.send_raw(&[attack, good.as_bytes()].concat());
    let mut statuses = Vec::new();
    while let Ok(response) = connection.read_response("POST") {
        statuses.push(response.status);
        if response.headers.get(MARKER) == Some("last") {
            break;
        }
    }
    Ok(statuses)
}

/// Each attack: what it is, its bytes, and the statuses that come back, of the good event behind it too if Envoy goes on.
fn check(attacks: &[(&str, Vec<u8>, &[u16])]) -> TestResult {
    let edge = start()?;
    let mut wrong = Vec::new();
    for (name, bytes, expected) in attacks {
        let statuses = statuses(&edge, bytes)?;
        assert_serves(&edge, name);
        let received = edge.upstream().take();
        assert_all_judged(&received, name);
        for (header, value) in received.iter().flat_map(|request| request.headers.iter()) {
            assert!(!header.eq_ignore_ascii_case(b"x-smuggled"), "{name}: {received:?}");
            // Envoy writes the head anew: what it took for one line is one line to upstream.
            assert!(value.iter().all(|byte| *byte >= b' ' || *byte == b'\t'), "{name}: {received:?}");
        }
        let hosts = received.iter().map(|request| request.headers.all("host").count());
        assert!(hosts.eq(received.iter().map(|_| 1)), "{name}: {received:?}");
        let n_accepted = statuses.iter().filter(|status| **status == 200).count();
        // The last one is that of `assert_serves`.
        assert_eq!(received.len(), n_accepted + 1, "{name}: {statuses:?} {received:?}");
        if statuses != *expected {
            wrong.push(format!("{name}: {statuses:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    Ok(())
}

/// The attack of these lines and this body.
fn attack(lines: &str, body: &str) -> Vec<u8> {
    format!("{}{body}", head(lines)).into_bytes()
}

#[test]
fn lengths_that_disagree_are_refused() -> TestResult {
    let length = event::GOOD.len();
    let (longer, shorter) = (length + SMUGGLED.len(), length - 1);
    let hidden = format!("{}{SMUGGLED}", event::GOOD);
    let ended = format!("0\r\n\r\n{SMUGGLED}");
    let refused: &[u16] = &[400];
    check(&[
        (
            "length and chunks",
            attack(&format!("content-length: {}|transfer-encoding: chunked", ended.len()), &ended),
            refused,
        ),
        (
            "chunks and length",
            attack(&format!("transfer-encoding: chunked|content-length: {}", ended.len()), &ended),
            refused,
        ),
        (
            "two lengths",
            attack(&format!("content-length: {length}|content-length: {longer}"), &hidden),
            refused,
        ),
        (
            "two equal lengths",
            attack(&format!("content-length: {length}|content-length: {length}"), event::GOOD),
            refused,
        ),
        ("a list of lengths", attack(&format!("content-length: {length}, {longer}"), &hidden), refused),
        (
            "a list of equal lengths",
            attack(&format!("content-length: {length}, {length}"), event::GOOD),
            refused,
        ),
        ("a length with a sign", attack(&format!("content-length: +{length}"), event::GOOD), refused),
        ("a negative length", attack("content-length: -1", SMUGGLED), refused),
        ("a hexadecimal length", attack("content-length: 0x10", SMUGGLED), refused),
        ("an empty length", attack("content-length:", SMUGGLED), refused),
        ("a length beyond 64 bits", attack("content-length: 18446744073709551617", event::GOOD), refused),
        ("a length with a space inside", attack("content-length: 1 0", SMUGGLED), refused),
        // The last byte of the event begins the next request, which is none.
        ("a length that is short", attack(&format!("content-length: {shorter}"), event::GOOD), &[400]),
        // The good event behind it is eaten as its body, and what is left of that begins the next request.
        ("a length that is long", attack(&format!("content-length: {longer}"), event::GOOD), &[400]),
    ])
}

#[test]
fn transfer_codings_other_than_chunked_are_refused() -> TestResult {
    let chunks = chunk("");
    let mut attacks: Vec<(&str, Vec<u8>, &[u16])> = Vec::new();
    for coding in [
        "xchunked",
        "identity",
        "gzip, chunked",
        "chunked, identity",
        "chunked, chunked",
        "\"chunked\"",
        "chunked;q=1",
        "chunk\u{212a}ed",
    ] {
        attacks.push((coding, attack(&format!("transfer-encoding: {coding}"), &chunks), &[501]));
    }
    attacks.extend([
        (
            "two codings",
            attack("transfer-encoding: chunked|transfer-encoding: identity", &chunks),
            &[501][..],
        ),
        (
            "two codings and a length",
            attack("transfer-encoding: identity|transfer-encoding: chunked|content-length: 4", &chunks),
            &[400],
        ),
        ("a tab before it", attack("transfer-encoding:\tchunked", &chunks), &[200, 200]),
        ("a vertical tab before it", attack("transfer-encoding: \u{b}chunked", &chunks), &[400]),
        ("upper case", attack("transfer-encoding: CHUNKED", &chunks), &[200, 200]),
        (
            "a space before the colon",
            attack("transfer-encoding : chunked|content-length: 5", &chunks),
            &[400],
        ),
    ]);
    check(&attacks)
}

#[test]
fn chunks_that_two_readers_could_cut_differently_are_refused() -> TestResult {
    let length = event::GOOD.len();
    let good = event::GOOD;
    let chunked = |body: &str| attack("transfer-encoding: chunked", body);
    check(&[
        ("an extension", chunked(&chunk(";a=b")), &[200, 200]),
        ("a quoted extension", chunked(&chunk(";a=\"b\"")), &[200, 200]),
        ("a line feed in an extension", chunked(&chunk(";a\n")), &[400]),
        ("a carriage return in an extension", chunked(&chunk(";a\rb")), &[400]),
        ("a sign before the size", chunked(&format!("+{}", chunk(""))), &[400]),
        ("0x before the size", chunked(&format!("0x{}", chunk(""))), &[400]),
        ("a size beyond 64 bits", chunked(&format!("1{:016x}\r\n{good}\r\n0\r\n\r\n", length)), &[400]),
        ("a negative size", chunked(&format!("-1\r\n{good}\r\n0\r\n\r\n")), &[400]),
        ("an empty size", chunked(&format!("\r\n{good}\r\n0\r\n\r\n")), &[400]),
        ("a line feed alone behind the size", chunked(&format!("{length:x}\n{good}\r\n0\r\n\r\n")), &[400]),
        ("no line end behind a chunk", chunked(&format!("{length:x}\r\n{good}0\r\n\r\n")), &[400]),
        (
            "a chunk longer than its size",
            chunked(&format!("{:x}\r\n{good}\r\n0\r\n\r\n", length - 1)),
            &[400],
        ),
        (
            "a last chunk with an extension",
            chunked(&format!("{length:x}\r\n{good}\r\n0;a=b\r\n\r\n")),
            &[200, 200],
        ),
        (
            "many zeros before the size",
            chunked(&format!("{length:0>64x}\r\n{good}\r\n0\r\n\r\n")),
            &[200, 200],
        ),
    ])
}

#[test]
fn lines_that_two_readers_could_read_differently_are_refused_or_written_anew() -> TestResult {
    let length = event::GOOD.len();
    let with = |lines: &str| attack(&format!("{lines}|content-length: {length}"), event::GOOD);
    let raw = |start: &str| {
        format!(
            "{start}\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{}",
            event::GOOD
        )
        .into_bytes()
    };
    check(&[
        ("a folded line", with("x-a: b| x-smuggled: 1"), &[200, 200]),
        ("a line folded with a tab", with("x-a: b|\tx-smuggled: 1"), &[200, 200]),
        ("a space before a colon", with("x-smuggled : 1"), &[400]),
        ("no colon", with("x-smuggled"), &[400]),
        ("no name", with(": 1"), &[400]),
        ("a carriage return in a value", with("x-a: b\rx-smuggled: 1"), &[200, 200]),
        ("a line feed alone", with("x-a: b\nx-harmless: 1"), &[200, 200]),
        ("a zero byte in a value", with("x-a: b\0c"), &[400]),
        ("a zero byte in a name", with("x-\0a: b"), &[400]),
        ("a space in a name", with("x a: b"), &[400]),
        ("two hosts", with("host: b"), &[200, 200]),
        (
            "white space before the first header",
            raw(&format!("POST {} HTTP/1.1\r\n x-smuggled: 1", event::PATH)),
            &[400],
        ),
        ("HTTP/1.2", raw(&format!("POST {} HTTP/1.2", event::PATH)), &[426]),
        ("a version in lower case", raw(&format!("POST {} http/1.1", event::PATH)), &[400]),
        ("two spaces", raw(&format!("POST  {} HTTP/1.1", event::PATH)), &[200, 200]),
        ("a tab for a space", raw(&format!("POST\t{}\tHTTP/1.1", event::PATH)), &[200, 200]),
        ("a method in lower case", raw(&format!("post {} HTTP/1.1", event::PATH)), &[400]),
        ("a method that is none", raw(&format!("PO\0ST {} HTTP/1.1", event::PATH)), &[400]),
        ("a whole URI", raw(&format!("POST http://other{} HTTP/1.1", event::PATH)), &[200, 200]),
        ("a URI of another scheme", raw(&format!("POST file://other{} HTTP/1.1", event::PATH)), &[400]),
        ("a fragment", raw(&format!("POST {}#x HTTP/1.1", event::PATH)), &[400]),
        ("a zero byte in the path", raw(&format!("POST {}\0 HTTP/1.1", event::PATH)), &[400]),
        ("a byte over ASCII in the path", raw(&format!("POST {}?\u{e9} HTTP/1.1", event::PATH)), &[400]),
        ("CONNECT", raw("CONNECT other:80 HTTP/1.1"), &[400]),
    ])
}

#[test]
fn a_request_inside_a_refused_body_is_part_of_it() -> TestResult {
    let inside = |status: &'static [u16], lines: &str| {
        (attack(&format!("{lines}|content-length: {}", SMUGGLED.len()), SMUGGLED), status)
    };
    let (malformed, expected) = inside(&[400], "x-a: b");
    let (expecting, continued) = inside(&[400], "expect: 100-continue");
    let other =
        format!("POST /other HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{SMUGGLED}", SMUGGLED.len());
    let get = format!(
        "GET {} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{SMUGGLED}",
        event::PATH,
        SMUGGLED.len()
    );
    let upgrade = format!(
        "connection: upgrade, http2-settings|upgrade: h2c|http2-settings: AAMAAABkAAQAAP__|content-length: {}",
        event::GOOD.len()
    );
    check(&[
        ("no JSON", malformed, expected),
        ("no JSON, announced", expecting, continued),
        ("no source", other.into_bytes(), &[404]),
        ("a GET with a body", get.into_bytes(), &[405]),
        ("an upgrade to HTTP/2", attack(&upgrade, event::GOOD), &[200, 200]),
    ])
}
