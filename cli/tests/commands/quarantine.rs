//! `bellhop quarantine` beside a service that runs: events come over HTTP, and the program lists, shows, replays and drops
//! them.

use std::net::SocketAddr;

use directory::Store;
use directory::store::{Limits, NewQuarantined, QuarantineLimits, Quarantining};
use testbed::http1;
use testbed::message::Request;
use testbed::service::Service;
use testbed::upstream::{Answer, Upstream};

use crate::folder::{Folder, failure, success};

/// A service that keeps events, with an edge or without.
fn start(folder: &Folder) -> (Service, SocketAddr) {
    let mut service = Service::start("cli-quarantine", folder.command("serve")).unwrap();
    let address = service
        .wait_for(|output| output.lines().find_map(|line| line.strip_prefix("listening on ")?.parse().ok()))
        .unwrap();
    (service, address)
}

fn set_aside(service: SocketAddr, event_id: &str, cause: &str, body: &str) {
    let request = Request::post_json("/v1/quarantine", body)
        .header("authorization", "Bearer a-token-of-the-tests")
        .header("x-event-id", event_id)
        .header("x-event-source", "acme")
        .header("x-event-environment", "production")
        .header("x-event-cause", cause)
        .header("x-event-type", "access_code.created")
        .header("x-envoy-original-path", "/provider_events");
    assert_eq!(http1::send(service, &request).unwrap().status, 202);
}

/// The columns of the lines, times aside.
fn listed(folder: &Folder, options: &[&str]) -> Vec<String> {
    let output = folder.command("quarantine list").args(options).output().unwrap();
    let without_time = |line: &str| {
        let columns: Vec<_> = line.split('\t').collect();
        assert_eq!(columns.len(), 11, "{line}");
        [&columns[..6], &columns[7..]].concat().join(" ")
    };
    success(&output).lines().map(without_time).collect()
}

