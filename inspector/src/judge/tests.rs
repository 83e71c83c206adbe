//! The inspector's judgement against what is expected of the filter. It tests no rule: those stand with `event_core`.

use serde_json::json;

use super::*;

/// The events of the host tests, and what is expected of them.
fn manifest() -> Value {
    let text = std::fs::read(folder().join("manifest.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../host-tests/events")
}

/// The accounts of the manifest as a plugin configuration.
fn configuration(manifest: &Value) -> String {
    let directory = &manifest["accounts"];
    let ids = |kind: &str, account: &Value| -> Vec<String> {
        let entries = directory[kind].as_object().into_iter().flatten();
        entries
            .filter(|(_, owners)| owners.as_array().unwrap().contains(account))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let accounts: Vec<Value> = directory["connected_accounts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|account| {
            let id = &account["connected_account_id"];
            json!({
                "connected_account_id": id, "customer_key": account["customer_key"], "devices": ids("devices", id),
                "bridges": ids("bridges", id), "access_codes": ids("access_codes", id)
            })
        })
        .collect();
    json!({
        "environment": "test", "sources": [{"name": "acme", "path": "/provider_events", "verify": "none"}],
        "accounts": accounts, "on_unassigned": "reject"
    })
    .to_string()
}

fn ask(body: &[u8], question: &Value) -> Value {
    serde_json::from_str(&judge(body, &question.to_string())).unwrap()
}

#[test]
fn every_event_of_the_host_tests_has_the_outcome_that_is_expected_of_the_filter() {
    let manifest = manifest();
    let question = json!({ "config": configuration(&manifest) });
    let events = manifest["events"].as_array().unwrap();
    assert!(events.len() > 100);
    for event in events {
        let file = event["file"].as_str().unwrap();
        let body = std::fs::read(folder().join("bodies").join(file)).unwrap();
        let judgement = &ask(&body, &question)["judgement"];
        let cause = event["cause"].as_str();
        assert_eq!(judgement["outcome"], cause.unwrap_or("forwarded"), "{file}");
        match cause {
            Some(_) => {
                assert_eq!(judgement["answer"]["status"], event["status"], "{file}");
                let problem: Value =
                    serde_json::from_str(judgement["answer"]["body"].as_str().unwrap()).unwrap();
                assert_eq!(problem["cause"], judgement["outcome"], "{file}");
            }
            None => {
                let accounts = &judgement["subject"]["accounts"];
                let ids: Vec<_> =
                    accounts.as_array().unwrap().iter().map(|it| &it["connectedAccountId"]).collect();
                assert_eq!(ids.len(), event["accounts"].as_array().unwrap().len(), "{file}");
                if event["assigned_by"].is_string() {
                    assert_eq!(judgement["subject"]["assignedBy"], event["assigned_by"], "{file}");
                }
            }
        }
        for error in judgement["errors"].as_array().unwrap() {
            let (start, end) = (&error["place"]["startByte"], &error["place"]["endByte"]);
            assert!(
                start.as_u64() <= end.as_u64() && end.as_u64() <= Some(body.len() as u64),
                "{file}: {error}"
            );
        }
    }
}

#[test]
fn the_answer_and_the_headers_are_the_cores_own() {
    let text = br#"{"event_type":"device.online","timestamp":"2025-05-22T10:48:18Z","device_id":7}"#;
    let edge = event_core::Edge::from_json(crate::examples::CONFIGURATION.as_bytes()).unwrap();
    let head = [(":method", "POST"), (":path", "/provider_events"), ("content-type", "application/json")];
    let head = head.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let admission = edge.admit(head).unwrap();
    let Verdict::Refuse(refusal) = edge.judge(&admission, text, 0, &()) else { panic!("not refused") };
    let question = json!({ "config": crate::examples::CONFIGURATION });
    let told = ask(text, &question);
    assert_eq!(told["judgement"]["answer"]["body"].as_str().unwrap().as_bytes(), refusal.body());
    assert_eq!(told["judgement"]["errors"][0]["place"]["startByte"], 77);

    let good = crate::examples::EXAMPLES[2].text.as_bytes();
    let Verdict::Forward(headers) = edge.judge(&admission, good, 0, &()) else { panic!("not forwarded") };
    let headers: Vec<_> = headers.iter().map(|(name, value)| json!([name, value])).collect();
    assert_eq!(ask(good, &question)["judgement"]["headers"], Value::from(headers));
}

#[test]
fn a_quarantined_event_says_why_and_what_its_sender_gets() {
    let config = json!({
        "environment": "test", "sources": [{"name": "acme", "path": "/", "verify": "none"}],
        "on_invalid": "quarantine"
    });
    let judgement = ask(b"{,}", &json!({ "config": config.to_string() }))["judgement"].clone();
    assert_eq!(judgement["outcome"], "json_malformed");
    assert_eq!(judgement["quarantined"], true);
    assert_eq!(judgement["answer"]["status"], 202);
    assert!(judgement["headers"].as_array().unwrap().contains(&json!(["x-event-cause", "json_malformed"])));
    assert_eq!(judgement["errors"][0]["place"]["column"], 2);
}

#[test]
fn a_configuration_that_is_refused_is_marked() {
    let marked = |config: &str| {
        let error = ask(b"{}", &json!({ "config": config }))["configError"].clone();
        let place = error["place"].clone();
        let (start, end) = (place["startByte"].as_u64().unwrap(), place["endByte"].as_u64().unwrap());
        config[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()].to_owned()
    };
    assert_eq!(marked(r#"{"environment":"e","sources":[{"name":"a","path":"x","verify":"none"}]}"#), "\"x\"");
    assert_eq!(marked(r#"{"environment":"e","sources":[{"name":"a","path":"/"}]}"#), "{");
    assert_eq!(marked("{\"environment\" 1}"), "1");
}

#[test]
fn a_proof_is_asked_for_where_a_secret_is_given() {
    let config = json!({
        "environment": "test", "on_unassigned": "forward",
        "sources": [{"name": "acme", "path": "/", "verify": {"token": {"header": "x-key", "secrets": [{"env": "K"}]}}}]
    })
    .to_string();
    let event = crate::examples::EXAMPLES[2].text.as_bytes();
    let ask = |question: Value| ask(event, &question)["judgement"].clone();
    assert_eq!(ask(json!({ "config": config }))["outcome"], "forwarded");
    let refused = ask(json!({ "config": config, "secret": "topsecret" }));
    assert_eq!(
        (&refused["outcome"], &refused["signatureFault"]),
        (&json!("signature_invalid"), &json!("missing"))
    );
    let proved = ask(json!({ "config": config, "secret": "topsecret", "headers": [["X-Key", "topsecret"]] }));
    assert_eq!((&proved["outcome"], &proved["removed"]), (&json!("forwarded"), &json!(["X-Key"])));
}

#[test]
fn no_input_breaks_it() {
    let huge = vec![b' '; MOST_BYTES + 10];
    let outcome = |body: &[u8]| ask(body, &json!({}))["judgement"]["outcome"].clone();
    assert_eq!(outcome(&huge), "body_too_large");
    assert_eq!(outcome(&[b'['; 100_000]), "json_malformed");
    assert_eq!(outcome(b"\xff\xfe{"), "json_malformed");
    assert_eq!(outcome("{\"é\":\u{1}}".as_bytes()), "json_malformed");
    let config = "x".repeat(MOST_BYTES + 1);
    assert!(ask(b"{}", &json!({ "config": config }))["configError"]["message"].is_string());
    for question in ["", "{\"nowS\":-1}", "{\"unknown\":1}"] {
        let reply: Value = serde_json::from_str(&judge(b"{}", question)).unwrap();
        assert!(reply["configError"]["message"].is_string(), "{question}");
    }
}
