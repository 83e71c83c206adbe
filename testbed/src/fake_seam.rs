//! The published fake of the Seam API (npm `@seamapi/fake-seam-connect`) in a node process of its own: found, started,
//! filled, made to fail, ended. What it lacks (webhooks, rate limits, pages of unmanaged devices) it still lacks.
//!
//! `cargo xtask test --all --install` brings the package into the build folder.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::http1::Connection;
use crate::message::Request;
use crate::service::Service;
use crate::{npm, paths};

/// The package and the version that everything here is tried on.
pub const PACKAGE: &str = "@seamapi/fake-seam-connect@1.86.0";

/// A key of the fake that works.
pub const API_KEY: &str = "seam_apikey1_token";

/// The workspace of that key.
const WORKSPACE: &str = "seed_workspace_1";

/// The routes that an outage is of. The fake knows no outage of all.
const ROUTES: [&str; 9] = [
    "/acs/entrances/list",
    "/acs/systems/list",
    "/connect_webviews/create",
    "/connect_webviews/get",
    "/connect_webviews/list",
    "/connected_accounts/get",
    "/connected_accounts/list",
    "/devices/list",
    "/devices/unmanaged/list",
];

/// A running fake. It ends when this is dropped.
#[derive(Debug)]
pub struct FakeSeam {
    /// Ends the process when dropped.
    _service: Service,
    api: SocketAddr,
    control: SocketAddr,
}

/// Whether the package is in the build folder.
pub fn is_installed() -> bool {
    package().join("dist/index.js").is_file()
}

fn package() -> PathBuf {
    npm::folder().join("node_modules/@seamapi/fake-seam-connect")
}

impl FakeSeam {
    /// Starts it with its own default seed: one workspace with a few accounts.
    ///
    /// # Errors
    /// When node or the package is missing, or it does not start.
    pub fn start() -> io::Result<Self> {
        if !is_installed() {
            let said =
                format!("{PACKAGE} is not in the build folder: `cargo xtask test --all --install` brings it");
            return Err(io::Error::new(io::ErrorKind::NotFound, said));
        }
        let mut command = Command::new("node");
        command.arg(paths::repository().join("testbed/src/fake_seam/server.mjs")).arg(package());
        let mut service = Service::start("fake-seam", command)?;
        let (api, control) = service.wait_for(ports)?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Ok(Self { _service: service, api: local(api), control: local(control) })
    }

