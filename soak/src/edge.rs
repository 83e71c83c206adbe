//! `envoy.yaml` as a deployment that reloads would have it: its listener in a file of its own that Envoy watches, with times
//! that fit a compressed clock. It starts nothing.

use std::io;
use std::path::{Path, PathBuf};

use system_tests::BoxError;
use testbed::bootstrap::{ADMIN_PORT, Bootstrap, LISTENER_PORT, UPSTREAM_PORT};
use testbed::paths;

use crate::fleet::{OPEN, SIGNED};

/// The secret of the signed source.
pub const SECRET: &str = "whsec_QSBiZWxsIHRoYXQgaXMgcnVuZyB1bnRpbCBzb21lYm9keSBjb21lcw==";
/// One that it does not have any more after some reloads, and never signs with.
const OLD_SECRET: &str = "whsec_QW4gb2xkIHNlY3JldCB0aGF0IG5vYm9keSB1c2VzIGFueSBtb3JlLg==";

/// Where everything listens.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    /// Envoy, for senders.
    pub edge: u16,
    /// Upstream.
    pub upstream: u16,
    /// The account directory.
    pub directory: u16,
}

/// What differs between runs in the gateway's configuration.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Workers of Envoy.
    pub n_workers: u32,
    /// How long the filter waits for the directory.
    pub directory_timeout_ms: u32,
    /// For how many events and devices the filter remembers what was accepted; `None`: it is not asked to.
    pub memory_slots: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { n_workers: 2, directory_timeout_ms: 250, memory_slots: Some(16_384) }
    }
}

/// Envoy's files: the part that is read once, and the listener, which can change.
#[derive(Debug)]
pub struct Files {
    bootstrap: String,
    /// The listener, with [`PLACE`] where the plugin configuration stands.
    listener: String,
    watched: PathBuf,
    generation: u64,
    options: Options,
}

/// Stands where the plugin configuration will.
const PLACE: &str = "{\"the plugin configuration\":0}";

/// What the listener begins with in `envoy.yaml`, and in a file of its own.
const IN_BOOTSTRAP: &str = "    - name: edge\n";
const IN_FILE: &str =
    "resources:\n    - \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n      name: edge\n";

impl Files {
    /// The files for these ports and this module, in a folder of the run's. The listener is written.
    ///
    /// # Errors
    /// When `envoy.yaml` is not what this expects any more, or a file cannot be written.
    pub fn new(folder: &Path, ports: Ports, module: &Path, options: Options) -> Result<Self, BoxError> {
        let text = std::fs::read_to_string(paths::repository().join("envoy.yaml"))?;
        let whole = Bootstrap::new(text)
            .module(module)?
            .port(LISTENER_PORT, ports.edge)?
            .port(ADMIN_PORT, 0)?
            .port(UPSTREAM_PORT, ports.upstream)?
            .with_directory(ports.directory)?
            .replace_once(
                "# environment_variables: { host_env_keys: [ACME_SECRET, DIRECTORY_TOKEN] }",
                "environment_variables: { host_env_keys: [DIRECTORY_TOKEN] }",
            )?
            // An hour of the provider's is about a second.
            .replace_once("base_interval: 1s, max_interval: 10s", "base_interval: 0.05s, max_interval: 0.4s")?
            // What ends a request that has waited in a VM that is gone.
            .replace_once("stream_idle_timeout: 60s", "stream_idle_timeout: 4s")?
            .replace_once("base_interval: 0.1s, max_interval: 1s", "base_interval: 0.01s, max_interval: 0.05s")?
            // Some hundred lines a second for hours.
            .replace_once(
                "- name: envoy.access_loggers.stdout\n",
                "- name: envoy.access_loggers.stdout\n                    filter: { status_code_filter: { comparison: { op: GE, value: { default_value: 600, runtime_key: unused } } } }\n",
            )?
            .plugin_configuration(PLACE)?
            .into_text();
        let missing = || "`envoy.yaml` has no listener in front of its clusters any more";
        let (before, rest) = whole.split_once("  listeners:\n").ok_or_else(missing)?;
        let (listener, after) = rest.split_once("\n  clusters:\n").ok_or_else(missing)?;
        let listener = listener.strip_prefix(IN_BOOTSTRAP).ok_or_else(missing)?;
        let watched = folder.join("listener.yaml");
        let dynamic = format!(
            "node: {{ id: soak, cluster: soak }}\ndynamic_resources:\n  lds_config:\n    resource_api_version: V3\n    path_config_source: {{ path: {} }}\n",
            watched.display()
        );
        let files = Self {
            bootstrap: format!("{dynamic}{before}  clusters:\n{after}"),
            listener: format!("{IN_FILE}{listener}\n"),
            watched,
            generation: 0,
            options,
        };
        files.write(&files.configuration())?;
        Ok(files)
    }

    /// What Envoy is started with.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Lets Envoy find another listener: one whose plugin configuration differs.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn reload(&mut self) -> io::Result<()> {
        self.generation += 1;
        self.write(&self.configuration())
    }

    /// Lets Envoy find a listener whose plugin configuration Bellhop refuses.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn spoil(&self) -> io::Result<()> {
        // As if somebody had meant `verify`: nobody must get in by that.
        self.write(&self.configuration().replacen("\"verify\"", "\"verifies\"", 1))
    }

    fn write(&self, configuration: &str) -> io::Result<()> {
        // Envoy looks when a file is moved there: it never sees a half of one.
        let new = self.watched.with_extension("new");
        std::fs::write(&new, self.listener.replace(PLACE, configuration))?;
        std::fs::rename(new, &self.watched)
    }

    /// The plugin configuration. Two generations that follow each other differ.
    fn configuration(&self) -> String {
        let Self { generation, options, .. } = self;
        let secrets = if generation.is_multiple_of(2) { vec![SECRET] } else { vec![OLD_SECRET, SECRET] };
        let mut configuration = serde_json::json!({
            "environment": "soak",
            "sources": [
                { "name": OPEN.0, "path": OPEN.1, "verify": "none" },
                { "name": SIGNED.0, "path": SIGNED.1, "verify": { "standard_webhooks": { "secrets": secrets } } }
            ],
            "directory": {
                "cluster": "directory", "authority": "directory", "timeout_ms": options.directory_timeout_ms, "pause_ms": 100,
                "token": { "env": "DIRECTORY_TOKEN" },
                "cache": { "fresh_s": 2, "unknown_s": 1, "stale_s": 3600 }
            },
            "delivery": {
                "retry_on": ["connect-failure", "refused-stream", "gateway-error"],
                "max_retries": 2, "timeout_ms": 1500, "per_try_timeout_ms": 600,
                "retry_after_s": 30 + generation % 7
            }
        });
        if let Some(slots) = options.memory_slots {
            configuration["duplicates"] = serde_json::json!({ "window_s": 86_400, "slots": slots });
            configuration["order"] = serde_json::json!({ "slots": slots });
        }
        configuration.to_string()
    }
}
