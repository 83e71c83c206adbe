//! Debian's Chromium, headless, driven over WebDriver: opened, clicked, typed into, asked, looked at, ended. It knows no page.
//!
//! Nothing here sleeps: a condition is looked for by the page itself, until it holds or the deadline has passed.

mod axe;
mod wire;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use base64ct::{Base64, Encoding};
use serde_json::{Value, json};

use crate::paths;
use crate::service::Service;
use wire::Session;

/// Keys that are no characters, for [`Browser::press`] and [`Element::type_text`].
pub mod keys {
    /// Left arrow.
    pub const LEFT: &str = "\u{e012}";
    /// Up arrow.
    pub const UP: &str = "\u{e013}";
    /// Right arrow.
    pub const RIGHT: &str = "\u{e014}";
    /// Down arrow.
    pub const DOWN: &str = "\u{e015}";
    /// Tabulator.
    pub const TAB: &str = "\u{e004}";
    /// Enter.
    pub const ENTER: &str = "\u{e007}";
    /// Escape.
    pub const ESCAPE: &str = "\u{e00c}";
    /// Shift, held until the end of the call.
    pub const SHIFT: &str = "\u{e008}";
    /// Control, held until the end of the call.
    pub const CONTROL: &str = "\u{e009}";
}

/// What a page may ask of its reader's taste.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColourScheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// A running browser with one window. Its processes end when this is dropped.
#[derive(Debug)]
pub struct Browser {
    session: Session,
    /// Ends chromedriver when dropped. Chromium goes with the session, or when its pipe to chromedriver breaks.
    _driver: Service,
    profile: PathBuf,
}

/// An element of the page that is open.
#[derive(Debug)]
pub struct Element<'b> {
    browser: &'b Browser,
    id: String,
}

impl Browser {
    /// Starts chromedriver and Chromium, with an empty profile and a window of 1280 by 900.
    ///
    /// # Errors
    /// When one of them is missing or does not start.
    pub fn start() -> io::Result<Self> {
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let number = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let profile = paths::scratch()?.join(format!("chromium-{}-{number}", std::process::id()));
        fs::create_dir_all(&profile)?;
        let (driver, port) = driver()?;
        let session = Session::start(port, &profile)?;
        let browser = Self { session, _driver: driver, profile };
        browser.resize(1280, 900)?;
        // The browser begins with a page of its own, which asks for things.
        browser.open("about:blank")?;
        browser.requests()?;
        Ok(browser)
    }

    /// Opens a page and waits until it has loaded.
    ///
    /// # Errors
    /// When there is no such page.
    pub fn open(&self, url: &str) -> io::Result<()> {
        self.session.post("url", &json!({ "url": url }))?;
        Ok(())
    }

    /// Loads the page again.
    ///
    /// # Errors
    /// When it has gone.
    pub fn reload(&self) -> io::Result<()> {
        self.session.post("refresh", &json!({}))?;
        Ok(())
    }

