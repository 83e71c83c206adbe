//! Envoy in front of an upstream, asking a directory. It judges no outcome.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use testbed::bootstrap::Bootstrap;
use testbed::gateway::{Gateway, Launch};
use testbed::message::{Request, Response};
use testbed::upstream::{Received, Upstream};
use testbed::{PATIENCE, build, envoy, http1};

use crate::BoxError;
use crate::directory::{Directory, Settings, TOKEN};

/// The path of the source that anyone can post to.
pub const OPEN: &str = "/provider_events";
/// The path of the source that sends a token with its events, so that links are learned from them.
pub const VERIFIED: &str = "/verified_events";
/// That token, in `x-api-key`.
pub const API_KEY: &str = "the-key-of-the-device-cloud";

/// Everything from the sender to upstream.
#[derive(Debug)]
pub struct Chain {
    /// The service that knows whose devices are.
    pub directory: Directory,
    /// Who gets the events.
    pub upstream: Upstream,
    /// Envoy with the filter.
    pub gateway: Gateway,
    edge: SocketAddr,
}

impl Chain {
    /// Starts all of it. The filter has no accounts of its own, sets aside what can never be forwarded, keeps an answer for `fresh_s` seconds, and may serve it for an
    /// hour when the directory is away.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(settings: &Settings, fresh_s: u64) -> Result<Self, BoxError> {
        build::filter("plugin", "bellhop_plugin")?;
        let directory = Directory::start(settings)?;
        let upstream = Upstream::start()?;
        let bootstrap = Bootstrap::of_repository()?
            .on_free_ports(upstream.port())?
            .with_directory(directory.address().port())?
            .with_quarantine()?
            .replace_once(
                "# environment_variables: { host_env_keys: [ACME_SECRET, DIRECTORY_TOKEN] }",
                "environment_variables: { host_env_keys: [DIRECTORY_TOKEN] }",
            )?
            .plugin_configuration(&configuration(fresh_s))?;
        let gateway = Launch::new(envoy::shared()?, bootstrap.into_text())
            .variable("DIRECTORY_TOKEN", TOKEN)
            .start()?;
        let edge = gateway.listener("edge")?;
        directory.write_configuration(&Settings { edge: Some(edge), ..settings.clone() })?;
        Ok(Self { directory, upstream, gateway, edge })
    }

    /// Sends a request.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn send(&self, request: &Request) -> io::Result<Response> {
        http1::send(self.edge, request)
    }

    /// Posts an event to the open source.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post(&self, body: &str) -> io::Result<Response> {
        http1::send(self.edge, &Request::post_json(OPEN, body))
    }

    /// Posts an event to the source that verifies.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn post_verified(&self, body: &str) -> io::Result<Response> {
        http1::send(self.edge, &Request::post_json(VERIFIED, body).header("x-api-key", API_KEY))
    }

    /// Posts the same event until it is accepted, as senders do. What upstream got, and how often it was put off.
    ///
    /// # Errors
    /// When it is refused for good, or put off for too long.
    pub fn post_until_accepted(&self, body: &str) -> Result<(Received, usize), BoxError> {
        let deadline = Instant::now() + PATIENCE;
        let mut n_deferred = 0;
        loop {
            let response = self.post(body)?;
            match response.status {
                200 => {
                    let mut received = self.upstream.take();
                    let one = received
                        .pop()
                        .filter(|_| received.is_empty())
                        .ok_or("upstream got none, or more than one")?;
                    return Ok((one, n_deferred));
                }
                503 if response.headers.has("retry-after") && Instant::now() < deadline => n_deferred += 1,
                status => {
                    return Err(format!("{status}: {}\n{}", response.text(), self.directory.log()).into());
                }
            }
            // A sender's back-off, in short.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }
}

fn configuration(fresh_s: u64) -> String {
    serde_json::json!({
        "environment": "test",
        "sources": [
            { "name": "acme", "path": OPEN, "verify": "none" },
            { "name": "keyed", "path": VERIFIED, "verify": { "token": { "header": "x-api-key", "secrets": [API_KEY] } } }
        ],
        "on_invalid": "quarantine",
        "replay": { "secrets": [{ "env": "DIRECTORY_TOKEN" }] },
        "directory": {
            "cluster": "directory", "authority": "directory", "timeout_ms": 5000, "token": { "env": "DIRECTORY_TOKEN" },
            "cache": { "fresh_s": fresh_s, "unknown_s": 1, "stale_s": 3600 }
        }
    })
    .to_string()
}

/// The cause in an answer of the filter.
pub fn cause(response: &Response) -> Option<String> {
    Some(response.json().ok()?["cause"].as_str()?.to_owned())
}

/// An event about a device.
pub fn device_online(device: &str) -> String {
    format!(r#"{{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"{device}"}}"#)
}
