//! `bellhop check`: files, lines and standard input, with and without a configuration. What is wrong with an event is said by
//! `event-core`.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::folder::Folder;

const GOOD: &str =
    r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_1","code":"4711"}"#;
const BAD: &str = r#"{"event_type":"device.online","timestamp":"soon","device_id":"lock_1","code":"4711"}"#;

const CONFIGURATION: &str = r#"{
    "environment": "production",
    "sources": [
        { "name": "acme", "path": "/acme", "verify": { "token": { "header": "x-api-key", "secrets": [{ "env": "NOT_SET" }] } } },
        { "name": "doorco", "path": "/doorco", "verify": "none", "events": ["device.offline"], "unregistered": "reject" }
    ],
    "accounts": [{ "connected_account_id": "ca_hotel", "source": "acme", "devices": ["lock_1"] }]
}"#;

fn check(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_bellhop"))
        .arg("check")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends before it reads is one of the cases.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn an_event_on_standard_input_is_judged_by_its_shape() {
    let (code, out, _) = check(&[], GOOD);
    assert_eq!((code, out.as_str()), (Some(0), "standard input: forwarded, device.online\n"));
    let (code, out, _) = check(&["-"], BAD);
    assert_eq!(code, Some(3));
    assert!(out.starts_with("standard input: event_invalid (422): "), "{out}");
    assert!(out.contains("\n  /timestamp must be an ISO 8601 date and time"), "{out}");
    assert!(!out.contains("soon") && !out.contains("4711"), "{out}");
}

#[test]
fn one_bad_line_of_many_is_named_and_decides_the_exit_code() {
    let folder = Folder::new();
    let good = folder.write("good.jsonl", &format!("{GOOD}\n\n{GOOD}"));
    let mixed = folder.write("mixed.jsonl", &format!("{GOOD}\n{BAD}\n"));
    let good = good.to_str().unwrap();
    let mixed = mixed.to_str().unwrap();
    assert_eq!(check(&[good], "").0, Some(0));
    let (code, out, _) = check(&[good, mixed], "");
    assert_eq!(code, Some(3));
    let places: Vec<_> = out.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(places.len(), 4, "{out}");
    assert!(places[1].starts_with(&format!("{good}:3: forwarded")), "{out}");
    assert!(places[3].starts_with(&format!("{mixed}:2: event_invalid")), "{out}");
}

#[test]
fn a_configuration_gives_accounts_and_event_types_without_its_secrets() {
    let folder = Folder::new();
    let config = folder.write("plugin.json", CONFIGURATION);
    let config = config.to_str().unwrap();
    let (code, out, _) = check(&["--plugin-config", config, "--source", "acme"], GOOD);
    assert_eq!(code, Some(0));
    assert_eq!(out, "standard input: forwarded, device.online, to ca_hotel by its device_id\n");
    let (code, out, _) = check(&["--plugin-config", config, "--source", "doorco", "--json"], GOOD);
    assert_eq!(code, Some(3));
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["outcome"], "event_type_refused");
    assert_eq!(told["answer"]["status"], 422);
    let (code, out, _) = check(&["--plugin-config", config, "--source", "acme", "--json"], GOOD);
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, Some(0));
    assert_eq!(told["headers"]["x-connected-account-id"], "ca_hotel");
}

#[test]
fn what_would_be_set_aside_is_not_forwarded() {
    let folder = Folder::new();
    let quarantining = CONFIGURATION.replacen('{', r#"{ "on_invalid": "quarantine","#, 1);
    let config = folder.write("plugin.json", &quarantining);
    let (code, out, _) = check(&["--plugin-config", config.to_str().unwrap(), "--source", "acme"], BAD);
    assert_eq!((code, out.as_str()), (Some(3), "standard input: quarantined: event_invalid, ?\n"));
}

#[test]
fn what_cannot_be_read_is_a_failure_and_no_verdict() {
    let folder = Folder::new();
    let broken = folder.write("plugin.json", r#"{"environment": "test"}"#);
    let several = folder.write("several.json", CONFIGURATION);
    let (broken, several) = (broken.to_str().unwrap(), several.to_str().unwrap());
    for (arguments, said) in [
        (&["absent.json"][..], "cannot read absent.json"),
        (&["--plugin-config", "absent.json"], "cannot read absent.json"),
        (&["--plugin-config", broken], "`sources`: missing"),
        (&["--plugin-config", several], "several sources: say which with --source"),
        (&["--plugin-config", several, "--source", "nobody"], "has no such source"),
    ] {
        let (code, out, error) = check(arguments, GOOD);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
    assert_eq!(check(&["--source", "acme"], GOOD).0, Some(2));
}

#[test]
fn an_endless_line_is_too_large_and_the_next_one_is_read() {
    let long = "x".repeat(5 * 1024 * 1024);
    let (code, out, _) = check(&["--lines"], &format!("{long}\n{GOOD}\n"));
    assert_eq!(code, Some(3));
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("standard input:1: body_too_large (413)"), "{}", lines[0]);
    assert_eq!(lines[1], "standard input:2: forwarded, device.online");
}
