//! `cargo xtask guides`: runs every command of the documentation, page by page, as a reader would. What the notes in the
//! pages mean stands in `notation`.

mod notation;
mod output;
mod places;
mod script;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use testbed::{npm, paths, process};

use crate::run::program;
use crate::setup;
use notation::{Commands, Step, Way};
use places::Places;

/// The pages outside of `docs/` and `deploy/`.
const PAGES: [&str; 4] = ["README.md", "CONTRIBUTING.md", "directory/README.md", "soak/README.md"];

/// Pages that have no command, or none that can be run here.
const WITHOUT_COMMANDS: [&str; 10] = [
    "CONTRIBUTING.md",
    "deploy/README.md",
    "deploy/compose/README.md",
    "deploy/envoy-gateway/README.md",
    "deploy/istio/README.md",
    "deploy/systemd/README.md",
    "docs/live-configuration.md",
    "docs/metrics.md",
    "docs/reference.md",
    "docs/scaling.md",
];

/// A page that takes longer hangs. Generous: machines are busy, and a page may build.
const LIMIT: Duration = Duration::from_secs(1800);

/// How often the end of a page is noticed.
const LOOK: Duration = Duration::from_millis(20);

/// How much of an output is shown of a block that failed.
const N_TAIL_LINES: usize = 40;

/// What a page's commands see of our environment: what builds and downloads need, and nothing that steers Bellhop.
const KEPT: [&str; 15] = [
    "CARGO_HOME",
    "CARGO_NET_OFFLINE",
    "CARGO_TARGET_DIR",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LANG",
    "LC_ALL",
    "NO_PROXY",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSL_CERT_FILE",
    "TERM",
    "TMPDIR",
    "USER",
];

/// The same, by the first letters of the name.
const KEPT_FAMILIES: [&str; 4] = ["CARGO_REGISTR", "CARGO_SOURCE_", "NPM_CONFIG_", "PIP_"];

/// Runs these pages, or all. Whether every command did what its page says.
pub(crate) fn run(named: &[PathBuf]) -> anyhow::Result<bool> {
    let pages = if named.is_empty() { pages()? } else { named.to_vec() };
    let pages = pages.iter().map(|page| Ok((page, read(page)?))).collect::<anyhow::Result<Vec<_>>>()?;
    let envoy = setup::gateway(&["plugin"])?;
    let bellhop = setup::bellhop()?;
    let (mut n_passed, mut n_failed) = (0, 0);
    for (page, (text, steps)) in &pages {
        let n_blocks = steps.iter().filter(|step| matches!(step, Step::Commands(_))).count();
        match (n_blocks, WITHOUT_COMMANDS.iter().any(|it| Path::new(it) == *page)) {
            (0, true) => continue,
            (0, false) => bail!("{} has no command, and is not listed as such", page.display()),
            (_, true) => bail!("{} has commands, and is listed as having none", page.display()),
            (_, false) => {}
        }
        let started = Instant::now();
        let scratch = scratch()?;
        let result = run_page(text, steps, &scratch, &[("bellhop", &bellhop), ("envoy", &envoy)]);
        let took = started.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                n_passed += 1;
                eprintln!("passed  {took:>6.1} s  {n_blocks:>3} blocks  {}", page.display());
                fs::remove_dir_all(&scratch).context("the scratch folder cannot be removed")?;
            }
            Err(error) => {
                n_failed += 1;
                eprintln!("FAILED  {took:>6.1} s  {n_blocks:>3} blocks  {}: {error:#}\n", page.display());
                eprintln!("its files are in {}", setup::from_repository(&scratch).display());
            }
        }
    }
    eprintln!("pages: {n_passed} passed, {n_failed} failed");
    Ok(n_failed == 0)
}

/// Every page, from the root of the repository.
fn pages() -> anyhow::Result<Vec<PathBuf>> {
    let root = paths::repository();
    let mut pages: Vec<PathBuf> = PAGES.iter().map(PathBuf::from).collect();
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("docs")).context("there is no folder docs/")? {
        found.push(entry?.path());
    }
    // It may not be there yet: a page is not required of a deployment.
    for entry in fs::read_dir(root.join("deploy")).into_iter().flatten() {
        let path = entry?.path();
        found.extend([path.join("README.md"), path]);
    }
    found.retain(|path| path.extension().is_some_and(|it| it == "md") && path.is_file());
    found.sort();
    pages.extend(found.iter().map(|path| setup::from_repository(path).to_owned()));
    Ok(pages)
}

fn read(page: &Path) -> anyhow::Result<(String, Vec<Step>)> {
    let text = fs::read_to_string(paths::repository().join(page))
        .with_context(|| format!("{} cannot be read", page.display()))?;
    let steps = notation::read(&text).with_context(|| page.display().to_string())?;
    Ok((text, steps))
}

