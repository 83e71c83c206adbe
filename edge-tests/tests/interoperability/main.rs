//! Libraries that others wrote sign, the filter in real Envoy verifies. They are no part of the usual run, since they have to
//! be installed: `cargo xtask test --all --install`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use edge_tests::{BoxError, Filter, PROTOCOLS, Setup, TestResult, event};
use serde_json::json;
use testbed::paths;

/// 24 bytes, and 32 whose base64 is padded.
const SECRETS: [&str; 2] =
    ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="];
const OTHER_SECRET: &str = "whsec_bm90IG9uZSBvZiB0aG9zZSBzZWNyZXRz";

/// What one library signs.
struct Message {
    secret: &'static str,
    id: String,
    body: String,
}

fn messages() -> Vec<Message> {
    let padded = String::from_utf8(event::of_bytes(100_000)).unwrap_or_default();
    let bodies = [
        event::GOOD.to_owned(),
        format!(" {}\n", event::GOOD),
        event::GOOD.replace('}', r#","note":"дверь 🚪 \u0000 \\ \"."}"#),
        padded,
    ];
    let signed = SECRETS.into_iter().flat_map(|secret| bodies.clone().map(|body| (secret, body)));
    signed.enumerate().map(|(n, (secret, body))| Message { secret, id: format!("msg_{n}"), body }).collect()
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

/// The headers' values that a library gives for these messages, in order.
fn sign(
    program: &str,
    script: &str,
    library: &str,
    timestamp: u64,
    messages: &[Message],
) -> Result<Vec<String>, BoxError> {
    let mut child = Command::new(program)
        .arg(paths::repository().join("edge-tests/tests/interoperability").join(script))
        .arg(library)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = String::new();
    for Message { secret, id, body } in messages {
        lines
            .push_str(&json!({"secret": secret, "id": id, "timestamp": timestamp, "body": body}).to_string());
        lines.push('\n');
    }
    let mut input = child.stdin.take().ok_or("no standard input")?;
    // A pipe holds less than the largest body: the library reads while this writes.
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")??;
    assert!(output.status.success(), "{program} {script} {library}: {}", output.status);
    let signatures: Vec<_> = String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect();
    assert_eq!(signatures.len(), messages.len(), "{signatures:?}");
    Ok(signatures)
}

/// What the library signs is accepted under the names that it uses, and nothing else is.
fn assert_verified(program: &str, script: &str, library: &str) -> TestResult {
    let secrets = SECRETS.map(|secret| format!("\"{secret}\"")).join(", ");
    let verify = format!(r#""verify": {{ "standard_webhooks": {{ "secrets": [{secrets}] }} }}"#);
    let edge = Setup::new(Filter::Bellhop).change(r#""verify": "none""#, &verify).start()?;
    let timestamp = now_s();
    let mut messages = messages();
    let n_good = messages.len();
    messages.push(Message {
        secret: OTHER_SECRET,
        id: "msg_forged".to_owned(),
        body: event::GOOD.to_owned(),
    });
    let signatures = sign(program, script, library, timestamp, &messages)?;
    let names = if library == "svix" { "svix" } else { "webhook" };
    let send = |id: &str, signature: &str, body: &str, protocol| {
        let request = event::post(body)
            .header(format!("{names}-id"), id)
            .header(format!("{names}-timestamp"), timestamp.to_string())
            .header(format!("{names}-signature"), signature);
        edge.send(protocol, &request)
    };
    for protocol in PROTOCOLS {
        for (index, (Message { id, body, .. }, signature)) in messages.iter().zip(&signatures).enumerate() {
            edge.upstream().take();
            let response = send(id, signature, body, protocol)?;
            let received = edge.upstream().take();
            if index < n_good {
                assert_eq!(response.status, 200, "{library}, message {index}: {}", response.text());
                assert_eq!(received.len(), 1);
                assert_eq!(received[0].headers.get("x-event-id"), Some(id.as_str()));
                assert_eq!(received[0].body, body.as_bytes());
                let changed = send(id, signature, &format!("{body} "), protocol)?;
                assert_eq!(changed.status, 401, "{library}, message {index} changed");
            } else {
                assert_eq!(response.status, 401, "{library}, another secret");
                assert!(received.is_empty());
            }
        }
    }
    Ok(())
}

#[test]
fn standardwebhooks_for_python() -> TestResult {
    assert_verified("python3", "sign.py", "standardwebhooks")
}

#[test]
fn svix_for_python() -> TestResult {
    assert_verified("python3", "sign.py", "svix")
}

#[test]
fn standardwebhooks_for_node() -> TestResult {
    assert_verified("node", "sign.cjs", "standardwebhooks")
}

#[test]
fn svix_for_node() -> TestResult {
    assert_verified("node", "sign.cjs", "svix")
}
