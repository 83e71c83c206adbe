//! The inspector as people use it, in Chromium: served by `bellhop inspect`, judged by what it shows. The judgement's own rules are
//! tested where they stand.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use testbed::browser::{Browser, ColourScheme, keys};
use testbed::message::Request;
use testbed::service::Service;
use testbed::{build, http1, paths};

/// All of the page, in bytes.
const MOST_BYTES: u64 = 500_000;

/// The address of a page that is served until this process ends.
fn address() -> std::net::SocketAddr {
    static SERVER: OnceLock<(Service, std::net::SocketAddr)> = OnceLock::new();
    let (_, address) = SERVER.get_or_init(|| {
        let mut service = Service::start("inspect", {
            let mut command = Command::new(build::inspector().unwrap());
            command.arg("inspect");
            command
        })
        .unwrap();
        let address = service.wait_for_value("listening on ").unwrap();
        (service, address)
    });
    *address
}

/// A browser with the page open, and its first judgement shown.
fn open() -> Browser {
    let browser = Browser::start().unwrap();
    browser.open(&format!("http://{}/inspect", address())).unwrap();
    ready(&browser);
    browser
}

fn ready(browser: &Browser) {
    browser.wait_for("performance.getEntriesByName('inspector-ready').length > 0").unwrap();
}

/// Puts this into a field as typing does.
fn fill(browser: &Browser, id: &str, text: &str) {
    let script = "const field = document.getElementById(arguments[0]); field.value = arguments[1];
                  field.dispatchEvent(new Event('input', { bubbles: true }))";
    browser.run(script, &[id.into(), text.into()]).unwrap();
}

/// Waits until the line on top says this.
fn wait_for_verdict(browser: &Browser, text: &str) {
    let text = json!(text);
    browser.wait_for(&format!("document.getElementById('verdict').innerText.includes({text})")).unwrap();
}

fn shown(browser: &Browser, id: &str) -> String {
    browser.find(&format!("#{id}")).unwrap().text().unwrap()
}

fn drop_file(browser: &Browser, name: &str, bytes: &[u8]) {
    let script = "const data = new DataTransfer();
        data.items.add(new File([new Uint8Array(arguments[1])], arguments[0]));
        dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))";
    browser.run(script, &[name.into(), json!(bytes)]).unwrap();
}

#[test]
fn an_example_of_each_type_is_judged_and_nothing_leaves_the_page() {
    let browser = open();
    let origin = format!("http://{}/inspect", address());
    let names = browser.run(
        "return Array.from(document.querySelectorAll('#example optgroup:first-of-type option'), (it) => [it.value, it.text])",
        &[],
    );
    let names = names.unwrap();
    assert_eq!(names.as_array().unwrap().len(), 13);
    for name in names.as_array().unwrap() {
        let script = "const select = document.getElementById('example'); select.value = arguments[0];
                      select.dispatchEvent(new Event('change'))";
        browser.run(script, &[name[0].clone()]).unwrap();
        let verdict = shown(&browser, "verdict");
        assert!(verdict.starts_with("Forwarded") && verdict.contains(name[1].as_str().unwrap()), "{verdict}");
        assert!(shown(&browser, "details").contains("ca_hotel"), "{name}");
    }
    let requests = browser.requests().unwrap();
    assert!(requests.len() > 8 && requests.iter().all(|url| url.starts_with(&origin)), "{requests:?}");
    fill(&browser, "event", "{}");
    wait_for_verdict(&browser, "event_invalid");
    browser.find("#link").unwrap().click().unwrap();
    browser.wait_for("location.hash.startsWith('#v1.')").unwrap();
    assert_eq!(browser.requests().unwrap(), [""; 0]);
    let refused = browser
        .run("return fetch('https://example.com/').then(() => 'sent', (error) => error.name)", &[])
        .unwrap();
    assert_eq!(refused, "TypeError");
    let complaints = browser.console().unwrap();
    let is_expected = |line: &String| line.starts_with("DEBUG") || line.contains("example.com");
    assert!(complaints.iter().all(is_expected), "{complaints:?}");
}

