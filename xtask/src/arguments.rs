//! The command line of `cargo xtask`. It runs nothing.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use lexopt::{Arg, Parser, ValueExt};
use testbed::bootstrap::{ADMIN_PORT, DIRECTORY_PORT, LISTENER_PORT, UPSTREAM_PORT};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
cargo xtask up [--port N] [--admin-port N] [--upstream-port N] [--plugin-config FILE] [--own-upstream] [--without-inspector]
    Sets everything up, starts Envoy with envoy.yaml, an upstream that prints what it receives, and the inspector.
    --plugin-config FILE  the filter's configuration, instead of the one in envoy.yaml
    --own-upstream  starts no upstream: events go to whatever listens on the upstream's port
    --without-inspector  does not build the inspector's page meanwhile
cargo xtask up --with-directory [--directory-port N] [--directory-folder DIR] [the same options]
    Also starts the account directory with an embedded database, and a fake of the Seam API if node and npm are there.
    --directory-folder DIR  where its configuration and database are kept (default target/up)
cargo xtask up --send-examples
    Without a directory, on free ports: posts good and bad events, shows what became of each, and ends.
cargo xtask test [--all] [--install]
    Sets everything up and runs every check that needs rustup and Python only.
    --all      also those that need more, and says what is missing
    --install  installs what is missing
cargo xtask fuzz [--minutes N] [--target T] [--keep]
    Looks for inputs that break what must hold for any, with libFuzzer; installs cargo-fuzz into the build folder if need be.
    --minutes N  for each target (default 10)
    --target T   only this one, by the name of its file in fuzz/targets
    --keep       adds to fuzz/corpus what reaches code that nothing in it reaches
cargo xtask dist [--out DIR] [--module] [--verify]
    Writes what a release holds: module, its OCI image, `bellhop`, schemas, configurations, bills of materials, checksums.
    --out DIR  where to (default target/dist/bellhop-VERSION)
    --module   without `bellhop`: quicker
    --verify   builds all of it once more in another folder, and fails if a byte differs
cargo xtask inspector
    Makes the inspector's page and its npm package in target/inspector, and the program bellhop with the page in it.
cargo xtask deny
    Licences, sources, bans and known vulnerabilities of what is built in, with cargo-deny, which has to be installed.
cargo xtask bench [--memory | --directory] [--check] [--rounds N]
    Measures the filter on real Envoy against no filter and a minimal one.
    --memory   instead: resident memory after 10,000 and 100,000 events
    --directory  instead: the account directory with 1,000,000 devices, on SQLite and PostgreSQL; run it alone
    --check    fails when a measurement is over its bar
    --rounds N how often each Envoy is measured (default 30)
cargo xtask soak [--minutes N] [--seed S] [--report FILE]
    Sends events without end while Envoy, filter, directory and upstream fail in turn, and says what became of each.
    --minutes N how long (default 10); what is left is delivered after that
    --seed S    another schedule than the one of seed 1
    --report FILE  where the figures are written as JSON (default target/soak.json)
cargo xtask guides [PAGE…]
    Runs every command of the documentation, or of these pages, on free ports, and compares what is printed with what is shown.
";

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Up(UpOptions),
    SendExamples,
    Test(TestOptions),
    Bench(BenchOptions),
    Soak(SoakOptions),
    Fuzz(FuzzOptions),
    Deny,
    Inspector,
    /// The pages; none are all.
    Guides(Vec<PathBuf>),
    Dist(DistOptions),
}

/// The options of `up`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UpOptions {
    pub(crate) ports: Ports,
    /// Of the filter. `None`: the configuration in `envoy.yaml`.
    pub(crate) plugin_configuration: Option<PathBuf>,
    /// Whoever listens on the upstream's port is the upstream.
    pub(crate) own_upstream: bool,
    /// The inspector's page is not built.
    pub(crate) without_inspector: bool,
    /// Of the account directory. `None`: in the build folder.
    pub(crate) directory_folder: Option<PathBuf>,
}

