//! Exchanges over real connections through real Envoy with the repository's `envoy.yaml`. What it changes in there is
//! listed in [`Edge`]; everything else stands as it is deployed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use event_core::ConfigError;
use testbed::bootstrap::Bootstrap;
use testbed::gateway::{Gateway, Launch};
use testbed::message::{Request, Response};
use testbed::upstream::{Answer, ClosedPort, Received, Upstream};
use testbed::{envoy, http1, http2};

use crate::directory;
use crate::ending::{Ending, Outcome, UpstreamSaw};
use crate::exchange::{Exchange, Failure, Step};
use crate::on_core::Core;
use crate::{filters, headers};

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 with prior knowledge.
    Http2,
}

/// What stands behind the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Behind {
    /// An upstream that follows the script of each exchange.
    Listening,
    /// A host that refuses connections.
    Refusing,
    /// No host at all.
    Nobody,
}

/// How an edge differs from the one of `envoy.yaml`, its ports and the path of the module aside.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// The plugin configuration.
    pub configuration: String,
    /// `allow_on_headers_stop_iteration`, true in `envoy.yaml`.
    pub stop_iteration: bool,
    /// Whether HTTP/1.1 carries trailers on both sides, which it does not in `envoy.yaml`.
    pub http1_trailers: bool,
    /// What stands behind it.
    pub behind: Behind,
    /// What `vm_config.environment_variables` hands to the plugin: nothing in `envoy.yaml`.
    pub environment: Vec<(String, String)>,
}

/// A running edge with its upstream.
#[derive(Debug)]
pub struct Running {
    gateway: Gateway,
    address: SocketAddr,
    upstream: Upstream,
    script: Arc<Script>,
    directory: Upstream,
    of_directory: directory::Script,
    _closed: ClosedPort,
}

#[derive(Debug, Default)]
struct Script(Mutex<(Vec<Step>, usize)>);

impl Script {
    fn lock(&self) -> MutexGuard<'_, (Vec<Step>, usize)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Answer {
        let mut script = self.lock();
        let (steps, n_attempts) = &mut *script;
        *n_attempts += 1;
        let index = n_attempts.saturating_sub(1).min(steps.len().saturating_sub(1));
        match steps.get(index) {
            None => Answer::status(200),
            Some(Step::Answer { status, headers, body }) => {
                let answer = Answer::status(*status).body(body);
                headers.iter().fold(answer, |answer, (name, value)| answer.header(name, value))
            }
            Some(Step::Fail(Failure::Timeout)) => Answer::Hang,
            Some(Step::Fail(Failure::Reset | Failure::Connect | Failure::NoHost)) => Answer::Reset,
        }
    }
}

impl Edge {
    /// The edge of `envoy.yaml` with another plugin configuration.
    pub fn with_configuration(configuration: impl Into<String>) -> Self {
        Self {
            configuration: configuration.into(),
            stop_iteration: true,
            http1_trailers: false,
            behind: Behind::Listening,
            environment: Vec::new(),
        }
    }