/// Runs a page in this folder.
fn run_page(text: &str, steps: &[Step], scratch: &Path, programs: &[(&str, &Path)]) -> anyhow::Result<()> {
    let bin = scratch.join("bin");
    fs::create_dir(&bin)?;
    for (name, path) in programs {
        std::os::unix::fs::symlink(path, bin.join(name))?;
    }
    let places = Places::new(scratch, &paths::target(), text)?;
    for step in steps {
        let (Step::Commands(Commands { text, .. }) | Step::File { text, .. }) = step else { continue };
        if let Some(port) = places.unmoved(&places.in_run(text)) {
            bail!(
                "port {port} stands where the runner cannot replace it, for instance in an option: write an address"
            );
        }
    }
    let file = scratch.join("page.sh");
    fs::write(&file, script::script(steps, &places, scratch))?;
    let mut bash = program("bash");
    bash.args(["--noprofile", "--norc"]).arg(&file);
    let status = ended(set_environment(bash, &bin)?)?;
    let printed = |line: usize| {
        let bytes = fs::read(scratch.join(script::output_of(line))).unwrap_or_default();
        places.in_page(&String::from_utf8_lossy(&bytes))
    };
    if !status.success() {
        let at = fs::read_to_string(scratch.join(script::AT)).unwrap_or_default();
        let at: usize = at.trim().parse().unwrap_or_default();
        let waiting = fs::read_to_string(scratch.join(script::output_of(at) + ".wait")).unwrap_or_default();
        let output = printed(at) + &waiting;
        bail!("the commands at line {at} failed ({status}); they printed:\n{}", tail(&output));
    }
    for step in steps {
        let Step::Commands(commands) = step else { continue };
        if commands.way == Way::CheckedElsewhere {
            continue;
        }
        for shown in &commands.prints {
            let output = printed(commands.line);
            if let Some(missing) = output::first_missing(&shown.lines, &output) {
                bail!(
                    "line {} and on is shown, but the commands at line {} did not print, in this order,\n{missing}\nbut:\n{}",
                    shown.line,
                    commands.line,
                    tail(&output)
                );
            }
        }
    }
    Ok(())
}

/// A new folder.
fn scratch() -> anyhow::Result<PathBuf> {
    let above = paths::scratch()?;
    let mut number = 0;
    loop {
        let folder = above.join(format!("guides-{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(error).context("the build folder cannot be written"),
        }
    }
}

fn set_environment(mut command: Command, bin: &Path) -> anyhow::Result<Command> {
    command.env_clear();
    for (name, value) in std::env::vars_os() {
        let text = name.to_string_lossy().to_uppercase();
        if KEPT.contains(&&*text) || KEPT_FAMILIES.iter().any(|family| text.starts_with(family)) {
            command.env(name, value);
        }
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(bin.to_owned()).chain(std::env::split_paths(&path));
    let path: OsString = std::env::join_paths(folders).context("PATH cannot be written")?;
    command.env("PATH", path).env("NODE_PATH", npm::folder().join("node_modules"));
    Ok(command)
}

/// Waits for the end of a page.
fn ended(command: Command) -> anyhow::Result<ExitStatus> {
    let mut child = process::spawn(command).context("bash cannot be started")?;
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            process::stop(&mut child, Duration::from_secs(10));
            bail!("the page did not end within {LIMIT:?}");
        }
        // A child of ours tells nobody that it has ended.
        std::thread::sleep(LOOK);
    }
}

fn tail(output: &str) -> String {
    let lines: Vec<_> = output.lines().collect();
    let skipped = lines.len().saturating_sub(N_TAIL_LINES);
    lines[skipped..].iter().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_can_be_read_and_has_commands_unless_it_is_listed() {
        let pages = pages().unwrap();
        assert!(pages.len() >= PAGES.len() + 4, "{pages:?}");
        for listed in WITHOUT_COMMANDS {
            assert!(pages.iter().any(|page| Path::new(listed) == page), "there is no page {listed}");
        }
        for page in pages {
            let (_, steps) = read(&page).unwrap_or_else(|error| panic!("{error:#}"));
            let has_commands = steps.iter().any(|step| matches!(step, Step::Commands(_)));
            let is_listed = WITHOUT_COMMANDS.iter().any(|it| Path::new(it) == page);
            assert_ne!(has_commands, is_listed, "{}", page.display());
        }
    }

    #[test]
    fn a_page_that_shows_what_is_not_printed_fails() {
        let run = |page: &str| {
            let scratch = scratch().unwrap();
            let result = run_page(page, &notation::read(page).unwrap(), &scratch, &[]);
            fs::remove_dir_all(scratch).unwrap();
            result
        };
        run("```sh\necho one; echo 127.0.0.1:10000\n```\n```text\n127.0.0.1:10000\n```").unwrap();
        let error = run("```sh\necho one\n```\n```text\ntwo\n```").unwrap_err().to_string();
        assert!(error.contains("line 5") && error.contains("two") && error.contains("    one"), "{error}");
        assert!(run("```sh\ncurl --port 10000\n```").unwrap_err().to_string().contains("port 10000"));
        let error = run("```sh\necho why\nfalse\n```").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("    why"), "{error}");
    }
}