/// The options of `dist`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct DistOptions {
    /// `None`: into the build folder.
    pub(crate) out: Option<PathBuf>,
    pub(crate) module_only: bool,
    pub(crate) verify: bool,
}

/// The ports of `up`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ports {
    pub(crate) listener: u16,
    pub(crate) admin: u16,
    pub(crate) upstream: u16,
    /// `None`: there is no directory.
    pub(crate) directory: Option<u16>,
}

/// The options of `test`.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TestOptions {
    pub(crate) all: bool,
    pub(crate) install: bool,
}

/// The options of `bench`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BenchOptions {
    pub(crate) memory: bool,
    pub(crate) directory: bool,
    pub(crate) check: bool,
    pub(crate) n_rounds: usize,
}

/// The options of `soak`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SoakOptions {
    pub(crate) minutes: u64,
    pub(crate) seed: u64,
    /// `None`: into the build folder.
    pub(crate) report: Option<PathBuf>,
}

/// The options of `fuzz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FuzzOptions {
    /// For each target.
    pub(crate) minutes: u64,
    /// `None`: all of them.
    pub(crate) target: Option<String>,
    pub(crate) keep: bool,
}

/// Reads the arguments of this process.
pub(crate) fn parse() -> anyhow::Result<Command> {
    parse_from(Parser::from_env())
}

fn without_options(mut parser: Parser, command: Command) -> anyhow::Result<Command> {
    match parser.next()? {
        None => Ok(command),
        Some(Arg::Short('h') | Arg::Long("help")) => Ok(Command::Help),
        Some(argument) => Err(argument.unexpected().into()),
    }
}

fn parse_from(mut parser: Parser) -> anyhow::Result<Command> {
    let command = match parser.next()? {
        None | Some(Arg::Short('h') | Arg::Long("help")) => return Ok(Command::Help),
        Some(Arg::Value(command)) => command.string()?,
        Some(argument) => return Err(argument.unexpected().into()),
    };
    match command.as_str() {
        "up" => parse_up(parser),
        "test" => parse_test(parser),
        "bench" => parse_bench(parser),
        "fuzz" => parse_fuzz(parser),
        "deny" => without_options(parser, Command::Deny),
        "inspector" => without_options(parser, Command::Inspector),
        "dist" => parse_dist(parser),
        "soak" => parse_soak(parser),
        "guides" => parse_guides(parser),
        "help" => Ok(Command::Help),
        other => bail!("no such command: `{other}`; `cargo xtask --help` lists them"),
    }
}

fn parse_up(mut parser: Parser) -> anyhow::Result<Command> {
    let mut ports =
        Ports { listener: LISTENER_PORT, admin: ADMIN_PORT, upstream: UPSTREAM_PORT, directory: None };
    let mut directory_port = None;
    let mut plugin_configuration = None;
    let mut directory_folder = None;
    let mut own_upstream = false;
    let mut without_inspector = false;
    let mut with_directory = false;
    let mut send_examples = false;
    let mut moved = false;
    while let Some(argument) = parser.next()? {
        let port = match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("send-examples") => {
                send_examples = true;
                continue;
            }
            Arg::Long("with-directory") => {
                with_directory = true;
                continue;
            }
            Arg::Long("plugin-config") => {
                plugin_configuration = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("own-upstream") => {
                own_upstream = true;
                continue;
            }
            Arg::Long("without-inspector") => {
                without_inspector = true;
                continue;
            }
            Arg::Long("directory-folder") => {
                directory_folder = Some(parser.value()?.into());
                continue;
            }
            Arg::Long("directory-port") => directory_port.insert(DIRECTORY_PORT),
            Arg::Long("port") => &mut ports.listener,
            Arg::Long("admin-port") => &mut ports.admin,
            Arg::Long("upstream-port") => &mut ports.upstream,
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        };
        *port = parse_number(&mut parser, 1..=u16::MAX)?;
        moved = true;
    }
    match (with_directory, directory_port) {
        (true, port) => ports.directory = Some(port.unwrap_or(DIRECTORY_PORT)),
        (false, Some(_)) => bail!("`--directory-port` goes with `--with-directory`"),
        (false, None) => {}
    }
    if directory_folder.is_some() && !with_directory {
        bail!("`--directory-folder` goes with `--with-directory`");
    }
    let other =
        moved || with_directory || own_upstream || without_inspector || plugin_configuration.is_some();
    match (send_examples, other) {
        (true, true) => {
            bail!(
                "`--send-examples` has ports, upstream and configuration of its own: leave the other options out"
            )
        }
        (true, false) => Ok(Command::SendExamples),
        (false, _) => Ok(Command::Up(UpOptions {
            ports,
            plugin_configuration,
            own_upstream,
            without_inspector,
            directory_folder,
        })),
    }
}

