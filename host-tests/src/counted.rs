//! What must hold of the filter's metrics after every request: it is counted once, under what became of it. It reads names as the
//! `stats_tags` of `envoy.yaml` do, and knows no list of causes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use envoy_sim::{Outcome, Seen, Simulator};

/// The counters of a simulator at one moment.
#[derive(Debug)]
pub struct Counters(BTreeMap<String, u64>);

/// What stands in the name of an event's counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels<'n> {
    /// A source of the configuration, or `none`.
    pub source: &'n str,
    /// A known type, `other` or `none`.
    pub event_type: &'n str,
    /// What became of the event.
    pub outcome: &'n str,
    /// Why, or `none`.
    pub cause: &'n str,
}

impl<'n> Labels<'n> {
    /// Reads the name of a counter; `None` if it counts no events.
    #[must_use]
    pub fn read(name: &'n str) -> Option<Self> {
        let (source, rest) = name.strip_prefix("bellhop.events_total.source.")?.split_once(".event_type.")?;
        let (event_type, rest) = rest.split_once(".outcome.")?;
        let (outcome, cause) = rest.split_once(".cause.")?;
        Some(Self { source, event_type, outcome, cause })
    }
}

impl Counters {
    /// As they are now.
    #[must_use]
    pub fn of(sim: &Simulator) -> Self {
        Self(sim.metrics().counters().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// The names of all that have grown since, each as often as it has.
    #[must_use]
    pub fn grown(&self, sim: &Simulator) -> Vec<String> {
        let now = sim.metrics();
        let by = |name: &str, value: u64| value - self.0.get(name).copied().unwrap_or_default();
        let repeated = now.counters().flat_map(|(name, value)| (0..by(name, value)).map(|_| name.to_owned()));
        repeated.collect()
    }
}

/// Checks what was counted during one request; `outcome` is what the access log says of it.
///
/// # Errors
/// When it was not counted once, or under something else.
pub fn check(before: &Counters, sim: &Simulator, seen: &Seen, outcome: Option<&str>) -> Result<()> {
    let grown = before.grown(sim);
    let events: Vec<_> = grown.iter().filter_map(|name| Labels::read(name)).collect();
    if seen.outcome != Outcome::Answered {
        // It may live on, or its sender be gone.
        ensure!(events.iter().all(|it| it.outcome == "abandoned") && events.len() <= 1, "counted {grown:?}");
        return Ok(());
    }
    let [labels] = events.as_slice() else { anyhow::bail!("not counted once but {grown:?}") };
    let logged = outcome.context("nothing logged")?;
    let status = seen.response.as_ref().map(envoy_sim::Response::status);
    let expected = match (logged, status) {
        ("forwarded", _) => ("forwarded", "none"),
        ("duplicate", _) => ("duplicate", "duplicate"),
        (cause, Some(202)) => ("quarantined", cause),
        (cause, _) => ("refused", cause),
    };
    ensure!((labels.outcome, labels.cause) == expected, "logged {logged}, {status:?}, counted {labels:?}");
    // What upstream or the sink was told is what is counted.
    if let Some(saw) = &seen.upstream {
        ensure!(saw.headers.text("x-event-source") == Some(labels.source), "counted {labels:?}: {seen:?}");
        let known = saw.headers.text("x-event-type").map_or("none", |event_type| {
            if event_core::shape::is_known(event_type) { event_type } else { "other" }
        });
        ensure!(labels.event_type == known, "counted {labels:?}: {seen:?}");
    }
    ensure!((labels.source == "none") == (logged == "source_unknown"), "counted {labels:?}: {seen:?}");
    Ok(())
}
