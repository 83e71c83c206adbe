//! The dashboard as JSON: its panels and what they ask. Grafana is not run.

use std::collections::BTreeSet;

use serde_json::Value;
use system_tests::BoxError;
use testbed::paths;

/// A question of a panel.
#[derive(Debug)]
pub(crate) struct Question {
    /// The title of its panel.
    pub(crate) panel: String,
    /// The expression, with Grafana's variables filled in as for "All".
    pub(crate) expression: String,
    /// The labels that its legend names.
    pub(crate) legend: BTreeSet<String>,
}

pub(crate) fn read() -> Result<Value, BoxError> {
    let text = std::fs::read_to_string(paths::repository().join("deploy/grafana/bellhop.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// What is between two texts, each time.
fn between<'t>(text: &'t str, start: &'t str, end: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(start).skip(1).filter_map(move |after| Some(after.split_once(end)?.0))
}

fn filled_in(expression: &str) -> String {
    let text = expression.replace("$__rate_interval", "5m");
    ["job", "instance", "source"].iter().fold(text, |text, name| text.replace(&format!("${name}"), ".*"))
}

/// Every question of every panel.
pub(crate) fn questions(dashboard: &Value) -> Vec<Question> {
    let panels = dashboard["panels"].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_panel = |panel: &Value| -> Vec<Question> {
        let title = panel["title"].as_str().unwrap_or_default().to_owned();
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        let question = |target: &Value| Question {
            panel: title.clone(),
            expression: filled_in(target["expr"].as_str().unwrap_or_default()),
            legend: between(target["legendFormat"].as_str().unwrap_or_default(), "{{", "}}")
                .map(str::to_owned)
                .collect(),
        };
        targets.iter().map(question).collect()
    };
    panels.iter().flat_map(of_panel).collect()
}

#[test]
fn every_panel_has_an_id_and_a_place_of_its_own_and_the_chosen_data_source() -> Result<(), BoxError> {
    let dashboard = read()?;
    let panels = dashboard["panels"].as_array().ok_or("no panels")?;
    let mut ids = BTreeSet::new();
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().ok_or("no id")?), "the id of {title} is taken");
        let place =
            |name: &str| panel["gridPos"][name].as_u64().ok_or_else(|| format!("{title} has no {name}"));
        let (x, y, w, h) = (place("x")?, place("y")?, place("w")?, place("h")?);
        assert!(w > 0 && h > 0 && x + w <= 24, "{title} does not fit");
        for cell in (y..y + h).flat_map(|row| (x..x + w).map(move |column| (row, column))) {
            assert!(taken.insert(cell), "{title} lies over another panel");
        }
        if panel["type"] == "row" {
            continue;
        }
        let targets = panel["targets"].as_array().ok_or("no targets")?;
        assert!(!targets.is_empty(), "{title} asks nothing");
        let references: BTreeSet<_> = targets.iter().map(|target| target["refId"].as_str()).collect();
        assert_eq!(references.len(), targets.len(), "{title}");
        for source in targets.iter().chain([panel]).map(|it| &it["datasource"]["uid"]) {
            assert_eq!(source, "${datasource}", "{title}");
        }
    }
    let variables: BTreeSet<_> = dashboard["templating"]["list"]
        .as_array()
        .ok_or("no variables")?
        .iter()
        .filter_map(|variable| variable["name"].as_str())
        .collect();
    assert_eq!(variables, ["datasource", "instance", "job", "source"].into());
    let text = dashboard.to_string();
    for used in text.split('$').skip(1) {
        let name: String = used
            .trim_start_matches('{')
            .chars()
            .take_while(|it| it.is_ascii_alphanumeric() || *it == '_')
            .collect();
        assert!(name.starts_with("__") || variables.contains(name.as_str()), "${name} is no variable");
    }
    Ok(())
}
