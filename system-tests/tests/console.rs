//! `/console` in Chromium, over a directory that a real chain has filled: imports, a synced account, unknown ids, events that
//! Envoy has set aside. What the routes answer is tried in `directory`.

#[path = "console/world.rs"]
mod world;

use serde_json::{Value, json};
use system_tests::BoxError;
use system_tests::directory::TOKEN;
use testbed::browser::{ColourScheme, keys};

use world::{HOSTILE, World};

/// Every view, and the name of its picture.
const PLACES: [(&str, &str); 9] = [
    ("#/accounts", "accounts"),
    ("#/accounts?q=property-456", "accounts-of-customer"),
    ("#/accounts/ca_hotel", "account"),
    ("#/accounts/ca_guest_house?part=devices", "account-synced"),
    ("#/unassigned", "unassigned"),
    ("#/quarantine", "quarantine"),
    ("#/quarantine?source=acme&state=waiting", "quarantine-filtered"),
    ("#/quarantine/1", "event"),
    ("#/quarantine?source=nobody", "quarantine-empty"),
];

#[test]
fn an_operator_finds_mends_and_replays_by_keyboard_alone() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    let conflict = world.set_aside_a_conflict()?;
    browser.open(&world.address(""))?;
    // The field has the focus from the start.
    browser.press(TOKEN)?;
    browser.press(keys::ENTER)?;
    world.settled("Accounts")?;
    assert!(world.text()?.contains("ca_hotel"));
    assert_eq!(world.focused()?, "Accounts", "the heading of what has opened");

    world.tab_to("input[name=q]")?;
    browser.press("property-456")?;
    browser.press(keys::ENTER)?;
    browser.wait_for("location.hash === '#/accounts?q=property-456'")?;
    world.settled("Accounts")?;
    assert_eq!(world.rows()?, 1);
    world.tab_to("tbody a")?;
    browser.press(keys::ENTER)?;
    world.settled("ca_hotel")?;
    assert!(world.text()?.contains("lock_1") && world.text()?.contains("bridge_1"));

    world.tab_to("nav a[data-view=unassigned]")?;
    browser.press(keys::ENTER)?;
    world.settled("Unassigned")?;
    let unassigned = world.text()?;
    assert!(unassigned.contains("lock_unknown") && unassigned.contains("nobody owns it"), "{unassigned}");

    world.tab_to("nav a[data-view=quarantine]")?;
    browser.press(keys::ENTER)?;
    world.settled("Quarantine")?;
    world.tab_to("input[name=cause]")?;
    browser.press("account_conflict")?;
    browser.press(keys::ENTER)?;
    browser.wait_for("location.hash === '#/quarantine?cause=account_conflict'")?;
    world.settled("Quarantine")?;
    assert_eq!(world.rows()?, 1);
    world.tab_to("tbody a")?;
    browser.press(keys::ENTER)?;
    let heading = format!("Event {conflict}");
    world.settled(&heading)?;
    assert!(world.text()?.contains("***") && !world.text()?.contains("4711"), "{}", world.text()?);

    // Nothing is mended yet: Envoy sets it aside again, and says why.
    world.tab_to(".actions button")?;
    browser.press(keys::ENTER)?;
    browser
        .wait_for("document.querySelector('#came .notice.bad')?.textContent.includes('account_conflict')")?;
    world.settled(&heading)?;
    assert!(world.chain.upstream.take().is_empty());
    world.mend_the_conflict()?;
    // The filter remembers for a second that these ids share no account.
    loop {
        assert_eq!(world.focused()?, "Replay", "the focus stays where one works");
        browser.run("document.querySelector('#came').replaceChildren()", &[])?;
        browser.press(keys::ENTER)?;
        browser.wait_for("document.querySelector('#came .notice')")?;
        world.settled(&heading)?;
        if browser.find_all("#came .notice.good")?.len() == 1 {
            break;
        }
    }
    let received = world.chain.upstream.take();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].headers.get("x-connected-account-id"), Some("ca_new"));
    assert!(world.said()?.contains("The edge has accepted the event"), "{}", world.said()?);
    assert!(world.text()?.contains("replayed"));

    // Dropping asks first, and what is asked can be refused with Escape.
    world.tab_to(".actions .danger")?;
    browser.press(keys::ENTER)?;
    browser.wait_for("document.querySelector('dialog[open]')")?;
    assert_eq!(world.focused()?, "Cancel");
    assert_eq!(browser.accessibility_faults()?, [""; 0]);
    browser.press(keys::ESCAPE)?;
    browser.wait_for("!document.querySelector('dialog')")?;
    assert_eq!(world.focused()?, "Drop…");
    assert_eq!(world.chain.directory.get(&format!("/v1/quarantine/{conflict}"))?.status, 200);
    browser.press(keys::ENTER)?;
    browser.wait_for("document.querySelector('dialog[open]')")?;
    world.tab_to("dialog .danger")?;
    browser.press(keys::ENTER)?;
    world.settled("Quarantine")?;
    let dropped = format!("Event {conflict} is dropped.");
    assert_eq!(world.said()?, format!("{dropped} 5 events shown"));
    assert!(world.text()?.contains(&dropped));
    assert_eq!(world.chain.directory.get(&format!("/v1/quarantine/{conflict}"))?.status, 404);
    world.assert_quiet()
}

