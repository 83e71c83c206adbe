//! Thousands of generated streams over several workers in the simulator, their events mixed: what must hold for each of them,
//! whatever it is. `SEED` and `STREAMS` choose others than the usual ones; a failure says the seed of its round.

use anyhow::{Context, Result, bail, ensure};
use envoy_sim::{
    Answerer, CalloutAnswer, Cluster, Outcome, Protocol, Request, Response, Seen, Setup, Simulator, StreamId,
    Upstream, WaitingFor,
};
use event_core::Edge;
use host_tests::generate::{self, Generator, Stream};
use host_tests::on_core::Core;
use host_tests::{Ending, Exchange, Step, events, filters, on_core, on_simulator};
use serde_json::{Value, json};

/// How long the directory may take, in milliseconds.
const TIMEOUT_MS: usize = 100;
const N_WORKERS: usize = 3;
const STREAMS_PER_ROUND: usize = 50;
const N_STREAMS: usize = 4_000;
const SEED: u64 = 0x5eed_0001;

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("a decimal number"))
}

#[test]
fn every_stream_is_judged_as_the_core_judges_it_and_answered_once() {
    let (configuration, cases) = events::load().unwrap();
    let plain = World::new(configuration.clone(), false);
    let asking = World::new(with_directory(&configuration), true);
    let mut bodies = Vec::new();
    for case in cases.into_iter().filter(|case| case.body.len() < 20_000) {
        // Good ones are fewer, and chance spoils some of them.
        let n_times = if case.file().starts_with("forward") { 4 } else { 1 };
        bodies.extend(std::iter::repeat_n(case.body, n_times));
    }
    let n_rounds = number("STREAMS", N_STREAMS as u64).div_ceil(STREAMS_PER_ROUND as u64);
    let first = number("SEED", SEED);
    let mut totals = Totals::default();
    for seed in first..first + n_rounds {
        let world = if seed % 2 == 0 { &plain } else { &asking };
        round(seed, world, &bodies, &mut totals)
            .unwrap_or_else(|error| panic!("SEED={seed} STREAMS={STREAMS_PER_ROUND}: {error:?}"));
    }
    println!("{totals:?}");
    // A generator that makes only one kind of stream would prove nothing.
    let Totals { forwarded, refused, failed_upstream, disconnected, asked, followed, unavailable } = totals;
    if n_rounds >= 20 {
        let all = [forwarded, refused, failed_upstream, disconnected, asked, followed, unavailable];
        let least = all.into_iter().min();
        assert!(least >= Some(50), "{totals:?}");
    }
}

/// How many streams ended how.
#[derive(Debug, Default, Clone, Copy)]
struct Totals {
    forwarded: usize,
    refused: usize,
    failed_upstream: usize,
    disconnected: usize,
    /// Of those that are not embedded: asked the directory themselves, had an answer that another had asked for, had none.
    asked: usize,
    followed: usize,
    unavailable: usize,
}

/// A configuration, and the core with it.
struct World {
    configuration: String,
    core: Core,
    has_directory: bool,
}

impl World {
    fn new(configuration: String, has_directory: bool) -> Self {
        let core = Core::new(Edge::from_json(configuration.as_bytes()).unwrap());
        Self { configuration, core, has_directory }
    }
}

/// The same without embedded accounts, so that a directory is asked.
fn with_directory(configuration: &str) -> String {
    let mut configuration: Value = serde_json::from_str(configuration).unwrap();
    configuration["accounts"] = json!([]);
    configuration["directory"] = json!({ "cluster": "directory", "timeout_ms": TIMEOUT_MS, "pause_ms": 40 });
    configuration.to_string()
}

