//! `register` and `registrations` with a scripted provider: what is sent, what is said, when it is an error.

use std::process::Output;

use serde_json::{Value, json};
use testbed::upstream::{Answer, Upstream};

use crate::folder::{Folder, failure, success};

const URL: &str = "https://edge.example/provider_events";

/// A provider, and a directory that registers with it.
struct Setting {
    folder: Folder,
    provider: Upstream,
}

impl Setting {
    fn new() -> Self {
        Self { folder: Folder::new(), provider: Upstream::start().unwrap() }
    }

    fn address(&self) -> String {
        format!("http://{}", self.provider.address())
    }

    fn register(&self, more: &[&str]) -> Output {
        self.register_at(&self.address(), URL, more)
    }

    fn register_at(&self, provider: &str, url: &str, more: &[&str]) -> Output {
        let mut command = self.folder.command("register");
        command.args(["--provider", provider, "--url", url]).args(more);
        command.env("PROVIDER_TOKEN", "token-of-the-provider").output().unwrap()
    }

    fn registrations(&self, more: &[&str]) -> Output {
        self.folder.command("registrations").args(more).output().unwrap()
    }

    fn answer(&self, body: &Value) {
        let answer = Answer::status(200).header("content-type", "application/json");
        self.provider.next(answer.body(body.to_string()));
    }

    /// The requests since the last time, each with its body.
    fn asked(&self) -> Vec<(String, Value)> {
        let received = self.provider.take().into_iter();
        received
            .map(|it| {
                (format!("{} {}", it.method, it.path), serde_json::from_slice(&it.body).unwrap_or_default())
            })
            .collect()
    }
}

#[test]
fn twice_registers_once_and_other_events_update_it() {
    let setting = Setting::new();
    setting.answer(&json!({ "webhook_id": "wh_1", "status": "active" }));
    let events = ["--events", "device.online,bridge.offline"];
    assert_eq!(success(&setting.register(&events)), "registered: wh_1 (active)\n");
    assert_eq!(
        setting.asked(),
        [("POST /webhooks".to_owned(), json!({ "url": URL, "events": ["bridge.offline", "device.online"] }))]
    );
    assert_eq!(success(&setting.register(&events)), "unchanged: wh_1 (active)\n");
    // However the addresses are written.
    let again = setting.register_at(
        &format!("HTTP://{}/", setting.provider.address()),
        "https://EDGE.example:443/provider_events",
        &["--events", "bridge.offline", "--events", "device.online"],
    );
    assert_eq!(success(&again), "unchanged: wh_1 (active)\n");
    assert_eq!(setting.asked(), []);

    setting.answer(&json!({ "webhook_id": "wh_1", "status": "active" }));
    let changed = setting.register(&["--events", "device.offline"]);
    assert_eq!(success(&changed), "updated: wh_1 (active)\n");
    assert_eq!(
        setting.asked(),
        [("PUT /webhooks/wh_1".to_owned(), json!({ "url": URL, "events": ["device.offline"] }))]
    );
    let address = setting.address();
    let line = format!("{address}\t{URL}\twh_1\tactive\tdevice.offline\n");
    assert_eq!(success(&setting.registrations(&[])), line);
    assert_eq!(success(&setting.registrations(&["--provider", &format!("{address}/")])), line);
    assert_eq!(success(&setting.registrations(&["--provider", "https://other.example"])), "");
}

#[test]
fn every_known_type_is_asked_for_and_what_is_left_out_is_warned_of() {
    let setting = Setting::new();
    // The documentation's own example: without the two types that it forgets.
    let forgotten = ["bridge.offline", "device.time_wrong"];
    let known = directory::registration::known_events();
    let accepted: Vec<_> = known.iter().filter(|it| !forgotten.contains(&it.as_str())).collect();
    setting.answer(&json!({ "webhook_id": "wh_1", "status": "active", "events": accepted }));
    let output = setting.register(&[]);
    let warning = "warning: the provider does not deliver bridge.offline, device.time_wrong\n";
    assert_eq!(failure(&output), (Some(0), warning.to_owned()));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "registered: wh_1 (active)\n");
    assert_eq!(setting.asked(), [("POST /webhooks".to_owned(), json!({ "url": URL, "events": known }))]);
    let shown = success(&setting.registrations(&["--as-plugin-events"]));
    let shown: Value = serde_json::from_str(&format!("{{{shown}}}")).unwrap();
    assert_eq!(shown, json!({ "events": accepted }));
}

#[test]
fn a_type_that_the_filter_does_not_know_is_warned_of_and_asked_for() {
    let setting = Setting::new();
    setting.answer(&json!({ "webhook_id": "wh_1", "status": "active" }));
    let output = setting.register(&["--events", "device.onlin,device.online"]);
    assert_eq!(failure(&output), (Some(0), "warning: the filter does not know device.onlin\n".to_owned()));
    assert_eq!(setting.asked()[0].1["events"], json!(["device.onlin", "device.online"]));
}