#[test]
fn reloading_and_going_back_keep_the_place_and_no_address_has_the_token() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    world.sign_in("#/quarantine?source=acme")?;
    world.settled("Quarantine")?;
    let n_of_acme = world.rows()?;
    browser.find("tbody a")?.click()?;
    world.settled("Event 1")?;
    browser.reload()?;
    world.settled("Event 1")?;
    browser.run("history.back()", &[])?;
    world.settled("Quarantine")?;
    assert_eq!(
        (world.rows()?, browser.find("input[name=source]")?.property("value")?),
        (n_of_acme, json!("acme"))
    );

    // The form says what the address says, also after going back from another filter.
    browser.find("select[name=state]")?.type_text("replayed")?;
    browser.wait_for("location.hash.includes('state=replayed')")?;
    world.settled("Quarantine")?;
    assert!(world.text()?.contains("No event is like this"));
    browser.run("history.back()", &[])?;
    browser.wait_for("!location.hash.includes('state=replayed')")?;
    world.settled("Quarantine")?;
    assert_eq!(
        (world.rows()?, browser.find("select[name=state]")?.property("value")?),
        (n_of_acme, json!(""))
    );

    let kept =
        browser.run("return [localStorage.length, document.cookie, Object.values(sessionStorage)]", &[])?;
    assert_eq!(kept, json!([0, "", [TOKEN]]));
    let requests = browser.requests()?;
    let origin = world.address("").replace("/console", "/");
    // The browser's own page, before this one was opened, does not count.
    let requests: Vec<_> = requests.into_iter().filter(|url| url.starts_with("http")).collect();
    assert!(requests.len() > 10 && requests.iter().all(|url| url.starts_with(&origin)), "{requests:?}");
    assert!(requests.iter().all(|url| !url.contains(TOKEN)), "{requests:?}");
    world.assert_quiet()
}

#[test]
fn a_wrong_token_is_said_at_once_and_one_that_no_longer_counts_asks_for_another() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    browser.open(&world.address("#/unassigned"))?;
    let type_token = |token: &str| -> Result<(), BoxError> {
        let field = browser.find("#token")?;
        field.clear()?;
        field.type_text(token)?;
        Ok(browser.press(keys::ENTER)?)
    };
    type_token("short")?;
    browser.wait_for("document.querySelector('[role=alert]').textContent.includes('16 to 1024')")?;
    assert!(browser.requests()?.iter().all(|url| !url.contains("/v1/")), "nothing was asked");
    type_token("a-token-that-nobody-knows")?;
    browser.wait_for(
        "document.querySelector('[role=alert]').textContent.includes('does not know this token')",
    )?;
    assert_eq!(browser.focused()?.attribute("aria-invalid")?.as_deref(), Some("true"));
    assert_eq!(browser.accessibility_faults()?, [""; 0]);
    browser.screenshot("console-wrong-token")?;
    type_token(&format!("  {TOKEN} "))?;
    world.settled("Unassigned")?;

    browser.run("sessionStorage.setItem('bellhop-token', 'a-token-of-yesterday')", &[])?;
    browser.find("nav a[data-view=quarantine]")?.click()?;
    browser.wait_for(
        "document.querySelector('[role=alert]')?.textContent.includes('does not know this token')",
    )?;
    assert_eq!(browser.run("return sessionStorage.length", &[])?, json!(0));
    // The place is kept over it.
    type_token(TOKEN)?;
    world.settled("Quarantine")?;
    browser.find("#leave")?.click()?;
    browser.wait_for("document.activeElement.id === 'token'")?;
    assert!(!world.text()?.contains("acme"));
    browser.reload()?;
    browser.wait_for("document.activeElement.id === 'token'")?;
    // The browser itself reports the refusals of the wrong tokens.
    let unexpected = |line: &String| !line.contains("401 (Unauthorized)");
    assert_eq!(browser.console()?.into_iter().filter(unexpected).collect::<Vec<_>>(), [""; 0]);
    Ok(())
}

