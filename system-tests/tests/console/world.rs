//! A chain with something to look at, and a browser beside it. It looks at nothing itself.

use serde_json::{Value, json};
use system_tests::chain::{Chain, cause, device_online};
use system_tests::directory::{Settings, TOKEN, text_of};
use system_tests::{BoxError, webhook};
use testbed::browser::{Browser, keys};
use testbed::fake_seam::FakeSeam;
use testbed::message::Request;

/// What a page that made markup of text would run.
pub(crate) const HOSTILE: &str = "<img src=x onerror=window.pwned=1>";

const ACCOUNTS: &str = r#"{"connected_account_id":"ca_hotel","customer_key":"property-456","source":"acme","devices":["lock_1","lock_2","lock_491829"],"bridges":["bridge_1","bridge_99211"],"access_codes":["code_7001"]}
{"connected_account_id":"ca_flat","customer_key":"property-789","source":"keyed","devices":["lock_1"]}
"#;
const SYNCED: &str = "ca_guest_house";

/// How many presses of the tabulator anything may be away.
const TABS: usize = 60;

/// A chain, and a browser that has opened nothing yet.
pub(crate) struct World {
    pub(crate) chain: Chain,
    pub(crate) browser: Browser,
    seam: Option<FakeSeam>,
}

/// The numbers of events whose bodies are hostile.
pub(crate) struct Hostile {
    pub(crate) json: i64,
    pub(crate) no_json: i64,
}

impl World {
    /// With nothing in the directory, and nowhere to sync from.
    pub(crate) fn start_empty() -> Result<Self, BoxError> {
        Self::with(None)
    }

    fn with(seam: Option<FakeSeam>) -> Result<Self, BoxError> {
        let seam_url = seam.as_ref().map(FakeSeam::url);
        let mut chain =
            Chain::start(&Settings { seam_url, first_sync_grace_s: 3600, ..Settings::default() }, 60)?;
        // Only now it is told where the edge is.
        chain.directory.stop()?;
        chain.directory.run()?;
        Ok(Self { chain, browser: Browser::start()?, seam })
    }