    /// The address of the page.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn url(&self) -> io::Result<String> {
        text(&self.session.get("url")?)
    }

    /// The first element that this CSS selector finds.
    ///
    /// # Errors
    /// When there is none.
    pub fn find(&self, css: &str) -> io::Result<Element<'_>> {
        let found = self.session.post("element", &json!({ "using": "css selector", "value": css }))?;
        Element::new(self, &found)
    }

    /// Every element that this CSS selector finds, in the order of the document.
    ///
    /// # Errors
    /// When it is no selector.
    pub fn find_all(&self, css: &str) -> io::Result<Vec<Element<'_>>> {
        let found = self.session.post("elements", &json!({ "using": "css selector", "value": css }))?;
        found.as_array().into_iter().flatten().map(|it| Element::new(self, it)).collect()
    }

    /// The element that has the focus.
    ///
    /// # Errors
    /// When none has it.
    pub fn focused(&self) -> io::Result<Element<'_>> {
        Element::new(self, &self.session.get("element/active")?)
    }

    /// Presses these keys one after the other, wherever the focus is.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn press(&self, keys: &str) -> io::Result<()> {
        let mut actions = Vec::new();
        let mut held = Vec::new();
        for key in keys.chars().map(String::from) {
            actions.push(json!({ "type": "keyDown", "value": key }));
            if key == keys::SHIFT || key == keys::CONTROL {
                held.push(key);
            } else {
                actions.push(json!({ "type": "keyUp", "value": key }));
            }
        }
        actions.extend(held.iter().map(|key| json!({ "type": "keyUp", "value": key })));
        self.session.post(
            "actions",
            &json!({ "actions": [{ "type": "key", "id": "keyboard", "actions": actions }] }),
        )?;
        Ok(())
    }

    /// Runs the body of a function in the page, `arguments` being these. Gives what it returns; a promise is awaited.
    ///
    /// # Errors
    /// When it throws.
    pub fn run(&self, script: &str, arguments: &[Value]) -> io::Result<Value> {
        self.session.post("execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Waits until this JavaScript expression is true. Gives its value. One that throws is not true yet.
    ///
    /// # Errors
    /// When it is not true within [`crate::PATIENCE`], with the expression; or when the page goes.
    pub fn wait_for(&self, expression: &str) -> io::Result<Value> {
        let script = format!(
            "const done = arguments[0];
             const look = () => {{
                 let found;
                 try {{ found = ({expression}); }} catch {{ found = false; }}
                 if (found) done(found); else setTimeout(look, 5);
             }};
             look();"
        );
        self.session
            .post("execute/async", &json!({ "script": script, "args": [] }))
            .map_err(|error| io::Error::new(error.kind(), format!("waited for `{expression}`: {error}")))
    }

    /// Lets pages see this colour scheme.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn prefer(&self, scheme: ColourScheme) -> io::Result<()> {
        let value = match scheme {
            ColourScheme::Light => "light",
            ColourScheme::Dark => "dark",
        };
        let features = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.session.devtools("Emulation.setEmulatedMedia", &features)?;
        Ok(())
    }

    /// Lets pages see a window of this size, in CSS pixels.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn resize(&self, width: u32, height: u32) -> io::Result<()> {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.session.devtools("Emulation.setDeviceMetricsOverride", &size)?;
        Ok(())
    }

    /// Keeps a picture of the whole page, also of what is below the window's edge, as `target/screenshots/NAME.png`.
    ///
    /// # Errors
    /// When it cannot be taken or written.
    pub fn screenshot(&self, name: &str) -> io::Result<PathBuf> {
        let metrics = self.session.devtools("Page.getLayoutMetrics", &json!({}))?;
        let size = &metrics["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let how = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let taken = text(&self.session.devtools("Page.captureScreenshot", &how)?["data"])?;
        let picture = Base64::decode_vec(&taken).map_err(io::Error::other)?;
        let folder = paths::target().join("screenshots");
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{name}.png"));
        fs::write(&path, picture)?;
        Ok(path)
    }

    /// What pages have written to the console since this was asked last, with what the browser complained about: errors of
    /// scripts, refused requests, breaches of the content security policy.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn console(&self) -> io::Result<Vec<String>> {
        let entries = self.session.post("se/log", &json!({ "type": "browser" }))?;
        let line = |it: &Value| {
            Some(format!("{}: {}", it["level"].as_str().unwrap_or_default(), it["message"].as_str()?))
        };
        Ok(entries.as_array().into_iter().flatten().filter_map(line).collect())
    }

    /// The addresses that pages have asked for since this was asked last, the pages' own included, the browser's own pages not.
    ///
    /// # Errors
    /// When the browser has gone.
    pub fn requests(&self) -> io::Result<Vec<String>> {
        let entries = self.session.post("se/log", &json!({ "type": "performance" }))?;
        let mut requests = Vec::new();
        for entry in entries.as_array().into_iter().flatten() {
            let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or_default())?;
            let message = &message["message"];
            if message["method"] == "Network.requestWillBeSent" {
                let url = message["params"]["request"]["url"].as_str();
                requests.extend(url.filter(|url| !url.starts_with("chrome:")).map(str::to_owned));
            }
        }
        Ok(requests)
    }

    /// What axe-core finds wrong with the page as it is, one line for each element and rule. None is what one wants.
    ///
    /// # Errors
    /// When axe-core is not in the build folder.
    pub fn accessibility_faults(&self) -> io::Result<Vec<String>> {
        axe::faults(self)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.session.end();
        // What is left of it lies in the build folder.
        let _ = fs::remove_dir_all(&self.profile);
    }
}