#[test]
fn events_are_listed_shown_replayed_and_dropped() {
    let edge = Upstream::start().unwrap();
    let folder = Folder::with(&format!(
        "[quarantine]\nedge_url = 'http://{}'\nreplay_secret = {{ env = 'DIRECTORY_TOKEN' }}\n",
        edge.address()
    ));
    let (service, address) = start(&folder);
    set_aside(address, "e1", "json_malformed", "{\"code\":\"4711\",\"note\":\"\u{9b}31m\"}");
    set_aside(address, "e2", "account_unknown", "{}");
    set_aside(address, "e3", "account_unknown", "{}");
    set_aside(address, "e4", "account_unknown", "{}");
    let line = |id: u32, state: &str, cause: &str, rest: &str| {
        format!("{id} {state} acme {cause} access_code.created - {rest}")
    };
    assert_eq!(
        listed(&folder, &["--state", "waiting", "--source", "acme"]),
        [
            line(1, "waiting", "json_malformed", "1 0 - -"),
            line(2, "waiting", "account_unknown", "1 0 - -"),
            line(3, "waiting", "account_unknown", "1 0 - -"),
            line(4, "waiting", "account_unknown", "1 0 - -"),
        ]
    );
    let shown = success(&folder.command("quarantine show").arg("1").output().unwrap());
    let value: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(value["masked_body"], serde_json::json!({"code": "***", "note": "\u{9b}31m"}));
    assert!(!shown.contains('\u{9b}') && !shown.contains("4711"), "{shown}");

    let all = ["--all", "--cause", "account_unknown", "--limit", "2"];
    let replayed = success(&folder.command("quarantine replay").args(all).output().unwrap());
    assert_eq!(replayed, "2\treplayed\t200\t-\n3\treplayed\t200\t-\n");
    let received = edge.take();
    assert_eq!(received[0].headers.get("x-bellhop-replay"), Some("a-token-of-the-tests"));
    edge.next(
        Answer::status(422)
            .header("content-type", "application/problem+json")
            .body(r#"{"cause":"account_conflict"}"#),
    );
    let refused = folder.command("quarantine replay").args(["4", "1", "99"]).output().unwrap();
    assert_eq!(failure(&refused), (Some(1), "error: 2 of 3 were not replayed\n".to_owned()));
    assert_eq!(
        String::from_utf8(refused.stdout).unwrap(),
        "4\trefused\t422\taccount_conflict\n1\treplayed\t200\t-\n99\tabsent\t-\t-\n"
    );
    let left = listed(&folder, &["--state", "waiting"]);
    assert_eq!(left, [line(4, "waiting", "account_unknown", "1 1 422 account_conflict")]);

    let dropped = folder.command("quarantine drop").args(["4", "99"]).output().unwrap();
    assert_eq!(failure(&dropped), (Some(1), "error: 1 were not dropped\n".to_owned()));
    assert_eq!(String::from_utf8(dropped.stdout).unwrap(), "4\tdropped\n99\tabsent\n");
    let absent = folder.command("quarantine show").arg("4").output().unwrap();
    assert_eq!(failure(&absent), (Some(1), "error: no quarantined event has this number\n".to_owned()));
    let some = folder.command("quarantine list").args(["--limit", "2"]).output().unwrap();
    assert_eq!(String::from_utf8(some.stdout.clone()).unwrap().lines().count(), 2);
    assert_eq!(failure(&some).1, "there are more: --limit says how many are listed\n");
    assert!(service.stop().unwrap().success());
}

#[test]
fn a_replay_of_all_ends_when_the_edge_is_away() {
    let closed = testbed::upstream::ClosedPort::hold().unwrap();
    let folder = Folder::with(&format!(
        "[quarantine]\nedge_url = 'http://127.0.0.1:{}'\nreplay_secret = 'a-secret-for-replays'\n",
        closed.port().unwrap()
    ));
    let (service, address) = start(&folder);
    for n in 0..120 {
        set_aside(address, &format!("e{n}"), "account_unknown", "{}");
    }
    let away = folder.command("quarantine replay").arg("--all").env("RUST_LOG", "off").output().unwrap();
    let (code, text) = failure(&away);
    let lines = String::from_utf8(away.stdout).unwrap();
    assert!(code == Some(1) && text.ends_with("were not replayed\n"), "{text}");
    // Four run at a time.
    assert!((1..=4).contains(&lines.lines().count()), "{lines}");
    assert!(lines.starts_with("1\tunreachable\t-\t-\n"), "{lines}");
    assert!(service.stop().unwrap().success());
}

#[test]
fn a_replay_needs_an_edge() {
    let folder = Folder::with("[quarantine]\n");
    let output = folder.command("quarantine replay").arg("--all").output().unwrap();
    let (code, text) = failure(&output);
    assert_eq!((code, text.as_str()), (Some(1), "error: quarantine.edge_url: is required for this\n"));
}

#[test]
fn the_service_lets_old_events_go_and_says_so() {
    let folder = Folder::with("[quarantine]\nmax_age_days = 1\n");
    let database = format!("sqlite:{}", folder.0.join("directory.db").display());
    let event = NewQuarantined {
        environment: "production",
        source: "acme",
        event_id: "e1",
        cause: "event_invalid",
        path: "/provider_events",
        content_type: "application/json",
        event_type: None,
        event_timestamp: None,
        device_id: None,
        bridge_id: None,
        access_code_id: None,
        partition_key: None,
        body: b"{}",
    };
    let limits = QuarantineLimits { events: 1, bytes: 1 << 20, age_ms: 1 };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    // In 1970.
    let stored = runtime.block_on(async {
        let store = Store::open(&database, Limits::default()).await.unwrap();
        let stored = store.quarantine(&event, limits, 1).await.unwrap();
        store.close().await;
        stored
    });
    assert!(matches!(stored, Quarantining::Stored { .. }));
    assert_eq!(listed(&folder, &[]).len(), 1);
    let (mut service, _) = start(&folder);
    let said = "quarantined events were too old and went without a replay n_events=1";
    service.wait_for(|output| output.contains(said).then_some(())).unwrap();
    assert_eq!(listed(&folder, &[]), [""; 0]);
    assert!(service.stop().unwrap().success());
}
