//! A real Prometheus on a free port: what it scrapes, what it answers. It judges no expression.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use system_tests::BoxError;
use testbed::message::Request;
use testbed::service::Service;
use testbed::{PATIENCE, http1, paths};

/// A running Prometheus. It is stopped, and its data removed, when this is dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    service: Option<Service>,
    address: SocketAddr,
    folder: PathBuf,
}

impl Prometheus {
    /// Starts it with `deploy/prometheus/prometheus.yml`, but for the addresses, and for intervals that do not make a test wait.
    pub(crate) fn start(edge: SocketAddr, directory: SocketAddr, token: &str) -> Result<Self, BoxError> {
        let shipped = paths::repository().join("deploy/prometheus");
        let folder = paths::scratch()?.join(format!("prometheus-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("directory.token"), token)?;
        fs::copy(shipped.join("alerts.yml"), folder.join("alerts.yml"))?;
        let mut text = fs::read_to_string(shipped.join("prometheus.yml"))?;
        for (old, new) in [
            ("127.0.0.1:9901", edge.to_string()),
            ("127.0.0.1:8090", directory.to_string()),
            ("scrape_interval: 15s", "scrape_interval: 200ms".to_owned()),
            ("evaluation_interval: 15s", "evaluation_interval: 200ms".to_owned()),
        ] {
            assert_eq!(text.matches(old).count(), 1, "{old} in prometheus.yml");
            text = text.replace(old, &new);
        }
        let file = folder.join("prometheus.yml");
        fs::write(&file, text)?;
        let mut command = Command::new("prometheus");
        command
            .arg("--config.file")
            .arg(&file)
            .arg("--storage.tsdb.path")
            .arg(folder.join("data"))
            .args(["--web.listen-address=127.0.0.1:0", "--log.level=info"])
            .current_dir(&folder);
        let mut service = Service::start("prometheus", command)?;
        let address = service.wait_for(|output| {
            let line = output.lines().find(|line| line.contains("\"Listening on\""))?;
            line.split_once("address=")?.1.split_whitespace().next()?.parse().ok()
        })?;
        let prometheus = Self { service: Some(service), address, folder };
        let deadline = Instant::now() + PATIENCE;
        // It listens before it answers questions.
        while http1::send(address, &Request::new("GET", "/-/ready"))?.status != 200 {
            if Instant::now() > deadline {
                return Err("Prometheus does not get ready".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(prometheus)
    }

    /// What it answers to a GET, under `data`.
    ///
    /// # Errors
    /// When it does not succeed, a bad expression for instance.
    pub(crate) fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value, BoxError> {
        let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let path = format!("/api/v1/{path}?{}", pairs.join("&"));
        let answer = http1::send(self.address, &Request::new("GET", &path))?.json()?;
        if answer["status"] == "success" {
            Ok(answer["data"].clone())
        } else {
            Err(answer.to_string().into())
        }
    }

    /// The series that an expression has now, each with its labels and value.
    pub(crate) fn query(&self, expression: &str) -> Result<Vec<Value>, BoxError> {
        let data = self.get("query", &[("query", expression)])?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// Asks until an expression has series.
    pub(crate) fn wait_for(&self, expression: &str) -> Result<Vec<Value>, BoxError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let series = self.query(expression)?;
            if !series.is_empty() {
                return Ok(series);
            }
            if Instant::now() > deadline {
                let log = self.service.as_ref().map(Service::output).unwrap_or_default();
                return Err(format!("`{expression}` has no series\n{log}").into());
            }
            // Prometheus tells nobody when it has scraped.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        self.service = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}