    /// The native core with this configuration and environment.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn core(&self) -> Result<Core, ConfigError> {
        let variable =
            |name: &str| self.environment.iter().find(|(it, _)| it == name).map(|(_, value)| value.clone());
        event_core::Edge::with_environment(self.configuration.as_bytes(), &variable).map(Core::new)
    }

    /// Whether it asks a directory.
    fn has_directory(&self) -> bool {
        self.configuration.contains("\"directory\": {")
    }

    /// Whether it remembers anything from one request to the next: answers of a directory, or accepted events.
    pub fn remembers(&self) -> bool {
        let without_order = self.configuration.contains("\"order\": {\n    \"slots\": 0");
        !without_order || self.has_directory() || self.configuration.contains("\"duplicates\": {")
    }

    /// Starts it, with one worker.
    ///
    /// # Errors
    /// When `envoy.yaml` does not hold what is to be changed in it, or Envoy does not start.
    pub fn start(&self) -> Result<Running> {
        filters::plugin();
        let script = Arc::new(Script::default());
        let of_upstream = Arc::clone(&script);
        let upstream = Upstream::start_with(0, move |_| of_upstream.next())?;
        let closed = ClosedPort::hold()?;
        let port = if self.behind == Behind::Refusing { closed.port()? } else { upstream.port() };
        let of_directory = directory::Script::default();
        let directory = of_directory.serve()?;
        let bootstrap = self.bootstrap(port, directory.port())?;
        let gateway = Launch::new(envoy::shared()?, bootstrap).start().context("the edge does not start")?;
        let address = gateway.listener("edge")?;
        Ok(Running { gateway, address, upstream, script, directory, of_directory, _closed: closed })
    }

    fn bootstrap(&self, port: u16, directory_port: u16) -> Result<String> {
        let mut bootstrap =
            Bootstrap::of_repository()?.plugin_configuration(&self.configuration)?.on_free_ports(port)?;
        // A cluster that nobody uses has no place in the file.
        if self.has_directory() {
            bootstrap = bootstrap.with_directory(directory_port)?;
        }
        if self.configuration.contains("\"quarantine\"") {
            // The one upstream is the sink, too. Its token is the route's business, not the filter's.
            bootstrap = bootstrap
                .with_quarantine()?
                .replace_once("cluster: directory\n", "cluster: upstream\n")?
                .replace_once("Bearer %ENVIRONMENT(DIRECTORY_TOKEN)%", TOKEN)?;
        }
        if !self.stop_iteration {
            let setting = "allow_on_headers_stop_iteration: ";
            bootstrap = bootstrap.replace_once(&format!("{setting}true"), &format!("{setting}false"))?;
        }
        if self.http1_trailers {
            let options = "http_protocol_options: ";
            bootstrap = bootstrap
                .replace_once(&format!("{{ {options}{{}} }}"), &format!("{{ {options}{{ enable_trailers: true }} }}"))?
                .replace_once(
                    "                http2_protocol_options:\n",
                    "                http_protocol_options: { enable_trailers: true }\n                http2_protocol_options:\n",
                )?;
        }
        if self.behind == Behind::Nobody {
            let host = format!(
                "lb_endpoints:\n              - endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}"
            );
            bootstrap = bootstrap.replace_once(&host, "lb_endpoints: []")?;
        }
        if !self.environment.is_empty() {
            let variables: Vec<_> =
                self.environment.iter().map(|(name, value)| format!("{name}: {value:?}")).collect();
            let vm = "vm_id: bellhop\n";
            let variables = format!(
                "{vm}                          environment_variables: {{ key_values: {{ {} }} }}\n",
                variables.join(", ")
            );
            bootstrap = bootstrap.replace_once(vm, &variables)?;
        }
        Ok(bootstrap.into_text())
    }
}

impl Running {
    /// Runs an exchange. If it is known how often upstream is to be asked, that many are waited for.
    ///
    /// # Errors
    /// When what happened breaks a rule that holds for every exchange: path, method and body untouched at every attempt,
    /// attempts counted, no trailers where HTTP/1.1 has none.
    pub fn run(&self, protocol: Protocol, exchange: &Exchange, attempts: Option<usize>) -> Result<Ending> {
        let sent = exchange.at(now_s());
        let ending = self.send_and_read(protocol, &sent, attempts)?;
        Ok(ending.as_written(exchange, &sent))
    }

    fn send_and_read(
        &self,
        protocol: Protocol,
        exchange: &Exchange,
        attempts: Option<usize>,
    ) -> Result<Ending> {
        self.prepare(exchange);
        let answer = self.send(protocol, exchange);
        if let Some(attempts) = attempts {
            self.upstream.wait_for(attempts)?;
        }
        let upstream = self.take(exchange)?;
        let asked = directory::questions(&self.directory.take())?;
        let ending = match answer {
            Ok(answer) => Ending::answered(answer.status, answer.headers.iter(), &answer.body, upstream)
                .with_context(|| self.gateway.log_tail()),
            Err(error) if is_reset(&error) => {
                Ok(Ending { upstream, ..Ending::without_answer(Outcome::Reset) })
            }
            Err(error) => Err(error).with_context(|| self.gateway.log_tail()),
        };
        Ok(Ending { asked, ..ending? })
    }