#[test]
fn what_strangers_send_stays_text() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    let hostile = world.plant_hostile_content()?;
    let account = url_encoded(HOSTILE);
    world.sign_in("#/accounts")?;
    for (place, expected) in [
        ("#/accounts".to_owned(), HOSTILE.to_owned()),
        (format!("#/accounts?q={account}"), HOSTILE.to_owned()),
        (format!("#/accounts/{account}"), HOSTILE.to_owned()),
        ("#/accounts/ca_guest_house?part=devices".to_owned(), HOSTILE.to_owned()),
        ("#/unassigned".to_owned(), HOSTILE.to_owned()),
        ("#/quarantine".to_owned(), HOSTILE.replace(' ', "/")),
        (format!("#/quarantine/{}", hostile.json), "<script>".to_owned()),
        (format!("#/quarantine/{}", hostile.no_json), "<".to_owned()),
        // What is not there is named by the address alone.
        (format!("#/quarantine/{account}"), HOSTILE.to_owned()),
        (format!("#/accounts/{account}%2F..%2Fx"), "There is no such thing".to_owned()),
        ("#/accounts?q=%00".to_owned(), "has to be 1 to 1024 bytes".to_owned()),
        (format!("#/{account}/{account}?{account}={account}"), "ca_hotel".to_owned()),
        (format!("#/unassigned?source={account}&reason={account}"), "The query".to_owned()),
        ("#/accounts/%E0%A4%A".to_owned(), "%E0%A4%A".to_owned()),
    ] {
        browser.open(&world.address(&place))?;
        browser.reload()?;
        browser.wait_for("document.querySelector('#results')?.getAttribute('aria-busy') === 'false'")?;
        let text = world.text()?;
        assert!(text.contains(&expected), "{place}: {text}");
        assert!(!text.contains("token=secret"), "{place}: {text}");
        let made = "return document.querySelectorAll('main :is(img, script, iframe, svg, style, object, math, [onerror], [onload], [href^=\"javascript\"])').length";
        assert_eq!(browser.run(made, &[])?, json!(0), "{place}");
    }
    assert_eq!(browser.run("return typeof window.pwned", &[])?, json!("undefined"));
    // No code of the page makes markup of text: the policy would have said so here.
    let expected = |line: &String| line.contains("404 (Not Found)") || line.contains("400 (Bad Request)");
    let said: Vec<_> = browser.console()?.into_iter().filter(|line| !expected(line)).collect();
    assert_eq!(said, [""; 0]);
    let trusted = browser.run("try { document.createElement('p').innerHTML = '<b>x</b>'; return 'made' } catch { return 'refused' }", &[])?;
    assert_eq!(trusted, json!("refused"));
    Ok(())
}

#[test]
fn many_events_are_paged_and_replayed_in_bounded_parts() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    for number in 0..60 {
        let body =
            format!(r#"{{"event_type":"device.online","timestamp":"no","device_id":"lock_{number}"}}"#);
        assert_eq!(world.chain.post(&body)?.status, 202);
    }
    world.sign_in("#/quarantine?source=acme")?;
    world.settled("Quarantine")?;
    assert_eq!(world.rows()?, 50);
    browser.find("nav.pages a")?.click()?;
    browser.wait_for("location.hash.includes('after=')")?;
    world.settled("Quarantine")?;
    let rest = world.rows()?;
    assert!((10..50).contains(&rest), "{rest}");
    assert_eq!(browser.run("return document.activeElement.id", &[])?, json!("results"));
    browser.run("history.back()", &[])?;
    browser.wait_for("!location.hash.includes('after=')")?;
    world.settled("Quarantine")?;
    assert_eq!(world.rows()?, 50);

    browser.find("#replay-many")?.click()?;
    browser.wait_for("document.querySelector('dialog[open]')")?;
    let limit = browser.find("dialog input")?;
    limit.clear()?;
    limit.type_text("101")?;
    browser.press(keys::ENTER)?;
    assert_eq!(browser.find_all("dialog[open]")?.len(), 1, "101 is too many");
    limit.clear()?;
    limit.type_text("7")?;
    browser.screenshot("console-replay-dialog")?;
    browser.press(keys::ENTER)?;
    // Their timestamp is still none: Envoy sets each aside again.
    browser.wait_for("document.querySelector('#came')?.textContent.includes('7 refused')")?;
    world.settled("Quarantine")?;
    assert_eq!(browser.run("return document.activeElement.id", &[])?, json!("came"));
    assert_eq!(browser.accessibility_faults()?, [""; 0]);
    browser.screenshot("console-replay-many")?;
    let listed = || -> Result<Vec<Value>, BoxError> {
        let list = world.chain.directory.get("/v1/quarantine?source=acme&limit=500")?.json()?;
        Ok(list["items"].as_array().cloned().unwrap_or_default())
    };
    let tried = |items: &[Value]| items.iter().filter(|it| it["replay_attempts"] == 1).count();
    assert_eq!(tried(&listed()?), 7);
    browser.run("document.querySelector('#came').dataset.seen = 'yes'", &[])?;
    browser.find("#came button")?.click()?;
    browser.wait_for("document.querySelectorAll('#came:not([data-seen]) tbody tr').length === 7")?;
    world.settled("Quarantine")?;
    assert_eq!(tried(&listed()?), 14);
    world.assert_quiet()
}

