//! The filter's metrics as Prometheus reads them from Envoy, held against the tables of `docs/metrics.md`. Which event counts as
//! what is held by every scenario of `host-tests`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use edge_tests::{BoxError, Edge, Filter, Setup, TestResult, event, until};
use testbed::message::Request;
use testbed::paths;
use testbed::upstream::{Answer, Received, Upstream};

/// The labels of one series.
type Labels = BTreeMap<String, String>;

/// What a scrape holds of the filter's: name → type and every series with its value.
#[derive(Debug, Default)]
struct Scrape {
    types: BTreeMap<String, String>,
    series: BTreeMap<String, Vec<(Labels, f64)>>,
}

impl Scrape {
    fn of(edge: &Edge) -> Result<Self, BoxError> {
        let mut scrape = Self::default();
        for path in ["/stats/prometheus", "/stats/prometheus?usedonly"] {
            scrape = Self::default();
            for line in edge.gateway().admin_get(path)?.lines() {
                scrape.read(line)?;
            }
        }
        Ok(scrape)
    }

    fn read(&mut self, line: &str) -> Result<(), BoxError> {
        if let Some(rest) = line.strip_prefix("# TYPE bellhop_") {
            let (name, kind) = rest.split_once(' ').ok_or("a type without a name")?;
            self.types.insert(format!("bellhop_{name}"), kind.to_owned());
        } else if line.starts_with("bellhop_") {
            let (name, rest) = line.split_once('{').ok_or_else(|| format!("no labels: {line}"))?;
            let (labels, value) = rest.rsplit_once("} ").ok_or_else(|| format!("no value: {line}"))?;
            self.series.entry(name.to_owned()).or_default().push((read_labels(labels)?, value.parse()?));
        }
        Ok(())
    }

    /// The value of the counter with just these labels; 0 if there is none.
    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let wanted: Labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut all = self.series.get(name).into_iter().flatten();
        all.find(|(labels, _)| *labels == wanted).map_or(0.0, |(_, value)| *value)
    }

    fn merge(&mut self, other: Self) {
        self.types.extend(other.types);
        for (name, series) in other.series {
            self.series.entry(name).or_default().extend(series);
        }
    }

    /// Every value of a label.
    fn values(&self, name: &str, label: &str) -> BTreeSet<String> {
        let all = self.series.get(name).into_iter().flatten();
        all.filter_map(|(labels, _)| labels.get(label).cloned()).collect()
    }
}

/// `a="b",c="d"`; no value here holds a quote or a comma.
fn read_labels(text: &str) -> Result<Labels, BoxError> {
    let pairs = text.split(',').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| format!("no label: {pair}"))?;
            Ok((name.to_owned(), value.trim_matches('"').to_owned()))
        })
        .collect()
}

/// The rows of the tables about the filter's metrics in `docs/metrics.md`, as cells.
fn rows() -> Result<Vec<Vec<String>>, BoxError> {
    let text = std::fs::read_to_string(paths::repository().join("docs/metrics.md"))?;
    let (_, text) = text.split_once("\n## The filter's metrics\n").ok_or("no such section")?;
    let text = text.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    Ok(text.lines().filter(|line| line.starts_with("| ")).map(row).collect())
}

/// What stands in backquotes.
fn quoted(cell: &str) -> BTreeSet<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The values that the document gives a label, by the words in its first cell.
fn documented_values(label: &str) -> Result<BTreeSet<String>, BoxError> {
    let row = rows()?.into_iter().find(|cells| cells[0] == label);
    let row = row.ok_or_else(|| format!("no row for {label}"))?;
    Ok(quoted(&row[1..].join(" | ")))
}

const SOURCES: &str = r#"
    { "name": "acme", "path": "/provider_events", "verify": "none" },
    { "name": "strict", "path": "/strict", "verify": "none", "events": ["device.online"], "unregistered": "reject" },
    { "name": "signed_1-a", "path": "/signed", "verify": { "token": { "header": "x-key", "secrets": ["0123456789abcdef"] } } }"#;

