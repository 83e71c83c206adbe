//! The cases of `tests/probes`: what real Envoy 1.40 did with the probe filter, and the simulator must do as well.
//! It does not run Envoy; the expectations in the files were taken from it.

use std::path::Path;

use envoy_sim::{
    CalloutAnswer, Cluster, EnvoyProfile, FailurePolicy, HeaderMap, Outcome, Request, Response, Seen, Setup,
    Simulator, Upstream, UpstreamFailure,
};
use serde_json::{Value, json};

use crate::guest::probe;

#[test]
fn the_simulator_does_what_envoy_did() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/probes");
    let mut differences = Vec::new();
    let mut cases = 0;
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let case: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        cases += 1;
        let (expected, actual) = (expected(&case), run(&case));
        for (key, wanted) in expected.as_object().unwrap() {
            if actual[key] != *wanted {
                let name = path.file_stem().unwrap().to_string_lossy();
                differences.push(format!(
                    "{name}, {key}\n  envoy: {}\n  here:  {}",
                    serde_json::to_string_pretty(wanted).unwrap(),
                    serde_json::to_string_pretty(&actual[key]).unwrap()
                ));
            }
        }
    }
    assert!(cases >= 60, "only {cases} cases were found in {}", folder.display());
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

fn expected(case: &Value) -> Value {
    let requests: Vec<&Value> =
        case["requests"].as_array().unwrap().iter().map(|request| &request["expect"]).collect();
    json!({ "log": case["log"], "root_log": case["root_log"], "requests": requests })
}

fn run(case: &Value) -> Value {
    let profile = EnvoyProfile {
        allow_on_headers_stop_iteration: case["profile"]["allow_on_headers_stop_iteration"] == true,
        buffer_limit_bytes: case["profile"]["buffer_limit_bytes"]
            .as_u64()
            .map_or(EnvoyProfile::default().buffer_limit_bytes, |limit| usize::try_from(limit).unwrap()),
        failure_policy: if case["profile"]["failure_policy"] == "open" {
            FailurePolicy::Open
        } else {
            FailurePolicy::Closed
        },
        ..Default::default()
    };
    fn told() -> Response {
        Response::new(200).header("x-c", "1").header("content-length", "4").with_body("told")
    }
    let mut sim = Simulator::new(
        probe(),
        Setup {
            profile,
            configuration: case["configuration"].as_str().unwrap().as_bytes().to_vec(),
            vm_configuration: case["vm_configuration"].as_str().unwrap_or_default().as_bytes().to_vec(),
            plugin_name: "probe".to_owned(),
            root_id: "probe-root".to_owned(),
            vm_id: "probe-vm".to_owned(),
            environment: vec![("PROBE_ENV".to_owned(), "here".to_owned())],
            clusters: vec![
                Cluster::answering("answers", |_| CalloutAnswer::After(20, told())),
                Cluster::answering("late", |_| CalloutAnswer::After(500, told())),
                Cluster::answering("silent", |_| CalloutAnswer::Silence),
                Cluster::answering("refuses", |_| CalloutAnswer::ConnectFailure),
                Cluster::answering("resets", |_| CalloutAnswer::Reset),
                Cluster::answering("breaks", |_| CalloutAnswer::Broken),
                Cluster::without_hosts("empty"),
            ],
            ..Default::default()
        },
    )
    .unwrap();
    let mut ids = Vec::new();
    for request in case["requests"].as_array().unwrap() {
        ids.push(sim.worker(0).open(read_request(request)).unwrap());
        sim.settle().unwrap();
    }
    let requests: Vec<Value> = ids
        .into_iter()
        .map(|id| {
            let seen = sim.seen(id).unwrap();
            if matches!(seen.outcome, Outcome::Hung(_)) {
                // The client of the recorded run gave up.
                sim.disconnect(id).unwrap();
            }
            result(&seen)
        })
        .collect();
    let lines: Vec<String> = sim.logs().into_iter().map(|line| line.message).collect();
    let lines = lines.iter().filter(|line| line.starts_with("PROBE "));
    let (root, log): (Vec<&String>, Vec<&String>) = lines.partition(|line| line.starts_with("PROBE /root"));
    // The canary and each worker say the same; what counts is what was said.
    let mut root_log: Vec<&String> = Vec::new();
    for line in root {
        if !root_log.contains(&line) {
            root_log.push(line);
        }
    }
    json!({ "log": log, "root_log": root_log, "requests": requests })
}