/// What the directory says of these ids, whoever asks: an account, nobody, a conflict, or nothing that can be used.
fn answer(path: &str) -> Step {
    let sum = path.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let body = match sum % 8 {
        0 => return Step::status(409),
        1 => return Step::status(400),
        2 => json!({"accounts": []}),
        _ => {
            let account = json!({"connected_account_id": format!("ca_{}", sum % 100), "customer_key": null});
            json!({"accounts": [account], "assigned_by": "device_id"})
        }
    };
    Step::Answer { status: 200, headers: Vec::new(), body: body.to_string().into_bytes() }
}

/// The directory, which now and then is late, silent or broken.
fn directory(seed: u64) -> Cluster {
    let mut generator = Generator::new(!seed);
    Cluster::answering("directory", move |callout| {
        let path = callout.headers.text(":path").unwrap_or_default();
        let response = match answer(path) {
            Step::Answer { status, body, .. } => Response::new(status).with_body(body),
            Step::Fail(_) => Response::new(500),
        };
        match generator.below(32) {
            0 => CalloutAnswer::Silence,
            1 => CalloutAnswer::Broken,
            2 => CalloutAnswer::Reset,
            3 => CalloutAnswer::Now(Response::new(503)),
            4..=12 => CalloutAnswer::Now(response),
            // Some of these are too late.
            _ => CalloutAnswer::After(generator.below(TIMEOUT_MS + 20) as u64, response),
        }
    })
}

/// One simulator with streams that run at once.
fn round(seed: u64, world: &World, bodies: &[Vec<u8>], totals: &mut Totals) -> Result<()> {
    let mut generator = Generator::new(seed);
    let downstream = if generator.one_in(2) { Protocol::Http1 } else { Protocol::Http2 };
    let profile = on_simulator::profile(downstream, true);
    let setup = Setup {
        profile,
        configuration: world.configuration.as_bytes().to_vec(),
        clusters: vec![directory(seed)],
        workers: N_WORKERS,
        seed,
        ..Setup::default()
    };
    let mut sim = Simulator::new(filters::plugin_module(), setup)?;
    let mut streams: Vec<Stream> =
        (0..STREAMS_PER_ROUND).map(|_| generate::stream(&mut generator, bodies)).collect();
    let mut requests = Vec::new();
    for stream in &streams {
        let worker = generator.below(N_WORKERS);
        requests.push((worker, on_simulator::request(&stream.exchange, downstream, 1)));
    }
    let seen = if generator.one_in(2) {
        // Everything that can happen is mixed, upstream's answers too; clients stay to the end.
        for stream in &mut streams {
            stream.stays();
        }
        sim.run_interleaved(requests)?
    } else {
        step_by_step(&mut sim, &mut generator, &streams, requests)?
    };
    for (stream, seen) in streams.iter().zip(&seen) {
        check(world, stream, seen, totals).with_context(|| format!("{stream:?}\n{seen:?}"))?;
    }
    for worker in 0..N_WORKERS {
        ensure!(!sim.worker(worker).has_failed()?, "the VM of worker {worker} trapped");
    }
    Ok(())
}

/// Frames of streams drawn at random, clients that go in between, and then upstreams that have been silent.
fn step_by_step(
    sim: &mut Simulator,
    generator: &mut Generator,
    streams: &[Stream],
    requests: Vec<(usize, Request)>,
) -> Result<Vec<Seen>> {
    let mut open: Vec<StreamId> = Vec::new();
    for (stream, (worker, mut request)) in streams.iter().zip(requests) {
        if stream.late_upstream {
            request = request.upstream(Upstream::Silent);
        }
        if stream.never_ends {
            request = request.never_ending();
        }
        open.push(sim.worker(worker).open(request)?);
    }
    let mut going: Vec<usize> = (0..streams.len()).collect();
    let mut stepped = vec![0; streams.len()];
    while !going.is_empty() {
        let at = generator.below(going.len());
        let index = going[at];
        let id = open[index];
        if streams[index].leaves_after == Some(stepped[index]) {
            sim.disconnect(id)?;
            going.swap_remove(at);
        } else if sim.step(id).is_err() {
            // The client has nothing left to send, or the stream is over.
            going.swap_remove(at);
        }
        stepped[index] += 1;
    }
    sim.settle()?;
    for (stream, id) in streams.iter().zip(&open) {
        let waits = sim.seen(*id)?.outcome == Outcome::Hung(WaitingFor::Upstream);
        if stream.late_upstream && waits {
            match on_simulator::upstream(&stream.exchange.step(1)) {
                Upstream::Answers(response) => sim.answer_upstream(*id, response)?,
                Upstream::Fails(failure) => sim.fail_upstream(*id, failure)?,
                other @ (Upstream::AnswersEarly(_) | Upstream::Silent) => {
                    bail!("no step of a script is {other:?}")
                }
            }
            sim.settle()?;
        } else if stream.never_ends && sim.seen(*id)?.outcome == Outcome::Hung(WaitingFor::Client) {
            sim.disconnect(*id)?;
        }
    }
    open.into_iter().map(|id| Ok(sim.take(id)?)).collect()
}

