//! The testbed against an Envoy without any filter: what goes in comes out, and what breaks is said.
//! It tests nothing of Bellhop.

use std::error::Error;
use std::time::Duration;

use testbed::gateway::{Gateway, Launch, StartError};
use testbed::message::Request;
use testbed::upstream::{Answer, Upstream};
use testbed::{envoy, http1, http2};

type TestResult = Result<(), Box<dyn Error>>;

/// A proxy to this port and nothing else.
fn bootstrap(upstream_port: u16) -> String {
    format!(
        r#"
admin: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }} }}
static_resources:
  listeners:
    - name: edge
      address: {{ socket_address: {{ address: 127.0.0.1, port_value: 0 }} }}
      filter_chains:
        - filters:
            - name: envoy.filters.network.http_connection_manager
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: edge
                http_protocol_options: {{ enable_trailers: true }}
                route_config:
                  virtual_hosts:
                    - {{ name: all, domains: ["*"], routes: [{{ match: {{ prefix: / }}, route: {{ cluster: upstream }} }}] }}
                http_filters:
                  - name: envoy.filters.http.router
                    typed_config: {{ "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router }}
  clusters:
    - name: upstream
      typed_extension_protocol_options:
        envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
          "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
          explicit_http_config: {{ http_protocol_options: {{ enable_trailers: true }} }}
      load_assignment:
        cluster_name: upstream
        endpoints:
          - lb_endpoints:
              - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {upstream_port} }} }} }}
"#
    )
}

fn start(upstream: &Upstream) -> Result<Gateway, Box<dyn Error>> {
    let envoy = envoy::find_or_fetch(&mut |step| eprintln!("{step}"))?;
    Ok(Launch::new(envoy, bootstrap(upstream.port())).start()?)
}

#[test]
fn requests_of_both_protocols_arrive_whole() -> TestResult {
    let upstream = Upstream::start_with(0, |received| {
        Answer::status(201).header("x-path", &received.path).body(&received.body)
    })?;
    let gateway = start(&upstream)?;
    let edge = gateway.listener("edge")?;
    assert_eq!(gateway.only_listener()?, edge);

    let request = Request::post_json("/a?b", "0123456789")
        .header("x-bytes", b"caf\xc3\xa9 \xff")
        .header("x-two", "one")
        .header("x-two", "two")
        .cut_at(&[3, 4])
        .trailer("x-last", "yes");
    for send in [http1::send, http2::send] {
        let response = send(edge, &request)?;
        assert_eq!(response.status, 201);
        assert_eq!(response.headers.get("x-path"), Some("/a?b"));
        assert_eq!(response.text(), "0123456789");
    }

    let received = upstream.wait_for(2)?;
    for received in &received {
        assert_eq!((received.method.as_str(), received.path.as_str()), ("POST", "/a?b"));
        assert_eq!(received.headers.get_bytes("x-bytes"), Some(b"caf\xc3\xa9 \xff".as_slice()));
        assert_eq!(received.headers.all("x-two").collect::<Vec<_>>(), [b"one", b"two"]);
        assert_eq!(received.body, b"0123456789");
        assert_eq!(received.trailers.get("x-last"), Some("yes"));
    }
    assert_eq!(gateway.stat("cluster.upstream.upstream_rq_201")?, Some(2));
    assert!(gateway.prometheus()?.contains("envoy_cluster_upstream_rq"));
    assert!(gateway.resident_bytes()? > 1_000_000);
    assert!(gateway.cpu_time()? > Duration::ZERO);
    Ok(())
}

#[test]
fn raw_bytes_keep_their_connection() -> TestResult {
    let upstream = Upstream::start()?;
    let gateway = start(&upstream)?;
    let mut connection = http1::Connection::open(gateway.only_listener()?)?;
    for n in 0..3 {
        connection.send_raw(format!("PUT /{n} HTTP/1.1\r\nHOST: a\r\nX-Odd: y\r\n\r\n").as_bytes())?;
        assert_eq!(connection.read_response("PUT")?.status, 200);
    }
    connection.send_raw(b"no request at all\r\n\r\n")?;
    assert_eq!(connection.read_response("GET")?.status, 400);
    assert_eq!(upstream.take().len(), 3);
    assert!(upstream.received().is_empty());
    Ok(())
}

#[test]
fn a_large_body_fits_through_both_protocols() -> TestResult {
    let upstream = Upstream::start()?;
    let gateway = start(&upstream)?;
    let body = vec![b'x'; 400_000];
    let request = Request::post_json("/", &body);
    for send in [http1::send, http2::send] {
        assert_eq!(send(gateway.only_listener()?, &request)?.status, 200);
    }
    assert!(upstream.wait_for(2)?.iter().all(|received| received.body == body));
    Ok(())
}

#[test]
fn the_script_goes_before_the_rule() -> TestResult {
    let upstream = Upstream::start_with(0, |_| Answer::status(204))?;
    let gateway = start(&upstream)?;
    let edge = gateway.only_listener()?;
    upstream.next_times(2, &Answer::status(500).after(Duration::from_millis(1)));
    upstream.next(Answer::Reset);
    upstream.next(Answer::Close);
    upstream.next(Answer::Raw(b"HTTP/1.1 299 Odd\r\n\r\nuntil the end".to_vec()));
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(http1::send(edge, &Request::new("GET", "/"))?.status);
    }
    assert_eq!(statuses, [500, 500, 503, 503, 299, 204]);
    Ok(())
}

#[test]
fn a_hanging_upstream_stops_when_it_is_dropped() -> TestResult {
    let upstream = Upstream::start()?;
    upstream.next(Answer::Hang);
    let mut connection = http1::Connection::open(upstream.address())?;
    connection.write(&Request::new("GET", "/"))?;
    upstream.wait_for(1)?;
    drop(upstream);
    assert!(connection.read_response("GET").is_err());
    Ok(())
}

#[test]
fn a_refused_configuration_says_why() -> TestResult {
    let envoy = envoy::find_or_fetch(&mut |step| eprintln!("{step}"))?;
    let broken = bootstrap(1).replace("stat_prefix: edge", "no_such_key: edge");
    match Launch::new(envoy, broken).start() {
        Err(StartError::Refused { status, log }) => {
            assert!(!status.success());
            assert!(log.contains("no_such_key"), "{log}");
        }
        other => panic!("a refusal expected, not {other:?}"),
    }
    Ok(())
}

#[test]
fn a_dropped_gateway_is_gone() -> TestResult {
    let upstream = Upstream::start()?;
    let gateway = start(&upstream)?;
    let process = format!("/proc/{}", gateway.pid());
    assert!(std::fs::exists(&process)?);
    drop(gateway);
    assert!(!std::fs::exists(&process)?);
    Ok(())
}

#[test]
fn a_gateway_outlives_the_thread_that_started_it() -> TestResult {
    let upstream = Upstream::start()?;
    let started = std::thread::scope(|scope| {
        scope.spawn(|| start(&upstream).map_err(|error| error.to_string())).join()
    });
    let gateway = started.map_err(|_| "the starting thread panicked")??;
    assert_eq!(http1::send(gateway.only_listener()?, &Request::new("GET", "/"))?.status, 200);
    Ok(())
}
