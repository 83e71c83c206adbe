//! Thousands of generated streams over several workers in the simulator, their events mixed: what must hold for each of them,
//! whatever it is. `SEED` and `STREAMS` choose others than the usual ones; a failure says the seed of its round.

use anyhow::{Context, Result, bail, ensure};
use envoy_sim::{
    Answerer, Outcome, Protocol, Request, Seen, Setup, Simulator, StreamId, Upstream, WaitingFor,
};
use event_core::Edge;
use host_tests::generate::{self, Generator, Stream};
use host_tests::{Exchange, events, filters, on_core, on_simulator};

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
    let edge = Edge::from_json(configuration.as_bytes()).unwrap();
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
        round(seed, &configuration, &edge, &bodies, &mut totals)
            .unwrap_or_else(|error| panic!("SEED={seed} STREAMS={STREAMS_PER_ROUND}: {error:?}"));
    }
    println!("{totals:?}");
    // A generator that makes only one kind of stream would prove nothing.
    let Totals { forwarded, refused, failed_upstream, disconnected } = totals;
    if n_rounds >= 20 {
        let least = [forwarded, refused, failed_upstream, disconnected].into_iter().min();
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
}

/// One simulator with streams that run at once.
fn round(seed: u64, configuration: &str, edge: &Edge, bodies: &[Vec<u8>], totals: &mut Totals) -> Result<()> {
    let mut generator = Generator::new(seed);
    let downstream = if generator.one_in(2) { Protocol::Http1 } else { Protocol::Http2 };
    let profile = on_simulator::profile(downstream, true);
    let setup = Setup {
        profile,
        configuration: configuration.as_bytes().to_vec(),
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
        check(edge, stream, seen, totals).with_context(|| format!("{stream:?}\n{seen:?}"))?;
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

fn check(edge: &Edge, stream: &Stream, seen: &Seen, totals: &mut Totals) -> Result<()> {
    let Stream { exchange, .. } = stream;
    ensure!(seen.violations.is_empty(), "calls outside their phase");
    let judged = on_core::run(edge, exchange, 1)?;
    // What upstream would do may not decide whether it is asked.
    let accepting = Exchange { upstream: Vec::new(), ..exchange.clone() };
    let allowed = on_core::run(edge, &accepting, 1)?.ending.upstream.is_some();
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
    ensure!(simulated.ending == judged.ending, "the core says {:?}", judged.ending);
    match (allowed, filter_answered) {
        (true, false) => totals.forwarded += 1,
        (true, true) => totals.failed_upstream += 1,
        (false, _) => totals.refused += 1,
    }
    Ok(())
}