    /// Runs an exchange that is not to be answered. The proof needs no waiting: one worker serves all connections in turn,
    /// it answers a later request, and has not answered this one. It ends the edge.
    ///
    /// # Errors
    /// When there is an answer after all, or the later request has none.
    pub fn run_unanswered(self, protocol: Protocol, exchange: &Exchange) -> Result<Ending> {
        self.prepare(exchange);
        let (address, request) = (self.address, request(exchange, protocol));
        let waiting = std::thread::spawn(move || match protocol {
            Protocol::Http1 => http1::send(address, &request),
            Protocol::Http2 => http2::send(address, &request),
        });
        let deadline = std::time::Instant::now() + testbed::PATIENCE;
        while self.gateway.stat("http.edge.downstream_rq_active")? != Some(1) {
            ensure!(std::time::Instant::now() < deadline, "the request did not come");
            std::thread::yield_now();
        }
        // Each takes the worker at least once through all that has come in.
        for _ in 0..3 {
            let later = Exchange { method: "GET".to_owned(), ..Exchange::post("/", "") };
            let answer = self.send(Protocol::Http1, &later)?;
            ensure!(answer.status == 404, "the later request got {answer:?}");
        }
        let active = self.gateway.stat("http.edge.downstream_rq_active")?;
        ensure!(
            active == Some(1) && !waiting.is_finished(),
            "the request was answered: {:?}",
            waiting.join()
        );
        let upstream = self.take(exchange)?;
        drop(self.gateway);
        let answer = waiting.join().expect("the client does not panic");
        ensure!(answer.is_err(), "the request was answered in the end: {answer:?}");
        Ok(Ending { upstream, ..Ending::without_answer(Outcome::Hung) })
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    fn prepare(&self, exchange: &Exchange) {
        *self.script.lock() = (exchange.upstream.clone(), 0);
        self.upstream.take();
        self.of_directory.begin(&exchange.directory);
        self.directory.take();
    }

    fn send(&self, protocol: Protocol, exchange: &Exchange) -> io::Result<Response> {
        let request = request(exchange, protocol);
        match protocol {
            Protocol::Http1 => http1::send(self.address, &request),
            Protocol::Http2 => http2::send(self.address, &request),
        }
    }

    fn take(&self, exchange: &Exchange) -> Result<Option<UpstreamSaw>> {
        let received = self.upstream.take();
        for (index, attempt) in received.iter().enumerate() {
            let counted = attempt.headers.all("x-envoy-attempt-count").collect::<Vec<_>>();
            let number = (index + 1).to_string();
            ensure!(counted == [number.as_bytes()], "attempt {number} is counted otherwise: {attempt:?}");
            ensure!(attempt.method == exchange.method, "the method was changed: {attempt:?}");
            match attempt.headers.all("x-envoy-original-path").next() {
                None => ensure!(attempt.path == exchange.path, "the path was changed: {attempt:?}"),
                Some(path) => {
                    let sink = match exchange.path.split_once('?') {
                        Some((_, query)) => format!("/v1/quarantine?{query}"),
                        None => "/v1/quarantine".to_owned(),
                    };
                    ensure!(attempt.path == sink, "this is not the sink: {attempt:?}");
                    ensure!(path == exchange.path.as_bytes(), "the path is lost: {attempt:?}");
                    let token: Vec<_> = attempt.headers.all("authorization").collect();
                    ensure!(token == [TOKEN.as_bytes()], "the sink would refuse it: {attempt:?}");
                }
            }
            ensure!(attempt.body == exchange.body(), "the body was changed on the way: {attempt:?}");
        }
        let Some(first) = received.first() else { return Ok(None) };
        let saw = |attempt: &Received| UpstreamSaw {
            attempts: received.len(),
            headers: headers::of_request(
                attempt
                    .headers
                    .iter()
                    .filter(|(name, value)| *name != b"authorization" || *value != TOKEN.as_bytes()),
            ),
            trailers: headers::of_trailers(attempt.trailers.iter()),
        };
        let saw_first = saw(first);
        for attempt in &received {
            ensure!(saw(attempt) == saw_first, "an attempt differs from the first: {received:?}");
        }
        Ok(Some(saw_first))
    }
}

/// What `envoy.yaml` shows the sink.
const TOKEN: &str = "Bearer of-the-sink";

/// Seconds since 1970: on Envoy the time is real.
fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map(|since| since.as_secs()).unwrap_or_default()
}

/// The request of an exchange for the clients of the testbed.
fn request(exchange: &Exchange, protocol: Protocol) -> Request {
    let spell = |name: &[u8]| match protocol {
        Protocol::Http1 => name.to_vec(),
        Protocol::Http2 => name.to_ascii_lowercase(),
    };
    let list = |headers: &headers::Raw| headers.iter().map(|(name, value)| (spell(name), value)).collect();
    let mut request = Request::new(&exchange.method, &exchange.path);
    request.headers = list(&exchange.headers);
    request.pieces = exchange.pieces.clone();
    request.trailers = list(&exchange.trailers);
    request.chunked = exchange.chunked;
    request
}

/// Whether the peer ended the connection or stream. A patience that ran out is something else.
fn is_reset(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::Other
    )
}
