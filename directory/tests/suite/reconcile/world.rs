//! A scripted Seam API in this process, with accounts that change, pages, failures and hangs. It sends no webhooks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use seam::{Client, Limits, Secret};
use serde_json::{Map, Value, json};
use testbed::upstream::{Answer, Received, Upstream};
use tokio::sync::Notify;

/// An account as the API has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) customer_key: Option<String>,
    /// Where the API gives the key: with the account, or only with its webview.
    pub(crate) key_with_account: bool,
    pub(crate) wait: bool,
    pub(crate) is_disconnected: bool,
    /// Native id → managed.
    pub(crate) devices: BTreeMap<String, bool>,
    /// Door ids of the account's one system, if it has one.
    pub(crate) doors: Option<BTreeSet<String>>,
}

/// What the API has, and how it behaves.
#[derive(Debug, Default)]
pub(crate) struct World {
    pub(crate) accounts: BTreeMap<String, Account>,
    /// The next answers, before the API is itself again.
    pub(crate) failures: Vec<Answer>,
    /// Requests until one hangs.
    pub(crate) hangs_after: Option<usize>,
    /// How long each answer takes.
    pub(crate) delay: Duration,
    pub(crate) n_requests: usize,
}

/// The API, running.
pub(crate) struct Api {
    pub(crate) client: Arc<Client>,
    /// A request hangs, or its answer takes its time.
    pub(crate) hung: Arc<Notify>,
    world: Arc<Mutex<World>>,
    _server: Upstream,
}

impl Api {
    pub(crate) fn start() -> Self {
        let world = Arc::new(Mutex::new(World::default()));
        let hung = Arc::new(Notify::new());
        let respond = {
            let (world, hung) = (Arc::clone(&world), Arc::clone(&hung));
            move |received: &Received| {
                let mut world = world.lock().unwrap();
                let answer = world.respond(received);
                let is_slow = !world.delay.is_zero();
                let answer = if is_slow { answer.after(world.delay) } else { answer };
                if is_slow || matches!(answer, Answer::Hang) {
                    hung.notify_one();
                }
                answer
            }
        };
        let server = Upstream::start_with(0, respond).unwrap();
        let limits = Limits { page_size: 2, ..Limits::default() };
        let address = format!("http://{}", server.address());
        let client = Arc::new(Client::try_new(&address, &Secret::new("key"), limits).unwrap());
        Self { client, hung, world, _server: server }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl World {
    fn respond(&mut self, received: &Received) -> Answer {
        self.n_requests += 1;
        if let Some(left) = &mut self.hangs_after {
            if *left == 0 {
                self.hangs_after = None;
                return Answer::Hang;
            }
            *left -= 1;
        }
        if let Some(failure) = self.failures.pop() {
            return failure;
        }
        let body: Map<String, Value> = serde_json::from_slice(&received.body).unwrap();
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let account = self.accounts.get(text("connected_account_id"));
        let of_account = |list: fn(&str, &Account) -> Vec<Value>| {
            account.map(|it| list(text("connected_account_id"), it)).unwrap_or_default()
        };
        match received.path.as_str() {
            "/connected_accounts/get" => match account {
                Some(it) => ok(json!({ "connected_account": shown(text("connected_account_id"), it) })),
                None => not_found("connected_account_not_found"),
            },
            "/connect_webviews/get" => match self.accounts.get(account_of(text("connect_webview_id"))) {
                Some(it) => {
                    ok(json!({ "connect_webview": webview(account_of(text("connect_webview_id")), it) }))
                }
                None => not_found("connect_webview_not_found"),
            },
            "/connected_accounts/list" => page(
                "connected_accounts",
                self.accounts.iter().map(|(id, it)| shown(id, it)).collect(),
                &body,
            ),
            "/connect_webviews/list" => page(
                "connect_webviews",
                self.accounts.iter().map(|(id, it)| webview(id, it)).collect(),
                &body,
            ),
            "/devices/list" => page("devices", of_account(|id, it| devices(id, it, true)), &body),
            "/devices/unmanaged/list" => page("devices", of_account(|id, it| devices(id, it, false)), &body),
            "/acs/systems/list" => page("acs_systems", of_account(systems), &body),
            "/acs/entrances/list" => {
                let id = text("acs_system_id");
                match self.accounts.get(account_of(id)).and_then(|it| it.doors.as_ref()) {
                    Some(doors) => {
                        page("acs_entrances", doors.iter().map(|door| entrance(id, door)).collect(), &body)
                    }
                    None => not_found("acs_system_not_found"),
                }
            }
            other => panic!("nobody asks for {other}"),
        }
    }
}

/// The account that the id of something of it begins with.
pub(crate) fn account_of(id: &str) -> &str {
    id.split('/').next().unwrap_or_default()
}

fn shown(id: &str, account: &Account) -> Value {
    let key = account.customer_key.as_ref().filter(|_| account.key_with_account);
    let errors: &[Value] =
        if account.is_disconnected { &[json!({ "error_code": "account_disconnected" })] } else { &[] };
    json!({ "connected_account_id": id, "account_type": "igloohome", "customer_key": key, "errors": errors })
}

fn webview(id: &str, account: &Account) -> Value {
    json!({
        "connect_webview_id": format!("{id}/webview"), "url": "https://w", "status": "authorized",
        "connected_account_id": id, "customer_key": account.customer_key, "wait_for_device_creation": account.wait
    })
}

fn devices(id: &str, account: &Account, managed: bool) -> Vec<Value> {
    let of_kind = account.devices.iter().filter(|(_, it)| **it == managed);
    of_kind
        .map(|(native, _)| {
            json!({
                "device_id": format!("{id}/{native}"), "device_type": "igloohome_lock", "connected_account_id": id,
                "properties": { "igloohome_metadata": { "device_id": native, "bridge_id": format!("{id}-bridge") } }
            })
        })
        .collect()
}

fn systems(id: &str, account: &Account) -> Vec<Value> {
    let system = json!({ "acs_system_id": format!("{id}/system"), "external_type": "salto_space_system", "name": "S" });
    account.doors.iter().map(|_| system.clone()).collect()
}

fn entrance(system: &str, door: &str) -> Value {
    json!({
        "acs_entrance_id": format!("{system}/{door}"), "acs_system_id": system, "display_name": door,
        "salto_space_metadata": { "door_id": door }
    })
}

fn page(member: &str, items: Vec<Value>, body: &Map<String, Value>) -> Answer {
    let size = usize::try_from(body.get("limit").and_then(Value::as_u64).unwrap_or(100)).unwrap();
    let start: usize = body.get("page_cursor").and_then(Value::as_str).map_or(0, |it| it.parse().unwrap());
    let end = (start + size).min(items.len());
    let more = end < items.len();
    let pagination = json!({ "has_next_page": more, "next_page_cursor": more.then(|| end.to_string()) });
    ok(json!({ member: items.get(start..end).unwrap_or_default(), "pagination": pagination, "ok": true }))
}

fn ok(body: Value) -> Answer {
    Answer::status(200).header("content-type", "application/json").body(body.to_string())
}

fn not_found(kind: &str) -> Answer {
    Answer::status(404).body(json!({ "error": { "type": kind, "message": "m" }, "ok": false }).to_string())
}