#[test]
fn the_files_are_few_bytes_and_keep_to_their_own_origin() {
    let mut all = 0;
    for entry in {
        address();
        std::fs::read_dir(paths::target().join("inspector/page")).unwrap()
    } {
        all += entry.unwrap().metadata().unwrap().len();
    }
    println!("the page has {all} bytes");
    assert!((100_000..MOST_BYTES).contains(&all), "{all} bytes");
    for (path, media_type) in [
        ("/inspect", "text/html; charset=utf-8"),
        ("/inspect/main.js", "text/javascript; charset=utf-8"),
        ("/inspect/inspector_bg.wasm", "application/wasm"),
    ] {
        let response = http1::send(address(), &Request::new("GET", path)).unwrap();
        assert_eq!(
            (response.status, response.headers.get("content-type")),
            (200, Some(media_type)),
            "{path}"
        );
        assert_eq!(response.headers.get("x-content-type-options"), Some("nosniff"));
        assert!(response.headers.has("cache-control"));
        let policy = response.headers.get("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("'wasm-unsafe-eval'"), "{policy}");
        assert!(!policy.contains("unsafe-inline") && !policy.contains("http"), "{policy}");
    }
}

#[test]
fn a_bad_event_is_marked_at_its_place() {
    let browser = open();
    fill(
        &browser,
        "event",
        "{\n  \"event_type\": \"access_code.created\",\n  \"timestamp\": \"2025-05-22\",\n  \"code\": 42\n}",
    );
    wait_for_verdict(&browser, "event_invalid");
    let marks = "return Array.from(document.querySelectorAll('#event-editor mark'), (it) => it.textContent)";
    assert_eq!(browser.run(marks, &[]).unwrap(), json!(["\"2025-05-22\""]));
    assert_eq!(browser.find("#event-editor .gutter b").unwrap().property("textContent").unwrap(), "3");
    assert_eq!(browser.find("#event").unwrap().attribute("aria-invalid").unwrap().as_deref(), Some("true"));
    assert!(shown(&browser, "details").contains("HTTP/1.1 422 Unprocessable Entity"));
    fill(&browser, "event", "{\n  \"a\": 1,\n}");
    wait_for_verdict(&browser, "json_malformed");
    assert_eq!(browser.run(marks, &[]).unwrap(), json!(["}"]));
    assert!(shown(&browser, "details").contains("line 3, col 1"));
    fill(&browser, "config", "{\"environment\": 7}");
    wait_for_verdict(&browser, "Not judged");
    let config_marks =
        "return Array.from(document.querySelectorAll('#config-editor mark'), (it) => it.textContent)";
    assert_eq!(browser.run(config_marks, &[]).unwrap(), json!(["{"]));
}

#[test]
fn it_can_be_used_with_the_keyboard_alone() {
    let browser = open();
    browser.press(keys::TAB).unwrap();
    assert_eq!(browser.focused().unwrap().text().unwrap(), "Skip to the result");
    let mut met = Vec::new();
    while !met.iter().any(|id| id == "event") {
        browser.press(keys::TAB).unwrap();
        met.push(browser.focused().unwrap().attribute("id").unwrap().unwrap_or_default());
        assert!(met.len() < 10, "{met:?}");
    }
    assert_eq!(met, ["link", "example", "open", "event"]);
    browser.press(&format!("{}a", keys::CONTROL)).unwrap();
    browser.press("{\"event_type\":7}").unwrap();
    wait_for_verdict(&browser, "event_invalid");
    browser.wait_for("document.getElementById('said').textContent.startsWith('Refused')").unwrap();
    let mut n_steps = 0;
    while browser.run("return document.activeElement.closest('.errors') === null", &[]).unwrap() == true {
        browser.press(keys::TAB).unwrap();
        n_steps += 1;
        assert!(n_steps < 20, "no fault can be reached");
    }
    let fault = browser.focused().unwrap().text().unwrap();
    browser.press(keys::ENTER).unwrap();
    assert_eq!(browser.focused().unwrap().attribute("id").unwrap().as_deref(), Some("event"));
    let selected = browser
        .run(
            "const it = document.activeElement; return it.value.slice(it.selectionStart, it.selectionEnd)",
            &[],
        )
        .unwrap();
    assert!(selected == "7" || selected == "{", "{selected} for {fault}");
}

#[test]
fn a_dropped_file_is_judged_by_its_bytes() {
    let browser = open();
    drop_file(&browser, "event.json", b"{\"event_type\":\"\xff\"}");
    wait_for_verdict(&browser, "json_malformed");
    assert!(shown(&browser, "details").contains("not UTF-8 from byte 15 on"));
    assert!(shown(&browser, "note").contains("event.json"));
    browser.find("#event").unwrap().type_text(" ").unwrap();
    wait_for_verdict(&browser, "event_invalid");
    let good =
        br#"{"event_type":"device.online","timestamp":"2026-02-10T14:24:18Z","device_id":"lock_491829"}"#;
    drop_file(&browser, "good.json", good);
    wait_for_verdict(&browser, "Forwarded");
    assert!(!browser.find("#note").unwrap().is_displayed().unwrap());
    drop_file(&browser, "large.json", &vec![b' '; 1_100_000]);
    browser.wait_for("document.getElementById('note').textContent.includes('1 MiB')").unwrap();
    wait_for_verdict(&browser, "Forwarded");
}

#[test]
fn a_link_restores_the_state_and_holds_no_secret() {
    let browser = open();
    let event = r#"{"event_type":"access_code.created","timestamp":"2025-05-22T10:48:18Z","device_id":"lock_7",
        "code":"topsecret1","data":{"x":[{"pin":471147}]}}"#;
    let config = json!({
        "environment": "mine",
        "sources": [
            {"name": "one", "path": "/1", "verify": {"token": {"header": "x-key", "secrets": ["topsecret2"]}}},
            {"name": "two", "path": "/2", "verify": "none"}
        ],
        "accounts": [{"connected_account_id": "ca_seven", "devices": ["lock_7"]}]
    });
    fill(&browser, "config", &config.to_string());
    fill(&browser, "headers", "x-key: topsecret3");
    fill(&browser, "secret", "topsecret4");
    fill(&browser, "event", event);
    browser.wait_for("document.getElementById('details').innerText.includes('ca_seven')").unwrap();
    browser
        .run("const it = document.getElementById('source'); it.value = 'two'; it.dispatchEvent(new Event('change'))", &[])
        .unwrap();
    wait_for_verdict(&browser, "from two");
    browser.find("#link").unwrap().click().unwrap();
    browser.wait_for("location.hash.startsWith('#v1.')").unwrap();
    browser.wait_for("document.getElementById('note').textContent.includes('masked')").unwrap();
    let link = browser.url().unwrap();
    let other = Browser::start().unwrap();
    other.open(&link).unwrap();
    ready(&other);
    wait_for_verdict(&other, "from two");
    assert!(shown(&other, "details").contains("ca_seven"));
    let state = other
        .run(
            "return Array.from(document.querySelectorAll('textarea, input:not([type=file])'), (it) => it.value).join('\\n')",
            &[],
        )
        .unwrap();
    let state = state.as_str().unwrap();
    assert!(state.contains("access_code.created") && state.contains("\"mine\""), "{state}");
    assert!(!state.contains("topsecret") && !state.contains("471147"), "{state}");
    other.open("about:blank").unwrap();
    other.open(&format!("http://{}/inspect#v1.broken", address())).unwrap();
    ready(&other);
    assert!(shown(&other, "note").contains("cannot be read"));
}

