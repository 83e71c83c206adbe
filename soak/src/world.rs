//! The processes round the sender: Envoy, directory, upstream; broken and mended as the plan says. It judges nothing.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use system_tests::BoxError;
use system_tests::directory::{Directory, Settings, TOKEN, text_of};
use testbed::gateway::{Gateway, Launch};
use testbed::upstream::{ClosedPort, Upstream};
use testbed::{PATIENCE, build, envoy, paths};

use crate::clock::Clock;
use crate::edge::{Files, Options, Ports};
use crate::fleet::Fleet;
use crate::plan::{Fault, Step};
use crate::recorder::Recorder;
use crate::trap;

/// Everything but the sender.
#[derive(Debug)]
pub struct World {
    clock: Arc<Clock>,
    recorder: Arc<Recorder>,
    options: Options,
    files: Files,
    ports: Ports,
    folder: PathBuf,
    envoy: Option<Running>,
    /// The one that is drained while a new one runs already.
    drained: Option<Running>,
    directory: Directory,
    upstream: Option<Upstream>,
    /// How often Envoy had taken and refused a listener when the last one was written.
    listeners_before: (u64, u64),
    envoys: Vec<Life>,
    counters: BTreeMap<String, u64>,
    _held: [ClosedPort; 2],
}

#[derive(Debug)]
struct Running {
    gateway: Gateway,
    started: Duration,
    resident_bytes: u64,
}

/// One process of Envoy.
#[derive(Debug, Clone, Copy)]
pub struct Life {
    /// Provider time when it was ready.
    pub started: Duration,
    /// Provider time when it was to end.
    pub ended: Duration,
    /// Resident memory when it was ready.
    pub first_bytes: u64,
    /// Resident memory when it was to end.
    pub last_bytes: u64,
}

/// The counters that a report shows: their beginnings.
const COUNTERS: [&str; 8] = [
    "bellhop",
    "cluster.directory.upstream_",
    "cluster.upstream.outlier_detection.ejections_total",
    "cluster.upstream.upstream_",
    "http.edge.downstream_",
    "listener_manager.",
    "wasm.",
    "wasmcustom.",
];