#[test]
fn nothing_there_is_said_and_what_fails_can_be_tried_again() -> Result<(), BoxError> {
    let mut world = World::start_empty()?;
    world.sign_in("#/accounts")?;
    for (place, heading, expected) in [
        ("#/accounts", "Accounts", "There are no accounts yet"),
        ("#/accounts?q=nobody", "Accounts", "No account found"),
        ("#/accounts?sync=failing", "Accounts", "No sync is failing"),
        ("#/unassigned", "Unassigned", "Nothing was asked for that nobody owns"),
        ("#/unassigned?reason=conflict", "Unassigned", "Nothing of this kind"),
        ("#/quarantine", "Quarantine", "The quarantine is empty"),
        ("#/quarantine?cause=duplicate", "Quarantine", "No event is like this"),
        ("#/quarantine/9", "Event 9", "no quarantined event has this id"),
        ("#/accounts/nobody", "nobody", "no account has this id"),
    ] {
        world.browser.open(&world.address(place))?;
        world.settled(heading)?;
        assert!(world.text()?.contains(expected), "{place}: {}", world.text()?);
        assert_eq!(world.browser.accessibility_faults()?, [""; 0], "{place}");
    }
    world.browser.open(&world.address("#/unassigned"))?;
    world.settled("Unassigned")?;
    world.chain.directory.stop()?;
    world.browser.find("nav a[data-view=accounts]")?.click()?;
    world.browser.wait_for(
        "document.querySelector('#results [role=alert]')?.textContent.includes('does not answer')",
    )?;
    assert_eq!(world.browser.accessibility_faults()?, [""; 0]);
    world.browser.screenshot("console-service-away")?;
    world.chain.directory.run()?;
    world.browser.find("#results [role=alert] button")?.click()?;
    world.browser.wait_for("document.querySelector('.empty')")?;
    Ok(())
}

#[test]
fn every_view_is_accessible_and_fits_in_light_dark_and_narrow() -> Result<(), BoxError> {
    let world = World::start()?;
    let browser = &world.browser;
    let shot = |name: &str, place: &str| -> Result<(), BoxError> {
        for (scheme, scheme_name) in [(ColourScheme::Light, "light"), (ColourScheme::Dark, "dark")] {
            for (width, height, width_name) in [(1280, 800, ""), (390, 844, "-narrow")] {
                browser.prefer(scheme)?;
                browser.resize(width, height)?;
                let faults = browser.accessibility_faults()?;
                assert_eq!(faults, [""; 0], "{place}, {scheme_name}{width_name}");
                let overflow = "const it = document.documentElement; return it.scrollWidth - it.clientWidth";
                assert_eq!(browser.run(overflow, &[])?, json!(0), "{place} is wider than {width}");
                browser.screenshot(&format!("console-{name}-{scheme_name}{width_name}"))?;
            }
        }
        Ok(())
    };
    browser.open(&world.address(""))?;
    browser.wait_for("document.activeElement.id === 'token'")?;
    shot("token", "the token")?;
    world.sign_in("#/accounts")?;
    for (place, name) in PLACES {
        browser.open(&world.address(place))?;
        browser.wait_for("document.querySelector('#results')?.getAttribute('aria-busy') === 'false'")?;
        shot(name, place)?;
    }
    world.assert_quiet()
}

#[test]
fn no_other_page_can_put_it_into_a_frame() -> Result<(), BoxError> {
    let world = World::start_empty()?;
    let frame = format!("data:text/html,<iframe src='{}'></iframe>", world.address(""));
    world.browser.open(&frame)?;
    let requests = world.browser.requests()?;
    assert!(requests.contains(&world.address("")), "it was asked for: {requests:?}");
    assert!(!requests.iter().any(|url| url.contains(".js") && url.contains("/console/")), "{requests:?}");
    world.browser.open(&world.address(""))?;
    world.browser.wait_for("document.activeElement.id === 'token'")?;
    let requests = world.browser.requests()?;
    assert!(requests.contains(&world.address("/main.js")), "by itself it does: {requests:?}");
    Ok(())
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
