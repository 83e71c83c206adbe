//! Dashboard and alert rules against real metrics: Prometheus scrapes real Envoy and a real `bellhop serve` after events of each kind, and
//! every expression is asked. What it names must be there, so that no typing error and no renamed metric stays unseen. When alerts fire
//! is tested by the `…_test.yml` of `deploy/prometheus/`, with promtool.

mod dashboard;
mod expression;
mod prometheus;

use std::collections::BTreeSet;
use std::process::Command;

use expression::{grouped_by, selectors};
use prometheus::Prometheus;
use system_tests::BoxError;
use system_tests::chain::{Chain, VERIFIED, device_online};
use system_tests::directory::{Settings, TOKEN, text_of};
use testbed::message::Request;
use testbed::paths;
use testbed::upstream::Answer;

const ACCOUNTS: &str = r#"{"connected_account_id":"ca_hotel","source":"acme","devices":["lock_1"]}
{"connected_account_id":"ca_flat","source":"acme","bridges":["bridge_2"]}
"#;

/// Values of labels that real events give no occasion for here: a quarantine that is full, a filter whose calls to Envoy fail.
const NOT_PROVOKED: [&str; 2] = ["full", "failed"];

/// One request for each outcome that has a panel or an alert.
fn send_each(chain: &Chain) -> Result<(), BoxError> {
    for body in [
        &device_online("lock_1"),
        &device_online("lock_1"),
        &device_online("lock_unknown"),
        "{",
        &device_online("lock_1").replace("device_id", "device_no"),
        &device_online("lock_1").replace('}', r#","bridge_id":"bridge_2"}"#),
    ] {
        chain.post(body)?;
    }
    // Without its token.
    chain.send(&Request::post_json(VERIFIED, device_online("lock_1")))?;
    chain.send(&Request::post_json("/nowhere", "{}"))?;
    chain.upstream.next_times(10, &Answer::status(500));
    chain.post(&device_online("lock_1").replace("online", "offline"))?;
    Ok(())
}

/// The values that a label can have, by the documents whose tables are held against real metrics elsewhere.
fn documented() -> Result<String, BoxError> {
    let read = |path: &str| std::fs::read_to_string(paths::repository().join(path));
    Ok(read("docs/metrics.md")? + &read("directory/README.md")?)
}

/// Checks all that an expression names.
fn check(
    prometheus: &Prometheus,
    whose: &str,
    expression: &str,
    legend: &BTreeSet<String>,
) -> Result<(), BoxError> {
    let documented = documented()?;
    let selectors = selectors(expression);
    assert!(!selectors.is_empty(), "{whose} names no metric: {expression}");
    let mut labels = BTreeSet::new();
    for selector in &selectors {
        let series = prometheus.query(&selector.metric)?;
        assert!(!series.is_empty(), "{whose}: there is no {}", selector.metric);
        for (label, operator, value) in &selector.matchers {
            let has: BTreeSet<_> =
                series.iter().filter_map(|it| it["metric"][label].as_str()).map(str::to_owned).collect();
            assert!(!has.is_empty(), "{whose}: {} has no label {label}", selector.metric);
            let is_pattern = operator.ends_with('~') && value.contains(['.', '*', '+']);
            for value in value.split('|').filter(|_| !is_pattern) {
                let is_known = has.contains(value)
                    || NOT_PROVOKED.contains(&value)
                    || documented.contains(&format!("`{value}`"));
                assert!(is_known, "{whose}: {}'s {label} is never {value}, but {has:?}", selector.metric);
            }
        }
        let names = series.iter().filter_map(|it| it["metric"].as_object()).flat_map(|it| it.keys().cloned());
        labels.extend(names);
    }
    for label in grouped_by(expression).union(legend) {
        assert!(labels.contains(label), "{whose}: none of its metrics has a label {label}: {expression}");
    }
    Ok(())
}

#[test]
fn every_expression_names_what_is_there_and_every_panel_shows_something() -> Result<(), BoxError> {
    let chain = Chain::start(&Settings::default(), 60)?;
    let file = chain.directory.write("accounts.jsonl", ACCOUNTS)?;
    chain.directory.bellhop(&["import", text_of(&file)?])?;
    send_each(&chain)?;
    let prometheus = Prometheus::start(chain.gateway.admin(), chain.directory.address(), TOKEN)?;
    prometheus.wait_for(r#"up{job="bellhop-directory"} == 1"#)?;
    prometheus.wait_for(r#"bellhop_events_total{cause="upstream_unavailable"}"#)?;
    // What happens between two scrapes is what rates are made of.
    send_each(&chain)?;
    prometheus.wait_for(r#"increase(bellhop_events_total{cause="upstream_unavailable"}[5m]) > 0"#)?;
    prometheus.wait_for("bellhop_directory_quarantine_events > 0")?;
    for window in ["5m", "30m", "1h", "6h"] {
        prometheus.wait_for(&format!("bellhop:undelivered:ratio_rate{window}"))?;
    }

    let rules = prometheus.get("rules", &[])?;
    let groups = rules["groups"].as_array().ok_or("no groups")?;
    let rules: Vec<_> = groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
    assert!(rules.len() > 10, "{rules:?}");
    for rule in rules {
        assert_eq!(rule["health"], "ok", "{rule}");
        let name = rule["name"].as_str().ok_or("a rule without a name")?;
        check(&prometheus, name, rule["query"].as_str().ok_or("a rule without a query")?, &BTreeSet::new())?;
        if rule["type"] == "alerting" {
            for annotation in ["summary", "reason", "action"] {
                assert!(rule["annotations"][annotation].is_string(), "{name} has no {annotation}");
            }
            assert!(
                ["page", "ticket"].contains(&rule["labels"]["severity"].as_str().unwrap_or_default()),
                "{rule}"
            );
        }
    }
    let dashboard = dashboard::read()?;
    for question in dashboard::questions(&dashboard) {
        check(&prometheus, &question.panel, &question.expression, &question.legend)?;
        let series = prometheus.query(&question.expression)?;
        assert!(!series.is_empty(), "{} shows nothing for {}", question.panel, question.expression);
    }
    let document = std::fs::read_to_string(paths::repository().join("docs/metrics.md"))?;
    let names = document.split('`').skip(1).step_by(2).filter(|it| it.starts_with("envoy_"));
    for name in names.filter(|name| !name.ends_with(['…', '_'])) {
        check(&prometheus, "docs/metrics.md", name, &BTreeSet::new())?;
    }
    Ok(())
}

/// Runs promtool in the folder of the rules.
fn promtool(arguments: &[&str]) -> Result<(), BoxError> {
    let output = Command::new("promtool")
        .args(arguments)
        .current_dir(paths::repository().join("deploy/prometheus"))
        .output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.into()) }
}

#[test]
fn the_rules_are_in_order_and_fire_when_they_should() -> Result<(), BoxError> {
    promtool(&["check", "rules", "alerts.yml"])?;
    promtool(&["test", "rules", "alerts_test.yml", "alerts_of_days_test.yml"])
}

#[test]
fn every_alert_has_a_test_that_it_fires() -> Result<(), BoxError> {
    let read = |name: &str| std::fs::read_to_string(paths::repository().join("deploy/prometheus").join(name));
    let rules = read("alerts.yml")?;
    let tests = read("alerts_test.yml")? + &read("alerts_of_days_test.yml")?;
    let alerts: Vec<_> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10, "{alerts:?}");
    for alert in alerts {
        let fires = format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\",");
        assert!(tests.contains(&fires), "{alert} has no test in which it fires");
    }
    Ok(())
}