    /// Where its API is, e.g. `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.api)
    }

    /// Calls a function of its database, e.g. `addDevice`, and gives what that returns.
    ///
    /// # Errors
    /// When there is no such function, or it throws.
    pub fn call(&self, function: &str, parameters: &[Value]) -> io::Result<Value> {
        let body = json!({ "function": function, "parameters": parameters }).to_string();
        let response = Connection::open(self.control)?.send(&Request::post_json("/", body))?;
        if response.status != 200 {
            return Err(io::Error::other(format!("{function}: {}", response.text())));
        }
        Ok(response.json()?["result"].take())
    }

    /// Makes an account with this id. The fake's own function drops what it does not know, `customer_key` for one, so the
    /// rest is added afterwards.
    ///
    /// # Errors
    /// When the fake refuses.
    pub fn add_account(&self, id: &str, provider: &str, rest: Value) -> io::Result<()> {
        self.call(
            "addConnectedAccount",
            &[json!({
                "connected_account_id": id, "provider": provider, "workspace_id": WORKSPACE,
                "user_identifier": { "email": format!("{id}@example.com") }
            })],
        )?;
        self.call("updateConnectedAccount", &[with(rest, "connected_account_id", id)])?;
        Ok(())
    }

    /// Deletes an account, its devices too.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_account(&self, id: &str) -> io::Result<()> {
        let state = self.call("state", &[])?;
        for device in state["devices"].as_array().into_iter().flatten() {
            if device["connected_account_id"] == id {
                self.call("deleteDevice", &[device["device_id"].clone()])?;
            }
        }
        self.call("deleteConnectedAccount", &[json!({ "connected_account_id": id })])?;
        Ok(())
    }

    /// Gives an account a device.
    ///
    /// # Errors
    /// When the fake refuses.
    pub fn add_device(
        &self,
        account: &str,
        id: &str,
        is_managed: bool,
        kind: &str,
        properties: Value,
    ) -> io::Result<()> {
        self.call(
            "addDevice",
            &[json!({
                "device_id": id, "device_type": kind, "connected_account_id": account, "workspace_id": WORKSPACE,
                "name": id, "properties": properties
            })],
        )?;
        if !is_managed {
            self.call("updateDevice", &[json!({ "device_id": id, "is_managed": false })])?;
        }
        Ok(())
    }

    /// Takes a device away.
    ///
    /// # Errors
    /// When there is none.
    pub fn delete_device(&self, id: &str) -> io::Result<()> {
        self.call("deleteDevice", &[id.into()])?;
        Ok(())
    }

    /// Gives an account an access control system.
    ///
    /// # Errors
    /// When the fake refuses.
    pub fn add_system(&self, account: &str, id: &str, kind: &str) -> io::Result<()> {
        self.call(
            "addAcsSystem",
            &[json!({
                "acs_system_id": id, "external_type": kind, "name": id, "workspace_id": WORKSPACE,
                "connected_account_id": account
            })],
        )?;
        Ok(())
    }

    /// Gives an access control system an entrance. Gives the entrance's id.
    ///
    /// # Errors
    /// When there is no such system.
    pub fn add_entrance(&self, system: &str, name: &str) -> io::Result<String> {
        let made =
            self.call("addAcsEntrance", &[json!({ "acs_system_id": system, "display_name": name })])?;
        Ok(made["acs_entrance_id"].as_str().unwrap_or_default().to_owned())
    }

    /// Does what a customer does in a Connect Webview: connects this account through it. `rest` is what the fake's
    /// `create` has dropped, e.g. `customer_key` and `wait_for_device_creation`.
    ///
    /// # Errors
    /// When the fake refuses.
    pub fn complete_webview(&self, webview: &str, account: &str, rest: Value) -> io::Result<()> {
        let done = with(rest, "connect_webview_id", webview);
        let done = with(with(done, "connected_account_id", account), "status", "authorized");
        self.call("updateConnectWebview", &[done])?;
        Ok(())
    }

    /// From now on every route, or only this one, answers 503.
    ///
    /// # Errors
    /// When the fake does not answer.
    pub fn outage(&self, route: Option<&str>) -> io::Result<()> {
        let routes = route.map_or(ROUTES.to_vec(), |route| vec![route]);
        self.call("simulateWorkspaceOutage", &[WORKSPACE.into(), json!({ "routes": routes })])?;
        Ok(())
    }

    /// The end of an outage.
    ///
    /// # Errors
    /// When the fake does not answer.
    pub fn recover(&self) -> io::Result<()> {
        self.call("simulateWorkspaceOutageRecovery", &[WORKSPACE.into()])?;
        Ok(())
    }
}

/// The object with one more member.
fn with(object: Value, name: &str, value: &str) -> Value {
    let mut members = match object {
        Value::Object(members) => members,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    members.insert(name.to_owned(), value.into());
    members.into()
}

/// The ports in the line that the script prints when it is ready.
fn ports(output: &str) -> Option<(u16, u16)> {
    let line = output.lines().find_map(|line| line.strip_prefix("ready api="))?;
    let (api, control) = line.split_once(" control=")?;
    Some((api.parse().ok()?, control.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_read_from_the_line_that_says_ready() {
        assert_eq!(ports("warning\nready api=4000 control=4001\n"), Some((4000, 4001)));
        assert_eq!(ports("ready api="), None);
    }
}