#[test]
fn what_the_signature_helper_gives_proves_the_event() {
    let browser = open();
    browser.run("document.getElementById('signature-panel').open = true", &[]).unwrap();
    fill(&browser, "secret", "not base64!");
    browser.wait_for("document.querySelector('#signed .fault') !== null").unwrap();
    fill(&browser, "secret", "whsec_c2VjcmV0IG9mIGFjbWU=");
    browser.wait_for("document.querySelector('#signed pre') !== null").unwrap();
    let headers = browser.find("#signed pre").unwrap().text().unwrap();
    assert!(headers.contains("webhook-signature: v1,"), "{headers}");
    fill(&browser, "headers", &headers);
    browser.wait_for("document.querySelector('#signed .notice.good') !== null").unwrap();
    fill(&browser, "event", "{}");
    browser.wait_for("document.querySelector('#signed .notice.bad') !== null").unwrap();
}

#[test]
fn it_has_no_accessibility_faults_light_or_dark_wide_or_narrow() {
    let browser = open();
    let several = "const select = document.getElementById('example');
        select.value = Array.from(select.options).find((it) => it.text === arguments[0]).value;
        select.dispatchEvent(new Event('change'))";
    for (scheme, name) in [(ColourScheme::Light, "light"), (ColourScheme::Dark, "dark")] {
        browser.prefer(scheme).unwrap();
        for (width, size) in [(1280, ""), (390, "-narrow")] {
            browser.resize(width, 900).unwrap();
            for (example, what) in [("access_code.created", "forwarded"), ("several faults", "refused")] {
                browser.run(several, &[Value::from(example)]).unwrap();
                let faults = browser.accessibility_faults().unwrap();
                assert_eq!(faults, [""; 0], "{name}{size} {what}");
                browser.screenshot(&format!("inspect-{what}-{name}{size}")).unwrap();
            }
            let overflows =
                browser.run("return document.documentElement.scrollWidth > innerWidth", &[]).unwrap();
            assert_eq!(overflows, false, "{name}{size}");
        }
    }
    browser.resize(1280, 900).unwrap();
    browser.run("document.querySelectorAll('details').forEach((it) => { it.open = true })", &[]).unwrap();
    fill(&browser, "secret", "whsec_c2VjcmV0IG9mIGFjbWU=");
    browser.wait_for("document.querySelector('#signed pre') !== null").unwrap();
    assert_eq!(browser.accessibility_faults().unwrap(), [""; 0], "everything open");
    browser.screenshot("inspect-open-dark").unwrap();
}

