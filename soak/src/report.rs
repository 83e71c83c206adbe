//! What a run came to: as a table for people, as JSON for programs, and the verdict. It runs nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::recorder::Seen;
use crate::sender::Sent;
use crate::world::Life;

/// A finished run.
#[derive(Debug, Clone)]
pub struct Report {
    /// What it came from.
    pub seed: u64,
    /// How long it took.
    pub real: Duration,
    /// The same in provider time.
    pub provider: Duration,
    /// How often each fault was there.
    pub faults: BTreeMap<String, u64>,
    /// What the senders did.
    pub sent: Sent,
    /// What upstream saw.
    pub seen: Seen,
    /// How many different events upstream has.
    pub n_upstream: u64,
    /// How many keys they have.
    pub n_keys: u64,
    /// The numbers of the first events that upstream does not have.
    pub lost: Vec<u64>,
    /// Every process of Envoy.
    pub envoys: Vec<Life>,
    /// Envoy's counters, summed up over its processes; only those that counted something.
    pub counters: BTreeMap<String, u64>,
}

impl Report {
    /// What must not be, in words. Empty: nothing was lost, doubled, changed or misrouted.
    pub fn findings(&self) -> Vec<String> {
        let Sent { n_events, n_delivered, n_given_up, .. } = self.sent;
        let mut findings = Vec::new();
        let mut require = |holds: bool, what: String| {
            if !holds {
                findings.push(what);
            }
        };
        let n_ended = n_delivered + n_given_up;
        require(n_ended == n_events, format!("{n_ended} of {n_events} events came to an end"));
        require(n_given_up == 0, format!("{n_given_up} events were given up"));
        let n_upstream = self.n_upstream;
        require(self.lost.is_empty(), format!("events that are not upstream: {:?}", self.lost));
        require(
            n_upstream == n_events,
            format!("{n_events} events were sent, and {n_upstream} are upstream"),
        );
        let n_keys = self.n_keys;
        require(n_keys == n_events, format!("{n_events} events have {n_keys} keys upstream"));
        for (who, seen) in [("upstream", &self.seen), ("senders", &self.sent.seen)] {
            findings.extend(seen.findings.iter().map(|it| format!("{who}: {it}")));
            let n_more = seen.n_findings.saturating_sub(seen.findings.len() as u64);
            if n_more > 0 {
                findings.push(format!("{who}: {n_more} more"));
            }
        }
        findings
    }