fn pairs(value: &Value) -> Vec<(&str, &str)> {
    value
        .as_array()
        .map(|pairs| {
            pairs.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
        })
        .unwrap_or_default()
}

fn read_request(value: &Value) -> Request {
    let mut request = Request::new(value["method"].as_str().unwrap(), value["path"].as_str().unwrap());
    for (name, text) in pairs(&value["headers"]) {
        request = request.header(name, text);
    }
    let pieces = value["pieces"].as_array().unwrap();
    request = request.body_pieces(pieces.iter().map(|piece| piece.as_str().unwrap()));
    for (name, text) in pairs(&value["trailers"]) {
        request = request.trailer(name, text);
    }
    request.upstream(read_upstream(&value["upstream"]))
}

fn read_upstream(value: &Value) -> Upstream {
    match value["fails"].as_str() {
        Some("connect") => return Upstream::Fails(UpstreamFailure::ConnectFailure),
        Some("reset") => return Upstream::Fails(UpstreamFailure::Reset),
        Some("timeout") => return Upstream::Fails(UpstreamFailure::Timeout),
        Some("no_host") => return Upstream::Fails(UpstreamFailure::NoHealthyHost),
        Some(other) => panic!("no failure is called {other}"),
        None => {}
    }
    let body = value["body"].as_str().unwrap_or_default();
    let status = value["status"].as_u64().unwrap_or(200);
    let mut response = Response::new(u16::try_from(status).unwrap());
    for (name, text) in pairs(&value["headers"]) {
        response = response.header(name, text);
    }
    Upstream::Answers(response.header("content-length", body.len().to_string()).with_body(body))
}

/// What the files record of a result: the outcome, and the headers that neither codec nor router adds.
fn result(seen: &Seen) -> Value {
    let mut value = match seen.outcome {
        Outcome::Reset => json!({ "outcome": "reset" }),
        Outcome::Hung(_) => json!({ "outcome": "hung" }),
        Outcome::Answered => {
            let response = seen.response.as_ref().unwrap();
            let kept = |name: &str| {
                name.starts_with("x-") && !name.starts_with("x-envoy-")
                    || name == "content-type"
                    || name == "content-length"
            };
            json!({
                "outcome": "answered",
                "status": seen.status(),
                "headers": chosen(&response.headers, kept),
                "body": String::from_utf8(seen.body()).unwrap(),
            })
        }
    };
    if let Some(upstream) = seen.upstream.as_ref().filter(|upstream| upstream.complete) {
        let kept = |name: &str| name.starts_with("x-t") || name == "x-new" || name == "content-type";
        let none = HeaderMap::new();
        value["upstream"] = json!({
            "headers": chosen(&upstream.headers, kept),
            "body": String::from_utf8(upstream.body.clone()).unwrap(),
            "trailers": chosen(upstream.trailers.as_ref().unwrap_or(&none), |_| true),
            "path": upstream.headers.text(":path"),
        });
    }
    value
}

fn chosen(headers: &HeaderMap, kept: impl Fn(&str) -> bool) -> Vec<[String; 2]> {
    headers
        .iter()
        .map(|(name, value)| [name, value].map(|bytes| String::from_utf8(bytes.to_vec()).unwrap()))
        // The HTTP/1 codec writes the length of a message without a body; the filter does not see it.
        .filter(|[name, value]| kept(name) && !(name == "content-length" && value == "0"))
        .collect()
}
