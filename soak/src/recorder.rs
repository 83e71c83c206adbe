//! Upstream: it takes events as its mood allows, and holds each against what its sender has sent. It deduplicates by
//! `idempotency-key`, as upstreams should.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use testbed::upstream::{Answer, Received};

use crate::fleet::{FORGED, Fleet, sequence};
use crate::plan::Mood;
use crate::trap::TRAPPING_HEADERS;
use testbed::random::Random;

/// Longer than anything in front of upstream waits. Until then a connection that nobody wants any more is kept.
const NEVER: Duration = Duration::from_secs(6);
/// Late, but in time.
const LATE: Duration = Duration::from_millis(250);
/// What 429 and 503 ask for, in seconds of the provider's.
const RETRY_AFTER_S: &str = "120";

/// So many findings are shown; the others are counted.
const N_SHOWN: usize = 20;

/// What upstream has seen.
#[derive(Debug)]
pub struct Recorder {
    fleet: Fleet,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    mood: Option<(Mood, u8)>,
    random: Random,
    entries: BTreeMap<u64, Entry>,
    by_key: BTreeMap<String, u64>,
    /// Per device, the newest event that upstream has taken.
    newest_taken: BTreeMap<u64, u64>,
    /// Per device, the newest event that its sender knows to be taken, since the filter can have forgotten last.
    newest_known: BTreeMap<u64, u64>,
    seen: Seen,
}

/// What upstream knows of one event.
#[derive(Debug, Default)]
struct Entry {
    n_taken: u32,
    acknowledged: bool,
}

/// Totals of what came to upstream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests in all.
    pub n_requests: u64,
    /// Requests that were taken.
    pub n_taken: u64,
    /// Of those, ones that had been taken before, under the same key.
    pub n_copies: u64,
    /// Copies of what the sender had had its 2xx for.
    pub n_copies_of_acknowledged: u64,
    /// Requests with `x-event-out-of-order`.
    pub n_flagged: u64,
    /// Requests without it, about a device of which the filter has passed on a newer one before.
    pub n_unflagged_late: u64,
    /// Requests with `x-assignment-stale`.
    pub n_stale: u64,
    /// What must not be. The first of them, in words.
    pub findings: Vec<String>,
    /// How many there were.
    pub n_findings: u64,
}