fn check(world: &World, stream: &Stream, seen: &Seen, totals: &mut Totals) -> Result<()> {
    let core = &world.core;
    ensure!(seen.violations.is_empty(), "calls outside their phase");
    // What is asked depends on the event alone, what is answered on the question alone.
    let question = on_core::run(core, &stream.exchange, 1)?.ending.asked.into_iter().next();
    ensure!(question.is_none() || world.has_directory, "who should be asked?");
    let directory = question.iter().map(|path| answer(path)).collect();
    let exchange = &Exchange { directory, ..stream.exchange.clone() };
    let judged = on_core::run(core, exchange, 1)?;
    // What upstream would do may not decide whether it is asked.
    let accepting = Exchange { upstream: Vec::new(), ..exchange.clone() };
    let allowed = on_core::run(core, &accepting, 1)?.ending.upstream.is_some();
    if let Some(upstream) = &seen.upstream {
        ensure!(allowed, "an event reached upstream that the core refuses");
        ensure!(upstream.complete, "upstream got half an event");
        ensure!(upstream.body == exchange.body(), "the body was changed");
    }
    // The trace may have lost its beginning, but not gained a second reply.
    let local_replies = seen.trace.host_calls("proxy_send_local_response");
    ensure!(local_replies <= 1, "{local_replies} local replies");
    ensure!(!(stream.never_ends && seen.upstream.is_some()), "upstream got an event without an end");
    if seen.outcome == Outcome::Reset {
        ensure!(stream.may_be_cut_short(), "the stream was reset");
        ensure!(seen.response.is_none(), "half an answer");
        totals.disconnected += 1;
        return Ok(());
    }
    ensure!(seen.outcome == Outcome::Answered, "no answer");
    let filter_answered = seen.answered_by == Answerer::Filter;
    ensure!(filter_answered || seen.answered_by == Answerer::Upstream, "who answered?");
    let simulated = on_simulator::read(exchange, 1, seen.clone())?;
    let mut ending = simulated.ending;
    let asked = std::mem::take(&mut ending.asked);
    ensure!(asked.len() <= 1 && asked.iter().all(|path| question.as_ref() == Some(path)), "asked {asked:?}");
    if question.is_some() && ending.cause.as_deref() == Some("directory_unavailable") {
        // It was away, or would have said nothing of use.
        ensure!(seen.upstream.is_none() && ending.status == Some(503), "{ending:?}");
        totals.unavailable += 1;
        return Ok(());
    }
    let wanted = Ending { asked: Vec::new(), ..judged.ending };
    ensure!(ending == wanted, "the core says {wanted:?}");
    match (question, asked.is_empty()) {
        (None, _) => {}
        (Some(_), false) => totals.asked += 1,
        (Some(_), true) => totals.followed += 1,
    }
    match (allowed, filter_answered) {
        (true, false) => totals.forwarded += 1,
        (true, true) => totals.failed_upstream += 1,
        (false, _) => totals.refused += 1,
    }
    Ok(())
}
