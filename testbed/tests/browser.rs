//! The browser of the testbed, on a page made for it. It tests no page of ours.

use serde_json::json;
use testbed::browser::{Browser, ColourScheme, keys};

const PAGE: &str = "data:text/html,<!doctype html><html lang=en><title>A page</title><main><h1>A page</h1>\
    <label>Name <input id=name></label> <button id=late>Late</button><p id=said></p></main>\
    <style>:root{color-scheme:light dark}</style>\
    <script>late.onclick=()=>setTimeout(()=>{said.textContent=name.value},30);console.error('so it goes')</script>";

#[test]
fn a_page_is_opened_typed_into_clicked_and_waited_for() {
    let browser = Browser::start().unwrap();
    browser.open(&PAGE.replace("name.value", "document.getElementById('name').value")).unwrap();
    browser.find("#name").unwrap().type_text("lock").unwrap();
    browser.press(keys::TAB).unwrap();
    assert_eq!(browser.focused().unwrap().attribute("id").unwrap().as_deref(), Some("late"));
    browser.press(keys::ENTER).unwrap();
    let said = browser.wait_for("document.getElementById('said').textContent").unwrap();
    assert_eq!(said, json!("lock"));
    assert_eq!(browser.find("#said").unwrap().text().unwrap(), "lock");
    assert_eq!(browser.find_all("p, button").unwrap().len(), 2);
    assert!(browser.console().unwrap().iter().any(|line| line.contains("so it goes")));
    assert!(browser.find("#nothing").unwrap_err().to_string().starts_with("no such element"));
}

#[test]
fn pages_see_the_colour_scheme_and_the_width_that_they_are_shown_in() {
    let browser = Browser::start().unwrap();
    browser.open(PAGE).unwrap();
    let is_dark = "return matchMedia('(prefers-color-scheme: dark)').matches";
    browser.prefer(ColourScheme::Dark).unwrap();
    assert_eq!(browser.run(is_dark, &[]).unwrap(), json!(true));
    browser.prefer(ColourScheme::Light).unwrap();
    assert_eq!(browser.run(is_dark, &[]).unwrap(), json!(false));
    browser.resize(390, 844).unwrap();
    assert_eq!(browser.run("return innerWidth", &[]).unwrap(), json!(390));
    let picture = browser.screenshot("testbed").unwrap();
    assert!(std::fs::read(picture).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn accessibility_faults_are_found_and_a_good_page_has_none() {
    let browser = Browser::start().unwrap();
    browser.open(PAGE).unwrap();
    assert_eq!(browser.accessibility_faults().unwrap(), [""; 0]);
    browser.run("document.querySelector('label').replaceWith(document.getElementById('name'))", &[]).unwrap();
    let faults = browser.accessibility_faults().unwrap();
    assert!(faults.len() == 1 && faults[0].starts_with("label: "), "{faults:?}");
}