#[test]
fn the_token_comes_from_the_environment_and_is_said_nowhere() {
    let setting = Setting::new();
    setting.provider.next(Answer::status(401).body("token-of-the-provider"));
    let refused = setting.register(&["--token-env", "PROVIDER_TOKEN"]);
    let received = setting.provider.take();
    assert_eq!(received[0].headers.get("authorization"), Some("Bearer token-of-the-provider"));
    let (code, text) = failure(&refused);
    assert_eq!(
        (code, text.as_str()),
        (Some(1), "error: the provider did not register the URL: the API refuses the key (status 401)\n")
    );
    let (code, text) = failure(&setting.register(&["--token-env", "NO_SUCH_VARIABLE"]));
    assert!(code == Some(1) && text.contains("NO_SUCH_VARIABLE is not set"), "{text}");
    let mut command = setting.folder.command("register");
    command.args(["--provider", &setting.address(), "--url", URL, "--token-env", "PROVIDER_TOKEN"]);
    let (code, text) = failure(&command.env("PROVIDER_TOKEN", "se\ncret").output().unwrap());
    assert!(code == Some(1) && text.contains("no header can carry") && !text.contains("cret"), "{text}");
    assert_eq!(setting.asked(), []);
    // It was refused: nothing keeps it from being sent again.
    setting.answer(&json!({ "webhook_id": "wh_1", "status": "active" }));
    assert_eq!(success(&setting.register(&[])), "registered: wh_1 (active)\n");
}

#[test]
fn a_lost_answer_is_not_guessed_about() {
    let setting = Setting::new();
    setting.provider.next(Answer::Close);
    let (code, text) = failure(&setting.register(&[]));
    assert!(code == Some(1) && text.contains("the API gave no answer"), "{text}");
    setting.provider.next(Answer::status(405));
    let (code, text) = failure(&setting.register(&[]));
    assert!(code == Some(1) && text.contains("look there, then use --anew"), "{text}");
    let line = format!("{}\t{URL}\t-\tasked\t\n", setting.address());
    assert_eq!(success(&setting.registrations(&[])), line);
    setting.answer(&json!({ "webhook_id": "wh_2", "status": "active" }));
    assert_eq!(success(&setting.register(&["--anew"])), "registered: wh_2 (active)\n");
}

#[test]
fn what_cannot_be_registered_is_refused_before_anything_is_sent() {
    let setting = Setting::new();
    let address = setting.address();
    for (provider, url, expected) in [
        ("provider.example", URL, "--provider or its token cannot be used: the address is no URL"),
        ("http://provider.example", URL, "the address must be https"),
        ("https://user@provider.example", URL, "the address may have a path and nothing after it"),
        (&address, "edge.example/events", "the address to deliver to has to be a URL of http or https"),
        (&address, "ftp://edge.example/", "the address to deliver to has to be a URL of http or https"),
        (&address, "https://u:p@edge.example/", "the address to deliver to has to be a URL of http or https"),
        (&address, "https://edge.example/#a", "the address to deliver to has to be a URL of http or https"),
    ] {
        let (code, text) = failure(&setting.register_at(provider, url, &[]));
        assert!(code == Some(1) && text.contains(expected), "{provider} {url}: {text}");
    }
    for wrong in [&["--events", "a,,b"][..], &["--event", "a"], &["--url", URL]] {
        assert_eq!(failure(&setting.register(wrong)).0, Some(2), "{wrong:?}");
    }
    assert_eq!(setting.asked(), []);
    assert_eq!(success(&setting.registrations(&[])), "");
}

#[test]
fn the_events_of_one_provider_only_are_written_for_the_plugin() {
    let setting = Setting::new();
    let (code, text) = failure(&setting.registrations(&["--as-plugin-events"]));
    assert!(code == Some(1) && text.contains("nothing is registered"), "{text}");
    let other = Upstream::start().unwrap();
    let other_address = format!("http://{}", other.address());
    for (provider, address) in [(&setting.provider, setting.address()), (&other, other_address.clone())] {
        let made = json!({ "webhook_id": "wh", "status": "on\u{1b}[2J", "events": ["a\"b"] });
        provider.next(Answer::status(200).body(made.to_string()));
        let output = setting.register_at(&address, URL, &["--events", "a\"b"]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "registered: wh (on\\u{1b}[2J)\n");
    }
    let (code, text) = failure(&setting.registrations(&["--as-plugin-events"]));
    assert!(code == Some(1) && text.contains("choose one with --provider"), "{text}");
    let one = success(&setting.registrations(&["--as-plugin-events", "--provider", &other_address]));
    assert_eq!(one, "\"events\": [\"a\\\"b\"]\n");
    let all = success(&setting.registrations(&[]));
    assert!(all.lines().count() == 2 && !all.contains('\u{1b}'), "{all:?}");
}
