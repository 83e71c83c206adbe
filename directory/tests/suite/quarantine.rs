//! The quarantine in the store: bytes as they came, bounds that hold whoever writes, one replay of an event at a time.

mod model;

use directory::Store;
use directory::store::{
    Attempt, Claim, Claimed, NewQuarantined, QuarantineCounts, QuarantineFilter, QuarantineLimits,
    QuarantineState, Quarantining, Step, Trimmed,
};
use tokio::task::JoinSet;

use super::Fresh;

const DAY_MS: i64 = 24 * 3600 * 1000;

const ROOMY: QuarantineLimits = QuarantineLimits { events: 1000, bytes: 1 << 30, age_ms: DAY_MS };

const ACCEPTED: Attempt = Attempt { accepted: true, status: Some(200), cause: None };

const REFUSED: Attempt = Attempt { accepted: false, status: Some(422), cause: Some("event_invalid") };

fn event<'a>(event_id: &'a str, body: &'a [u8]) -> NewQuarantined<'a> {
    NewQuarantined {
        environment: "production",
        source: "acme",
        event_id,
        cause: "event_invalid",
        path: "/provider_events?token=t",
        content_type: "application/json",
        event_type: None,
        event_timestamp: None,
        device_id: None,
        bridge_id: None,
        access_code_id: None,
        partition_key: None,
        body,
    }
}

/// Bytes that an event without a body counts.
fn empty_bytes(event_id: &str) -> i64 {
    let texts =
        ["production", "acme", event_id, "event_invalid", "/provider_events?token=t", "application/json"];
    i64::try_from(texts.map(str::len).iter().sum::<usize>()).unwrap()
}

/// Stores an event that is new. Its number.
async fn stored(store: &Store, event_id: &str, now: i64) -> i64 {
    match store.quarantine(&event(event_id, b"{}"), ROOMY, now).await.unwrap() {
        Quarantining::Stored { id, .. } => id,
        other @ (Quarantining::Again { .. } | Quarantining::Full) => panic!("{other:?}"),
    }
}

async fn claim(store: &Store, id: i64, owner: &str, now: i64) -> Claimed {
    match store.claim_replay(id, owner, now, 1000).await.unwrap() {
        Claim::Taken(claimed) => claimed,
        other @ (Claim::Busy | Claim::Absent) => panic!("{other:?}"),
    }
}

async fn replay(store: &Store, id: i64, attempt: Attempt, now: i64) {
    let claimed = claim(store, id, "one", now).await;
    assert_eq!(store.finish_replay(&claimed, "one", attempt, now).await.unwrap(), Step::Done);
}

async fn ids(store: &Store, filter: QuarantineFilter<'_>) -> Vec<i64> {
    let events = store.quarantined_after(filter, 0, 500).await.unwrap();
    events.iter().map(|event| event.id).collect()
}

/// The totals as the rows themselves add up to.
async fn added_up(store: &Fresh) -> (i64, i64) {
    let pool = sqlx::AnyPool::connect(&store.url()).await.unwrap();
    let sql = "SELECT COUNT(*), COALESCE(CAST(SUM(n_bytes) AS BIGINT), 0) FROM quarantined";
    let sum = sqlx::query_as(sql).fetch_one(&pool).await.unwrap();
    pool.close().await;
    sum
}

async fn check_totals(store: &Fresh) -> (i64, i64) {
    let counts = store.quarantine_counts().await.unwrap();
    let totals = (counts.waiting + counts.replayed, counts.bytes);
    assert_eq!(totals, added_up(store).await);
    totals
}

#[tokio::test]
async fn bytes_come_back_as_they_were() {
    let store = Fresh::new().await;
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    let large = vec![0xff; 1 << 20];
    for body in [b"".as_slice(), b"{}", b"\0", b"'; --", &every_byte, &large, "\u{feff}ä".as_bytes()] {
        let outcome = store.quarantine(&event("e", body), ROOMY, 7).await.unwrap();
        let Quarantining::Stored { id, .. } = outcome else { panic!("{outcome:?}") };
        let (shown, stored) = store.quarantined(id).await.unwrap().unwrap();
        assert!(stored == body, "{id}");
        assert_eq!(shown.n_body_bytes, i64::try_from(body.len()).unwrap());
        assert_eq!((shown.state, shown.times_seen, shown.first_seen_at), (QuarantineState::Waiting, 1, 7));
        let claimed = claim(&store, id, "o", 8).await;
        assert!(claimed.body == body, "{id}");
        assert_eq!(claimed.path, "/provider_events?token=t");
    }
    assert_eq!(store.quarantined(99).await.unwrap(), None);
    check_totals(&store).await;
}

