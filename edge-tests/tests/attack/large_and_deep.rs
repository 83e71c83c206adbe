//! Bodies as large and deep as they may be, and one step beyond: what V8 has to run through, whose stack is not wasmtime's.
//! An accepted one arrives byte for byte; after a refused one the same filter serves on, so it did not trap.

use edge_tests::{Filter, Setup, TestResult, event};
use testbed::message::Request;

use crate::assert_serves;

/// A good event with this as a further member, blown up to the largest body.
fn with(member: &str) -> Vec<u8> {
    let event = format!("{},\"x\":{member}}}", event::GOOD.trim_end_matches('}'));
    let mut body = event.into_bytes();
    assert!(body.len() <= event::LARGEST, "{} bytes", body.len());
    // White space is part of the bytes.
    body.resize(event::LARGEST, b' ');
    body
}

fn nested(open: &str, inside: &str, close: &str, depth: usize) -> String {
    format!("{}{inside}{}", open.repeat(depth), close.repeat(depth))
}

/// As many of these as fit, each with its number.
fn many(open: &str, item: impl Fn(usize) -> String, close: &str) -> String {
    let mut text = open.to_owned();
    for n in 0.. {
        let item = item(n);
        if text.len() + item.len() + 200 > event::LARGEST {
            break;
        }
        if n > 0 {
            text.push(',');
        }
        text.push_str(&item);
    }
    text + close
}

#[test]
fn the_largest_the_deepest_and_what_is_beyond() -> TestResult {
    let edge = Setup::new(Filter::Bellhop).start()?;
    let room = event::LARGEST - 200;
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        // The event is the first level.
        ("63 arrays", with(&nested("[", "", "]", 63)), 200),
        ("64 arrays", with(&nested("[", "", "]", 64)), 400),
        ("63 objects", with(&nested("{\"a\":", "1", "}", 63)), 200),
        ("64 objects", with(&nested("{\"a\":", "1", "}", 64)), 400),
        ("arrays only", "[".repeat(event::LARGEST).into_bytes(), 400),
        ("objects only", "{\"a\":".repeat(event::LARGEST / 5).into_bytes(), 400),
        (
            "arrays side by side, each as deep as may be",
            with(&many("[", |_| nested("[", "", "]", 62), "]")),
            200,
        ),
        ("a number of 260,000 digits within a double", with(&format!("0.{}", "1".repeat(room))), 200),
        ("a number of 260,000 digits beyond a double", with(&"9".repeat(room)), 400),
        ("an exponent of 260,000 digits", with(&format!("1e{}", "9".repeat(room))), 400),
        ("a negative exponent of 260,000 digits", with(&format!("1e-{}", "9".repeat(room))), 200),
        ("zeros with a huge exponent", with(&format!("0e{}", "9".repeat(room))), 200),
        (
            "numbers that are hard to round",
            with(&many("[", |_| "2.2250738585072011e-308".to_owned(), "]")),
            200,
        ),
        ("a string of 260,000 bytes", with(&format!("\"{}\"", "x".repeat(room))), 200),
        ("a string of escapes", with(&format!("\"{}\"", "\\u0000".repeat(room / 6))), 200),
        ("a string of pairs", with(&format!("\"{}\"", "\\ud83d\\ude00".repeat(room / 12))), 200),
        ("a string of lone surrogates", with(&format!("\"{}\"", "\\ud83d".repeat(room / 6))), 400),
        ("a name of 260,000 bytes", with(&format!("{{\"{}\":1}}", "x".repeat(room))), 200),
        ("as many members as fit", with(&many("{", |n| format!("\"{n}\":{n}"), "}")), 200),
        ("the same name as often as fits", with(&many("{", |_| "\"a\":1".to_owned(), "}")), 400),
        ("names that begin alike", with(&many("{", |n| format!("\"{}{n}\":1", "a".repeat(300)), "}")), 200),
        ("as many values as fit", with(&many("[", |_| "1".to_owned(), "]")), 200),
        (
            "as many wrong members as fit",
            with(&many("1,", |n| format!("\"{}\":1", mixed("device_id", n)), "")),
            422,
        ),
        ("an id of 260,000 bytes", event::about(&"x".repeat(room)).into_bytes(), 422),
        ("white space only", vec![b' '; event::LARGEST], 400),
        ("zero bytes only", vec![0; event::LARGEST], 400),
        ("bytes that are not UTF-8", vec![0xff; event::LARGEST], 400),
    ];
    for (name, body, status) in cases {
        let whole = event::post(&body);
        let in_chunks: Request = whole.clone().cut_at(&[body.len() / 3, body.len() / 2]).chunked();
        for request in [whole, in_chunks] {
            let response = edge.http1(&request)?;
            assert_eq!(response.status, status, "{name}: {}", response.text());
            let received = edge.upstream().take();
            let arrived: Vec<_> = received.iter().map(|it| it.body == body).collect();
            assert_eq!(arrived, vec![true; usize::from(status == 200)], "{name}");
            assert!(response.body.len() < 8 * 1024, "{name}: an answer of {} bytes", response.body.len());
        }
        assert_serves(&edge, name);
        edge.upstream().take();
    }
    for (name, value) in edge.gateway().stats()? {
        assert!(!name.contains("vm_reload") || value == 0, "{name}: {value}");
    }
    Ok(())
}

/// Spellings of the name that a reader might take for it: none is the name, and none is another's.
fn mixed(name: &str, number: usize) -> String {
    let letters = name.bytes().filter(u8::is_ascii_alphabetic).count();
    // The first bit is always set, and a spelling longer than the name is an ordinary member.
    let (bits, round) = ((number << 1 | 1) % (1 << letters), number >> (letters - 1));
    let mut nth = 0;
    let mixed: String = name
        .chars()
        .map(|it| {
            let upper = it.is_ascii_alphabetic() && bits >> nth & 1 == 1;
            nth += usize::from(it.is_ascii_alphabetic());
            if upper { it.to_ascii_uppercase() } else { it }
        })
        .collect();
    mixed + &"_".repeat(round)
}