fn parse_test(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = TestOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("all") => options.all = true,
            Arg::Long("install") => options.install = true,
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        }
    }
    if options.install && !options.all {
        bail!("`--install` goes with `--all`: nothing else needs more than rustup and Python");
    }
    Ok(Command::Test(options))
}

fn parse_bench(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = BenchOptions { memory: false, directory: false, check: false, n_rounds: 30 };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("memory") => options.memory = true,
            Arg::Long("directory") => options.directory = true,
            Arg::Long("check") => options.check = true,
            Arg::Long("rounds") => options.n_rounds = parse_number(&mut parser, 1..=1_000_000)?,
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        }
    }
    if options.memory && options.directory {
        bail!("`--memory` and `--directory` are different benches");
    }
    Ok(Command::Bench(options))
}

fn parse_soak(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = SoakOptions { minutes: 10, seed: 1, report: None };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("minutes") => options.minutes = parse_number(&mut parser, 1..=10_000)?,
            Arg::Long("seed") => options.seed = parse_number(&mut parser, 0..=u64::MAX)?,
            Arg::Long("report") => options.report = Some(parser.value()?.into()),
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Soak(options))
}

fn parse_fuzz(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = FuzzOptions { minutes: 10, target: None, keep: false };
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("minutes") => options.minutes = parse_number(&mut parser, 1..=10_000)?,
            Arg::Long("target") => options.target = Some(parser.value()?.string()?),
            Arg::Long("keep") => options.keep = true,
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Fuzz(options))
}

fn parse_guides(mut parser: Parser) -> anyhow::Result<Command> {
    let mut pages = Vec::new();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Value(page) => pages.push(page.into()),
            other @ (Arg::Short(_) | Arg::Long(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Guides(pages))
}

fn parse_dist(mut parser: Parser) -> anyhow::Result<Command> {
    let mut options = DistOptions::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("out") => options.out = Some(parser.value()?.into()),
            Arg::Long("module") => options.module_only = true,
            Arg::Long("verify") => options.verify = true,
            other @ (Arg::Short(_) | Arg::Long(_) | Arg::Value(_)) => return Err(other.unexpected().into()),
        }
    }
    Ok(Command::Dist(options))
}