impl<'b> Element<'b> {
    fn new(browser: &'b Browser, reference: &Value) -> io::Result<Self> {
        text(&reference[wire::ELEMENT]).map(|id| Self { browser, id })
    }

    /// Clicks its middle, after it was scrolled into sight.
    ///
    /// # Errors
    /// When it is hidden or covered.
    pub fn click(&self) -> io::Result<()> {
        self.post("click", &json!({}))
    }

    /// Focuses it and types this at its end.
    ///
    /// # Errors
    /// When it takes no keys.
    pub fn type_text(&self, text: &str) -> io::Result<()> {
        self.post("value", &json!({ "text": text }))
    }

    /// Empties a field.
    ///
    /// # Errors
    /// When it is none.
    pub fn clear(&self) -> io::Result<()> {
        self.post("clear", &json!({}))
    }

    /// Its text as it is shown.
    ///
    /// # Errors
    /// When it has gone.
    pub fn text(&self) -> io::Result<String> {
        text(&self.get("text")?)
    }

    /// A property, e.g. `value` of a field.
    ///
    /// # Errors
    /// When it has gone.
    pub fn property(&self, name: &str) -> io::Result<Value> {
        self.get(&format!("property/{name}"))
    }

    /// An attribute as the document has it.
    ///
    /// # Errors
    /// When it has gone.
    pub fn attribute(&self, name: &str) -> io::Result<Option<String>> {
        Ok(self.get(&format!("attribute/{name}"))?.as_str().map(str::to_owned))
    }

    /// Whether it can be seen.
    ///
    /// # Errors
    /// When it has gone.
    pub fn is_displayed(&self) -> io::Result<bool> {
        Ok(self.get("displayed")? == true)
    }

    /// As an argument of [`Browser::run`].
    pub fn as_argument(&self) -> Value {
        json!({ wire::ELEMENT: self.id })
    }

    fn get(&self, what: &str) -> io::Result<Value> {
        self.browser.session.get(&format!("element/{}/{what}", self.id))
    }

    fn post(&self, what: &str, parameters: &Value) -> io::Result<()> {
        self.browser.session.post(&format!("element/{}/{what}", self.id), parameters)?;
        Ok(())
    }
}

fn text(value: &Value) -> io::Result<String> {
    let none = || io::Error::new(io::ErrorKind::InvalidData, format!("no text: {value}"));
    value.as_str().map(str::to_owned).ok_or_else(none)
}

/// chromedriver, and its port. It takes a free port of one address family and then the same of the other, which somebody
/// may have: then it ends, and another begins with another port.
fn driver() -> io::Result<(Service, u16)> {
    const N_PORTS: usize = 8;
    let mut n_tried = 0;
    loop {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let mut driver = Service::start("chromedriver", command).map_err(|error| {
            let said = "chromedriver does not start: `cargo xtask test --all --install` brings it";
            io::Error::new(error.kind(), format!("{said} ({error})"))
        })?;
        n_tried += 1;
        match driver.wait_for(port) {
            Ok(port) => return Ok((driver, port)),
            Err(error) if n_tried < N_PORTS && error.to_string().contains("Address already in use") => {}
            Err(error) => return Err(error),
        }
    }
}

/// The port in the line that chromedriver prints when it is ready.
fn port(output: &str) -> Option<u16> {
    let line = output.lines().find_map(|line| line.split_once("started successfully on port "))?;
    line.1.trim_end().trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_line_that_says_ready() {
        let output =
            "Starting ChromeDriver 1 on port 0\nChromeDriver was started successfully on port 4001.\n";
        assert_eq!(port(output), Some(4001));
        assert_eq!(port("Starting ChromeDriver 1 on port 0\n"), None);
    }
}