impl World {
    /// Starts everything, with what the directory knows at the beginning imported.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(clock: Arc<Clock>, recorder: Arc<Recorder>, options: Options) -> Result<Self, BoxError> {
        let filter = build::filter("plugin", "bellhop_plugin")?;
        let folder = folder()?;
        let module = folder.join("wrapped.wasm");
        std::fs::write(&module, trap::wrap(&std::fs::read(filter)?)?)?;
        let directory = Directory::start(&Settings::default())?;
        let held = [ClosedPort::hold_for_servers()?, ClosedPort::hold_for_servers()?];
        let ports =
            Ports { edge: held[0].port()?, upstream: held[1].port()?, directory: directory.address().port() };
        let files = Files::new(&folder, ports, &module, options)?;
        let mut world = Self {
            clock,
            recorder,
            options,
            files,
            ports,
            folder,
            envoy: None,
            drained: None,
            directory,
            upstream: None,
            listeners_before: (0, 0),
            envoys: Vec::new(),
            counters: BTreeMap::new(),
            _held: held,
        };
        world.import(false)?;
        world.start_upstream()?;
        world.envoy = Some(world.start_envoy()?);
        Ok(world)
    }

    /// Where senders post.
    pub fn edge(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.ports.edge))
    }

    /// The Envoy that senders reach.
    ///
    /// # Errors
    /// When none runs.
    pub fn gateway(&self) -> Result<&Gateway, BoxError> {
        Ok(&self.envoy.as_ref().ok_or("no Envoy runs")?.gateway)
    }

    /// The directory learns what it knows from the start, or the rest too.
    ///
    /// # Errors
    /// When it does not.
    pub fn import(&self, late: bool) -> Result<(), BoxError> {
        let name = if late { "late.jsonl" } else { "early.jsonl" };
        let file = self.directory.write(name, &Fleet::accounts(late))?;
        self.clock.held(|| self.directory.bellhop(&["import", text_of(&file)?]))?;
        Ok(())
    }

    /// Something goes wrong.
    ///
    /// # Errors
    /// When it cannot be made to.
    pub fn begin(&mut self, step: &Step) -> Result<(), BoxError> {
        match step.fault {
            Fault::Upstream(mood) => self.recorder.set_mood(Some((mood, step.percent))),
            Fault::UpstreamKilled => self.upstream = None,
            Fault::DirectoryKilled => self.directory.kill()?,
            Fault::DirectoryHangs | Fault::FilterTrapsWhileRequestsWait => self.directory.pause()?,
            Fault::EnvoyDrained => {
                // Both listen on the port until the old one has closed its listener.
                let new = self.start_envoy()?;
                let old = self.envoy.replace(new).ok_or("no Envoy runs")?;
                old.gateway.admin_post("/drain_listeners?graceful")?;
                self.drained = Some(old);
            }
            Fault::EnvoyKilled => {
                let old = self.envoy.take().ok_or("no Envoy runs")?;
                self.note_life(&old)?;
                old.gateway.kill()?;
            }
            Fault::ConfigurationReloaded => {
                self.listeners_before = self.listeners()?;
                self.files.reload()?;
            }
            Fault::ConfigurationRefused => {
                self.listeners_before = self.listeners()?;
                self.files.spoil()?;
            }
            Fault::FilterTraps => {}
        }
        Ok(())
    }

    /// All is well again.
    ///
    /// # Errors
    /// When it cannot be.
    pub fn mend(&mut self, step: &Step) -> Result<(), BoxError> {
        match step.fault {
            Fault::Upstream(_) => self.recorder.set_mood(None),
            Fault::UpstreamKilled => self.start_upstream()?,
            Fault::DirectoryKilled => {
                let clock = Arc::clone(&self.clock);
                clock.held(|| self.directory.run())?;
            }
            Fault::DirectoryHangs | Fault::FilterTrapsWhileRequestsWait => self.directory.resume()?,
            Fault::EnvoyDrained => {
                let old = self.drained.take().ok_or("no Envoy was drained")?;
                self.end(old)?;
            }
            Fault::EnvoyKilled => self.envoy = Some(self.start_envoy()?),
            Fault::ConfigurationReloaded => self.wait_for_listener(|before, now| now.0 > before.0)?,
            Fault::ConfigurationRefused => {
                self.wait_for_listener(|before, now| now.1 > before.1)?;
                self.listeners_before = self.listeners()?;
                self.files.reload()?;
                self.wait_for_listener(|before, now| now.0 > before.0)?;
            }
            Fault::FilterTraps => {}
        }
        Ok(())
    }

    /// Ends everything. Every Envoy's life, and the sums of their counters.
    ///
    /// # Errors
    /// When Envoy had ended before.
    pub fn end_all(mut self) -> Result<(Vec<Life>, BTreeMap<String, u64>), BoxError> {
        for running in [self.drained.take(), self.envoy.take()].into_iter().flatten() {
            self.end(running)?;
        }
        std::fs::remove_dir_all(&self.folder)?;
        Ok((std::mem::take(&mut self.envoys), std::mem::take(&mut self.counters)))
    }

    /// The last that Envoy and the directory have said.
    pub fn logs(&self) -> String {
        let envoy = self.envoy.as_ref().map(|it| it.gateway.log_tail()).unwrap_or_default();
        let directory = self.directory.log();
        let start = directory.len().saturating_sub(4000);
        let directory = directory.get(start..).unwrap_or_default();
        format!("--- Envoy\n{envoy}\n--- directory\n{directory}")
    }

    fn start_upstream(&mut self) -> io::Result<()> {
        let recorder = Arc::clone(&self.recorder);
        let upstream = Upstream::start_with(self.ports.upstream, move |received| recorder.answer(received))?;
        // What counts is recorded already.
        upstream.forget();
        self.upstream = Some(upstream);
        Ok(())
    }

    fn start_envoy(&self) -> Result<Running, BoxError> {
        let launch = Launch::new(envoy::shared()?, self.files.bootstrap())
            .concurrency(self.options.n_workers)
            .variable("DIRECTORY_TOKEN", TOKEN);
        self.clock.held(|| {
            let gateway = launch.start()?;
            // It is ready before the first listener has come from its file.
            until("Envoy's listener", || Ok(gateway.listener("edge").is_ok()))?;
            let resident_bytes = gateway.resident_bytes()?;
            Ok(Running { gateway, started: self.clock.now(), resident_bytes })
        })
    }

    fn end(&mut self, running: Running) -> Result<(), BoxError> {
        self.note_life(&running)?;
        let clock = Arc::clone(&self.clock);
        clock.held(|| drop(running));
        Ok(())
    }

    fn note_life(&mut self, running: &Running) -> io::Result<()> {
        self.envoys.push(Life {
            started: running.started,
            ended: self.clock.now(),
            first_bytes: running.resident_bytes,
            last_bytes: running.gateway.resident_bytes()?,
        });
        for (name, value) in running.gateway.stats()? {
            if value > 0 && COUNTERS.iter().any(|start| name.starts_with(start)) && !is_gauge(&name) {
                *self.counters.entry(name).or_default() += value;
            }
        }
        Ok(())
    }

    /// How often Envoy has taken and refused a listener.
    fn listeners(&self) -> Result<(u64, u64), BoxError> {
        let gateway = self.gateway()?;
        let count = |name: &str| gateway.stat(name).map(Option::unwrap_or_default);
        Ok((count("listener_manager.lds.update_success")?, count("listener_manager.lds.update_rejected")?))
    }

    fn wait_for_listener(&self, wanted: impl Fn((u64, u64), (u64, u64)) -> bool) -> Result<(), BoxError> {
        let clock = Arc::clone(&self.clock);
        clock.held(|| {
            until("Envoy's reading of the listener", || Ok(wanted(self.listeners_before, self.listeners()?)))
        })
    }
}

/// A gauge cannot be summed up over processes.
fn is_gauge(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default();
    let ends = ["_active", "_buffered", "_count", "_time"];
    ends.iter().any(|end| last.ends_with(end)) || last == "version" || last == "active"
}

fn folder() -> io::Result<PathBuf> {
    use std::sync::atomic::{AtomicU32, Ordering};
    static N_MADE: AtomicU32 = AtomicU32::new(0);
    let number = N_MADE.fetch_add(1, Ordering::Relaxed);
    let folder = paths::scratch()?.join(format!("soak-{}-{number}", std::process::id()));
    // A process of the same number may have left its own.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// Asks until it is so.
///
/// # Errors
/// When it is not so in time, or cannot be asked.
pub fn until(what: &str, is_so: impl Fn() -> Result<bool, BoxError>) -> Result<(), BoxError> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so()? {
        if Instant::now() > deadline {
            return Err(format!("{what}: not within {PATIENCE:?}").into());
        }
        // Envoy tells nobody: it has to be asked.
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}