/// The value of the option just read.
fn parse_number<N>(parser: &mut Parser, range: RangeInclusive<N>) -> anyhow::Result<N>
where
    N: FromStr + PartialOrd + Display,
{
    let text = parser.value()?.string()?;
    let (least, most) = (range.start(), range.end());
    match text.parse().ok().filter(|number| range.contains(number)) {
        Some(number) => Ok(number),
        None => bail!("`{text}` is no number from {least} to {most}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> anyhow::Result<Command> {
        parse_from(Parser::from_args(arguments))
    }

    #[test]
    fn no_argument_prints_the_usage() {
        assert_eq!(parse(&[]).unwrap(), Command::Help);
        assert_eq!(parse(&["test", "--help"]).unwrap(), Command::Help);
    }

    #[test]
    fn options_are_read() {
        let up = |ports| UpOptions {
            ports,
            plugin_configuration: None,
            own_upstream: false,
            without_inspector: false,
            directory_folder: None,
        };
        let ports = Ports { listener: 1, admin: ADMIN_PORT, upstream: 2, directory: None };
        assert_eq!(parse(&["up", "--port", "1", "--upstream-port=2"]).unwrap(), Command::Up(up(ports)));
        let ports = |directory| Ports {
            listener: LISTENER_PORT,
            admin: ADMIN_PORT,
            upstream: UPSTREAM_PORT,
            directory: Some(directory),
        };
        assert_eq!(parse(&["up", "--with-directory"]).unwrap(), Command::Up(up(ports(DIRECTORY_PORT))));
        let moved = parse(&["up", "--directory-port=3", "--with-directory"]);
        assert_eq!(moved.unwrap(), Command::Up(up(ports(3))));
        let elsewhere = parse(&[
            "up",
            "--with-directory",
            "--plugin-config=a.json",
            "--directory-folder",
            "b",
            "--own-upstream",
            "--without-inspector",
        ]);
        let files = UpOptions {
            plugin_configuration: Some("a.json".into()),
            own_upstream: true,
            without_inspector: true,
            directory_folder: Some("b".into()),
            ..up(ports(DIRECTORY_PORT))
        };
        assert_eq!(elsewhere.unwrap(), Command::Up(files));
        let pages = vec!["README.md".into()];
        assert_eq!(parse(&["guides", "README.md"]).unwrap(), Command::Guides(pages));
        assert_eq!(parse(&["up", "--send-examples"]).unwrap(), Command::SendExamples);
        let options = TestOptions { all: true, install: true };
        assert_eq!(parse(&["test", "--install", "--all"]).unwrap(), Command::Test(options));
        let options = SoakOptions { minutes: 60, seed: 7, report: Some("a.json".into()) };
        assert_eq!(
            parse(&["soak", "--minutes", "60", "--seed=7", "--report", "a.json"]).unwrap(),
            Command::Soak(options)
        );
        let options = BenchOptions { memory: true, directory: false, check: true, n_rounds: 3 };
        assert_eq!(
            parse(&["bench", "--memory", "--check", "--rounds", "3"]).unwrap(),
            Command::Bench(options)
        );
        let options = FuzzOptions { minutes: 30, target: Some("filter".to_owned()), keep: true };
        let fuzz = parse(&["fuzz", "--minutes=30", "--target", "filter", "--keep"]);
        assert_eq!(fuzz.unwrap(), Command::Fuzz(options));
        assert_eq!(parse(&["deny"]).unwrap(), Command::Deny);
        assert_eq!(parse(&["inspector"]).unwrap(), Command::Inspector);
        let options = DistOptions { out: Some("a".into()), module_only: true, verify: true };
        let dist = parse(&["dist", "--verify", "--module", "--out", "a"]);
        assert_eq!(dist.unwrap(), Command::Dist(options));
    }

    #[test]
    fn what_is_unknown_is_refused() {
        for arguments in [
            &["down"][..],
            &["--fast"],
            &["up", "now"],
            &["up", "--port", "70000"],
            &["up", "--port", "0"],
            &["up", "--port"],
            &["up", "--send-examples", "--port", "1"],
            &["up", "--send-examples", "--with-directory"],
            &["up", "--directory-port", "1"],
            &["up", "--directory-folder", "a"],
            &["up", "--send-examples", "--plugin-config", "a.json"],
            &["up", "--send-examples", "--own-upstream"],
            &["up", "--send-examples", "--without-inspector"],
            &["guides", "--fast"],
            &["test", "--install"],
            &["bench", "--rounds", "0"],
            &["deny", "now"],
            &["dist", "now"],
            &["fuzz", "--minutes", "0"],
            &["fuzz", "filter"],
            &["bench", "--memory", "--directory"],
            &["soak", "--minutes", "0"],
            &["soak", "--seed", "x"],
            &["soak", "now"],
        ] {
            assert!(parse(arguments).is_err(), "{arguments:?}");
        }
    }
}
