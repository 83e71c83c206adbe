//! Proofs of senders. The input is a choice of scheme, headers a line each, an empty line, and the body: nobody without the
//! secret gets in, and whoever has it does. It looks at no answer but its cause.

use event_core::{Cause, Edge, Verdict};
use std::cell::OnceCell;

/// A source for each scheme. None of the secrets is in the dictionary.
const CONFIGURATION: &str = r#"{
    "environment": "fuzz",
    "sources": [
        { "name": "a", "path": "/a", "verify": { "standard_webhooks": { "secrets": ["whsec_bm90IGluIHRoZSBkaWN0aW9uYXJ5"] } } },
        { "name": "b", "path": "/b", "verify": { "hmac": { "header": "x-sig", "prefix": "sha256=", "secrets": ["not in the dictionary"] } } },
        { "name": "c", "path": "/c", "verify": { "hmac": { "header": "x-sig", "item": "v1", "timestamp": { "item": "t" }, "secrets": ["not in the dictionary"] } } },
        { "name": "d", "path": "/d", "verify": { "hmac": { "header": "x-sig", "encoding": "base64", "timestamp": { "header": "x-time" }, "secrets": ["not in the dictionary"] } } },
        { "name": "e", "path": "/e", "verify": { "token": { "header": "x-token", "secrets": ["not in the dictionary"] } } }
    ],
    "on_unassigned": "forward"
}"#;

const PATHS: [&str; 5] = ["/a", "/b", "/c", "/d", "/e"];

/// The time of the judgement, in seconds since 1970. It stands in the dictionary.
const NOW_S: u64 = 1_700_000_000;

thread_local! {
    static EDGE: OnceCell<Edge> = const { OnceCell::new() };
}

/// Checks one input.
///
/// # Panics
/// When something that must hold does not.
pub fn check(input: &[u8]) {
    let edge = || Edge::from_json(CONFIGURATION.as_bytes()).expect("the configuration is good");
    EDGE.with(|cell| check_on(cell.get_or_init(edge), input));
}

fn check_on(edge: &Edge, input: &[u8]) {
    let Some((choice, rest)) = input.split_first() else { return };
    let path = PATHS[usize::from(*choice) % PATHS.len()];
    let end = rest.windows(2).position(|window| window == b"\n\n");
    let (head, body) = end.map_or((rest, &[][..]), |end| (&rest[..end], &rest[end + 2..]));
    let mut headers: Vec<(&[u8], &[u8])> =
        vec![(b":method", b"POST"), (b":path", path.as_bytes()), (b"content-type", b"application/json")];
    for line in head.split(|byte| *byte == b'\n') {
        if let Some(colon) = line.iter().position(|byte| *byte == b':') {
            headers.push((&line[..colon], &line[colon + 1..]));
        }
    }
    let Ok(admission) = edge.admit(headers) else { return };
    match edge.judge(&admission, body, NOW_S, &()) {
        Verdict::Refuse(refusal) if refusal.cause() == Cause::SignatureInvalid => {
            assert!(refusal.signature_fault().is_some(), "no reason for the metrics");
            assert_eq!(refusal.status(), 401);
        }
        Verdict::Refuse(refusal) => {
            assert_eq!(refusal.cause(), Cause::BodyTooLarge, "judged before it is proved")
        }
        Verdict::Forward(_) | Verdict::Ask(_) => panic!("let in without the secret"),
    }
}
