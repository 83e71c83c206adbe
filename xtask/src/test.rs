//! `cargo xtask test`: every check, in order, each with its time. It knows no check by heart that a test could be.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::arguments::TestOptions;
use crate::{optional, run, setup};

/// Every filter, each a package for wasm32-wasip1.
const FILTERS: [&str; 3] = ["plugin", "minimal-filter", "probe-filter"];

/// The features with tests that need rustup and Python only. The others have parts of their own in [`optional`].
const FEATURES: &str = "testbed/http2";

/// One check: what it is called, and how it is run. It says whether it succeeded.
struct Check {
    name: &'static str,
    run: fn() -> anyhow::Result<bool>,
}

/// All that needs rustup and Python only.
const CHECKS: [Check; 7] = [
    Check { name: "formatting", run: || run::succeeds(&mut run::cargo(&["fmt", "--all", "--check"])) },
    // `--all-targets` passes over tests with `test = false`: those of the parts in [`optional`].
    Check { name: "clippy", run: || for_each(&["--all-targets", "--test=*"], clippy) },
    Check { name: "clippy of the filters", run: || for_each(&FILTERS, clippy_of_filter) },
    Check {
        name: "event-core for every wasm target",
        run: || for_each(&["wasm32-unknown-unknown", "wasm32-wasip1"], core_for),
    },
    Check { name: "tests, with real Envoy", run: tests },
    Check { name: "tests in the documentation", run: || run::succeeds(&mut native("test", &["--doc"])) },
    Check { name: "documentation", run: documentation },
];

/// Runs everything, also after a failure. Whether all succeeded.
pub(crate) fn run(options: TestOptions) -> anyhow::Result<bool> {
    let started = Instant::now();
    let mut report = Report::default();
    report.step("set-up", set_up);
    // Without the parts nothing else can succeed.
    if report.failed.is_empty() {
        for check in &CHECKS {
            report.step(check.name, check.run);
        }
        if options.all {
            for part in optional::PARTS {
                report.step(part.name, || part.run(options.install));
            }
        }
    }
    eprintln!();
    for (name, time) in &report.times {
        let verdict = if report.failed.contains(name) { "FAILED" } else { "passed" };
        eprintln!("{verdict}  {:>7.1} s  {name}", time.as_secs_f64());
    }
    let n_failed = report.failed.len();
    eprintln!(
        "\nchecks: {} passed, {n_failed} failed ({:.0} s)",
        report.times.len() - n_failed,
        started.elapsed().as_secs_f64()
    );
    Ok(n_failed == 0)
}

#[derive(Default)]
struct Report {
    times: Vec<(&'static str, Duration)>,
    failed: Vec<&'static str>,
}

impl Report {
    fn step(&mut self, name: &'static str, check: impl FnOnce() -> anyhow::Result<bool>) {
        eprintln!("\n### {name}");
        let started = Instant::now();
        let passed = check().unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            false
        });
        let time = started.elapsed();
        eprintln!("### {name}: {} ({:.1} s)", if passed { "passed" } else { "FAILED" }, time.as_secs_f64());
        self.times.push((name, time));
        if !passed {
            self.failed.push(name);
        }
    }
}

fn set_up() -> anyhow::Result<bool> {
    setup::components()?;
    setup::gateway(&FILTERS)?;
    // With every feature, `bellhop` has its page.
    setup::inspector()?;
    Ok(true)
}

/// A cargo command over what builds on this machine: the default members with every feature.
fn native(subcommand: &str, rest: &[&str]) -> Command {
    let mut cargo = run::cargo(&[subcommand, "--all-features"]);
    cargo.args(rest);
    cargo
}

fn clippy(targets: &str) -> Command {
    native("clippy", &[targets, "--", "-Dwarnings"])
}

fn clippy_of_filter(filter: &str) -> Command {
    run::cargo(&["clippy", "--target", "wasm32-wasip1", "--package", filter, "--", "-Dwarnings"])
}

fn core_for(target: &str) -> Command {
    run::cargo(&["build", "--package", "event-core", "--target", target])
}

/// With nextest where it is installed: it runs the tests of all crates at once. It needs no installing.
fn tests() -> anyhow::Result<bool> {
    if run::probe(&mut run::cargo(&["nextest", "--version"])) {
        return run::succeeds(&mut run::cargo(&["nextest", "run", "--features", FEATURES, "--no-fail-fast"]));
    }
    let tests = ["test", "--features", FEATURES, "--lib", "--bins", "--tests", "--no-fail-fast"];
    run::succeeds(&mut run::cargo(&tests))
}

fn documentation() -> anyhow::Result<bool> {
    let mut cargo = native("doc", &["--no-deps", "--document-private-items"]);
    run::succeeds(cargo.env("RUSTDOCFLAGS", "-Dwarnings"))
}

/// Runs a command for each of these, all of them even after a failure.
fn for_each(names: &[&str], command: fn(&str) -> Command) -> anyhow::Result<bool> {
    let mut all_succeed = true;
    for name in names {
        eprintln!("==> {name}");
        all_succeed &= run::succeeds(&mut command(name))?;
    }
    Ok(all_succeed)
}