    /// Everything, for programs. Times are in milliseconds.
    pub fn to_json(&self) -> Value {
        let Self { sent, seen, .. } = self;
        let life = |life: &Life| {
            json!({
                "started_ms": ms(life.started),
                "ended_ms": ms(life.ended),
                "first_resident_bytes": life.first_bytes,
                "last_resident_bytes": life.last_bytes,
            })
        };
        let by_attempts: BTreeMap<_, _> =
            sent.by_attempts.iter().map(|(n, count)| (n.to_string(), count)).collect();
        json!({
            "seed": self.seed,
            "real_ms": ms(self.real),
            "provider_ms": ms(self.provider),
            "events": sent.n_events,
            "delivered": sent.n_delivered,
            "given_up": sent.n_given_up,
            "upstream": { "events": self.n_upstream, "keys": self.n_keys, "lost": self.lost },
            "attempts": sent.n_attempts,
            "attempts_per_event": by_attempts,
            "answers": sent.answers,
            "duplicates": sent.n_duplicates,
            "forgeries": sent.n_forged,
            "answers_to_forgeries": sent.answers_to_forgeries,
            "longest_delivery": { "provider_ms": ms(sent.longest.0), "event": sent.longest.1 },
            "most_attempts": { "attempts": sent.most_attempts.0, "event": sent.most_attempts.1 },
            "requests_upstream": seen.n_requests,
            "taken": seen.n_taken,
            "copies": seen.n_copies,
            "copies_of_acknowledged": seen.n_copies_of_acknowledged,
            "out_of_order_flagged": seen.n_flagged,
            "out_of_order_unflagged": seen.n_unflagged_late,
            "stale": seen.n_stale,
            "faults": self.faults,
            "envoys": self.envoys.iter().map(life).collect::<Vec<_>>(),
            "counters": self.counters,
            "findings": self.findings(),
        })
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A provider time in hours and minutes.
fn hours(time: Duration) -> String {
    let minutes = time.as_secs() / 60;
    format!("{} h {:02} min", minutes / 60, minutes % 60)
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{:01} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, seen, .. } = self;
        let mut row = |name: &str, value: String| writeln!(f, "{name:<44} {value}");
        row("seed", self.seed.to_string())?;
        row("time", format!("{:.0} s, {} of the provider's", self.real.as_secs_f64(), hours(self.provider)))?;
        row("events", sent.n_events.to_string())?;
        row("  delivered, given up", format!("{}, {}", sent.n_delivered, sent.n_given_up))?;
        row("  upstream, by number and by key", format!("{}, {}", self.n_upstream, self.n_keys))?;
        row("attempts", sent.n_attempts.to_string())?;
        row(
            "  most at one event, longest delivery",
            format!("{}, {}", sent.most_attempts.0, hours(sent.longest.0)),
        )?;
        row("forgeries", sent.n_forged.to_string())?;
        row("requests upstream, taken", format!("{}, {}", seen.n_requests, seen.n_taken))?;
        row(
            "  copies, of them already acknowledged",
            format!("{}, {}", seen.n_copies, seen.n_copies_of_acknowledged),
        )?;
        row("  answered as duplicates", sent.n_duplicates.to_string())?;
        row("  out of order, flagged and not", format!("{}, {}", seen.n_flagged, seen.n_unflagged_late))?;
        row("  assigned by stale answers", seen.n_stale.to_string())?;
        for (title, counts) in [
            ("answers", &sent.answers),
            ("answers to forgeries", &sent.answers_to_forgeries),
            ("faults", &self.faults),
        ] {
            writeln!(f, "{title}")?;
            for (name, count) in counts {
                writeln!(f, "  {name:<42} {count}")?;
            }
        }
        writeln!(f, "Envoy's resident memory, at the start and at the end of each process")?;
        for life in &self.envoys {
            let time = hours(life.ended.saturating_sub(life.started));
            writeln!(f, "  {time:<42} {} {}", megabytes(life.first_bytes), megabytes(life.last_bytes))?;
        }
        writeln!(f, "Envoy's counters")?;
        for (name, value) in &self.counters {
            writeln!(f, "  {name:<70} {value}")?;
        }
        let findings = self.findings();
        for finding in &findings {
            writeln!(f, "FINDING {finding}")?;
        }
        write!(f, "findings: {}", findings.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Report {
        Report {
            seed: 1,
            real: Duration::from_secs(60),
            provider: Duration::from_secs(3600),
            faults: BTreeMap::from([("upstream killed".to_owned(), 1)]),
            sent: Sent { n_events: 3, n_delivered: 3, ..Sent::default() },
            seen: Seen::default(),
            n_upstream: 3,
            n_keys: 3,
            lost: Vec::new(),
            envoys: Vec::new(),
            counters: BTreeMap::new(),
        }
    }

    #[test]
    fn whatever_is_wrong_is_a_finding() {
        assert_eq!(clean().findings(), Vec::<String>::new());
        let spoilt: [fn(&mut Report); 7] = [
            |it| it.sent.n_delivered = 2,
            |it| (it.sent.n_delivered, it.sent.n_given_up) = (2, 1),
            |it| it.n_upstream = 2,
            |it| it.n_keys = 2,
            |it| it.lost.push(1),
            |it| it.seen.finding("changed".to_owned()),
            |it| it.sent.seen.finding("accepted".to_owned()),
        ];
        for (index, spoil) in spoilt.into_iter().enumerate() {
            let mut report = clean();
            spoil(&mut report);
            assert_eq!(report.findings().len(), 1, "number {index}");
            assert!(report.to_string().ends_with("findings: 1"));
            assert_eq!(report.to_json()["findings"].as_array().unwrap().len(), 1);
        }
    }

    #[test]
    fn findings_that_are_not_shown_are_counted() {
        let mut report = clean();
        (0..100).for_each(|_| report.seen.finding("changed".to_owned()));
        assert_eq!(report.findings().last().unwrap(), "upstream: 80 more");
    }
}
