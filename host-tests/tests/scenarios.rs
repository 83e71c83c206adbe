//! Every scenario file on everything it runs on: a test for each on the core and on the simulator, and one for each edge
//! that Envoy is started as. `BLESS=1` first writes what came of each into the files. What a scenario is stands in the crate.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use envoy_sim::Protocol as SimProtocol;
use event_core::Cause;
use event_core::headers::RESERVED;
use host_tests::on_envoy::Protocol;
use host_tests::scenario::{self, Runner, Scenario};
use host_tests::{Ending, Exchange, Outcome, directory, on_core, on_simulator};
use libtest_mimic::{Arguments, Failed, Trial};

/// How many scenarios the proof asks for.
const AT_LEAST: usize = 60;

static RAN: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") && !arguments.list {
        bless().expect("the scenarios can be blessed");
    }
    let scenarios: Vec<_> =
        scenario::load().expect("the scenarios can be read").into_iter().map(Arc::new).collect();
    let conclusion = libtest_mimic::run(&arguments, trials(&scenarios));
    if !arguments.list {
        let ran = Runner::ALL
            .map(|runner| format!("{} on {}", RAN[runner as usize].load(Ordering::Relaxed), runner.name()));
        println!("scenarios run: {}\n", ran.join(", "));
    }
    conclusion.exit_code()
}

fn trials(scenarios: &[Arc<Scenario>]) -> Vec<Trial> {
    let all = scenarios.to_vec();
    let mut trials = vec![Trial::test("every_cause_and_every_reserved_header_has_a_scenario", move || {
        Ok(check_coverage(&all)?)
    })];
    for scenario in scenarios {
        for (runner, label, run) in [
            (Runner::Core, "core", on_the_core as fn(&Scenario) -> Result<()>),
            (Runner::Simulator, "simulator", on_the_simulator),
        ] {
            if scenario.runs_on.contains(&runner) {
                let scenario = Arc::clone(scenario);
                trials.push(Trial::test(format!("{label}::{}", scenario.name), move || {
                    run(&scenario)?;
                    RAN[runner as usize].fetch_add(1, Ordering::Relaxed);
                    Ok(())
                }));
            }
        }
    }
    for (name, group) in by_edge(scenarios) {
        trials.push(Trial::test(format!("envoy::{name}"), move || on_envoy(&group)));
    }
    trials
}

/// Those that want Envoy, by the edge that they want: each edge is started once.
fn by_edge(scenarios: &[Arc<Scenario>]) -> BTreeMap<String, Vec<Arc<Scenario>>> {
    let mut groups: BTreeMap<String, Vec<Arc<Scenario>>> = BTreeMap::new();
    for scenario in scenarios {
        if protocols(scenario).next().is_some() {
            groups.entry(scenario.edge_name.clone()).or_default().push(Arc::clone(scenario));
        }
    }
    groups
}

fn protocols(scenario: &Scenario) -> impl Iterator<Item = (Runner, Protocol)> {
    [(Runner::EnvoyHttp1, Protocol::Http1), (Runner::EnvoyHttp2, Protocol::Http2)]
        .into_iter()
        .filter(|(runner, _)| scenario.runs_on.contains(runner))
}

/// Each request with its expectation.
fn requests(scenario: &Scenario) -> impl Iterator<Item = Result<(&Exchange, &Ending)>> {
    scenario.requests.iter().map(|(exchange, expected)| {
        Ok((exchange, expected.as_ref().context("no expectation yet: run with BLESS=1")?))
    })
}

fn compare(runner: &str, ending: &Ending, expected: &Ending) -> Result<()> {
    ensure!(ending == expected, "{runner} differs\n  expected {expected:?}\n  got      {ending:?}");
    Ok(())
}

fn on_the_core(scenario: &Scenario) -> Result<()> {
    let edge = scenario.edge.core()?;
    for request in requests(scenario) {
        let (exchange, expected) = request?;
        let judged = on_core::run(&edge, exchange, Scenario::attempts(expected))?;
        compare("core", &judged.ending, expected)?;
    }
    Ok(())
}

fn on_the_simulator(scenario: &Scenario) -> Result<()> {
    for downstream in [SimProtocol::Http1, SimProtocol::Http2] {
        let profile = on_simulator::profile(downstream, scenario.edge.stop_iteration);
        let script = directory::Script::default();
        let mut sim = on_simulator::start_edge(&scenario.edge, profile, &script)?;
        let core = scenario.edge.core()?;
        for request in requests(scenario) {
            let (exchange, expected) = request?;
            script.begin(&exchange.directory);
            let attempts = Scenario::attempts(expected);
            let simulated = on_simulator::run(&mut sim, downstream, exchange, attempts)?;
            compare(&format!("simulator, {downstream:?}"), &simulated.ending, expected)
                .with_context(|| format!("{:?}", simulated.seen))?;
            if scenario.runs_on.contains(&Runner::Core) {
                let judged = on_core::run(&core, exchange, attempts)?;
                ensure!(
                    simulated.ending.upstream.is_none() || simulated.for_the_router == judged.for_the_router,
                    "the router: {:?}",
                    simulated.seen
                );
            }
        }
    }
    Ok(())
}

