//! The probe cases of the simulator, replayed on real Envoy: what a file says must be what Envoy does. The simulator is held to
//! the same files by its own tests, so a difference between the two fails in one place or the other.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use host_tests::{filters, headers};
use serde_json::{Value, json};
use testbed::PATIENCE;
use testbed::gateway::{Gateway, Launch};
use testbed::http1::Connection;
use testbed::message::Response;
use testbed::upstream::{Answer, ClosedPort, Received, Upstream};
use testbed::{envoy, paths};

/// How many Envoys run at a time.
const AT_ONCE: usize = 2;

#[test]
fn envoy_does_what_the_probe_cases_say() {
    let folder = paths::repository().join("envoy-sim/tests/probes");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 60, "only {} probe cases were found", files.len());
    filters::probe();
    let left = Mutex::new(files.clone());
    let failures = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(path) = { left.lock().unwrap().pop() } {
                    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                    let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                    if let Err(error) = replay(&case) {
                        failures.lock().unwrap().push(format!("{name}: {error:#}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), files.len(), failures.join("\n"));
    println!("{} probe cases on Envoy", files.len());
}

/// The servers that callouts and requests reach.
struct Servers {
    main: Upstream,
    script: Arc<Mutex<Value>>,
    answers: Upstream,
    late: Upstream,
    silent: Upstream,
    resets: Upstream,
    breaks: Upstream,
    refuses: ClosedPort,
}

impl Servers {
    fn start() -> Result<Self> {
        let told = || Answer::status(200).header("x-c", "1").body("told");
        let script = Arc::new(Mutex::new(Value::Null));
        let of_main = Arc::clone(&script);
        Ok(Self {
            main: Upstream::start_with(0, move |_| answer(&of_main.lock().unwrap()))?,
            script,
            answers: Upstream::start_with(0, move |_| told())?,
            late: Upstream::start_with(0, move |_| told().after(Duration::from_millis(500)))?,
            silent: Upstream::start_with(0, |_| Answer::Hang)?,
            resets: Upstream::start_with(0, |_| Answer::Close)?,
            breaks: Upstream::start_with(0, |_| {
                Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nhalf".to_vec())
            })?,
            refuses: ClosedPort::hold()?,
        })
    }

    fn clusters(&self) -> Result<Vec<Value>> {
        let trailers = json!({ "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": { "http_protocol_options": { "enable_trailers": true } },
        }});
        let cluster = |name: &str, port: Option<u16>| {
            let hosts: Vec<_> = port
                .into_iter()
                .map(|port| {
                    json!({ "endpoint": { "address": { "socket_address":
                    { "address": "127.0.0.1", "port_value": port } } } })
                })
                .collect();
            let endpoints = json!([{ "lb_endpoints": hosts }]);
            json!({ "name": name, "type": "STATIC", "connect_timeout": "1s",
                "load_assignment": { "cluster_name": name, "endpoints": endpoints } })
        };
        let mut main = cluster("main", Some(self.main.port()));
        main["typed_extension_protocol_options"] = trailers;
        Ok(vec![
            main,
            cluster("answers", Some(self.answers.port())),
            cluster("late", Some(self.late.port())),
            cluster("silent", Some(self.silent.port())),
            cluster("resets", Some(self.resets.port())),
            cluster("breaks", Some(self.breaks.port())),
            cluster("refuses", Some(self.refuses.port()?)),
            cluster("empty", None),
        ])
    }
}

/// What upstream does with a request.
fn answer(script: &Value) -> Answer {
    match script["fails"].as_str() {
        Some("reset") => return Answer::Close,
        Some(_) => return Answer::Hang,
        None => {}
    }
    let status = script["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    let answer = Answer::status(status).body(script["body"].as_str().unwrap_or_default());
    pairs(&script["headers"]).fold(answer, |answer, (name, value)| answer.header(name, value))
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .map(|pair| (pair[0].as_str().unwrap_or_default(), pair[1].as_str().unwrap_or_default()))
}

fn bootstrap(case: &Value, servers: &Servers) -> Result<Value> {
    let text = |value: &Value| {
        json!({ "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": value.as_str().unwrap_or_default() })
    };
    let profile = &case["profile"];
    let open = profile["failure_policy"] == "open";
    let filter = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": "probe",
            "root_id": "probe-root",
            "failure_policy": if open { "FAIL_OPEN" } else { "FAIL_CLOSED" },
            "allow_on_headers_stop_iteration": profile["allow_on_headers_stop_iteration"] == true,
            "configuration": text(&case["configuration"]),
            "vm_config": {
                "vm_id": "probe-vm",
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": filters::probe() } },
                "configuration": text(&case["vm_configuration"]),
                "environment_variables": { "key_values": { "PROBE_ENV": "here" } },
            },
        },
    });
    let route = |fails: &str, cluster: &str, timeout: &str| {
        json!({ "match": { "prefix": "/", "headers":
                [{ "name": "x-case-upstream", "string_match": { "exact": fails } }] },
            "route": { "cluster": cluster, "timeout": timeout } })
    };
    let mut listener = json!({
        "name": "probe",
        "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } },
        "filter_chains": [{ "filters": [{ "name": "hcm", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": "probe",
            "codec_type": "AUTO",
            "http_protocol_options": { "enable_trailers": true },
            "route_config": { "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": [
                route("connect", "refuses", "1s"),
                route("no_host", "empty", "1s"),
                route("timeout", "main", "0.3s"),
                { "match": { "prefix": "/" }, "route": { "cluster": "main", "timeout": "1s" } },
            ] }] },
            "http_filters": [
                { "name": "wasm", "typed_config": filter },
                { "name": "router", "typed_config":
                    { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" } },
            ],
        } }] }],
    });
    if let Some(limit) = profile.get("buffer_limit_bytes") {
        listener["per_connection_buffer_limit_bytes"] = limit.clone();
    }
    Ok(json!({
        "admin": { "address": { "socket_address": { "address": "127.0.0.1", "port_value": 0 } } },
        "static_resources": { "listeners": [listener], "clusters": servers.clusters()? },
    }))
}

