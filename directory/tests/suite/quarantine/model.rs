//! Random lives of a quarantine beside a model of it: what is told and what is kept are the same, and bounds hold at each step.

use directory::store::{
    Claim, Claimed, QuarantineFilter, QuarantineLimits, QuarantineState, Quarantining, Step as Counted,
    Trimmed,
};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::{ACCEPTED, REFUSED, check_totals, empty_bytes, event};
use crate::database::{Database, N_LIVES};
use crate::suite::Fresh;

const LEASE_MS: i64 = 40;

fn limits() -> QuarantineLimits {
    QuarantineLimits { events: 5, bytes: 4 * empty_bytes("0") + 60, age_ms: 100 }
}

/// What happens.
#[derive(Clone, Debug)]
enum Step {
    /// The event with this number comes, with so many bytes.
    Put(u8, usize),
    /// Somebody takes one of the events that there were.
    Claim(prop::sample::Index),
    /// One of those who took an event says what came of it.
    Finish(prop::sample::Index, bool),
    Drop(prop::sample::Index),
    Trim,
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let index = || any::<prop::sample::Index>();
    prop_oneof![
        6 => (0..8_u8, prop::sample::select(vec![0_usize, 1, 30, 60])).prop_map(|(n, size)| Step::Put(n, size)),
        4 => index().prop_map(Step::Claim),
        4 => (index(), any::<bool>()).prop_map(|(index, accepted)| Step::Finish(index, accepted)),
        1 => index().prop_map(Step::Drop),
        1 => Just(Step::Trim),
        3 => (1..60_i64).prop_map(Step::Pass),
    ]
}

/// An event as the model has it.
#[derive(Clone, Debug)]
struct Kept {
    id: i64,
    name: String,
    n_body: usize,
    state: QuarantineState,
    times_seen: i64,
    last_seen_at: i64,
    attempts: i64,
    lease_until: i64,
    owner: Option<String>,
}

impl Kept {
    fn n_bytes(&self) -> i64 {
        empty_bytes(&self.name) + i64::try_from(self.n_body).unwrap()
    }
}

#[derive(Clone, Default)]
struct Model {
    kept: Vec<Kept>,
    last_id: i64,
}

impl Model {
    fn fits(&self, n_events: usize, n_bytes: i64) -> bool {
        let bytes: i64 = self.kept.iter().map(Kept::n_bytes).sum();
        i64::try_from(self.kept.len() + n_events).unwrap() <= limits().events
            && bytes + n_bytes <= limits().bytes
    }

    fn oldest(&self, now: i64, is_victim: impl Fn(&Kept) -> bool) -> Option<usize> {
        let victims = self.kept.iter().enumerate().filter(|(_, it)| it.lease_until <= now && is_victim(it));
        victims.min_by_key(|(_, it)| (it.last_seen_at, it.id)).map(|(place, _)| place)
    }

    fn put(&mut self, name: &str, n_body: usize, now: i64) -> Quarantining {
        if let Some(kept) = self.kept.iter_mut().find(|it| it.name == name && it.n_body == n_body) {
            kept.times_seen += 1;
            kept.last_seen_at = now;
            kept.state = QuarantineState::Waiting;
            return Quarantining::Again { id: kept.id };
        }
        let id = self.last_id + 1;
        let new = Kept {
            id,
            name: name.to_owned(),
            n_body,
            state: QuarantineState::Waiting,
            times_seen: 1,
            last_seen_at: now,
            attempts: 0,
            lease_until: 0,
            owner: None,
        };
        let mut after = self.clone();
        let mut pushed_out = Trimmed::default();
        while !after.fits(1, new.n_bytes()) {
            let old = after.oldest(now, |it| it.last_seen_at < now - limits().age_ms);
            let victim = old.or_else(|| after.oldest(now, |it| it.state == QuarantineState::Replayed));
            let Some(victim) = victim else { return Quarantining::Full };
            count(&mut pushed_out, &after.kept.remove(victim));
        }
        *self = after;
        self.kept.push(new);
        self.last_id = id;
        Quarantining::Stored { id, pushed_out }
    }

    fn trim(&mut self, now: i64) -> Trimmed {
        let mut trimmed = Trimmed::default();
        while let Some(old) = self.oldest(now, |it| it.last_seen_at < now - limits().age_ms) {
            count(&mut trimmed, &self.kept.remove(old));
        }
        trimmed
    }

    fn of(&mut self, id: i64) -> Option<&mut Kept> {
        self.kept.iter_mut().find(|it| it.id == id)
    }
}

fn count(trimmed: &mut Trimmed, gone: &Kept) {
    let is_replayed = gone.state == QuarantineState::Replayed;
    *(if is_replayed { &mut trimmed.replayed } else { &mut trimmed.expired }) += 1;
}