#[tokio::test]
async fn the_same_event_is_kept_once_and_waits_again() {
    let store = Fresh::new().await;
    let id = stored(&store, "e", 1).await;
    replay(&store, id, ACCEPTED, 2).await;
    assert_eq!(store.quarantined(id).await.unwrap().unwrap().0.state, QuarantineState::Replayed);
    let again = NewQuarantined { cause: "account_conflict", ..event("e", b"{}") };
    assert_eq!(store.quarantine(&again, ROOMY, 5).await.unwrap(), Quarantining::Again { id });
    let (shown, _) = store.quarantined(id).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.times_seen), (QuarantineState::Waiting, 2));
    assert_eq!((shown.first_seen_at, shown.last_seen_at, shown.cause.as_str()), (1, 5, "account_conflict"));
    // Other bytes, another source, another environment or another id is another event.
    for other in [
        event("e", b"{ }"),
        NewQuarantined { source: "other", ..event("e", b"{}") },
        NewQuarantined { environment: "staging", ..event("e", b"{}") },
        event("f", b"{}"),
    ] {
        let outcome = store.quarantine(&other, ROOMY, 5).await.unwrap();
        assert!(matches!(outcome, Quarantining::Stored { .. }), "{other:?}");
    }
    assert_eq!(check_totals(&store).await.0, 5);
}

#[tokio::test]
async fn an_event_that_comes_again_while_it_is_replayed_waits() {
    let store = Fresh::new().await;
    let id = stored(&store, "e", 1).await;
    let claimed = claim(&store, id, "o", 2).await;
    let _ = store.quarantine(&event("e", b"{}"), ROOMY, 3).await.unwrap();
    assert_eq!(store.finish_replay(&claimed, "o", ACCEPTED, 4).await.unwrap(), Step::Done);
    let (shown, _) = store.quarantined(id).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.attempts, shown.answer_status), (QuarantineState::Waiting, 1, Some(200)));
}

#[tokio::test]
async fn one_replays_an_event_at_a_time_until_its_lease_ends() {
    let store = Fresh::new().await;
    let other = store.another().await;
    let id = stored(&store, "e", 1).await;
    let first = claim(&store, id, "first", 10).await;
    assert_eq!(other.claim_replay(id, "second", 1009, 1000).await.unwrap(), Claim::Busy);
    assert_eq!(other.drop_quarantined(id, 1009).await.unwrap(), Claim::Busy);
    assert_eq!(store.claim_replay(99, "second", 10, 1000).await.unwrap(), Claim::Absent);
    assert_eq!(store.drop_quarantined(99, 10).await.unwrap(), Claim::Absent);
    // Its process has died.
    let second = claim(&other, id, "second", 1010).await;
    assert_eq!(store.finish_replay(&first, "first", ACCEPTED, 1011).await.unwrap(), Step::Superseded);
    assert_eq!(other.finish_replay(&second, "second", REFUSED, 1012).await.unwrap(), Step::Done);
    let (shown, _) = store.quarantined(id).await.unwrap().unwrap();
    assert_eq!((shown.state, shown.attempts, shown.attempted_at), (QuarantineState::Waiting, 1, Some(1012)));
    assert_eq!((shown.answer_status, shown.answer_cause.as_deref()), (Some(422), Some("event_invalid")));
    assert_eq!(shown.cause, "event_invalid");
    assert_eq!(store.drop_quarantined(id, 1013).await.unwrap(), Claim::Taken(()));
    assert_eq!(check_totals(&store).await, (0, 0));
}

#[tokio::test]
async fn lists_are_by_source_cause_and_state_in_order() {
    let store = Fresh::new().await;
    let mut all = Vec::new();
    for n in 0..6 {
        let name = n.to_string();
        let source = if n % 2 == 0 { "acme" } else { "other" };
        let cause = if n < 3 { "json_malformed" } else { "account_unknown" };
        let new = NewQuarantined { source, cause, ..event(&name, b"") };
        let outcome = store.quarantine(&new, ROOMY, 10 - n).await.unwrap();
        let Quarantining::Stored { id, .. } = outcome else { panic!("{outcome:?}") };
        all.push(id);
    }
    replay(&store, all[4], ACCEPTED, 20).await;
    let of = |source, cause, state| QuarantineFilter { source, cause, state };
    assert_eq!(ids(&store, QuarantineFilter::default()).await, all);
    assert_eq!(ids(&store, of(Some("acme"), None, None)).await, [all[0], all[2], all[4]]);
    assert_eq!(ids(&store, of(None, Some("account_unknown"), None)).await, all[3..]);
    assert_eq!(ids(&store, of(Some("acme"), Some("account_unknown"), None)).await, [all[4]]);
    let waiting = Some(QuarantineState::Waiting);
    assert_eq!(ids(&store, of(Some("acme"), None, waiting)).await, [all[0], all[2]]);
    assert_eq!(ids(&store, of(None, None, Some(QuarantineState::Replayed))).await, [all[4]]);
    assert_eq!(ids(&store, of(Some("' OR 1=1 --"), None, None)).await, [0_i64; 0]);
    let page = store.quarantined_after(QuarantineFilter::default(), all[1], 2).await.unwrap();
    assert_eq!(page.iter().map(|event| event.id).collect::<Vec<_>>(), all[2..4]);
    let counts = store.quarantine_counts().await.unwrap();
    assert_eq!((counts.waiting, counts.replayed, counts.oldest_waiting), (5, 1, Some(5)));
}

