//! A running Envoy: started, asked through its admin port, stopped. It writes no configuration of its own.

mod command;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::http1;
use crate::message::Request;
use crate::paths;
use crate::process;

/// How long Envoy may take to stop before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How long Envoy lets lines of an access log wait by default.
const ENVOYS_FLUSH_INTERVAL: Duration = Duration::from_secs(10);

/// How to start Envoy.
#[derive(Debug, Clone)]
pub struct Launch {
    envoy: PathBuf,
    bootstrap: String,
    concurrency: u32,
    log_level: String,
    flush_interval: Duration,
    drain_time: Duration,
    variables: Vec<(String, String)>,
}

/// Why a gateway does not run.
#[derive(Debug)]
pub enum StartError {
    /// Envoy ended by itself: it refused its configuration, or its ports are taken.
    Refused {
        /// How it ended.
        status: ExitStatus,
        /// All that it said.
        log: String,
    },
    /// It was not ready in time.
    NotReady {
        /// The end of what it said.
        log: String,
    },
    /// It could not be started or asked at all.
    Io(io::Error),
}

/// A running Envoy. It is stopped when this is dropped, and by the system when this process dies.
#[derive(Debug)]
pub struct Gateway {
    child: Child,
    admin: SocketAddr,
    files: Files,
}

/// What one Envoy reads and writes in the scratch folder.
#[derive(Debug)]
struct Files {
    bootstrap: PathBuf,
    admin_address: PathBuf,
    log: PathBuf,
}

impl Launch {
    /// Envoy at this path with this bootstrap (YAML or JSON text), one worker.
    ///
    /// The working directory is the root of the repository. The bootstrap has an admin address, best with port 0.
    pub fn new(envoy: impl Into<PathBuf>, bootstrap: impl Into<String>) -> Self {
        Self {
            envoy: envoy.into(),
            bootstrap: bootstrap.into(),
            concurrency: 1,
            log_level: "warning".to_owned(),
            flush_interval: ENVOYS_FLUSH_INTERVAL,
            drain_time: Duration::from_secs(1),
            variables: Vec::new(),
        }
    }

    /// Another bootstrap.
    #[must_use]
    pub fn bootstrap(mut self, text: impl Into<String>) -> Self {
        self.bootstrap = text.into();
        self
    }

    /// How many workers.
    #[must_use]
    pub fn concurrency(mut self, n_workers: u32) -> Self {
        self.concurrency = n_workers;
        self
    }

    /// Envoy's log level, e.g. `debug`; `warning` by default.
    #[must_use]
    pub fn log_level(mut self, level: &str) -> Self {
        level.clone_into(&mut self.log_level);
        self
    }

