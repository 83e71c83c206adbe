//! The program with the published fake of the Seam API: connecting an account, both ways of waiting, a kill in the middle
//! of a sync, an outage. The fake sends no webhooks: the test does, signed as Svix signs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use standardwebhooks::Webhook;
use testbed::PATIENCE;
use testbed::fake_seam::{API_KEY, FakeSeam};
use testbed::http1::Connection;
use testbed::message::{Request, Response};
use testbed::service::Service;

const TOKEN: &str = "a-token-of-the-tests";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: &str = "Property 456/ä";

/// A directory with a database of its own. It can be killed and started again.
struct Directory {
    folder: PathBuf,
    service: Option<Service>,
    address: SocketAddr,
}

impl Directory {
    fn start(name: &str, fake: &FakeSeam) -> Self {
        let folder = testbed::paths::scratch().unwrap().join(format!("{name}-{}", std::process::id()));
        // Of an earlier process with the same id.
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let config = format!(
            "listen = '127.0.0.1:0'\npublic_url = 'http://127.0.0.1:1'\ndatabase = 'sqlite:{}'\ntokens = ['{TOKEN}']\n\
             [seam]\nurl = '{}'\napi_key = '{API_KEY}'\nwebhook_secrets = ['{SECRET}']\n\
             [sources]\ndefault = 'acme'\n",
            folder.join("directory.db").display(),
            fake.url()
        );
        std::fs::write(folder.join("directory.toml"), config).unwrap();
        let mut directory = Self { folder, service: None, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
        directory.serve();
        directory
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellhop"));
        command.arg(name).arg("--config").arg(self.folder.join("directory.toml"));
        command
    }

    fn serve(&mut self) {
        let mut service = Service::start("bellhop", self.command("serve")).unwrap();
        self.address = service.wait_for_value("listening on ").unwrap();
        self.service = Some(service);
    }

    fn send(&self, request: &Request) -> Response {
        Connection::open(self.address).unwrap().send(request).unwrap()
    }

    fn get(&self, path: &str) -> Response {
        self.send(&Request::new("GET", path).header("authorization", format!("Bearer {TOKEN}")))
    }

    /// Delivers a webhook of Seam about the account of the test.
    fn deliver(&self, event_type: &str, more: Value) {
        let mut event = more;
        event["event_type"] = event_type.into();
        event["connected_account_id"] = "ca_1".into();
        let body = event.to_string();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let time = i64::try_from(since.as_secs()).unwrap();
        let signature = Webhook::new(SECRET).unwrap().sign("msg_1", time, body.as_bytes()).unwrap();
        let request = Request::post_json("/webhooks/seam", body)
            .header("svix-id", "msg_1")
            .header("svix-timestamp", time.to_string())
            .header("svix-signature", signature);
        let response = self.send(&request);
        assert_eq!(response.status, 204, "{}", response.text());
    }

    /// The account's devices are known by all of these ids.
    fn check_assigned(&self, devices: &[&str], key: &str) {
        let account = json!({ "connected_account_id": "ca_1", "customer_key": key });
        let expected = json!({ "accounts": [account], "assigned_by": "device_id" });
        for device in devices {
            let response = self.get(&resolve(device));
            assert_eq!(response.json().unwrap_or_default(), expected, "{device}: {}", response.text());
        }
    }

    /// Waits until what this path answers satisfies the test: nothing tells of a sync but its result.
    fn wait_for(&self, path: &str, is_there: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.get(path);
            if response.status == 200 && is_there(&response.text()) {
                return;
            }
            assert!(Instant::now() < deadline, "{path}: {}", response.text());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn wait_until_ready(&self) {
        self.wait_for("/v1/accounts/ca_1", |it| it.contains("\"ready\""));
    }

    /// Makes a webview with `bellhop connect`. Gives its id.
    fn connect(&self, more: &[&str]) -> String {
        let arguments = ["--customer-key", KEY, "--providers", "salto,august"];
        let output = self.command("connect").args(arguments).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let url = String::from_utf8(output.stdout).unwrap();
        url.trim().split_once("connect_webview_id=").unwrap().1.to_owned()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.service = None;
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

fn resolve(device: &str) -> String {
    format!("/v1/resolve?source=acme&device_id={device}")
}

/// Gives the account of the test a managed and an unmanaged device.
fn add_devices(fake: &FakeSeam) {
    for (id, native, is_managed) in [("seam-1", "IGP1", true), ("seam-2", "IGP2", false)] {
        let properties = json!({ "igloohome_metadata": { "device_id": native, "bridge_id": "EB1" } });
        fake.add_device("ca_1", id, is_managed, "igloohome_lock", properties).unwrap();
    }
}

#[test]
fn with_wait_for_device_creation_the_redirect_alone_is_enough() {
    let fake = FakeSeam::start().unwrap();
    let directory = Directory::start("redirect", &fake);
    let webview = directory.connect(&["--wait-for-device-creation"]);
    let open =
        |id: &str| directory.send(&Request::new("GET", &format!("/connected?connect_webview_id={id}")));
    let pending = open(&webview);
    assert!(pending.status == 200 && pending.text().contains("not connected yet"), "{}", pending.text());

    fake.add_account("ca_1", "igloohome", json!({})).unwrap();
    add_devices(&fake);
    fake.add_system("ca_1", "system", "visionline_system").unwrap();
    let entrance = fake.add_entrance("system", "Room 101").unwrap();
    let rest = json!({ "customer_key": KEY, "wait_for_device_creation": true });
    fake.complete_webview(&webview, "ca_1", rest).unwrap();

    let done = open(&webview);
    assert!(done.status == 200 && done.text().contains("is connected"), "{}", done.text());
    directory.wait_until_ready();
    directory.check_assigned(&["IGP1", "IGP2", "seam-1", "seam-2", &entrance], KEY);
    assert_eq!(open("nobodys").status, 404);
}

#[test]
fn without_it_devices_come_when_seam_has_synced_them() {
    let fake = FakeSeam::start().unwrap();
    let directory = Directory::start("first-sync", &fake);
    let webview = directory.connect(&[]);
    fake.add_account("ca_1", "igloohome", json!({})).unwrap();
    fake.complete_webview(&webview, "ca_1", json!({})).unwrap();
    let event = json!({ "connect_webview_id": webview, "customer_key": KEY });
    directory.deliver("connected_account.connected", event);
    // Only a job learns the provider; it leaves the devices for later.
    directory.wait_for("/v1/accounts/ca_1", |it| it.contains("\"igloohome\""));
    assert!(directory.get("/v1/accounts/ca_1").text().contains("\"connected\""));
    add_devices(&fake);
    directory.deliver("connected_account.completed_first_sync", json!({}));
    directory.wait_until_ready();
    directory.check_assigned(&["IGP1", "IGP2"], KEY);
}

#[test]
fn a_directory_that_is_killed_in_the_middle_of_a_sync_completes_it() {
    let fake = FakeSeam::start().unwrap();
    let mut directory = Directory::start("killed", &fake);
    fake.add_account("ca_1", "igloohome", json!({ "customer_key": "key" })).unwrap();
    add_devices(&fake);
    // The managed devices come, the unmanaged ones do not: that is the middle.
    fake.outage(Some("/devices/unmanaged/list")).unwrap();
    directory.deliver("connected_account.completed_first_sync", json!({}));
    directory.wait_for(&resolve("IGP1"), |it| it.contains("ca_1"));
    directory.service.take().unwrap().kill().unwrap();
    fake.recover().unwrap();
    directory.serve();
    directory.wait_until_ready();
    directory.check_assigned(&["IGP1", "IGP2"], "key");
}

#[test]
fn an_outage_of_the_api_delays_and_loses_nothing() {
    let fake = FakeSeam::start().unwrap();
    let directory = Directory::start("outage", &fake);
    fake.outage(None).unwrap();
    directory.deliver("connected_account.connected", json!({ "customer_key": "key" }));
    directory.deliver("connected_account.completed_first_sync", json!({}));
    directory.wait_for("/metrics", |it| it.contains("seam_api_errors_total{kind=\"outage\"}"));
    fake.add_account("ca_1", "igloohome", json!({})).unwrap();
    add_devices(&fake);
    fake.recover().unwrap();
    directory.wait_until_ready();
    directory.check_assigned(&["IGP1", "IGP2"], "key");
}
