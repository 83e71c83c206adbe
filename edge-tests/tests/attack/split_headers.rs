//! Ids that would split a header, a request or a question if they were written as they are. Upstream sees one request, and
//! in its headers visible ASCII only.

use edge_tests::problem;
use edge_tests::{BoxError, Edge, Filter, PROTOCOLS, Setup, TestResult, event};
use serde_json::json;
use testbed::bootstrap::Bootstrap;
use testbed::gateway::Launch;
use testbed::message::Request;
use testbed::upstream::{Answer, Upstream};

/// What an attacker writes into an id, and the header that comes of it.
const ENCODED: [(&str, &str); 10] = [
    // Escaped for someone else: the per cent sign is escaped once more.
    ("%0d%0aGET /smuggled HTTP/1.1", "%250d%250aGET%20/smuggled%20HTTP/1.1"),
    ("%00", "%2500"),
    // Line ends to readers of Unicode.
    ("a\u{2028}x-admin: 1", "a%E2%80%A8x-admin:%201"),
    ("a\u{2029}b", "a%E2%80%A9b"),
    // These end in the bytes 0D and 0A when they are cut down to eight bits.
    ("a\u{560d}\u{560a}b", "a%E5%98%8D%E5%98%8Ab"),
    ("ca_hotel,ca_other", "ca_hotel%2Cca_other"),
    ("a\u{a0}b", "a%C2%A0b"),
    ("\u{feff}lock", "%EF%BB%BFlock"),
    ("\u{202e}kcol", "%E2%80%AEkcol"),
    ("a&source=b#c", "a&source=b#c"),
];

/// Characters that no id may have (Unicode Cc), as JSON writes them.
const REFUSED: [&str; 9] = [
    "a\\r\\nx-admin: 1",
    "a\\r\\n\\r\\nPOST /smuggled HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n",
    "a\\nb",
    "a\\rb",
    "a\\u0000b",
    "a\\u000b",
    "a\\u007fb",
    "a\\u0085b",
    "\\u000d\\u000a",
];

const KINDS: [(&str, &str); 3] =
    [("device_id", "x-device-id"), ("bridge_id", "x-bridge-id"), ("access_code_id", "x-access-code-id")];

fn forwarding() -> Result<Edge, BoxError> {
    Setup::new(Filter::Bellhop).change(r#""on_unassigned": "defer""#, r#""on_unassigned": "forward""#).start()
}

fn with_id(kind: &str, id: &str) -> String {
    json!({ "event_type": "device.online", "timestamp": "2026-02-10T14:24:18Z", kind: id }).to_string()
}

#[test]
fn ids_reach_upstream_in_one_header_of_one_request() -> TestResult {
    let edge = forwarding()?;
    for protocol in PROTOCOLS {
        for (kind, header) in KINDS {
            for (id, encoded) in ENCODED {
                let body = with_id(kind, id);
                assert_eq!(edge.send(protocol, &event::post(&body))?.status, 200, "{id:?}");
                let received = edge.upstream().take();
                assert_eq!(received.len(), 1, "{id:?}: {received:?}");
                assert_eq!((&*received[0].path, &received[0].body[..]), (event::PATH, body.as_bytes()));
                let headers = &received[0].headers;
                assert_eq!(headers.all(header).collect::<Vec<_>>(), [encoded.as_bytes()], "{id:?}");
                let key = format!("acme/{encoded}");
                assert_eq!(headers.get("x-event-partition-key"), Some(&*key), "{id:?}");
                assert!(!headers.has("x-admin"), "{headers:?}");
                assert!(headers.iter().all(|(_, value)| value.is_ascii()), "{headers:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn ids_with_control_characters_are_refused() -> TestResult {
    let edge = forwarding()?;
    for protocol in PROTOCOLS {
        for (kind, _) in KINDS {
            for id in REFUSED {
                let body = with_id(kind, "ID").replace("ID", id);
                // Both levels, and a type that routes by another id.
                for body in [
                    body.clone(),
                    body.replace(&format!("\"{kind}\""), &format!("\"data\":{{\"{kind}\""))
                        .replace('}', "}}"),
                ] {
                    let response = edge.send(protocol, &event::post(&body))?;
                    assert_eq!(response.status, 422, "{body}: {}", response.text());
                    assert_eq!(response.json()?["cause"], "event_invalid", "{body}");
                }
            }
        }
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}

#[test]
fn an_id_does_not_split_the_question_to_the_directory() -> TestResult {
    const CONFIGURATION: &str = r#"{
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
        "directory": { "cluster": "directory", "timeout_ms": 30000 },
        "on_unassigned": "forward"
    }"#;
    Filter::Bellhop.module()?;
    let nobody = || Answer::status(200).header("content-type", "application/json").body(r#"{"accounts":[]}"#);
    let (upstream, directory) = (Upstream::start()?, Upstream::start_with(0, move |_| nobody())?);
    let bootstrap = Bootstrap::of_repository()?
        .plugin_configuration(CONFIGURATION)?
        .on_free_ports(upstream.port())?
        .with_directory(directory.port())?;
    let gateway = Launch::new(testbed::envoy::shared()?, bootstrap.into_text()).start()?;
    let address = gateway.listener("edge")?;
    let ids =
        ENCODED.iter().map(|(id, _)| *id).chain(["a b", "a?b=c", "a+b", "a\"b", "../../v1/links", "a;b"]);
    for id in ids {
        let response = testbed::http1::send(address, &event::post(with_id("device_id", id)))?;
        assert_eq!(response.status, 200, "{id:?}: {}", response.text());
        let asked = directory.take();
        assert_eq!(asked.len(), 1, "{id:?}: {asked:?}");
        let question = &asked[0];
        let value =
            question.path.strip_prefix("/v1/resolve?source=acme&device_id=").ok_or("another question")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(value.bytes().all(plain), "{id:?}: {question:?}");
        assert_eq!(decoded(value)?, id.as_bytes(), "{question:?}");
        assert_eq!((question.method.as_str(), question.body.len()), ("GET", 0), "{question:?}");
    }
    Ok(())
}

/// What a server reads out of a query.
fn decoded(value: &str) -> Result<Vec<u8>, BoxError> {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2).ok_or("half an escape")?, 16)?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    Ok(bytes)
}

#[test]
fn a_path_does_not_split_the_request() -> TestResult {
    let edge = forwarding()?;
    for path in [
        "/provider_events?%0d%0aGET%20/smuggled%20HTTP/1.1",
        "/provider_events?a=%00",
        "/provider_events?x=%E2%80%A8",
    ] {
        for protocol in PROTOCOLS {
            assert_eq!(edge.send(protocol, &Request::post_json(path, event::GOOD))?.status, 200, "{path}");
            let received = edge.upstream().take();
            assert_eq!(received.len(), 1, "{received:?}");
            assert_eq!(received[0].path, path);
        }
    }
    // Escaped, these are no source's path.
    for path in ["/provider_events%0d%0a", "/provider_events%20HTTP/1.1%0d%0aa:b", "/provider_events%09"] {
        let response = edge.http1(&Request::post_json(path, event::GOOD))?;
        problem::assert_problem(&response, 404, "source_unknown");
    }
    assert_eq!(edge.n_upstream(), 0);
    Ok(())
}
