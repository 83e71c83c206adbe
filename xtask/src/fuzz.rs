//! `cargo xtask fuzz`: long runs of the fuzz targets with libFuzzer. What must hold stands in `fuzz/`; a bounded run is a part
//! of its tests.
//!
//! What is found goes into the build folder. `--keep` adds to `fuzz/corpus/` what reaches code that nothing in it reaches.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use testbed::paths;

use crate::arguments::FuzzOptions;
use crate::run;
use crate::setup::{self, announce};

/// What is installed if there is no cargo-fuzz.
const CARGO_FUZZ: &str = "0.13.2";

/// Coverage needs no sanitizer, and without one a stable compiler will do. Whole-program optimisation would take its counters
/// apart, and the release profile is made for the filter's size.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2"),
    ("CARGO_PROFILE_RELEASE_STRIP", "false"),
];

/// The longest input in bytes: of scripts, events and configurations alike.
const LONGEST: u32 = 8192;

/// One input may take this long: the machine may be busy.
const TIMEOUT_S: u32 = 60;

/// Runs the targets one after the other, each for as long. Whether nothing was found.
pub(crate) fn run(options: &FuzzOptions) -> anyhow::Result<bool> {
    let all = targets()?;
    let chosen: Vec<String> = match &options.target {
        None => all,
        Some(name) if all.contains(name) => vec![name.clone()],
        Some(name) => bail!("no target `{name}`: there are {}", all.join(", ")),
    };
    let module = setup::bellhop_module()?;
    let programs = build(&chosen)?;
    let mut clean = true;
    for (target, program) in chosen.iter().zip(&programs) {
        clean &= fuzz(target, program, &module, options)?;
    }
    Ok(clean)
}

/// The names of the targets, which are those of their files.
fn targets() -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(paths::repository().join("fuzz/targets"))? {
        let path = entry?.path();
        names.extend(path.file_stem().map(|name| name.to_string_lossy().into_owned()));
    }
    names.sort();
    Ok(names)
}

/// Builds the targets with libFuzzer's counters. Gives their programs.
fn build(targets: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let cargo_fuzz = cargo_fuzz()?;
    for target in targets {
        announce(&format!("building the fuzz target {target}"));
        let mut build = run::program(&cargo_fuzz);
        build.args(["fuzz", "build", "--sanitizer", "none", "--fuzz-dir", "fuzz"]).arg(target);
        run::checked(build.envs(PROFILE))?;
    }
    let folder = paths::target().join(host()?).join("release");
    Ok(targets.iter().map(|target| folder.join(target)).collect())
}

/// Finds cargo-fuzz or installs it into the build folder.
fn cargo_fuzz() -> anyhow::Result<PathBuf> {
    if run::probe(&mut run::cargo(&["fuzz", "--version"])) {
        return Ok("cargo-fuzz".into());
    }
    let home = paths::target().join("tools/cargo-fuzz");
    let program = home.join("bin/cargo-fuzz");
    if !program.is_file() {
        announce(&format!("installing cargo-fuzz {CARGO_FUZZ} into the build folder"));
        let mut install =
            run::cargo(&["install", "--locked", "--version", CARGO_FUZZ, "cargo-fuzz", "--root"]);
        run::checked(install.arg(&home))?;
    }
    Ok(program)
}

/// The triple of this machine, as the compiler calls it.
fn host() -> anyhow::Result<String> {
    let output = run::output(run::program("rustc").arg("-vV"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say what it runs on")?.to_owned())
}

/// Runs one target. Whether nothing was found.
fn fuzz(target: &str, program: &Path, module: &Path, options: &FuzzOptions) -> anyhow::Result<bool> {
    let work = paths::target().join("fuzz").join(target);
    let found = work.join("corpus");
    std::fs::create_dir_all(&found)?;
    let kept = paths::repository().join("fuzz/corpus").join(target);
    let log = work.join("log");
    announce(&format!(
        "fuzzing {target} for {} minutes; log: {}",
        options.minutes,
        setup::from_repository(&log).display()
    ));
    let mut fuzzing = libfuzzer(program, module, &log)?;
    fuzzing.arg(format!("-max_total_time={}", options.minutes * 60));
    fuzzing.arg(format!("-max_len={LONGEST}")).arg(format!("-timeout={TIMEOUT_S}"));
    fuzzing.args(["-print_final_stats=1", "-dict=fuzz/events.dict"]);
    fuzzing.arg(format!("-artifact_prefix={}/", work.display()));
    let clean = run::succeeds(fuzzing.arg(&found).arg(&kept))?;
    print_end(&log)?;
    if !clean {
        eprintln!("{target} breaks a promise: see the log; the input lies beside it");
    } else if options.keep {
        let mut merge = libfuzzer(program, module, &work.join("log-of-merge"))?;
        run::checked(merge.arg("-merge=1").arg(&kept).arg(&found))?;
    }
    Ok(clean)
}

/// A run of the program that writes into a file what it says.
fn libfuzzer(program: &Path, module: &Path, log: &Path) -> anyhow::Result<Command> {
    let mut command = run::program(program);
    let log = File::create(log)?;
    command.stdout(log.try_clone()?).stderr(log);
    command.env("BELLHOP_MODULE", module).env("CARGO_TARGET_DIR", paths::target());
    Ok(command)
}

/// What libFuzzer says last: how much it ran and reached.
fn print_end(log: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(log)?;
    let text = String::from_utf8_lossy(&bytes);
    for line in
        text.lines().filter(|line| line.contains("DONE") || line.starts_with("stat::number_of_executed"))
    {
        eprintln!("    {line}");
    }
    Ok(())
}