/// Figures for whoever reads the output; a busy machine must not fail the test.
#[test]
fn how_soon_it_is_ready_and_how_fast_it_judges() {
    let browser = open();
    let mut ready_ms = Vec::new();
    for round in 0..5 {
        // The first one is that of a browser that has just started and has nothing of the page.
        if round > 0 {
            browser.reload().unwrap();
            ready(&browser);
        }
        let times = "const load = performance.getEntriesByType('navigation')[0];
            const ready = performance.getEntriesByName('inspector-ready')[0].startTime;
            return [ready, ready - load.domContentLoadedEventEnd]";
        ready_ms.push(browser.run(times, &[]).unwrap());
    }
    let items: Vec<String> = (0..7_500).map(|index| format!("item {index:>6}")).collect();
    let event = json!({
        "event_type": "device.online", "timestamp": "2026-02-10T14:24:18Z", "device_id": "lock_491829", "items": items
    })
    .to_string();
    assert!(event.len() > 100_000);
    let mut judged_ms = Vec::new();
    for round in 0..7 {
        fill(&browser, "event", &format!("{event}{}", " ".repeat(round)));
        let size = format!("{} bytes", event.len() + round);
        let grouped = format!("{},{}", &size[..3], &size[3..]);
        browser
            .wait_for(&format!("document.getElementById('size').textContent === {}", json!(grouped)))
            .unwrap();
        judged_ms.push(
            browser
                .run("return performance.getEntriesByName('inspector-judge').at(-1).duration", &[])
                .unwrap(),
        );
    }
    println!("ready after navigation and after the document, ms: {ready_ms:?}");
    println!("judging {} bytes, ms: {judged_ms:?}", event.len());
}
