//! WebDriver's requests to chromedriver, and its answers. It knows no command's meaning.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use serde_json::{Value, json};

use crate::PATIENCE;
use crate::http1::Connection;
use crate::message::Request;

/// The name under which WebDriver's JSON has an element's id.
pub(super) const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser that chromedriver has started.
#[derive(Debug)]
pub(super) struct Session {
    driver: SocketAddr,
    /// `/session/ID`.
    path: String,
}

impl Session {
    /// Lets chromedriver start Chromium with this folder as its profile.
    pub(super) fn start(port: u16, profile: &Path) -> io::Result<Self> {
        let driver = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let patience_ms = u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX);
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "timeouts": { "implicit": 0, "pageLoad": patience_ms, "script": patience_ms },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless=new",
                // Pictures are as wide as the window then.
                "--hide-scrollbars",
                // Containers have no user namespaces; the pages are our own.
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--disable-quic",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                // Chromium ends when chromedriver does, however that happens.
                "--remote-debugging-pipe",
                format!("--user-data-dir={}", profile.display()),
            ] },
        } } });
        let started = send(driver, &Request::post_json("/session", capabilities.to_string()))?;
        let id = started["sessionId"].as_str().ok_or_else(|| io::Error::other("no session id"))?;
        Ok(Self { driver, path: format!("/session/{id}") })
    }

    pub(super) fn get(&self, what: &str) -> io::Result<Value> {
        send(self.driver, &Request::new("GET", &format!("{}/{what}", self.path)))
    }

    pub(super) fn post(&self, what: &str, parameters: &Value) -> io::Result<Value> {
        send(self.driver, &Request::post_json(&format!("{}/{what}", self.path), parameters.to_string()))
    }

    /// A command of the DevTools protocol, which can do what WebDriver cannot.
    pub(super) fn devtools(&self, command: &str, parameters: &Value) -> io::Result<Value> {
        self.post("goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Ends the browser. It fails only when that has ended by itself.
    pub(super) fn end(&self) {
        let _ = send(self.driver, &Request::new("DELETE", &self.path));
    }
}

fn send(driver: SocketAddr, request: &Request) -> io::Result<Value> {
    let mut request = request.clone();
    // It answers nobody who came by another name.
    request.authority = driver.to_string();
    let mut connection = Connection::open(driver)?;
    // A command has its own deadline, which must pass first.
    connection.set_patience(PATIENCE * 2)?;
    let response = connection.send(&request)?;
    let mut answer = response.json()?;
    let value = answer["value"].take();
    if response.status == 200 {
        return Ok(value);
    }
    // Below the first line stand addresses of chromedriver's own code.
    let message = value["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    Err(io::Error::other(format!("{}: {message}", value["error"].as_str().unwrap_or("no WebDriver answer"))))
}
