//! Envoy and the account directory, fed by an import. Seam is not in it.

use std::time::Instant;

use system_tests::BoxError;
use system_tests::chain::{Chain, VERIFIED, cause, device_online};
use system_tests::directory::{Settings, text_of};
use testbed::PATIENCE;

const ACCOUNTS: &str = r#"{"connected_account_id":"ca_hotel","customer_key":"property-456","source":"acme","devices":["lock_1","lock_2"],"bridges":["bridge_1"]}
{"connected_account_id":"ca_flat","source":"keyed","devices":["lock_1","lock_2"]}
"#;

fn chain(fresh_s: u64) -> Result<Chain, BoxError> {
    let chain = Chain::start(&Settings::default(), fresh_s)?;
    let file = chain.directory.write("accounts.jsonl", ACCOUNTS)?;
    chain.directory.bellhop(&["import", text_of(&file)?])?;
    Ok(chain)
}

#[test]
fn an_imported_account_gets_its_events_by_source() -> Result<(), BoxError> {
    let chain = chain(60)?;
    assert_eq!(chain.post(&device_online("lock_1"))?.status, 200);
    assert_eq!(chain.post_verified(&device_online("lock_1"))?.status, 200);
    let received = chain.upstream.take();
    let accounts: Vec<_> = received.iter().map(|it| it.headers.get("x-connected-account-id")).collect();
    assert_eq!(accounts, [Some("ca_hotel"), Some("ca_flat")]);
    assert_eq!(received[0].headers.get("x-customer-key"), Some("property-456"));
    assert_eq!(received[0].headers.get("x-assigned-by"), Some("device_id"));
    assert_eq!(received[0].body, device_online("lock_1").into_bytes());
    Ok(())
}

#[test]
fn an_unknown_device_is_deferred_until_somebody_imports_it() -> Result<(), BoxError> {
    let chain = chain(60)?;
    let event = device_online("lock_new");
    let refused = chain.post(&event)?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("account_unknown")));
    let file = chain.directory.write(
        "more.jsonl",
        "{\"connected_account_id\":\"ca_new\",\"source\":\"acme\",\"devices\":[\"lock_new\"]}\n",
    )?;
    chain.directory.bellhop(&["import", text_of(&file)?])?;
    let (received, _) = chain.post_until_accepted(&event)?;
    assert_eq!(received.headers.get("x-connected-account-id"), Some("ca_new"));
    Ok(())
}

#[test]
fn what_is_known_is_served_stale_while_the_directory_is_away() -> Result<(), BoxError> {
    let mut chain = chain(1)?;
    assert_eq!(chain.post(&device_online("lock_1"))?.status, 200);
    assert!(!chain.upstream.take()[0].headers.has("x-assignment-stale"));
    chain.directory.kill()?;

    let stale = |it: &testbed::upstream::Received| it.headers.has("x-assignment-stale");
    // Until the answer is no longer fresh it is not called stale.
    loop {
        assert_eq!(chain.post(&device_online("lock_1"))?.status, 200);
        if chain.upstream.take().iter().any(stale) {
            break;
        }
    }
    let refused = chain.post(&device_online("lock_2"))?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("directory_unavailable")));

    chain.directory.run()?;
    let (received, _) = chain.post_until_accepted(&device_online("lock_2"))?;
    assert!(!stale(&received));
    Ok(())
}

#[test]
fn a_code_seen_with_its_device_is_enough_afterwards_also_for_another_gateway() -> Result<(), BoxError> {
    let chain = chain(60)?;
    let alone = r#"{"event_type":"access_code.deleted","timestamp":"2026-02-10T14:24:18Z","access_code_id":"code_1"}"#;
    let refused = chain.post_verified(alone)?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("account_unknown")));
    let both = r#"{"event_type":"access_code.created","timestamp":"2026-02-10T14:24:18Z","access_code_id":"code_1","device_id":"lock_1"}"#;
    assert_eq!(chain.post_verified(both)?.status, 200);
    assert_eq!(chain.upstream.take().len(), 1);
    let accepted = chain.post_verified(alone)?;
    assert_eq!(accepted.status, 200, "the worker knows at once");
    let received = chain.upstream.take();
    assert_eq!(received[0].headers.get("x-connected-account-id"), Some("ca_flat"));
    assert_eq!(received[0].headers.get("x-assigned-by"), Some("access_code_id"));
    let resolve = "/v1/resolve?source=keyed&access_code_id=code_1";
    chain.directory.wait_until(resolve, |it| it["accounts"][0]["connected_account_id"] == "ca_flat")?;
    Ok(())
}