/// Runs every scenario of one edge and names all that fail.
fn on_envoy(group: &[Arc<Scenario>]) -> Result<(), Failed> {
    // What an edge remembers of one run must not meet the next.
    let passes: &[&[Runner]] = if group.iter().any(|scenario| scenario.edge.remembers()) {
        &[&[Runner::EnvoyHttp1], &[Runner::EnvoyHttp2]]
    } else {
        &[&[Runner::EnvoyHttp1, Runner::EnvoyHttp2]]
    };
    let mut failures = Vec::new();
    for pass in passes {
        run_pass(group, pass, &mut failures)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

fn run_pass(group: &[Arc<Scenario>], pass: &[Runner], failures: &mut Vec<String>) -> Result<()> {
    let shared = group.iter().find(|scenario| scenario.edge.stop_iteration);
    let running = shared.map(|scenario| scenario.edge.start()).transpose()?;
    for scenario in group {
        for (runner, protocol) in protocols(scenario).filter(|(runner, _)| pass.contains(runner)) {
            let ran = requests(scenario).try_for_each(|request| {
                let (exchange, expected) = request?;
                let mut expected = expected.clone();
                if let Some(upstream) = expected.upstream.as_mut().filter(|_| !scenario.edge.http1_trailers) {
                    // Towards an HTTP/1.1 upstream `envoy.yaml` has no trailers.
                    upstream.trailers.clear();
                }
                let attempts = expected.upstream.as_ref().map_or(0, |upstream| upstream.attempts);
                let ending = match &running {
                    Some(running) => running.run(protocol, exchange, Some(attempts))?,
                    None if expected.outcome == Outcome::Hung => {
                        scenario.edge.start()?.run_unanswered(protocol, exchange)?
                    }
                    None => scenario.edge.start()?.run(protocol, exchange, Some(attempts))?,
                };
                compare(runner.name(), &ending, &expected)
            });
            match ran {
                Ok(()) => {
                    RAN[runner as usize].fetch_add(1, Ordering::Relaxed);
                }
                Err(error) => failures.push(format!("{} ({}): {error:#}", scenario.name, runner.name())),
            }
        }
    }
    Ok(())
}

fn check_coverage(scenarios: &[Arc<Scenario>]) -> Result<()> {
    let n_scenarios = scenarios.len();
    ensure!(n_scenarios >= AT_LEAST, "{n_scenarios} scenarios, at least {AT_LEAST} are wanted");
    let requests: Vec<_> = scenarios.iter().flat_map(|scenario| &scenario.requests).collect();
    let causes: BTreeSet<_> =
        requests.iter().filter_map(|(_, expected)| expected.as_ref()?.cause.as_deref()).collect();
    for cause in Cause::ALL {
        ensure!(causes.contains(cause.name()), "no scenario ends with {}", cause.name());
    }
    let sent: BTreeSet<_> = requests
        .iter()
        .flat_map(|(exchange, _)| &exchange.headers)
        .map(|(name, _)| name.as_slice())
        .collect();
    for name in RESERVED {
        for spelling in [name.to_owned(), name.to_ascii_uppercase(), name.replace('-', "_")] {
            ensure!(sent.contains(spelling.as_bytes()), "no scenario brings {spelling}");
        }
    }
    Ok(())
}

/// Writes into every file what came of its requests on the most real runner that it has.
fn bless() -> Result<()> {
    let scenarios: Vec<_> = scenario::load()?.into_iter().map(Arc::new).collect();
    for (name, group) in by_edge(&scenarios) {
        if !group.iter().all(|scenario| scenario.edge.stop_iteration) {
            continue;
        }
        let running = group[0].edge.start().with_context(|| name)?;
        for scenario in group {
            let Some((_, protocol)) = protocols(&scenario).next() else { continue };
            let run = |exchange: &Exchange| {
                let mut ending = running.run(protocol, exchange, None)?;
                // What only the simulator and the core can see.
                if let Some(upstream) = ending.upstream.as_mut().filter(|_| !scenario.edge.http1_trailers) {
                    let edge = scenario.edge.core()?;
                    let judged = on_core::run(&edge, exchange, upstream.attempts)?;
                    upstream.trailers =
                        judged.ending.upstream.map(|upstream| upstream.trailers).unwrap_or_default();
                }
                Ok(ending)
            };
            bless_one(&scenario, run)?;
        }
    }
    for scenario in &scenarios {
        let on_envoy = protocols(scenario).next().is_some() && scenario.edge.stop_iteration;
        if on_envoy {
            continue;
        }
        if scenario.runs_on.contains(&Runner::Simulator) {
            let profile = on_simulator::profile(SimProtocol::Http1, scenario.edge.stop_iteration);
            let script = directory::Script::default();
            let mut sim = on_simulator::start_edge(&scenario.edge, profile, &script)?;
            bless_one(scenario, |exchange| {
                script.begin(&exchange.directory);
                Ok(on_simulator::run(&mut sim, SimProtocol::Http1, exchange, 1)?.ending)
            })?;
        } else if scenario.runs_on.contains(&Runner::Core) {
            let edge = scenario.edge.core()?;
            bless_one(scenario, |exchange| Ok(on_core::run(&edge, exchange, 1)?.ending))?;
        } else {
            bail!(
                "{}: a scenario without the stop-iteration setting runs on the simulator, too",
                scenario.name
            );
        }
    }
    Ok(())
}

fn bless_one(scenario: &Scenario, run: impl FnMut(&Exchange) -> Result<Ending>) -> Result<()> {
    let endings: Vec<_> = scenario
        .requests
        .iter()
        .map(|(exchange, _)| exchange)
        .map(run)
        .collect::<Result<_>>()
        .with_context(|| scenario.name.clone())?;
    scenario.bless(&endings)
}
