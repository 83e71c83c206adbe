//! `bellhop serve` in a process of its own: its configuration file, starts, kills, questions over HTTP. It judges no answer.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use serde_json::Value;
use testbed::message::{Request, Response};
use testbed::service::Service;
use testbed::{PATIENCE, build, http1, paths};

use crate::{BoxError, webhook};

/// The bearer token of the chain.
pub const TOKEN: &str = "a-token-of-the-tests";

/// A directory with its database in a folder of its own, running or not.
#[derive(Debug)]
pub struct Directory {
    folder: PathBuf,
    address: SocketAddr,
    service: Option<Service>,
}

/// What a directory is told beside the address, the database and the token.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The Seam API, if it has one.
    pub seam_url: Option<String>,
    /// How long a first sync is waited for, in seconds.
    pub first_sync_grace_s: u64,
    /// Where `bellhop quarantine replay` sends events, with [`TOKEN`] as its secret. Known once the edge has started.
    pub edge: Option<SocketAddr>,
}

impl Directory {
    /// Starts one with an empty SQLite database.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(settings: &Settings) -> Result<Self, BoxError> {
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let number = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = paths::scratch()?.join(format!("directory-{}-{number}", std::process::id()));
        // A process of the same number may have left its own.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder)?;
        let mut directory = Self { folder, address: SocketAddr::from(([127, 0, 0, 1], 0)), service: None };
        directory.write_configuration(settings)?;
        directory.run()?;
        // The same address after a restart: Envoy's cluster names it.
        directory.write_configuration(settings)?;
        Ok(directory)
    }

    /// Starts it again with what its database holds.
    ///
    /// # Errors
    /// When it does not start.
    pub fn run(&mut self) -> Result<(), BoxError> {
        let mut command = Command::new(bellhop()?);
        command.arg("serve").arg("--config").arg(self.configuration()).current_dir(&self.folder);
        let mut service = Service::start("bellhop", command)?;
        self.address = service.wait_for_value("listening on ")?;
        self.service = Some(service);
        Ok(())
    }

    /// Kills it as a power cut would.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&mut self) -> Result<(), BoxError> {
        let service = self.service.take().ok_or("the directory does not run")?;
        Ok(service.kill()?)
    }

    /// Lets it hang until [`Directory::resume`]: it takes connections and does not answer.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&self) -> Result<(), BoxError> {
        self.service.as_ref().ok_or("the directory does not run")?.pause();
        Ok(())
    }

    /// Lets it go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&self) -> Result<(), BoxError> {
        self.service.as_ref().ok_or("the directory does not run")?.resume();
        Ok(())
    }

    /// Ends it in order.
    ///
    /// # Errors
    /// When it does not run, or does not end with success.
    pub fn stop(&mut self) -> Result<(), BoxError> {
        let service = self.service.take().ok_or("the directory does not run")?;
        let status = service.stop()?;
        if status.success() { Ok(()) } else { Err(format!("the directory ended with {status}").into()) }
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file that `bellhop` is given.
    pub fn configuration(&self) -> PathBuf {
        self.folder.join("directory.toml")
    }

    /// What it has written to its log.
    pub fn log(&self) -> String {
        self.service.as_ref().map(Service::output).unwrap_or_default()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self, request: &Request) -> io::Result<Response> {
        http1::send(self.address, request)
    }

    /// Asks with the token.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, path: &str) -> io::Result<Response> {
        let token = format!("Bearer {TOKEN}");
        self.send(&Request::new("GET", path).header("authorization", token))
    }

    /// Asks again until the answer is as wanted.
    ///
    /// # Errors
    /// When that does not come in time; with the last answer.
    pub fn wait_until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, BoxError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.get(path)?;
            let answer = response.json().unwrap_or_default();
            if wanted(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(format!("{path} still answers {answer}\n{}", self.log()).into());
            }
            // The directory tells nobody when a sync is done.
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Runs another command of `bellhop` with this configuration. What it printed.
    ///
    /// # Errors
    /// When it does not succeed.
    pub fn bellhop(&self, arguments: &[&str]) -> Result<String, BoxError> {
        let output = Command::new(bellhop()?)
            .args(arguments)
            .arg("--config")
            .arg(self.configuration())
            .current_dir(&self.folder)
            .output()?;
        if output.status.success() {
            return Ok(String::from_utf8(output.stdout)?);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("bellhop {} failed:\n{said}", arguments.join(" ")).into())
    }

    /// Writes a file into its folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, text: &str) -> io::Result<PathBuf> {
        let path = self.folder.join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Writes the configuration for what starts from now on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_configuration(&self, settings: &Settings) -> io::Result<()> {
        let mut text = format!(
            "listen = \"{}\"\ndatabase = \"sqlite:directory.db\"\ntokens = [\"{TOKEN}\"]\n\n[quarantine]\n",
            self.address
        );
        if let Some(edge) = settings.edge {
            text.push_str(&format!("edge_url = \"http://{edge}\"\nreplay_secret = \"{TOKEN}\"\n"));
        }
        if let Some(url) = &settings.seam_url {
            text.push_str(&format!(
                "\n[seam]\nurl = \"{url}\"\napi_key = \"{key}\"\nwebhook_secrets = [\"{secret}\"]\nfirst_sync_grace_s = {grace}\n\n[sources]\ndefault = \"acme\"\n",
                key = testbed::fake_seam::API_KEY,
                secret = webhook::SECRET,
                grace = settings.first_sync_grace_s,
            ));
        }
        self.write("directory.toml", &text).map(|_| ())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.service = None;
        // After a failed test it is what one wants to read.
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn bellhop() -> io::Result<PathBuf> {
    build::program("cli", "bellhop")
}

/// The path of `file` as text.
///
/// # Errors
/// When it is no Unicode.
pub fn text_of(file: &Path) -> Result<&str, BoxError> {
    Ok(file.to_str().ok_or("the path is no Unicode")?)
}