    /// With accounts that were imported, synced, and cannot be synced; with an unknown device, and events that were set aside.
    pub(crate) fn start() -> Result<Self, BoxError> {
        let world = Self::with(Some(FakeSeam::start()?))?;
        world.import(ACCOUNTS)?;
        world.sync_an_account()?;
        world.fail_a_sync()?;
        for _ in 0..2 {
            let refused = world.chain.post(&device_online("lock_unknown"))?;
            assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("account_unknown")));
        }
        for body in [
            r#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18","device_id":"lock_491829","name":"Front door","access_code":{"code":"4711"}}"#,
            r#"{"event_type":"access_code.used","timestamp":"2026-02-10T14:24:18Z","device_id":5}"#,
            "{\"event_type\": broken, code: 4711",
            r#"{"event_type":"device.low_battery","timestamp":"2026-02-10T14:24:18Z"}"#,
        ] {
            assert_eq!(world.chain.post(body)?.status, 202, "{body}");
        }
        assert_eq!(world.chain.post_verified("[]")?.status, 202);
        Ok(world)
    }

    pub(crate) fn import(&self, lines: &str) -> Result<(), BoxError> {
        let file = self.chain.directory.write("accounts.jsonl", lines)?;
        self.chain.directory.bellhop(&["import", text_of(&file)?]).map(drop)
    }

    fn deliver(&self, event_type: &str, account: &str) -> Result<(), BoxError> {
        let members = json!({ "connected_account_id": account, "customer_key": "property-101" });
        let response = self.chain.directory.send(&webhook::signed(event_type, members))?;
        if response.status == 204 { Ok(()) } else { Err(format!("{}", response.status).into()) }
    }

    fn seam(&self) -> Result<&FakeSeam, BoxError> {
        Ok(self.seam.as_ref().ok_or("there is no Seam API")?)
    }

    fn sync_an_account(&self) -> Result<(), BoxError> {
        let seam = self.seam()?;
        seam.add_account(SYNCED, "august", json!({ "customer_key": "property-101" }))?;
        let native = |id: &str| json!({ "august_metadata": { "lock_id": id, "lock_name": "Front", "house_name": "Home" } });
        seam.add_device(SYNCED, "seam_lock_1", true, "august_lock", native("native_lock_1"))?;
        seam.add_device(SYNCED, HOSTILE, false, "august_lock", native("native_lock_2"))?;
        seam.add_system(SYNCED, "acs_main", "salto_ks_site")?;
        seam.add_entrance("acs_main", "Back door")?;
        self.deliver("connected_account.connected", SYNCED)?;
        self.deliver("connected_account.completed_first_sync", SYNCED)?;
        self.chain.directory.wait_until(&format!("/v1/accounts/{SYNCED}"), |it| it["state"] == "ready")?;
        Ok(())
    }

    /// The API is down from here on.
    fn fail_a_sync(&self) -> Result<(), BoxError> {
        self.seam()?.add_account("ca_winery", "august", json!({}))?;
        self.seam()?.outage(None)?;
        self.deliver("connected_account.completed_first_sync", "ca_winery")?;
        self.chain
            .directory
            .wait_until("/v1/accounts?sync=failing", |it| it["items"][0]["sync"]["attempts"].is_i64())?;
        Ok(())
    }

    /// Sets aside an event whose ids have different owners. Gives its number.
    pub(crate) fn set_aside_a_conflict(&self) -> Result<i64, BoxError> {
        self.import(concat!(
            r#"{"connected_account_id":"ca_old","source":"keyed","devices":["lock_9"]}"#,
            "\n",
            r#"{"connected_account_id":"ca_new","source":"keyed","bridges":["bridge_9"]}"#,
            "\n",
        ))?;
        let event = r#"{"event_type":"access_code.used","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_9","bridge_id":"bridge_9","code":"4711"}"#;
        let taken = self.chain.post_verified(event)?;
        assert_eq!((taken.status, cause(&taken).as_deref()), (202, Some("account_conflict")));
        let listed = self.chain.directory.get("/v1/quarantine?cause=account_conflict")?.json()?;
        Ok(listed["items"][0]["id"].as_i64().ok_or("the event is not listed")?)
    }

    pub(crate) fn mend_the_conflict(&self) -> Result<(), BoxError> {
        self.import(
            r#"{"connected_account_id":"ca_old","source":"keyed","devices":["lock_8"]}
{"connected_account_id":"ca_new","source":"keyed","devices":["lock_9"],"bridges":["bridge_9"]}
"#,
        )
    }

    /// Puts markup wherever somebody outside can put text.
    pub(crate) fn plant_hostile_content(&self) -> Result<Hostile, BoxError> {
        let account = json!({
            "connected_account_id": HOSTILE, "customer_key": HOSTILE, "source": "acme", "devices": [HOSTILE], "bridges": ["</td><script>pwned=1</script>"],
        });
        self.import(&format!("{account}\n"))?;
        let unknown = json!({
            "event_type": "access_code.used", "timestamp": "2026-02-10T14:24:18Z", "device_id": format!("{HOSTILE}2"), "access_code_id": HOSTILE,
        });
        assert_eq!(self.chain.post(&unknown.to_string())?.status, 503);
        let script = "</pre><script>window.pwned=1</script>";
        let event = json!({
            "event_type": "device.online", "timestamp": "never", "device_id": HOSTILE, (script): script, "url": "javascript:window.pwned=1",
        });
        let json = self.quarantine(&event.to_string(), HOSTILE)?;
        let no_json = self.quarantine(&format!("{script}{HOSTILE}<svg onload=pwned=1>"), HOSTILE)?;
        Ok(Hostile { json, no_json })
    }

    /// As the filter sets an event aside, with ids that it would have written as `%XX`.
    fn quarantine(&self, body: &str, id: &str) -> Result<i64, BoxError> {
        let id = id.replace(' ', "/");
        let mut request = Request::new("POST", "/v1/quarantine").body(body);
        for (name, value) in [
            ("authorization", format!("Bearer {TOKEN}").as_str()),
            ("content-type", "application/json;<script>pwned=1</script>"),
            ("x-event-id", &id.replace('.', "_")),
            ("x-event-source", "acme"),
            ("x-event-environment", &id),
            ("x-event-cause", "event_invalid"),
            ("x-envoy-original-path", "/provider_events?token=secret"),
            ("x-event-type", &id),
            ("x-device-id", &id),
            ("x-event-partition-key", &id),
        ] {
            request = request.header(name, value);
        }
        let response = self.chain.directory.send(&request)?;
        if response.status != 202 {
            return Err(format!("{}: {}", response.status, response.text()).into());
        }
        let listed = self.chain.directory.get("/v1/quarantine?limit=500")?.json()?;
        let last = listed["items"].as_array().and_then(|items| items.last()?["id"].as_i64());
        Ok(last.ok_or("nothing is listed")?)
    }

    /// The page, at this fragment.
    pub(crate) fn address(&self, fragment: &str) -> String {
        format!("http://{}/console{fragment}", self.chain.directory.address())
    }

    /// Opens a place and gives the token.
    pub(crate) fn sign_in(&self, fragment: &str) -> Result<(), BoxError> {
        self.browser.open(&self.address(fragment))?;
        self.browser.wait_for("document.activeElement.id === 'token'")?;
        self.browser.press(TOKEN)?;
        self.browser.press(keys::ENTER)?;
        self.browser.wait_for("document.querySelector('#results')?.getAttribute('aria-busy') === 'false'")?;
        Ok(())
    }

    /// Waits until this heading stands there, and what is below it has come.
    pub(crate) fn settled(&self, heading: &str) -> Result<(), BoxError> {
        let heading = Value::from(heading);
        self.browser.wait_for(&format!(
            "document.querySelector('h1')?.textContent === {heading} && \
             document.querySelector('#results')?.getAttribute('aria-busy') === 'false'"
        ))?;
        Ok(())
    }

    /// Goes on with the tabulator until something that this selector finds has the focus.
    pub(crate) fn tab_to(&self, css: &str) -> Result<(), BoxError> {
        for _ in 0..TABS {
            self.browser.press(keys::TAB)?;
            if self.browser.run("return document.activeElement.matches(arguments[0])", &[css.into()])? == true
            {
                return Ok(());
            }
        }
        Err(format!("{css} cannot be reached by the keyboard").into())
    }

    /// The text of what has the focus.
    pub(crate) fn focused(&self) -> Result<String, BoxError> {
        Ok(self.browser.focused()?.text()?)
    }

    /// What the page shows.
    pub(crate) fn text(&self) -> Result<String, BoxError> {
        Ok(self.browser.find("main")?.text()?)
    }

    /// What was said last to those who do not see it.
    pub(crate) fn said(&self) -> Result<String, BoxError> {
        let said = self.browser.run("return document.getElementById('said').textContent", &[])?;
        Ok(said.as_str().unwrap_or_default().to_owned())
    }

    /// How many rows the list has.
    pub(crate) fn rows(&self) -> Result<usize, BoxError> {
        Ok(self.browser.find_all("#results > table > tbody > tr")?.len())
    }

    /// The browser has complained about nothing.
    pub(crate) fn assert_quiet(&self) -> Result<(), BoxError> {
        assert_eq!(self.browser.console()?, [""; 0]);
        Ok(())
    }
}