    /// How long a line of the access log may wait until it is written: 10 s by default, as in Envoy.
    #[must_use]
    pub fn flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// For how long a listener that is replaced keeps its connections: 1 s by default, unlike Envoy's 10 minutes. Then they are
    /// cut off.
    #[must_use]
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = time;
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts Envoy and waits until it is ready.
    ///
    /// # Errors
    /// When it refuses its configuration, is not ready in time, or cannot be started.
    pub fn start(&self) -> Result<Gateway, StartError> {
        let files = Files::new()?;
        std::fs::write(&files.bootstrap, &self.bootstrap)?;
        let child = command::spawn(self, &files)?;
        // From here on dropping the gateway stops the process, on every way out.
        let mut gateway = Gateway { child, admin: SocketAddr::from(([127, 0, 0, 1], 0)), files };
        let deadline = Instant::now() + PATIENCE;
        loop {
            if gateway.is_ready() {
                return Ok(gateway);
            }
            if let Some(status) = gateway.child.try_wait()? {
                return Err(StartError::Refused { status, log: gateway.log() });
            }
            if Instant::now() > deadline {
                return Err(StartError::NotReady { log: gateway.log_tail() });
            }
            // Envoy tells nobody when it is ready: it has to be asked, and asking costs it time.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Gateway {
    /// The address of the admin port.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the admin port answers to a GET of this path.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub fn admin_get(&self, path: &str) -> io::Result<String> {
        self.ask_admin("GET", path)
    }

    /// What it answers to a POST of this path: what changes something in Envoy.
    ///
    /// # Errors
    /// When it does not answer 200.
    pub fn admin_post(&self, path: &str) -> io::Result<String> {
        self.ask_admin("POST", path)
    }

    fn ask_admin(&self, method: &str, path: &str) -> io::Result<String> {
        let request = Request::new(method, path).header("connection", "close");
        let response = http1::send(self.admin, &request)?;
        if response.status == 200 {
            return Ok(response.text());
        }
        Err(io::Error::other(format!("the admin port answers {} to {path}", response.status)))
    }

    /// Kills it, as a crash or a power cut would.
    ///
    /// # Errors
    /// When it has ended by itself before.
    pub fn kill(mut self) -> io::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("it had ended ({status}):\n{}", self.log_tail())));
        }
        self.child.kill()
    }

    /// Where the listener of this name listens.
    ///
    /// # Errors
    /// When there is no such listener.
    pub fn listener(&self, name: &str) -> io::Result<SocketAddr> {
        let listeners = self.listeners()?;
        let found = listeners.into_iter().find(|(it, _)| it == name).map(|(_, address)| address);
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no listener `{name}`")))
    }

    /// Where the only listener listens.
    ///
    /// # Errors
    /// When there is none or more than one.
    pub fn only_listener(&self) -> io::Result<SocketAddr> {
        match self.listeners()?.as_slice() {
            [(_, address)] => Ok(*address),
            listeners => Err(io::Error::other(format!("one listener expected, found {listeners:?}"))),
        }
    }

    /// Name and address of every listener.
    ///
    /// # Errors
    /// When the admin port gives no sensible answer.
    pub fn listeners(&self) -> io::Result<Vec<(String, SocketAddr)>> {
        let text = self.admin_get("/listeners?format=json")?;
        let listing: serde_json::Value = serde_json::from_str(&text).map_err(io::Error::other)?;
        let statuses = listing["listener_statuses"].as_array().map(Vec::as_slice).unwrap_or_default();
        let read = |status: &serde_json::Value| {
            let socket = &status["local_address"]["socket_address"];
            let port = u16::try_from(socket["port_value"].as_u64()?).ok()?;
            let address = socket["address"].as_str()?.parse().ok()?;
            Some((status["name"].as_str()?.to_owned(), SocketAddr::new(address, port)))
        };
        statuses
            .iter()
            .map(|status| read(status).ok_or_else(|| io::Error::other(format!("odd listener {status}"))))
            .collect()
    }

    /// The value of one counter or gauge; `None` when Envoy does not have it.
    ///
    /// # Errors
    /// When the admin port gives no sensible answer.
    pub fn stat(&self, name: &str) -> io::Result<Option<u64>> {
        let stats = self.stats()?;
        Ok(stats.into_iter().find(|(it, _)| it == name).map(|(_, value)| value))
    }

    /// Name and value of every counter and gauge.
    ///
    /// # Errors
    /// When the admin port gives no answer.
    pub fn stats(&self) -> io::Result<Vec<(String, u64)>> {
        // Text readouts and histograms are in the answer too: their values are not numbers.
        let number = |line: &str| {
            let (name, value) = line.split_once(": ")?;
            Some((name.to_owned(), value.parse().ok()?))
        };
        Ok(self.admin_get("/stats")?.lines().filter_map(number).collect())
    }

    /// The statistics as Prometheus reads them.
    ///
    /// # Errors
    /// When the admin port gives no answer.
    pub fn prometheus(&self) -> io::Result<String> {
        self.admin_get("/stats/prometheus")
    }

    /// The resident memory of the process.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        process::resident_bytes(self.pid())
    }

    /// The CPU time that all threads of the process have used.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        process::cpu_time(self.pid())
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The file of [`Gateway::log`]. It goes when the gateway goes.
    pub fn log_path(&self) -> &Path {
        &self.files.log
    }

    /// Everything that Envoy has written to its output and its log.
    pub fn log(&self) -> String {
        match std::fs::read(&self.files.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(the log cannot be read: {error})"),
        }
    }

    /// The last lines of the log.
    pub fn log_tail(&self) -> String {
        tail(&self.log(), 30)
    }

    fn is_ready(&mut self) -> bool {
        // Envoy writes the file at once or not at all, but a reader may be in between.
        let address = std::fs::read_to_string(&self.files.admin_address).unwrap_or_default();
        let Ok(address) = address.trim().parse() else { return false };
        self.admin = address;
        self.admin_get("/ready").is_ok()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        process::stop(&mut self.child, STOP_PATIENCE);
        let Files { bootstrap, admin_address, log } = &self.files;
        // After a failed test they are what one wants to read.
        if !std::thread::panicking() {
            for file in [bootstrap, admin_address, log] {
                let _ = std::fs::remove_file(file);
            }
        }
    }
}

impl Files {
    fn new() -> io::Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let number = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let name = format!("envoy-{}-{number}", std::process::id());
        let at = |folder: &Path, ending: &str| folder.join(format!("{name}{ending}"));
        let folder = paths::scratch()?;
        let files = Self {
            bootstrap: at(&folder, ".yaml"),
            admin_address: at(&folder, ".admin"),
            log: at(&folder, ".log"),
        };
        // A process of the same number may have left its own.
        let _ = std::fs::remove_file(&files.admin_address);
        Ok(files)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { status, log } => write!(f, "envoy ended ({status}):\n{}", tail(log, 30)),
            Self::NotReady { log } => write!(f, "envoy was not ready within {PATIENCE:?}:\n{log}"),
            Self::Io(_) => f.write_str("envoy could not be started"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io(source) = self { Some(source) } else { None }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn tail(text: &str, n_lines: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(n_lines)..].join("\n")
}
