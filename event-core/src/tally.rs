//! What each event is counted under: labels from fixed lists and from the configuration, never from what a sender chose. It
//! counts nothing itself.

use crate::config::Config;
use crate::edge::SourceIndex;
use crate::shape::{self, ValidEvent};
use crate::{Cause, Refusal};

/// Whose event it is, and of which type: what is known of it before its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// One more than the index of the source; 0 is none.
    source: u8,
    /// 0 was not read, 1 has no schema of its own, the others are the known types in their order, from 2.
    event_type: u8,
}

/// What became of an event in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its sender got upstream's own answer.
    Forwarded,
    /// Its sender got ours.
    Refused,
    /// The quarantine sink has it.
    Quarantined,
    /// Upstream had accepted it before.
    Duplicate,
    /// It ended without an answer of upstream's or ours: its sender went away, or Envoy's limits ended it.
    Abandoned,
    /// The filter could not go on with it and answered 503.
    Failed,
}

/// What one event counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    label: Label,
    outcome: Outcome,
    cause: Option<Cause>,
}

impl Label {
    /// An event of this source, of which no more is known.
    #[must_use]
    pub fn of(source: SourceIndex) -> Self {
        // A configuration has at most 64 sources.
        let SourceIndex(index) = source;
        Self { source: u8::try_from(index + 1).unwrap_or_default(), event_type: 0 }
    }

    /// The same with the type of the event.
    #[must_use]
    pub(crate) const fn typed(self, event: &ValidEvent<'_>) -> Self {
        Self { event_type: event.type_number(), ..self }
    }

    /// The name of the source, `none` if the path was no source's. A name has no dots.
    fn source(self, config: &Config) -> &str {
        let index = usize::from(self.source).checked_sub(1);
        index.and_then(|index| config.sources.get(index)).map_or("none", |source| &source.name)
    }

    /// The event type, `other` if it has no schema of its own, `none` if the shape of the event was not found in order.
    fn event_type(self) -> &'static str {
        match usize::from(self.event_type).checked_sub(1) {
            None => "none",
            Some(number) => shape::known_event_type(number).unwrap_or("other"),
        }
    }
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 6] =
        [Self::Forwarded, Self::Refused, Self::Quarantined, Self::Duplicate, Self::Abandoned, Self::Failed];

    /// The value of the label.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Forwarded => "forwarded",
            Self::Refused => "refused",
            Self::Quarantined => "quarantined",
            Self::Duplicate => "duplicate",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

impl Tally {
    /// An event that was not refused.
    #[must_use]
    pub const fn new(label: Label, outcome: Outcome) -> Self {
        Self { label, outcome, cause: None }
    }

    /// An event whose sender got this.
    #[must_use]
    pub const fn refused(refusal: &Refusal) -> Self {
        let outcome = match (refusal.cause(), refusal.status()) {
            (Cause::Duplicate, _) => Outcome::Duplicate,
            (_, 202) => Outcome::Quarantined,
            _ => Outcome::Refused,
        };
        Self { label: refusal.label(), outcome, cause: Some(refusal.cause()) }
    }

    /// A number of its own for each that can be, under one configuration.
    #[must_use]
    pub fn key(self) -> u32 {
        let cause = self.cause.map_or(0, |cause| cause as u8 + 1);
        u32::from_le_bytes([self.label.source, self.label.event_type, cause, self.outcome as u8])
    }

    /// The name of its counter. `stats_tags` of the gateway make labels of its parts.
    #[must_use]
    pub fn metric(self, config: &Config) -> String {
        [
            "bellhop.events_total.source.",
            self.label.source(config),
            ".event_type.",
            self.label.event_type(),
            ".outcome.",
            self.outcome.name(),
            ".cause.",
            self.cause.map_or("none", Cause::name),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Edge, Verdict};
    use std::collections::BTreeSet;

    const CONFIG: &[u8] = br#"{"environment":"test","sources":[
        {"name":"acme","path":"/a","verify":"none"},
        {"name":"zeta-2","path":"/z","verify":{"token":{"header":"x-key","secrets":["0123456789abcdef"]}}}
    ]}"#;

    fn metric(path: &str, body: &str) -> String {
        let edge = Edge::from_json(CONFIG).unwrap();
        let headers = [(":path", path), (":method", "POST"), ("content-type", "application/json")];
        let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let refusal = match edge.admit(headers) {
            Err(refusal) => refusal,
            Ok(admission) => match edge.judge(&admission, body.as_bytes(), 0, &()) {
                Verdict::Refuse(refusal) => refusal,
                other @ (Verdict::Forward(_) | Verdict::Ask(_)) => panic!("{other:?}"),
            },
        };
        Tally::refused(&refusal).metric(edge.config())
    }

    #[test]
    fn what_is_known_of_a_refused_event_is_in_its_name() {
        let event = |event_type: &str, device: &str| {
            format!(r#"{{"event_type":"{event_type}","timestamp":"2026-02-10T14:24:18Z"{device}}}"#)
        };
        let device = r#","device_id":"d""#;
        for (path, body, expected) in [
            ("/nowhere", String::new(), "source.none.event_type.none.outcome.refused.cause.source_unknown"),
            ("/a", "{".into(), "source.acme.event_type.none.outcome.refused.cause.json_malformed"),
            ("/z", "{".into(), "source.zeta-2.event_type.none.outcome.refused.cause.signature_invalid"),
            (
                "/a",
                event("device.online", r#","device_id":5"#),
                "source.acme.event_type.none.outcome.refused.cause.event_invalid",
            ),
            (
                "/a",
                event("device.online", ""),
                "source.acme.event_type.device.online.outcome.refused.cause.subject_missing",
            ),
            (
                "/a",
                event("lock.action_completed", device),
                "source.acme.event_type.lock.action_completed.outcome.refused.cause.account_unknown",
            ),
            (
                "/a",
                event("made.up", device),
                "source.acme.event_type.other.outcome.refused.cause.account_unknown",
            ),
        ] {
            assert_eq!(metric(path, &body), format!("bellhop.events_total.{expected}"), "{path} {body}");
        }
    }

    #[test]
    fn no_two_tallies_have_one_key_or_one_name() {
        let edge = Edge::from_json(CONFIG).unwrap();
        let n_types = u8::try_from(shape::known_event_types().count()).unwrap() + 2;
        let (mut keys, mut names, mut n_tallies) = (BTreeSet::new(), BTreeSet::new(), 0);
        for (source, event_type) in (0..3).flat_map(|source| (0..n_types).map(move |it| (source, it))) {
            for outcome in Outcome::ALL {
                for cause in Cause::ALL.into_iter().map(Some).chain([None]) {
                    let tally = Tally { label: Label { source, event_type }, outcome, cause };
                    n_tallies += 1;
                    keys.insert(tally.key());
                    names.insert(tally.metric(edge.config()));
                }
            }
        }
        assert_eq!((keys.len(), names.len()), (n_tallies, n_tallies));
    }
}
