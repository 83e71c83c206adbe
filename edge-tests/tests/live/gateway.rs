//! Envoy that reads its listener from a file, made of `envoy.yaml`, and the replacing of that file. It sends nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use edge_tests::{BoxError, Filter, Setup, until};
use testbed::bootstrap::Bootstrap;
use testbed::gateway::Gateway;
use testbed::paths;

/// Longer than the longest delivery, as in a deployment.
pub(crate) const DRAIN_TIME: Duration = Duration::from_secs(60);

/// Who owns the one device that all events are about.
const OWNER: &str = "ca_hotel";

/// How the listener's file names its type.
const LISTENER: &str = "- \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n  name: edge";

/// A gateway whose listener stands in a file of its own.
pub(crate) struct LiveGateway {
    pub(crate) gateway: Gateway,
    folder: PathBuf,
    ports: Ports,
}

/// Who stands behind the gateway.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) upstream: u16,
    /// `None`: there is no directory.
    pub(crate) directory: Option<u16>,
}

/// The two counters of the listener's file, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
}

/// `envoy.yaml` in two: the bootstrap, and the listener.
fn split(text: &str, folder: &Path) -> Result<(String, String), BoxError> {
    let (before, rest) = text.split_once("  listeners:\n").ok_or("no listeners")?;
    let (listener, after) = rest.split_once("\n  clusters:\n").ok_or("no clusters")?;
    let listener = listener.lines().map(|line| line.strip_prefix("    ").unwrap_or(line));
    let listener = listener.collect::<Vec<_>>().join("\n").replacen("- name: edge", LISTENER, 1);
    assert!(listener.contains(LISTENER), "{listener}");
    let folder = folder.display();
    let bootstrap = format!(
        "node: {{ id: edge, cluster: edge }}\n\
         dynamic_resources:\n  \
           lds_config:\n    \
             resource_api_version: V3\n    \
             path_config_source:\n      \
               path: {folder}/listener.yaml\n      \
               watched_directory: {{ path: {folder} }}\n\
         {before}  clusters:\n{after}"
    );
    Ok((bootstrap, format!("resources:\n{listener}\n")))
}

fn text(setup: &Setup, ports: Ports) -> Result<String, BoxError> {
    let text = setup.text(&[ports.upstream])?;
    Ok(match ports.directory {
        Some(port) => Bootstrap::new(text).with_directory(port)?.into_text(),
        None => text,
    })
}

impl LiveGateway {
    /// Starts with what this setup says.
    pub(crate) fn start(name: &str, setup: &Setup, upstream_port: u16) -> Result<Self, BoxError> {
        Self::start_before(name, setup, Ports { upstream: upstream_port, directory: None }, DRAIN_TIME)
    }

    /// Starts with what this setup says, before these.
    pub(crate) fn start_before(
        name: &str,
        setup: &Setup,
        ports: Ports,
        drain_time: Duration,
    ) -> Result<Self, BoxError> {
        let folder = paths::scratch()?.join(format!("live-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let (bootstrap, listener) = split(&text(setup, ports)?, &folder)?;
        std::fs::write(folder.join("listener.yaml"), listener)?;
        let launch = setup.launch(&[ports.upstream])?.bootstrap(bootstrap).drain_time(drain_time);
        let gateway = launch.start()?;
        let live = Self { gateway, folder, ports };
        until(|| live.gateway.listener("edge").ok()).ok_or("no listener")?;
        Ok(live)
    }

    /// Replaces the listener's file at once, and waits until Envoy has read it.
    pub(crate) fn replace(&self, setup: &Setup) -> Result<Read, BoxError> {
        let before = self.read()?;
        let (_, listener) = split(&text(setup, self.ports)?, &self.folder)?;
        let beside = self.folder.join("listener.yaml.new");
        std::fs::write(&beside, listener)?;
        // A reader sees the old file or the new one, never half of one.
        std::fs::rename(&beside, self.folder.join("listener.yaml"))?;
        let read = || self.read().ok().filter(|now| now.taken + now.refused > before.taken + before.refused);
        let now = until(read).ok_or("Envoy does not read the file")?;
        Ok(Read { taken: now.taken - before.taken, refused: now.refused - before.refused })
    }

    fn read(&self) -> Result<Read, BoxError> {
        let stat = |name: &str| -> Result<u64, BoxError> {
            Ok(self.gateway.stat(&format!("listener_manager.lds.{name}"))?.unwrap_or(0))
        };
        Ok(Read { taken: stat("update_success")?, refused: stat("update_rejected")? })
    }
}

impl Drop for LiveGateway {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// `envoy.yaml` with another owner of the device.
pub(crate) fn owned_by(account: &str) -> Setup {
    let owner = |name: &str| format!("\"connected_account_id\": \"{name}\"");
    Setup::new(Filter::Bellhop).change(&owner(OWNER), &owner(account))
}
