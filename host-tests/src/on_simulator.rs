//! Exchanges on the compiled plugin in the simulator. Retries are the router's: the simulator sees the last attempt only.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use envoy_sim::{
    EnvoyProfile, Module, Outcome as SimOutcome, Protocol, Request, Response, Seen, Setup, Simulator,
    Upstream, UpstreamFailure,
};

use crate::counted::{self, Counters};
use crate::directory::{self, Script};
use crate::ending::{Ending, Outcome, UpstreamSaw};
use crate::exchange::{Exchange, Failure, Step};
use crate::headers::{self, Shown};
use crate::on_envoy::Edge;
use crate::{filters, on_core};

/// `request_body_buffer_limit` of `envoy.yaml`.
pub const BUFFER_LIMIT_BYTES: usize = 524_288;

/// The name of the filter state that the access log shows.
const OUTCOME: &[u8] = b"bellhop.outcome";

/// What the simulator made of an exchange.
#[derive(Debug)]
pub struct Simulated {
    /// What came of it.
    pub ending: Ending,
    /// What the router is told, if the event goes upstream.
    pub for_the_router: Shown,
    /// All that the simulator has to say.
    pub seen: Seen,
}

/// The settings of `envoy.yaml` that the simulator knows.
pub fn profile(downstream: Protocol, stop_iteration: bool) -> EnvoyProfile {
    EnvoyProfile {
        allow_on_headers_stop_iteration: stop_iteration,
        buffer_limit_bytes: BUFFER_LIMIT_BYTES,
        downstream,
        ..EnvoyProfile::default()
    }
}

/// A simulator of one worker with this plugin configuration.
///
/// # Errors
/// When the plugin refuses the configuration.
pub fn start(module: &Module, configuration: &[u8], profile: EnvoyProfile) -> Result<Simulator> {
    let setup = Setup { profile, configuration: configuration.to_vec(), ..Setup::default() };
    Ok(Simulator::new(module, setup)?)
}

/// A simulator of one worker with the plugin as this edge has it, and a directory.
///
/// # Errors
/// When the plugin refuses the configuration.
pub fn start_edge(edge: &Edge, profile: EnvoyProfile, script: &Script) -> Result<Simulator> {
    let setup = Setup {
        profile,
        configuration: edge.configuration.clone().into_bytes(),
        environment: edge.environment.clone(),
        clusters: vec![script.cluster()],
        ..Setup::default()
    };
    Ok(Simulator::new(filters::plugin_module(), setup)?)
}

/// Runs an exchange. `attempts` is how often the router would try.
///
/// # Errors
/// When the simulator cannot go on, or what it saw breaks a rule that holds for every exchange.
pub fn run(
    sim: &mut Simulator,
    downstream: Protocol,
    exchange: &Exchange,
    attempts: usize,
) -> Result<Simulated> {
    sim.advance(Duration::from_millis(exchange.wait_ms))?;
    let sent = exchange.at(sim.now_ns() / 1_000_000_000);
    let before = Counters::of(sim);
    let seen = sim.run(request(&sent, downstream, attempts))?;
    let logged = seen.filter_state.get(OUTCOME).map(|outcome| headers::shown(outcome));
    counted::check(&before, sim, &seen, logged.as_deref())?;
    let simulated = read(&sent, attempts, seen)?;
    Ok(Simulated { ending: simulated.ending.as_written(exchange, &sent), ..simulated })
}

