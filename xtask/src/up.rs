//! `cargo xtask up`: Envoy with `envoy.yaml` in front of an upstream that prints. It changes nothing in `envoy.yaml`.

mod directory;
mod inspector;
mod print;
mod send;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use testbed::bootstrap::{ADMIN_PORT, Bootstrap, LISTENER_PORT, UPSTREAM_PORT};
use testbed::gateway::{Gateway, Launch};
use testbed::upstream::{Answer, Upstream};

use crate::arguments::UpOptions;
use crate::examples;
use crate::setup::{self, from_repository};

use inspector::Inspector;
pub(crate) use send::send_examples;

/// An event that `envoy.yaml` assigns to an account, and one whose timestamp says no time zone.
const GOOD: &str =
    r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829"}"#;
const BAD: &str =
    r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18","device_id":"lock_491829"}"#;

/// How often a stopped Envoy is noticed.
const LOOK: Duration = Duration::from_millis(500);

/// Lines of the access log show while one looks at them.
const FLUSH_INTERVAL: Duration = Duration::from_millis(50);

/// Runs until it is told to stop. Whether it was told.
pub(crate) fn run(options: &UpOptions) -> anyhow::Result<bool> {
    let ports = &options.ports;
    // Before anything long, so that nobody waits for a build to be told.
    require_free("Envoy's listener", ports.listener, "--port")?;
    require_free("Envoy's admin page", ports.admin, "--admin-port")?;
    if !options.own_upstream {
        require_free("the upstream", ports.upstream, "--upstream-port")?;
    }
    if let Some(port) = ports.directory {
        require_free("the account directory", port, "--directory-port")?;
    }
    let envoy = setup::gateway(&["plugin"])?;
    let bellhop = ports.directory.map(|_| setup::bellhop()).transpose()?;

    let mut bootstrap = Bootstrap::of_repository()
        .context("envoy.yaml cannot be read")?
        .port(LISTENER_PORT, ports.listener)?
        .port(ADMIN_PORT, ports.admin)?
        .port(UPSTREAM_PORT, ports.upstream)?;
    let own = options.plugin_configuration.as_deref().map(configuration).transpose()?;
    if let Some(own) = &own {
        bootstrap = bootstrap.plugin_configuration(&format!("{own:#}"))?;
    }
    // From here on a signal ends us in order, not in the middle of a start.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    // It ends when it is dropped.
    let _upstream = (!options.own_upstream).then(|| start_upstream(ports.upstream)).transpose()?;
    let directory = match (ports.directory, &bellhop) {
        (Some(port), Some(bellhop)) => {
            let folder = options.directory_folder.as_deref();
            Some(directory::start(bellhop, port, ports.listener, folder)?)
        }
        _ => None,
    };
    if let Some(directory) = &directory {
        bootstrap = directory.add_to(bootstrap, own.as_ref())?;
    }
    setup::announce("starting Envoy with envoy.yaml");
    let mut gateway = Launch::new(envoy, bootstrap.into_text())
        .flush_interval(FLUSH_INTERVAL)
        .variable(directory::TOKEN_VARIABLE, directory::TOKEN)
        .start()?;
    print_invitation(ports.upstream, options.own_upstream, &gateway)?;
    if let Some(directory) = &directory {
        println!("{}", directory.invitation(gateway.listener("edge")?));
    }
    // The directory serves it, too.
    let mut inspector =
        if directory.is_some() || options.without_inspector { Inspector::Absent } else { Inspector::start() };

    let (told, signal) = channel();
    std::thread::spawn(move || {
        for number in signals.forever() {
            // The receiver goes only at the end.
            let _ = told.send(number);
        }
    });
    loop {
        match signal.recv_timeout(LOOK) {
            Ok(_) | Err(RecvTimeoutError::Disconnected) => {
                eprintln!();
                setup::announce("stopping");
                return Ok(true);
            }
            Err(RecvTimeoutError::Timeout) if gateway.is_running() => inspector.look(),
            Err(RecvTimeoutError::Timeout) => bail!("Envoy has ended:\n{}", gateway.log_tail()),
        }
    }
}

/// Reads a configuration of the filter. Only the filter knows whether it is a good one.
fn configuration(file: &Path) -> anyhow::Result<Value> {
    let name = file.display();
    let text = std::fs::read(file).with_context(|| format!("{name} cannot be read"))?;
    serde_json::from_slice(&text).with_context(|| format!("{name} is not JSON"))
}

/// An upstream that takes everything, and prints it.
fn start_upstream(port: u16) -> anyhow::Result<Upstream> {
    let upstream = Upstream::start_with(port, |received| {
        println!("{}", print::received(received));
        Answer::status(200)
    })
    .with_context(|| format!("the upstream cannot listen on port {port}"))?;
    upstream.forget();
    Ok(upstream)
}

fn print_invitation(port: u16, own_upstream: bool, gateway: &Gateway) -> anyhow::Result<()> {
    let edge = gateway.listener("edge").context("Envoy runs, but its listener does not")?;
    let log = gateway.log_path();
    let upstream = if own_upstream {
        format!("Events go to what listens on port {port}.")
    } else {
        format!("What the upstream on port {port} receives is printed here.")
    };
    println!(
        "
Bellhop is up. Events: http://{edge}{path}   Envoy's admin page: http://{admin}
Envoy's log: {log}

Paste into another terminal, a good event and a bad one:

  curl -i http://{edge}{path} -H 'content-type: application/json' -d '{GOOD}'

  curl -i http://{edge}{path} -H 'content-type: application/json' -d '{BAD}'

{upstream} Ctrl-C stops everything.
",
        path = examples::PATH,
        admin = gateway.admin(),
        log = from_repository(log).display(),
    );
    Ok(())
}

/// Envoy shares its ports with others of its kind, so a busy one has to be found before it starts.
fn require_free(who: &str, port: u16, option: &str) -> anyhow::Result<()> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => bail!(
            "port {port}, which {who} needs, is in use: stop what listens there, or choose another with `{option} N`"
        ),
        Err(error) => Err(error).with_context(|| format!("port {port}, which {who} needs, cannot be had")),
    }
}