impl Recorder {
    /// An upstream of this fleet that has seen nothing.
    pub fn new(fleet: Fleet, seed: u64) -> Self {
        let state = State {
            mood: None,
            random: Random::of(seed, 3, 0),
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            newest_taken: BTreeMap::new(),
            newest_known: BTreeMap::new(),
            seen: Seen::default(),
        };
        Self { fleet, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it does this with so many requests of a hundred; `None`: it takes all.
    pub fn set_mood(&self, mood: Option<(Mood, u8)>) {
        self.lock().mood = mood;
    }

    /// Whether it has taken the event of this number.
    pub fn has(&self, number: u64) -> bool {
        self.lock().entries.get(&number).is_some_and(|it| it.n_taken > 0)
    }

    /// The sender has had a 2xx for this event.
    pub fn acknowledged(&self, number: u64, device: u64) {
        let mut state = self.lock();
        state.entries.entry(number).or_default().acknowledged = true;
        let newest = state.newest_known.entry(device).or_default();
        *newest = number.max(*newest);
    }

    /// The filter may have forgotten what it knew.
    pub fn filter_forgets(&self) {
        self.lock().newest_known.clear();
    }

    /// How many events it has taken, each key once.
    pub fn n_keys(&self) -> u64 {
        self.lock().by_key.len() as u64
    }

    /// How many different events it has taken.
    pub fn n_events(&self) -> u64 {
        self.lock().entries.values().filter(|it| it.n_taken > 0).count() as u64
    }

    /// The totals up to now.
    pub fn seen(&self) -> Seen {
        self.lock().seen.clone()
    }

    /// What a server is to do with this request. What it takes is taken before anything is answered.
    pub fn answer(&self, received: &Received) -> Answer {
        // Made outside the lock: it is the dear part.
        let event = sequence(&received.body).map(|number| (number, self.fleet.event(number)));
        let mut state = self.lock();
        state.seen.n_requests += 1;
        let Some((number, event)) = event.filter(|(number, _)| *number < FORGED) else {
            let shown = format!("{} {} with a body that no source has sent", received.method, received.path);
            state.seen.finding(shown);
            return Answer::status(200);
        };
        state.check(received, number, &event);
        let mood = state.mood;
        let mood = mood.filter(|(_, percent)| state.random.percent(*percent)).map(|(mood, _)| mood);
        match mood {
            None => {
                state.take(received, number, event.device);
                Answer::status(200)
            }
            Some(Mood::Answers(status)) => {
                let answer = Answer::status(status);
                if status == 429 || status == 503 {
                    answer.header("retry-after", RETRY_AFTER_S)
                } else {
                    answer
                }
            }
            Some(Mood::Hangs) => Answer::status(200).after(NEVER),
            Some(Mood::Resets) => Answer::Reset,
            Some(Mood::IsSlow) => {
                state.take(received, number, event.device);
                Answer::status(200).after(LATE)
            }
            Some(Mood::TakesAndFails) => {
                state.take(received, number, event.device);
                Answer::status(500)
            }
            Some(Mood::TakesAndHangs) => {
                state.take(received, number, event.device);
                Answer::status(200).after(NEVER)
            }
            Some(Mood::TakesAndResets) => {
                state.take(received, number, event.device);
                Answer::Reset
            }
            Some(Mood::TakesAndTraps) => {
                state.take(received, number, event.device);
                (0..TRAPPING_HEADERS)
                    .fold(Answer::status(200), |answer, n| answer.header(format!("x-many-{n}"), "1"))
            }
        }
    }
}

impl State {
    /// Holds a request against what its sender has sent, taken or not.
    fn check(&mut self, received: &Received, number: u64, event: &crate::fleet::Event) {
        let all = |name: &str| {
            received.headers.all(name).map(|it| String::from_utf8_lossy(it).into_owned()).collect::<Vec<_>>()
        };
        let key = event.key();
        let expected = [
            ("x-event-id", key.as_str()),
            ("idempotency-key", &key),
            ("x-event-source", event.source),
            ("x-connected-account-id", &event.accounts),
        ];
        for (name, value) in expected {
            let found = all(name);
            if found != [value] {
                self.seen.finding(format!("event {number}: {name} is {found:?}, not {value:?}"));
            }
        }
        let assigned_by = all("x-assigned-by");
        if assigned_by != [event.assigned_by] {
            self.seen
                .finding(format!("event {number}: assigned by {assigned_by:?}, not {}", event.assigned_by));
        }
        if received.body != event.body {
            self.seen.finding(format!(
                "event {number}: {} bytes, and not those that were sent",
                received.body.len()
            ));
        }
        if received.path != event.path || received.method != "POST" {
            self.seen.finding(format!("event {number}: {} {}", received.method, received.path));
        }
        self.seen.n_stale += u64::from(received.headers.has("x-assignment-stale"));
        let flags = all("x-event-out-of-order");
        let newest_taken = self.newest_taken.get(&event.device).copied();
        let newest_known = self.newest_known.get(&event.device).copied();
        if flags.is_empty() {
            self.seen.n_unflagged_late += u64::from(newest_known > Some(number));
        } else {
            self.seen.n_flagged += 1;
            // What the filter has passed on, upstream has taken: nothing but that makes an event late.
            if flags != ["true"] || newest_taken <= Some(number) {
                let newest = newest_taken.map_or("none".to_owned(), |it| it.to_string());
                self.seen
                    .finding(format!("event {number}: flagged {flags:?}, and the newest taken is {newest}"));
            }
        }
    }

    fn take(&mut self, received: &Received, number: u64, device: u64) {
        let entry = self.entries.entry(number).or_default();
        entry.n_taken += 1;
        self.seen.n_taken += 1;
        if entry.n_taken > 1 {
            self.seen.n_copies += 1;
            self.seen.n_copies_of_acknowledged += u64::from(entry.acknowledged);
        }
        let newest = self.newest_taken.entry(device).or_default();
        *newest = number.max(*newest);
        let key = received.headers.get("idempotency-key").unwrap_or_default().to_owned();
        let first = *self.by_key.entry(key).or_insert(number);
        if first != number {
            self.seen.finding(format!(
                "events {first} and {number} have one idempotency-key: one of them is lost"
            ));
        }
    }
}

impl Seen {
    /// Notes what must not be.
    pub fn finding(&mut self, what: String) {
        self.n_findings += 1;
        if self.findings.len() < N_SHOWN {
            self.findings.push(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testbed::message::Headers;

    const FLEET: Fleet = Fleet::new(1, crate::fleet::N_DEVICES, Duration::from_secs(12));

    fn recorder() -> Recorder {
        Recorder::new(FLEET, 1)
    }

    /// The event of this number as the filter passes it on.
    fn request(number: u64) -> Received {
        let event = FLEET.event(number);
        let key = event.key();
        let headers = [
            ("x-event-id", key.as_str()),
            ("idempotency-key", &key),
            ("x-event-source", event.source),
            ("x-connected-account-id", &event.accounts),
            ("x-assigned-by", event.assigned_by),
        ];
        Received {
            method: "POST".to_owned(),
            path: event.path.to_owned(),
            headers: Headers::from_iter(headers),
            body: event.body,
            trailers: Headers::new(),
            connection: 0,
        }
    }

    fn with(received: &Received, name: &str, value: &str) -> Received {
        let others = received.headers.iter().filter(|(it, _)| *it != name.as_bytes());
        let mut headers: Headers = others.collect();
        headers.push(name, value);
        Received { headers, ..received.clone() }
    }

    fn findings_of(received: &Received) -> Vec<String> {
        let recorder = recorder();
        recorder.answer(received);
        recorder.seen().findings
    }

    /// The first two events of one device, older and newer.
    fn of_one_device() -> (u64, u64) {
        let newer = (1..).find(|it| FLEET.device(*it) == FLEET.device(0)).unwrap();
        (0, newer)
    }

    #[test]
    fn what_is_right_gives_no_finding_and_copies_are_counted_once() {
        let recorder = recorder();
        for number in [0, 1, 1, 2] {
            assert!(matches!(recorder.answer(&request(number)), Answer::Reply(reply) if reply.status == 200));
        }
        let seen = recorder.seen();
        assert_eq!((seen.n_taken, seen.n_copies, seen.findings), (4, 1, vec![]));
        assert_eq!((recorder.n_events(), recorder.n_keys()), (3, 3));
        assert!(recorder.has(2) && !recorder.has(3));
    }

    #[test]
    fn each_wrong_header_is_a_finding() {
        for name in ["x-event-id", "x-event-source", "x-connected-account-id", "x-assigned-by"] {
            assert_eq!(findings_of(&with(&request(3), name, "other")).len(), 1, "{name}");
        }
        assert_eq!(findings_of(&with(&request(3), "idempotency-key", "other")).len(), 1);
        let mut twice = request(3);
        twice.headers.push("x-connected-account-id", FLEET.event(3).accounts);
        assert_eq!(findings_of(&twice).len(), 1, "a second value is not to be trusted");
    }

    #[test]
    fn other_bytes_other_paths_and_forgeries_are_findings() {
        let mut changed = request(3);
        changed.body.push(b' ');
        assert_eq!(findings_of(&changed).len(), 1);
        assert_eq!(findings_of(&Received { path: "/elsewhere".to_owned(), ..request(3) }).len(), 1);
        assert_eq!(findings_of(&Received { body: FLEET.forgery(3), ..request(3) }).len(), 1);
        assert_eq!(findings_of(&Received { body: b"{}".to_vec(), ..request(3) }).len(), 1);
    }

    #[test]
    fn two_events_with_one_key_are_a_finding() {
        let recorder = recorder();
        recorder.answer(&request(3));
        recorder.answer(&with(&request(4), "idempotency-key", &FLEET.event(3).key()));
        assert_eq!(recorder.n_keys(), 1);
        assert!(recorder.seen().findings.iter().any(|it| it.contains("one idempotency-key")));
    }

    #[test]
    fn a_flag_is_right_only_when_something_newer_was_taken() {
        let (older, newer) = of_one_device();
        let flagged = |number| with(&request(number), "x-event-out-of-order", "true");
        assert_eq!(findings_of(&flagged(newer)).len(), 1, "nothing was taken yet");
        let recorder = recorder();
        recorder.answer(&request(older));
        recorder.answer(&flagged(newer));
        assert_eq!(recorder.seen().n_findings, 1, "it is the newest");
        recorder.answer(&flagged(older));
        assert_eq!((recorder.seen().n_findings, recorder.seen().n_flagged), (1, 2));
    }

    #[test]
    fn a_missing_flag_counts_only_when_the_filter_must_know() {
        let (older, newer) = of_one_device();
        let recorder = recorder();
        recorder.answer(&request(newer));
        recorder.answer(&request(older));
        assert_eq!(recorder.seen().n_unflagged_late, 0, "no answer has come through the filter");
        recorder.acknowledged(newer, FLEET.device(newer));
        recorder.answer(&request(older));
        assert_eq!(recorder.seen().n_unflagged_late, 1);
        recorder.filter_forgets();
        recorder.answer(&request(older));
        assert_eq!(recorder.seen().n_unflagged_late, 1);
    }

    #[test]
    fn a_mood_takes_an_event_or_does_not() {
        for (mood, takes) in [
            (Mood::Answers(500), false),
            (Mood::Hangs, false),
            (Mood::Resets, false),
            (Mood::IsSlow, true),
            (Mood::TakesAndFails, true),
            (Mood::TakesAndHangs, true),
            (Mood::TakesAndResets, true),
            (Mood::TakesAndTraps, true),
        ] {
            let recorder = recorder();
            recorder.set_mood(Some((mood, 100)));
            recorder.answer(&request(3));
            assert_eq!(recorder.has(3), takes, "{mood:?}");
        }
    }
}