/// The request as the filter gets it from this kind of connection.
pub fn request(exchange: &Exchange, downstream: Protocol, attempts: usize) -> Request {
    let mut request = Request::new(&exchange.method, &exchange.path);
    let over_http1 = downstream == Protocol::Http1;
    for (name, value) in on_core::head(exchange, over_http1) {
        if !name.starts_with(b":") {
            request = request.header(&String::from_utf8_lossy(&name), value);
        }
    }
    // An empty HTTP/1.1 body is none at all, unless it goes in chunks.
    let pieces: Vec<_> = match (over_http1, exchange.is_chunked()) {
        (true, false) => exchange.pieces.iter().filter(|piece| !piece.is_empty()).collect(),
        (true, true) | (false, _) => exchange.pieces.iter().collect(),
    };
    let ends_apart = over_http1 && exchange.is_chunked() && exchange.trailers.is_empty();
    request = request.body_pieces(pieces);
    if ends_apart {
        request = request.end_with_empty_piece();
    }
    for (name, value) in &exchange.trailers {
        request = request.trailer(&String::from_utf8_lossy(&name.to_ascii_lowercase()), value);
    }
    request.upstream(upstream(&exchange.step(attempts)))
}

/// What upstream does in the simulator.
pub fn upstream(step: &Step) -> Upstream {
    match step {
        Step::Answer { status, headers, body } => {
            let mut response = Response::new(*status);
            for (name, value) in headers {
                response = response.header(&String::from_utf8_lossy(&name.to_ascii_lowercase()), value);
            }
            Upstream::Answers(response.with_body(body))
        }
        Step::Fail(Failure::Reset) => Upstream::Fails(UpstreamFailure::Reset),
        Step::Fail(Failure::Timeout) => Upstream::Fails(UpstreamFailure::Timeout),
        Step::Fail(Failure::Connect) => Upstream::Fails(UpstreamFailure::ConnectFailure),
        Step::Fail(Failure::NoHost) => Upstream::Fails(UpstreamFailure::NoHealthyHost),
    }
}

/// What the simulator saw, in the common form.
///
/// # Errors
/// When it breaks a rule that holds for every exchange: no call outside its phase, no unfinished request upstream, path
/// and body untouched, an outcome for the log with every answer.
pub fn read(exchange: &Exchange, attempts: usize, seen: Seen) -> Result<Simulated> {
    ensure!(seen.violations.is_empty(), "calls outside their phase: {seen:?}");
    let mut for_the_router = Shown::new();
    let mut upstream = None;
    if let Some(saw) = &seen.upstream {
        ensure!(saw.complete, "upstream got half a request: {seen:?}");
        ensure!(saw.body == exchange.body(), "the body was changed on the way: {seen:?}");
        ensure!(saw.headers.text(":path") == Some(&exchange.path), "the path was changed: {seen:?}");
        let all = headers::of_request(saw.headers.iter());
        for_the_router = headers::for_the_router(&all);
        upstream = Some(UpstreamSaw {
            attempts,
            headers: headers::without_those_for_the_router(all),
            trailers: headers::of_trailers(saw.trailers.iter().flat_map(|trailers| trailers.iter())),
        });
    }
    let mut asked = Vec::new();
    for callout in seen.callouts.iter().filter(|callout| callout.headers.text(":method") == Some("GET")) {
        let path = callout.headers.text(":path").context("a question without a path")?;
        directory::check(path, callout.headers.get("accept"))?;
        asked.push(path.to_owned());
    }
    let ending = match seen.outcome {
        SimOutcome::Hung(_) => Ending { upstream, ..Ending::without_answer(Outcome::Hung) },
        SimOutcome::Reset => Ending { upstream, ..Ending::without_answer(Outcome::Reset) },
        SimOutcome::Answered => {
            let response = seen.response.as_ref().context("an answer without an answer")?;
            let ending = Ending::answered(response.status(), response.headers.iter(), &seen.body(), upstream)
                .with_context(|| format!("{seen:?}"))?;
            let logged = seen.filter_state.get(OUTCOME).map(|outcome| headers::shown(outcome));
            let wanted = ending.cause.clone().or_else(|| seen.forwarded().then(|| "forwarded".to_owned()));
            ensure!(
                logged == wanted || wanted.is_none(),
                "the log says {logged:?} and not {wanted:?}: {seen:?}"
            );
            ending
        }
    };
    Ok(Simulated { ending: Ending { asked, ..ending }, for_the_router, seen })
}
