//! Every event case of the manifest, on the core, on the simulator and through Envoy. Further protocols and connections
//! are the scenarios' part.

use anyhow::Result;
use envoy_sim::Protocol;
use host_tests::events::{self, Case};
use host_tests::{Ending, filters, on_core, on_envoy, on_simulator};

fn core(configuration: &str) -> on_core::Core {
    on_core::Core::new(event_core::Edge::from_json(configuration.as_bytes()).unwrap())
}

/// Runs every case and names all that fail.
fn check(mut run: impl FnMut(&Case) -> Result<Ending>, cases: &[Case]) {
    assert!(cases.len() >= 140, "only {} event cases were found", cases.len());
    let failures: Vec<_> = cases
        .iter()
        .filter_map(|case| {
            let checked = run(case).and_then(|ending| case.check(&ending));
            checked.err().map(|error| format!("{}: {error:#}", case.name()))
        })
        .collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), cases.len(), failures.join("\n"));
    println!("{} event cases", cases.len());
}

#[test]
fn every_event_case_holds_on_the_core() {
    let (configuration, cases) = events::load().unwrap();
    let core = core(&configuration);
    check(|case| Ok(on_core::run(&core, &case.exchange(), 1)?.ending), &cases);
}

#[test]
fn every_event_case_holds_on_the_simulator_and_agrees_with_the_core() {
    let (configuration, cases) = events::load().unwrap();
    for downstream in [Protocol::Http1, Protocol::Http2] {
        let core = core(&configuration);
        let profile = on_simulator::profile(downstream, true);
        let module = filters::plugin_module();
        let mut sim = on_simulator::start(module, configuration.as_bytes(), profile).unwrap();
        check(
            |case| {
                let simulated = on_simulator::run(&mut sim, downstream, &case.exchange(), 1)?;
                let judged = on_core::run(&core, &case.exchange(), 1)?;
                anyhow::ensure!(simulated.ending == judged.ending, "the core says {:?}", judged.ending);
                anyhow::ensure!(
                    simulated.for_the_router == judged.for_the_router,
                    "the router is told otherwise"
                );
                Ok(simulated.ending)
            },
            &cases,
        );
    }
}

#[test]
fn every_event_case_holds_on_envoy_and_agrees_with_the_core() {
    let (configuration, cases) = events::load().unwrap();
    let core = core(&configuration);
    let running = on_envoy::Edge::with_configuration(configuration).start().unwrap();
    check(
        |case| {
            let ending = running.run(on_envoy::Protocol::Http1, &case.exchange(), None)?;
            let judged = on_core::run(&core, &case.exchange(), 1)?;
            anyhow::ensure!(ending == judged.ending, "{ending:?}, but the core says {:?}", judged.ending);
            Ok(ending)
        },
        &cases,
    );
}