const ACCOUNTS: &str = r#"
    { "connected_account_id": "ca_hotel", "devices": ["lock_491829"] },
    { "connected_account_id": "ca_other", "bridges": ["bridge_other"] }"#;

fn configuration(rest: &str) -> String {
    format!(
        r#"{{ "environment": "test", "sources": [{SOURCES}], "accounts": [{ACCOUNTS}],
  "limits": {{ "body_bytes": 2000 }}, "delivery": {{ "max_retries": 0 }}{rest} }}"#
    )
}

/// A directory that answers as the device in the question wants.
fn directory() -> io::Result<Upstream> {
    Upstream::start_with(0, |question| {
        let wanted = |device: &str| question.path.contains(device);
        let json =
            |status, body: &str| Answer::status(status).header("content-type", "application/json").body(body);
        if wanted("d_hangs") {
            Answer::Hang
        } else if wanted("d_fails") {
            json(500, "")
        } else if wanted("d_conflict") {
            json(409, "{}")
        } else if wanted("d_odd") {
            json(200, "odd")
        } else if wanted("d_nobodys") {
            json(200, r#"{"accounts":[]}"#)
        } else {
            json(200, r#"{"accounts":[{"connected_account_id":"ca_9"}],"assigned_by":"device_id"}"#)
        }
    })
}

fn upstream(received: &Received) -> Answer {
    let fails = String::from_utf8_lossy(&received.body).contains("upstream.fails");
    Answer::status(if fails { 500 } else { 200 })
}

/// Requests that end in each way that the headers, the body or upstream decide.
fn send_one_of_each(edge: &Edge) -> TestResult {
    let online = event::GOOD;
    let types = documented_values("`event_type`")?;
    for event_type in types.iter().filter(|it| it.contains('.')) {
        // Each has the members that every type allows.
        edge.http1(&event::post(online.replace("device.online", event_type)))?;
    }
    for request in [
        event::post(online.replace("device.online", "made.up")),
        event::post(online),
        event::post(online.replace("device.online", "upstream.fails")),
        Request::post_json("/nowhere", online),
        Request::new("PUT", event::PATH).header("content-type", "application/json").body(online),
        event::post(online).header("webhook-id", "a").header("webhook-id", "b"),
        Request::new("POST", event::PATH).header("content-type", "text/plain").body(online),
        event::post(vec![b' '; 2_001]),
        Request::post_json("/signed", online),
        Request::post_json("/signed", online).header("x-key", "0123456789abcdef"),
        event::post("{"),
        event::post(online.replace("device_id", "Device_id")),
        Request::post_json("/strict", online.replace("device.online", "device.offline")),
        event::post(online.replace("device_id", "device_no")),
        event::post(online.replace('}', r#","bridge_id":"bridge_other"}"#)),
    ] {
        edge.http1(&request)?;
    }
    Ok(())
}

/// Reads the metrics again until this counter has a value: what nobody is answered is counted a little later.
fn until_counted(edge: &Edge, name: &str, labels: &[(&str, &str)]) -> TestResult {
    let counted = until(|| Scrape::of(edge).ok().filter(|scrape| scrape.value(name, labels) > 0.0));
    counted.map(|_| ()).ok_or_else(|| format!("no {name} {labels:?}: {:#?}", Scrape::of(edge)).into())
}

/// What there is to count without a directory and without a quarantine.
fn refusing() -> Result<Scrape, BoxError> {
    let edge = Setup::new(Filter::Bellhop)
        .plugin_configuration(&configuration(r#", "duplicates": { "window_s": 600 }"#))
        .start_with(upstream)?;
    send_one_of_each(&edge)?;
    edge.http1(&event::post(event::about("d_nobodys")))?;
    // A sender that goes away in the middle of its body.
    let mut connection = edge.connect()?;
    connection.send_raw(
        b"POST /provider_events HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{",
    )?;
    until(|| edge.gateway().stat("http.edge.downstream_rq_active").ok().flatten().filter(|n| *n > 0));
    drop(connection);
    until_counted(
        &edge,
        "bellhop_events_total",
        &[("source", "acme"), ("event_type", "none"), ("outcome", "abandoned"), ("cause", "none")],
    )?;
    let scrape = Scrape::of(&edge)?;
    let one = |source, event_type, outcome, cause| {
        let labels = [("source", source), ("event_type", event_type), ("outcome", outcome), ("cause", cause)];
        assert_eq!(scrape.value("bellhop_events_total", &labels), 1.0, "{labels:?}: {scrape:#?}");
    };
    one("acme", "device.online", "forwarded", "none");
    one("acme", "device.online", "duplicate", "duplicate");
    one("acme", "other", "forwarded", "none");
    one("acme", "other", "refused", "upstream_unavailable");
    one("none", "none", "refused", "source_unknown");
    one("signed_1-a", "none", "refused", "signature_invalid");
    one("signed_1-a", "device.online", "forwarded", "none");
    one("strict", "device.offline", "refused", "event_type_refused");
    one("acme", "device.online", "refused", "account_unknown");
    Ok(scrape)
}

fn quarantining() -> Result<Scrape, BoxError> {
    let edge = Setup::new(Filter::Bellhop)
        .with_quarantine()
        .plugin_configuration(&configuration(
            r#", "on_invalid": "quarantine", "on_unassigned": "quarantine""#,
        ))
        .start_with(upstream)?;
    send_one_of_each(&edge)?;
    edge.http1(&event::post(event::about("d_nobodys")))?;
    let scrape = Scrape::of(&edge)?;
    for (source, event_type, cause) in [
        ("acme", "none", "json_malformed"),
        ("acme", "none", "event_invalid"),
        ("strict", "device.offline", "event_type_refused"),
        ("acme", "device.online", "subject_missing"),
        ("acme", "device.online", "account_conflict"),
        ("acme", "device.online", "account_unknown"),
    ] {
        let labels =
            [("source", source), ("event_type", event_type), ("outcome", "quarantined"), ("cause", cause)];
        assert_eq!(scrape.value("bellhop_events_total", &labels), 1.0, "{labels:?}: {scrape:#?}");
    }
    Ok(scrape)
}

fn asking() -> Result<Scrape, BoxError> {
    let directory = directory()?;
    // One answer at a time in the worker, more in the shared slots.
    let settings = r#", "directory": { "cluster": "directory", "timeout_ms": 300, "pause_ms": 1,
    "cache": { "entries": 1, "fresh_s": 1, "stale_s": 600, "unknown_s": 0 } }"#;
    let edge = Setup::new(Filter::Bellhop)
        .with_directory(directory.port())
        .plugin_configuration(&configuration(settings))
        .start_with(upstream)?;
    let about = |device: &str| edge.http1(&event::post(event::about(device)));
    let lookups = |result| until_counted(&edge, "bellhop_lookups_total", &[("result", result)]);
    for device in ["d_hangs", "d_fails", "d_conflict", "d_odd", "d_nobodys"] {
        // The pause after a failure is over when the directory is asked again.
        let asked = || directory.received().iter().any(|question| question.path.contains(device));
        until(|| about(device).ok().filter(|_| asked())).ok_or("the directory is not asked")?;
    }
    // An answer is young for a second: on a slow machine it takes several rounds.
    let found = until(|| {
        for device in ["d_1", "d_1", "d_2", "d_1"] {
            about(device).ok()?;
        }
        let scrape = Scrape::of(&edge).ok()?;
        let counted = |result| scrape.value("bellhop_lookups_total", &[("result", result)]) > 0.0;
        (counted("hit") && counted("shared_hit") && counted("miss")).then_some(())
    });
    found.ok_or_else(|| format!("no hit of both kinds: {:#?}", Scrape::of(&edge)))?;
    lookups("unavailable")?;
    // Envoy adds up histograms every few seconds.
    until(|| Scrape::of(&edge).ok().filter(|scrape| scrape.types.contains_key("bellhop_callout_ms")));
    drop(directory);
    // What was said is old after a second, and the directory is gone.
    let stale = until(|| {
        about("d_1").ok()?;
        let scrape = Scrape::of(&edge).ok()?;
        (scrape.value("bellhop_lookups_total", &[("result", "stale")]) > 0.0).then_some(scrape)
    });
    Ok(stale.ok_or("nothing is served stale")?)
}

fn without_cluster() -> Result<Scrape, BoxError> {
    let edge = Setup::new(Filter::Bellhop)
        .plugin_configuration(&configuration(r#", "directory": { "cluster": "nowhere" }"#))
        .start_with(upstream)?;
    edge.http1(&event::post(event::about("d_1")))?;
    let scrape = Scrape::of(&edge)?;
    assert_eq!(scrape.value("bellhop_callouts_total", &[("result", "refused")]), 1.0, "{scrape:#?}");
    Ok(scrape)
}

#[test]
fn the_document_lists_every_metric_with_its_labels_and_their_values_and_no_other() -> TestResult {
    let mut found = refusing()?;
    for scrape in [quarantining()?, asking()?, without_cluster()?] {
        found.merge(scrape);
    }
    let documented: BTreeMap<String, (String, BTreeSet<String>)> = rows()?
        .into_iter()
        .filter(|cells| cells[0].starts_with("`bellhop_"))
        .map(|cells| (cells[0].trim_matches('`').to_owned(), (cells[1].clone(), quoted(&cells[2]))))
        .collect();
    let seen: BTreeMap<String, (String, BTreeSet<String>)> = found
        .types
        .iter()
        .map(|(name, kind)| {
            let series = [name.clone(), format!("{name}_sum")];
            let labels = series.iter().filter_map(|name| found.series.get(name)).flatten();
            (name.clone(), (kind.clone(), labels.flat_map(|(labels, _)| labels.keys().cloned()).collect()))
        })
        .collect();
    assert_eq!(seen, documented);
    for (label, metric, name) in [
        ("`event_type`", "bellhop_events_total", "event_type"),
        ("`outcome`", "bellhop_events_total", "outcome"),
        ("`cause`", "bellhop_events_total", "cause"),
        ("`result` of lookups", "bellhop_lookups_total", "result"),
        ("`result` of callouts", "bellhop_callouts_total", "result"),
    ] {
        let mut values = found.values(metric, name);
        if name == "outcome" {
            // Envoy gives no occasion for it.
            values.insert("failed".to_owned());
        }
        let mut listed = documented_values(label)?;
        // The text about causes names outcomes, too.
        if name == "cause" {
            let outcomes = found.values(metric, "outcome");
            listed.retain(|value| value == "duplicate" || value != "failed" && !outcomes.contains(value));
        }
        if name == "outcome" {
            listed.retain(|value| value != "upstream_unavailable");
        }
        assert_eq!(values, listed, "{label}");
    }
    let sources = found.values("bellhop_events_total", "source");
    assert_eq!(
        sources.iter().map(String::as_str).collect::<Vec<_>>(),
        ["acme", "none", "signed_1-a", "strict"]
    );
    Ok(())
}

#[test]
fn counts_outlive_a_trap_of_the_filter() -> TestResult {
    // Bellhop's own filter never traps: the probe filter counts in its place, under one of its names.
    let edge = Setup::new(Filter::Probe).start()?;
    let count = "metric 0 bellhop.callouts_total.result.ok increment 1";
    let request = |commands: &str| event::post(event::GOOD).header("x-probe-request-headers", commands);
    edge.http1(&request(&format!("{count}; trap")))?;
    let labels = [("result", "ok")];
    assert_eq!(Scrape::of(&edge)?.value("bellhop_callouts_total", &labels), 1.0);
    let back = until(|| edge.http1(&request(count)).ok().filter(|answer| answer.status == 200));
    back.ok_or_else(|| edge.gateway().log_tail())?;
    assert_eq!(Scrape::of(&edge)?.value("bellhop_callouts_total", &labels), 2.0);
    assert_eq!(edge.gateway().stat("wasm.bellhop.vm_reload_success")?, Some(1));
    Ok(())
}
