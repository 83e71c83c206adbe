//! What an expression of Prometheus names: metrics with their matchers, and labels. Prometheus itself says whether it parses.

use std::collections::BTreeSet;

/// A metric in an expression.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    /// Its name.
    pub(crate) metric: String,
    /// Label, operator and value of each matcher.
    pub(crate) matchers: Vec<(String, String, String)>,
}

/// The metrics of an expression: names that begin as ours, Envoy's and Prometheus's own do.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(start) = rest.find(is_name) {
        let name_end = rest[start..].find(|it| !is_name(it)).map_or(rest.len(), |length| start + length);
        let name = &rest[start..name_end];
        rest = &rest[name_end..];
        let braces = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        let is_metric = name.starts_with("bellhop") || name.starts_with("envoy_server") || name == "up";
        if let Some((inside, after)) = braces {
            found.push(Selector { metric: name.to_owned(), matchers: matchers(inside) });
            rest = after;
        } else if is_metric || (name.starts_with("envoy_") && !LABELS.contains(&name)) {
            found.push(Selector { metric: name.to_owned(), matchers: Vec::new() });
        }
    }
    found
}

/// Labels of Envoy's that look like its metrics.
const LABELS: [&str; 4] = [
    "envoy_cluster_name",
    "envoy_http_conn_manager_prefix",
    "envoy_response_code",
    "envoy_response_code_class",
];

/// `a="b",c=~"d|e"`; no value holds a quote.
fn matchers(inside: &str) -> Vec<(String, String, String)> {
    let mut parts = inside.split('"');
    let mut found = Vec::new();
    while let (Some(before), Some(value)) = (parts.next(), parts.next()) {
        let before = before.trim_start_matches(',').trim();
        let (label, operator) = before.split_at(before.find(['=', '!']).unwrap_or(before.len()));
        found.push((label.to_owned(), operator.to_owned(), value.to_owned()));
    }
    found
}

/// The labels in `by (…)`.
pub(crate) fn grouped_by(expression: &str) -> BTreeSet<String> {
    let groups = expression.split("by (").skip(1).filter_map(|after| after.split_once(')'));
    groups.flat_map(|(labels, _)| labels.split(',').map(|label| label.trim().to_owned())).collect()
}

#[test]
fn metrics_matchers_and_labels_are_found() {
    let text = r#"sum by (job, le) (rate(a_bucket{x="1",y=~"2|3"}[5m])) / bellhop:ratio unless up > 0 and envoy_server_live"#;
    let all: Vec<_> = selectors(text).into_iter().map(|it| (it.metric, it.matchers.len())).collect();
    let expected = [("a_bucket", 2), ("bellhop:ratio", 0), ("up", 0), ("envoy_server_live", 0)];
    assert_eq!(all, expected.map(|(name, n)| (name.to_owned(), n)));
    assert_eq!(selectors(text)[0].matchers[1], ("y".to_owned(), "=~".to_owned(), "2|3".to_owned()));
    assert_eq!(grouped_by(text), ["job".to_owned(), "le".to_owned()].into());
}
