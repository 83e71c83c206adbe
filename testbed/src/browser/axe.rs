//! axe-core, asked about the page that is open. It judges nothing itself.

use std::fs;
use std::io;

use serde_json::Value;

use super::Browser;
use crate::npm::{self, AXE_CORE};

/// One line for each element and rule.
pub(super) fn faults(browser: &Browser) -> io::Result<Vec<String>> {
    if browser.run("return typeof axe", &[])? == "undefined" {
        let path = npm::folder().join("node_modules/axe-core/axe.min.js");
        let source = fs::read_to_string(&path).map_err(|error| {
            let said = format!(
                "{AXE_CORE} is not in the build folder: `cargo xtask test --all --install` brings it"
            );
            io::Error::new(error.kind(), said)
        })?;
        browser.run(&source, &[])?;
    }
    let found = browser.run("return axe.run(document, { resultTypes: ['violations'] })", &[])?;
    let violations =
        found["violations"].as_array().ok_or_else(|| io::Error::other("axe-core gave no result"))?;
    // A run that looked at nothing must not pass for a clean one.
    if found["passes"].as_array().is_none_or(Vec::is_empty) {
        return Err(io::Error::other("axe-core found nothing to look at"));
    }
    let lines = |violation: &Value| {
        let rule = format!("{}: {}", text(&violation["id"]), text(&violation["help"]));
        let nodes = violation["nodes"].as_array().cloned().unwrap_or_default();
        nodes.into_iter().map(move |node| {
            format!("{rule}: {} ({})", text(&node["html"]), text(&node["failureSummary"]).replace('\n', " "))
        })
    };
    Ok(violations.iter().flat_map(lines).collect())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
