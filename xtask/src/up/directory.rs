//! The account directory of `up --with-directory`: its folder, its configuration, a fake of the Seam API beside it. It is for
//! this machine only: its token stands below.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use testbed::bootstrap::Bootstrap;
use testbed::fake_seam::{self, FakeSeam};
use testbed::paths;
use testbed::service::Service;

use crate::examples;
use crate::run;
use crate::setup::{self, from_repository};

/// The bearer token of the directory, and the secret of replays.
pub(super) const TOKEN: &str = "for-this-machine-only";
/// Where the filter finds it.
pub(super) const TOKEN_VARIABLE: &str = "DIRECTORY_TOKEN";

/// What it knows from the start.
const ACCOUNTS: &str = r#"{"connected_account_id":"ca_guest_house","customer_key":"property-789","source":"acme","devices":["lock_700001"],"bridges":["bridge_700"]}
"#;

/// A running directory. It stops when this is dropped.
#[derive(Debug)]
pub(super) struct Directory {
    _service: Service,
    seam: Option<FakeSeam>,
    bellhop: PathBuf,
    configuration: PathBuf,
    address: SocketAddr,
}

/// Starts it with the database that an earlier run has left, if there is one.
pub(super) fn start(
    bellhop: &Path,
    port: u16,
    edge_port: u16,
    folder: Option<&Path>,
) -> anyhow::Result<Directory> {
    let folder = folder.map_or_else(|| paths::target().join("up"), Path::to_owned);
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let seam = seam();
    let configuration = folder.join("directory.toml");
    let accounts = folder.join("accounts.jsonl");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    std::fs::write(&configuration, configuration_text(address, edge_port, &folder, seam.as_ref()))?;
    std::fs::write(&accounts, ACCOUNTS)?;
    let mut import = Command::new(bellhop);
    run::checked(import.arg("import").arg("--config").arg(&configuration).arg(&accounts))?;
    setup::announce("starting the account directory");
    let mut serve = Command::new(bellhop);
    serve.arg("serve").arg("--config").arg(&configuration);
    let mut service = Service::start("directory", serve)?;
    service.wait_for_value::<SocketAddr>("listening on ").context("the directory does not start")?;
    Ok(Directory { _service: service, seam, bellhop: bellhop.to_owned(), configuration, address })
}

/// A fake of the Seam API, if there can be one here.
fn seam() -> Option<FakeSeam> {
    let installed = fake_seam::is_installed() || install_seam();
    match installed.then(FakeSeam::start) {
        Some(Ok(seam)) => Some(seam),
        Some(Err(error)) => {
            setup::announce(&format!("going on without a Seam API: {error}"));
            None
        }
        None => {
            setup::announce("going on without a Seam API: its published fake needs node and npm");
            None
        }
    }
}

fn install_seam() -> bool {
    if !run::probe(run::program("node").arg("--version")) || !run::probe(run::program("npm").arg("--version"))
    {
        return false;
    }
    setup::announce(&format!("installing {} into the build folder", fake_seam::PACKAGE));
    setup::npm(fake_seam::PACKAGE).is_ok()
}

fn configuration_text(listen: SocketAddr, edge_port: u16, folder: &Path, seam: Option<&FakeSeam>) -> String {
    let mut text = format!(
        "# Written by `cargo xtask up --with-directory` at every start.\n\
         listen = \"{listen}\"\npublic_url = \"http://{listen}\"\n\
         database = \"sqlite:{database}\"\ntokens = [\"{TOKEN}\"]\n\
         \n[quarantine]\nedge_url = \"http://127.0.0.1:{edge_port}\"\nreplay_secret = \"{TOKEN}\"\n",
        database = folder.join("directory.db").display(),
    );
    if let Some(seam) = seam {
        text.push_str(&format!(
            "\n[seam]\nurl = \"{url}\"\napi_key = \"{key}\"\nwebhook_secrets = [\"whsec_Zm9yIHRoaXMgbWFjaGluZSBvbmx5\"]\nfirst_sync_grace_s = 2\n\
             \n[sources]\ndefault = \"{source}\"\n",
            url = seam.url(),
            key = fake_seam::API_KEY,
            source = examples::SOURCE,
        ));
    }
    text
}

impl Directory {
    /// The gateway's configuration with the filter asking this directory, and setting aside what can never be forwarded: in the
    /// configuration of `envoy.yaml`, or in this one where it does not say otherwise.
    pub(super) fn add_to(&self, bootstrap: Bootstrap, own: Option<&Value>) -> anyhow::Result<Bootstrap> {
        const BEFORE: &str = "\"on_unassigned\": \"defer\",";
        let token = json!({ "env": TOKEN_VARIABLE });
        let added = json!({
            "directory": { "cluster": "directory", "timeout_ms": 1000, "token": token },
            "on_invalid": "quarantine",
            "replay": { "secrets": [token] },
        });
        let bootstrap = bootstrap.with_directory(self.address.port())?.with_quarantine()?.replace_once(
            "# environment_variables: { host_env_keys: [ACME_SECRET, DIRECTORY_TOKEN] }",
            &format!("environment_variables: {{ host_env_keys: [{TOKEN_VARIABLE}] }}"),
        )?;
        let Some(own) = own else {
            let text = added.to_string();
            let members = text.strip_prefix('{').and_then(|it| it.strip_suffix('}')).unwrap_or_default();
            return Ok(bootstrap.replace_once(BEFORE, &format!("{members}, {BEFORE}"))?);
        };
        let (Value::Object(mut members), Value::Object(own)) = (added, own.clone()) else {
            bail!("the filter's configuration is no JSON object");
        };
        members.extend(own);
        Ok(bootstrap.plugin_configuration(&format!("{:#}", Value::Object(members)))?)
    }

    /// What one can do with it.
    pub(super) fn invitation(&self, edge: SocketAddr) -> String {
        let bellhop = from_repository(&self.bellhop).display();
        let configuration = from_repository(&self.configuration).display();
        let directory = self.address;
        let mut text = format!(
            "The account directory: http://{directory}   its configuration and database: {folder}
Its console, for a browser: http://{directory}/console   the token that it asks for: {TOKEN}
Events tried in a browser: http://{directory}/inspect

An event of an account that only the directory knows, and what it knows:

  curl -i http://{edge}{path} -H 'content-type: application/json' -d '{event}'

  curl 'http://{directory}/v1/resolve?source={source}&device_id=lock_700001' -H 'authorization: Bearer {TOKEN}'

The bad event above is not refused now: the directory keeps it (202), so that its sender need not try again. Look at it in the console, or here, and try whether it gets through by now:

  {bellhop} quarantine list --config {configuration}

  {bellhop} quarantine replay --all --config {configuration}
",
            path = examples::PATH,
            source = examples::SOURCE,
            event = r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_700001"}"#,
            folder = from_repository(self.configuration.parent().unwrap_or(&self.configuration)).display(),
        );
        if let Some(seam) = &self.seam {
            text.push_str(&format!(
                "
A customer connects an account (a fake Seam API is at {seam}; it sends no webhooks, and forgets customer keys and the wish to wait):

  {bellhop} connect --config {configuration} --customer-key property-456 --providers august --wait-for-device-creation

  ID=...   # connect_webview_id in the URL that this prints
  curl -X POST {seam}/_fake/complete_connect_webview -H 'content-type: application/json' -d '{{\"connect_webview_id\":\"'$ID'\"}}'
  curl 'http://{directory}/connected?connect_webview_id='$ID
  sleep 3
  {bellhop} export --config {configuration}
",
                seam = seam.url(),
            ));
        }
        text
    }
}