#[tokio::test]
async fn a_full_quarantine_refuses_until_there_is_room_and_pushes_out_only_what_was_replayed() {
    let store = Fresh::new().await;
    let limits = QuarantineLimits { events: 3, ..ROOMY };
    let put = async |name: &str, now| store.quarantine(&event(name, b"{}"), limits, now).await.unwrap();
    let mut all = Vec::new();
    for (name, now) in [("a", 1), ("b", 2), ("c", 3)] {
        let Quarantining::Stored { id, .. } = put(name, now).await else { panic!("{name}") };
        all.push(id);
    }
    assert_eq!(put("d", 4).await, Quarantining::Full);
    assert_eq!(put("a", 4).await, Quarantining::Again { id: all[0] }, "what is there is never refused");
    replay(&store, all[1], ACCEPTED, 5).await;
    replay(&store, all[2], REFUSED, 5).await;
    let pushed_out = Trimmed { expired: 0, replayed: 1 };
    assert_eq!(put("d", 6).await, Quarantining::Stored { id: all[2] + 1, pushed_out });
    assert_eq!(ids(&store, QuarantineFilter::default()).await, [all[0], all[2], all[2] + 1]);
    assert_eq!(put("e", 6).await, Quarantining::Full);
    // One that is too old makes room as well, but not while it is replayed: `c` is older than a day, `a` came again.
    let held = claim(&store, all[2], "o", DAY_MS + 3).await;
    assert_eq!(put("e", DAY_MS + 4).await, Quarantining::Full);
    assert_eq!(store.finish_replay(&held, "o", REFUSED, DAY_MS + 4).await.unwrap(), Step::Done);
    let pushed_out = Trimmed { expired: 1, replayed: 0 };
    assert_eq!(put("e", DAY_MS + 4).await, Quarantining::Stored { id: all[2] + 2, pushed_out });
    assert_eq!(store.quarantined(all[2]).await.unwrap(), None);
    assert_eq!(check_totals(&store).await.0, 3);
}

#[tokio::test]
async fn bytes_are_bounded_and_no_more_goes_than_has_to() {
    let store = Fresh::new().await;
    let limits = QuarantineLimits { bytes: 3 * empty_bytes("a") + 100, ..ROOMY };
    let put = async |name: &str, body: &[u8]| store.quarantine(&event(name, body), limits, 1).await.unwrap();
    for name in ["a", "b", "c"] {
        let Quarantining::Stored { id, .. } = put(name, b"").await else { panic!("{name}") };
        replay(&store, id, ACCEPTED, 1).await;
    }
    assert_eq!(check_totals(&store).await, (3, 3 * empty_bytes("a")));
    // Exactly one has to go.
    assert!(matches!(put("d", &[0; 100]).await, Quarantining::Stored { .. }));
    assert_eq!(check_totals(&store).await, (3, limits.bytes));
    assert_eq!(store.quarantined(1).await.unwrap(), None);
    // One that could never fit pushes nobody out.
    assert_eq!(put("e", &[0; 1000]).await, Quarantining::Full);
    assert_eq!(check_totals(&store).await, (3, limits.bytes));
}