#[test]
fn a_source_that_is_not_verified_teaches_nothing() -> Result<(), BoxError> {
    let chain = chain(60)?;
    let both = r#"{"event_type":"access_code.created","timestamp":"2026-02-10T14:24:18Z","access_code_id":"code_1","device_id":"lock_1"}"#;
    assert_eq!(chain.post(both)?.status, 200);
    let alone = r#"{"event_type":"access_code.deleted","timestamp":"2026-02-10T14:24:18Z","access_code_id":"code_1"}"#;
    let refused = chain.post(alone)?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("account_unknown")));
    Ok(())
}

/// Waits until an answer of the directory, "these share no account" among them, is not used any more.
fn replay(chain: &Chain) -> Result<String, BoxError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match chain.directory.bellhop(&["quarantine", "replay", "--all"]) {
            Err(error) if Instant::now() > deadline => return Err(error),
            // A whole process: this does not spin.
            Err(_) => {}
            Ok(printed) => return Ok(printed),
        }
    }
}

#[test]
fn what_was_set_aside_comes_through_once_its_cause_is_mended() -> Result<(), BoxError> {
    let chain = chain(60)?;
    let import = |accounts: &str| -> Result<(), BoxError> {
        let file = chain.directory.write("quarantined.jsonl", accounts)?;
        chain.directory.bellhop(&["import", text_of(&file)?]).map(drop)
    };
    import(concat!(
        r#"{"connected_account_id":"ca_old","source":"keyed","devices":["lock_9"],"bridges":[]}"#,
        "\n",
        r#"{"connected_account_id":"ca_new","source":"keyed","devices":[],"bridges":["bridge_9"]}"#,
        "\n",
    ))?;
    let event = r#"{"event_type":"access_code.used","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_9","bridge_id":"bridge_9","code":"4711"}"#;
    let taken = chain.post_verified(event)?;
    assert_eq!((taken.status, cause(&taken).as_deref()), (202, Some("account_conflict")));
    assert_eq!(taken.headers.get("x-event-quarantined"), Some("true"));
    assert!(chain.upstream.take().is_empty());

    let listed = chain.directory.get("/v1/quarantine?source=keyed&cause=account_conflict")?.json()?;
    let id = listed["items"][0]["id"].as_i64().ok_or(format!("none is listed: {listed}"))?;
    let shown = chain.directory.bellhop(&["quarantine", "show", &id.to_string()])?;
    assert!(shown.contains("lock_9") && !shown.contains("4711"), "{shown}");
    let event_id = listed["items"][0]["event_id"].as_str().ok_or(format!("no id: {listed}"))?;

    assert!(chain.directory.bellhop(&["quarantine", "replay", "--all"]).is_err(), "nothing is mended yet");
    assert!(chain.upstream.take().is_empty());
    import(
        "{\"connected_account_id\":\"ca_new\",\"source\":\"keyed\",\"devices\":[\"lock_9\"],\"bridges\":[\"bridge_9\"]}\n",
    )?;
    replay(&chain)?;
    let received = chain.upstream.take();
    assert_eq!(received.len(), 1, "{received:?}");
    assert_eq!(received[0].path, VERIFIED);
    assert_eq!(received[0].body, event.as_bytes());
    assert_eq!(received[0].headers.get("x-event-id"), Some(event_id));
    assert!(received[0].headers.get("x-connected-account-id").is_some_and(|it| it.contains("ca_new")));
    assert!(!received[0].headers.has("x-bellhop-replay"), "{received:?}");
    Ok(())
}