/// Runs a case on an Envoy of its own: metrics, queues and shared data outlive a request.
fn replay(case: &Value) -> Result<()> {
    let servers = Servers::start()?;
    let bootstrap = bootstrap(case, &servers)?.to_string();
    let launch = Launch::new(envoy::shared()?, bootstrap).log_level("info");
    let gateway = launch.start()?;
    let address = gateway.listener("probe")?;
    let wanted: Vec<&str> = texts(&case["log"]);
    // Clients of requests that hang stay until the end of the case.
    let mut kept = Vec::new();
    for (index, request) in case["requests"].as_array().context("no requests")?.iter().enumerate() {
        *servers.script.lock().unwrap() = request["upstream"].clone();
        servers.main.take();
        let (connection, mut ending) = send(address, &gateway, request, &wanted)
            .with_context(|| format!("request {index}, log so far {:#?}", log(&gateway).0))?;
        let expected = &request["expect"];
        if let Some(received) = reached(&servers.main, expected)? {
            ending["upstream"] = received;
        }
        ensure!(ending == *expected, "request {index}\n  file:  {expected}\n  envoy: {ending}");
        kept.push(connection);
    }
    drop(kept);
    // The last lines come when the streams are gone.
    let deadline = Instant::now() + PATIENCE;
    while log(&gateway).0.len() < wanted.len() && Instant::now() < deadline {
        std::thread::yield_now();
    }
    let (lines, root) = log(&gateway);
    ensure!(lines == wanted, "log\n  file:  {wanted:#?}\n  envoy: {lines:#?}");
    let wanted_root: BTreeSet<_> = texts(&case["root_log"]).into_iter().map(str::to_owned).collect();
    let root: BTreeSet<_> = root.into_iter().collect();
    ensure!(root == wanted_root, "root log\n  file:  {wanted_root:#?}\n  envoy: {root:#?}");
    Ok(())
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// What the filter said: the lines of streams, and those of the root context.
fn log(gateway: &Gateway) -> (Vec<String>, Vec<String>) {
    let said = gateway.log();
    let lines = said.lines().filter_map(|line| line.find("PROBE ").map(|start| line[start..].to_owned()));
    lines.partition(|line| !line.starts_with("PROBE /root"))
}

/// Sends a request, each piece once Envoy has read what came before, and reads the answer of those that are to have one.
fn send(
    address: SocketAddr,
    gateway: &Gateway,
    request: &Value,
    wanted: &[&str],
) -> Result<(Connection, Value)> {
    let received = || -> Result<u64> {
        Ok(gateway.stat("http.probe.downstream_cx_rx_bytes_total")?.unwrap_or_default())
    };
    let before = received()?;
    let mut n_sent = 0;
    let mut connection = Connection::open(address)?;
    let method = request["method"].as_str().context("no method")?;
    let mut head =
        format!("{method} {} HTTP/1.1\r\nhost: example.test\r\n", request["path"].as_str().unwrap_or("/"));
    if let Some(fails) = request["upstream"]["fails"].as_str() {
        write!(head, "x-case-upstream: {fails}\r\n")?;
    }
    for (name, value) in pairs(&request["headers"]) {
        write!(head, "{name}: {value}\r\n")?;
    }
    let pieces = texts(&request["pieces"]);
    let has_trailers = request.get("trailers").is_some();
    let has_body = !pieces.is_empty() || has_trailers;
    if has_body {
        head.push_str("transfer-encoding: chunked\r\n");
    }
    head.push_str("\r\n");
    let mut parts = vec![head];
    for (index, piece) in pieces.iter().enumerate() {
        let mut chunk = format!("{:x}\r\n{piece}\r\n", piece.len());
        if index + 1 == pieces.len() && !has_trailers {
            chunk.push_str("0\r\n\r\n");
        }
        parts.push(chunk);
    }
    if has_trailers {
        let mut end = "0\r\n".to_owned();
        for (name, value) in pairs(&request["trailers"]) {
            write!(end, "{name}: {value}\r\n")?;
        }
        end.push_str("\r\n");
        parts.push(end);
    }
    for part in parts {
        // An answer may have ended the connection: then it counts, not the broken write.
        if connection.send_raw(part.as_bytes()).is_err() {
            break;
        }
        n_sent += part.len() as u64;
        let deadline = Instant::now() + PATIENCE;
        while received()? < before + n_sent {
            let gone = gateway.stat("http.probe.downstream_cx_active")? == Some(0);
            if gone || Instant::now() > deadline {
                break;
            }
        }
    }
    if request["expect"]["outcome"] == "hung" {
        // Everything has been read, and the filter has said all that it says while the client waits.
        let at_the_end = |line: &&&str| line.ends_with(" log") || line.ends_with(" done");
        let n_before = wanted.len() - wanted.iter().rev().take_while(at_the_end).count();
        let deadline = Instant::now() + PATIENCE;
        while log(gateway).0.len() < n_before {
            ensure!(Instant::now() < deadline, "the filter did not say all that it should");
        }
        // A callout's reply is handed over in the event that counts it; the client goes after that.
        for cluster in ["answers", "late"] {
            let n_calls: usize =
                log(gateway).0.iter().map(|line| line.matches(&format!("call {cluster} ")).count()).sum();
            let counter = format!("cluster.{cluster}.upstream_rq_completed");
            while gateway.stat(&counter)?.unwrap_or_default() < n_calls as u64 {
                ensure!(Instant::now() < deadline, "a callout to {cluster} did not end");
            }
        }
        ensure!(gateway.stat("http.probe.downstream_rq_active")? == Some(1), "the request is over");
        return Ok((connection, json!({ "outcome": "hung" })));
    }
    let ending = match connection.read_response(method) {
        Ok(response) => answered(&response),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => bail!("no answer"),
        Err(_) => json!({ "outcome": "reset" }),
    };
    Ok((connection, ending))
}

fn answered(response: &Response) -> Value {
    let kept = |name: &str, value: &str| {
        name == "content-type"
            || name == "content-length" && value != "0"
            || name.starts_with("x-") && !name.starts_with("x-envoy-")
    };
    json!({
        "outcome": "answered",
        "status": response.status,
        "headers": chosen(&response.headers, kept),
        "body": response.text(),
    })
}

/// What upstream got of the last request, if the file says that it got one, or if it did.
fn reached(main: &Upstream, expected: &Value) -> Result<Option<Value>> {
    let received = if expected.get("upstream").is_some() { main.wait_for(1)? } else { main.received() };
    let one = |received: &Received| {
        let kept = |name: &str, _: &str| name.starts_with("x-t") || name == "x-new" || name == "content-type";
        json!({
            "headers": chosen(&received.headers, kept),
            "body": String::from_utf8_lossy(&received.body),
            "trailers": chosen(&received.trailers, |_, _| true),
            "path": received.path,
        })
    };
    ensure!(received.len() <= 1, "upstream got {} requests", received.len());
    Ok(received.first().map(one))
}

fn chosen(list: &testbed::message::Headers, kept: impl Fn(&str, &str) -> bool) -> Vec<[String; 2]> {
    list.iter()
        .map(|(name, value)| [headers::shown(&name.to_ascii_lowercase()), headers::shown(value)])
        .filter(|[name, value]| kept(name, value))
        .collect()
}