#[tokio::test]
async fn trimming_removes_what_is_old_and_keeps_to_narrower_bounds() {
    let store = Fresh::new().await;
    // More than one transaction removes.
    for n in 0..300 {
        let _ = stored(&store, &format!("old {n}"), 1).await;
    }
    let mut replayed = Vec::new();
    for n in 0..4 {
        let id = stored(&store, &format!("new {n}"), 2).await;
        replay(&store, id, ACCEPTED, 3).await;
        replayed.push(id);
    }
    let waiting = stored(&store, "waiting", 2).await;
    let nothing = Trimmed { expired: 0, replayed: 0 };
    assert_eq!(store.trim_quarantine(ROOMY, DAY_MS + 1).await.unwrap(), nothing);
    let gone = store.trim_quarantine(ROOMY, DAY_MS + 2).await.unwrap();
    assert_eq!(gone, Trimmed { expired: 300, replayed: 0 });
    let narrow = QuarantineLimits { events: 3, ..ROOMY };
    assert_eq!(store.trim_quarantine(narrow, 4).await.unwrap(), Trimmed { expired: 0, replayed: 2 });
    let none = QuarantineLimits { events: 0, ..ROOMY };
    assert_eq!(store.trim_quarantine(none, 4).await.unwrap(), Trimmed { expired: 0, replayed: 2 });
    assert_eq!(ids(&store, QuarantineFilter::default()).await, [waiting], "what waits is not pushed out");
    assert_eq!(store.trim_quarantine(ROOMY, DAY_MS + 3).await.unwrap(), Trimmed { expired: 1, replayed: 0 });
    assert_eq!(store.quarantine_counts().await.unwrap(), QuarantineCounts::default());
    assert_eq!(check_totals(&store).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn bounds_hold_when_processes_write_at_the_same_time() {
    let store = Fresh::new().await;
    let other = store.another().await;
    let limits = QuarantineLimits { events: 25, ..ROOMY };
    let mut tasks = JoinSet::new();
    for n in 0..40 {
        let store = if n % 2 == 0 { other.clone() } else { Store::clone(&store) };
        tasks.spawn(async move {
            let name = n.to_string();
            store.quarantine(&event(&name, b"{}"), limits, n).await.unwrap()
        });
    }
    let outcomes = tasks.join_all().await;
    let n_full = outcomes.iter().filter(|outcome| **outcome == Quarantining::Full).count();
    assert_eq!(n_full, 15);
    assert_eq!(check_totals(&store).await.0, 25);

    // Everything else at the same time, too.
    let mut tasks = JoinSet::new();
    for id in 1..=25 {
        let store = if id % 2 == 0 { other.clone() } else { Store::clone(&store) };
        tasks.spawn(async move {
            match id % 5 {
                0 => drop(store.drop_quarantined(id, 50).await.unwrap()),
                1 => drop(store.trim_quarantine(limits, DAY_MS + 10).await.unwrap()),
                2 => {
                    if let Claim::Taken(held) = store.claim_replay(id, "o", 50, 1000).await.unwrap() {
                        let _ = store.finish_replay(&held, "o", ACCEPTED, 51).await.unwrap();
                    }
                }
                _ => {
                    let name = format!("more {id}");
                    let _ = store.quarantine(&event(&name, b"{}"), limits, 50).await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
    let (n_events, _) = check_totals(&store).await;
    assert!(n_events <= 25, "{n_events}");
    other.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_event_that_comes_many_times_at_once_is_one() {
    let store = Fresh::new().await;
    let other = store.another().await;
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { other.clone() } else { Store::clone(&store) };
        tasks.spawn(async move { store.quarantine(&event("e", b"{}"), ROOMY, n).await.unwrap() });
    }
    let outcomes = tasks.join_all().await;
    let n_stored = outcomes.iter().filter(|it| matches!(it, Quarantining::Stored { .. })).count();
    assert_eq!(n_stored, 1);
    let (shown, _) = store.quarantined(1).await.unwrap().unwrap();
    assert_eq!(shown.times_seen, 20);
    // One of those who want to replay it gets it.
    let mut tasks = JoinSet::new();
    for n in 0..20 {
        let store = if n % 2 == 0 { other.clone() } else { Store::clone(&store) };
        tasks.spawn(async move { store.claim_replay(1, &n.to_string(), 30, 1000).await.unwrap() });
    }
    let claims = tasks.join_all().await;
    assert_eq!(claims.iter().filter(|claim| matches!(claim, Claim::Taken(_))).count(), 1);
    assert_eq!(check_totals(&store).await.0, 1);
    other.close().await;
}

#[tokio::test]
async fn what_is_being_replayed_again_is_passed_over_when_room_is_made() {
    let store = Fresh::new().await;
    let limits = QuarantineLimits { events: 2, ..ROOMY };
    let (older, newer) = (stored(&store, "a", 1).await, stored(&store, "b", 2).await);
    replay(&store, older, ACCEPTED, 3).await;
    replay(&store, newer, ACCEPTED, 3).await;
    let held = claim(&store, older, "o", 4).await;
    let outcome = store.quarantine(&event("c", b"{}"), limits, 5).await.unwrap();
    assert!(matches!(outcome, Quarantining::Stored { .. }), "{outcome:?}");
    assert_eq!(ids(&store, QuarantineFilter::default()).await, [older, newer + 1]);
    assert_eq!(store.finish_replay(&held, "o", ACCEPTED, 6).await.unwrap(), Step::Done);
    check_totals(&store).await;
}