async fn live_through(steps: &[Step]) {
    let store = Fresh::new().await;
    let mut model = Model::default();
    let mut claims: Vec<(String, Claimed)> = Vec::new();
    let mut now = 1000;
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Put(n, n_body) => {
                let name = n.to_string();
                let outcome =
                    store.quarantine(&event(&name, &vec![0; *n_body]), limits(), now).await.unwrap();
                assert_eq!(outcome, model.put(&name, *n_body, now), "{number}: {step:?}");
            }
            Step::Claim(index) => {
                // One more than there ever was.
                let id = i64::try_from(index.index(usize::try_from(model.last_id).unwrap() + 1)).unwrap() + 1;
                let owner = number.to_string();
                let claim = store.claim_replay(id, &owner, now, LEASE_MS).await.unwrap();
                let expected = match model.of(id) {
                    None => "absent",
                    Some(kept) if kept.lease_until > now => "busy",
                    Some(kept) => {
                        (kept.lease_until, kept.owner) = (now + LEASE_MS, Some(owner.clone()));
                        "taken"
                    }
                };
                let told = match claim {
                    Claim::Absent => "absent",
                    Claim::Busy => "busy",
                    Claim::Taken(claimed) => {
                        assert_eq!(claimed.id, id);
                        claims.push((owner, claimed));
                        "taken"
                    }
                };
                assert_eq!(told, expected, "{number}: {step:?}");
            }
            Step::Finish(index, accepted) => {
                if claims.is_empty() {
                    continue;
                }
                let (owner, claimed) = claims.remove(index.index(claims.len()));
                let attempt = if *accepted { ACCEPTED } else { REFUSED };
                let counted = store.finish_replay(&claimed, &owner, attempt, now).await.unwrap();
                let held = model.of(claimed.id).filter(|kept| kept.owner.as_deref() == Some(&owner));
                let expected = if held.is_some() { Counted::Done } else { Counted::Superseded };
                assert_eq!(counted, expected, "{number}: {step:?}");
                if let Some(kept) = held {
                    (kept.lease_until, kept.owner) = (0, None);
                    kept.attempts += 1;
                    let came_again = came_between(steps, number, &owner, kept);
                    if *accepted && !came_again {
                        kept.state = QuarantineState::Replayed;
                    }
                }
            }
            Step::Drop(index) => {
                let id = i64::try_from(index.index(usize::try_from(model.last_id).unwrap() + 1)).unwrap() + 1;
                let told = store.drop_quarantined(id, now).await.unwrap();
                let expected = match model.of(id) {
                    None => Claim::Absent,
                    Some(kept) if kept.lease_until > now => Claim::Busy,
                    Some(_) => {
                        model.kept.retain(|kept| kept.id != id);
                        Claim::Taken(())
                    }
                };
                assert_eq!(told, expected, "{number}: {step:?}");
            }
            Step::Trim => {
                let trimmed = store.trim_quarantine(limits(), now).await.unwrap();
                assert_eq!(trimmed, model.trim(now), "{number}");
            }
            Step::Pass(ms) => now += ms,
        }
        let kept = store.quarantined_after(QuarantineFilter::default(), 0, 500).await.unwrap();
        let kept: Vec<_> =
            kept.iter().map(|it| (it.id, it.state, it.times_seen, it.last_seen_at, it.attempts)).collect();
        let expected: Vec<_> = model
            .kept
            .iter()
            .map(|it| (it.id, it.state, it.times_seen, it.last_seen_at, it.attempts))
            .collect();
        assert_eq!(kept, expected, "after {number}: {step:?}");
        let counts = store.quarantine_counts().await.unwrap();
        assert!(counts.waiting + counts.replayed <= limits().events && counts.bytes <= limits().bytes);
        assert_eq!(counts.bytes, model.kept.iter().map(Kept::n_bytes).sum::<i64>());
    }
    check_totals(&store).await;
}

/// Whether the event came between the step that took it, whose number is the owner, and this one.
fn came_between(steps: &[Step], finished: usize, owner: &str, kept: &Kept) -> bool {
    let taken: usize = owner.parse().unwrap();
    steps[taken..finished].iter().any(
        |step| matches!(step, Step::Put(n, n_body) if n.to_string() == kept.name && *n_body == kept.n_body),
    )
}

#[test]
fn the_store_does_what_the_model_does() {
    // Keeps the server of the databases alive from one life to the next.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _database = runtime.block_on(Database::new());
    let config = ProptestConfig { cases: N_LIVES, failure_persistence: None, ..ProptestConfig::default() };
    let lives = prop::collection::vec(step(), 0..60);
    let result = TestRunner::new(config).run(&lives, |steps| {
        runtime.block_on(live_through(&steps));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
