//! A running edge between a client and its upstreams: what is sent, what arrived, what was logged. It decides no outcome.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;
use testbed::gateway::Gateway;
use testbed::http1::Connection;
use testbed::message::{Request, Response};
use testbed::upstream::{ClosedPort, Upstream};
use testbed::{PATIENCE, http1, http2};

use crate::BoxError;

/// What the sender speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// Both of them.
pub const PROTOCOLS: [Protocol; 2] = [Protocol::Http1, Protocol::Http2];

/// Envoy with `envoy.yaml` in front of its upstreams. Everything stops when this is dropped.
#[derive(Debug)]
pub struct Edge {
    gateway: Gateway,
    address: SocketAddr,
    upstreams: Vec<Upstream>,
    _closed: Option<ClosedPort>,
}

impl Edge {
    pub(crate) fn new(
        gateway: Gateway,
        upstreams: Vec<Upstream>,
        closed: Option<ClosedPort>,
    ) -> Result<Self, BoxError> {
        let address = gateway.listener("edge")?;
        Ok(Self { gateway, address, upstreams, _closed: closed })
    }

    /// Where senders post.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Envoy itself.
    pub const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// The first upstream.
    ///
    /// # Panics
    /// When there is none.
    pub fn upstream(&self) -> &Upstream {
        &self.upstreams[0]
    }

    /// Every upstream, in the order of the cluster's hosts.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// How many requests have reached any upstream.
    pub fn n_upstream(&self) -> usize {
        self.upstreams.iter().map(|upstream| upstream.received().len()).sum()
    }

    /// Sends a request on a connection of its own.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self, protocol: Protocol, request: &Request) -> io::Result<Response> {
        let response = match protocol {
            Protocol::Http1 => http1::send(self.address, request),
            Protocol::Http2 => http2::send(self.address, request),
        }?;
        Ok(checked(response))
    }

    /// Sends a request over HTTP/1.1.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn http1(&self, request: &Request) -> io::Result<Response> {
        self.send(Protocol::Http1, request)
    }

    /// Sends a request over HTTP/2.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn http2(&self, request: &Request) -> io::Result<Response> {
        self.send(Protocol::Http2, request)
    }

    /// Writes these bytes as they are and reads one answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<Response> {
        let mut connection = self.connect()?;
        connection.send_raw(bytes)?;
        Ok(checked(connection.read_response("POST")?))
    }

    /// A connection of HTTP/1.1.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn connect(&self) -> io::Result<Connection> {
        Connection::open(self.address)
    }

    /// Waits until this many requests have been logged, and gives the lines of the access log.
    ///
    /// # Errors
    /// When they do not come in time, or one of them is no JSON.
    pub fn access_log(&self, n_lines: usize) -> Result<Vec<Value>, BoxError> {
        let lines = || -> Vec<String> {
            // Envoy's own messages begin with `[`. The last line may not be whole yet.
            let log = self.gateway.log();
            let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
            whole.lines().filter(|line| !line.starts_with('[')).map(str::to_owned).collect()
        };
        let found = until(|| Some(lines()).filter(|lines| lines.len() >= n_lines));
        let lines = found.ok_or_else(|| format!("not {n_lines} lines, only {:#?}", lines()))?;
        Ok(lines.iter().map(|line| serde_json::from_str(line)).collect::<Result<_, _>>()?)
    }

    /// The configuration of the listener's connection manager, as Envoy read it.
    ///
    /// # Errors
    /// When Envoy does not show it.
    pub fn connection_manager(&self) -> Result<Value, BoxError> {
        let dump: Value =
            serde_json::from_str(&self.gateway.admin_get("/config_dump?resource=static_listeners")?)?;
        let found = dump.pointer("/configs/0/listener/filter_chains/0/filters/0/typed_config");
        Ok(found.ok_or_else(|| format!("no connection manager in {dump}"))?.clone())
    }
}

/// What holds for every answer: senders do not follow redirects, and take 410 as "disable the endpoint".
fn checked(response: Response) -> Response {
    let status = response.status;
    assert!(!(300..400).contains(&status) && status != 410, "answered {status}: {}", response.text());
    response
}

/// Asks until there is something, for as long as anything in the testbed is waited for.
pub fn until<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask() {
            return Some(found);
        }
        if Instant::now() > deadline {
            return None;
        }
        // Nobody tells when it is there: it has to be asked for.
        std::thread::sleep(Duration::from_millis(5));
    }
}
