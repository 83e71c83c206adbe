//! What events teach, and what they do not.

use super::super::Answer;
use super::super::cache::Found;
use super::*;
use crate::accounts::Account;
use crate::config::CacheSettings;
use crate::edge::SourceIndex;
use crate::subject::Ids;
use std::rc::Rc;

const SETTINGS: CacheSettings = CacheSettings {
    entries: 100,
    bytes: 100_000,
    fresh_ms: 10_000,
    unknown_ms: 2_000,
    stale_ms: 60_000,
    shared_slots: 0,
};

fn subject(device: Option<&str>, bridge: Option<&str>, access_code: Option<&str>) -> Subject {
    Subject::new(SourceIndex(0), &Ids { device, bridge, access_code })
}

fn owners(accounts: &[&str], assigned_by: IdKind) -> Owners {
    let account = |id: &&str| Rc::new(Account { connected_account_id: (*id).into(), customer_key: None });
    Owners::new(accounts.iter().map(account).collect(), assigned_by).unwrap()
}

fn lesson(subject: Subject, accounts: &[&str]) -> Lesson {
    Lesson { subject, owners: owners(accounts, IdKind::Device) }
}

fn taught(lessons: &[Lesson]) -> Cache {
    let (mut cache, mut taught) = (Cache::new(SETTINGS), Lessons::default());
    for lesson in lessons {
        taught.learn(lesson, &mut cache, 0);
    }
    cache
}

fn found(accounts: &[&str], by: IdKind) -> Found {
    Found::Fresh(Answer::Assigned(owners(accounts, by)))
}

#[test]
fn an_access_code_alone_finds_the_account_of_its_device() {
    let mut cache = taught(&[lesson(subject(Some("d"), None, Some("c")), &["a"])]);
    assert_eq!(cache.find(&subject(None, None, Some("c")), 0), found(&["a"], IdKind::AccessCode));
    assert_eq!(cache.find(&subject(None, Some("c"), None), 0), Found::Nothing);
}

#[test]
fn a_bridge_counts_after_two_distinct_devices_of_one_account() {
    let with = |device, accounts: &[&str]| lesson(subject(Some(device), Some("b"), None), accounts);
    let bridge = subject(None, Some("b"), None);
    let find = |lessons: &[Lesson]| taught(lessons).find(&bridge, 0);
    assert_eq!(find(&[with("d1", &["a"])]), Found::Nothing);
    assert_eq!(find(&[with("d1", &["a"]), with("d1", &["a"])]), Found::Nothing, "one device twice");
    assert_eq!(find(&[with("d1", &["a", "z"]), with("d2", &["a"])]), found(&["a"], IdKind::Bridge));
    assert_eq!(find(&[with("d1", &["a"]), with("d2", &["b"])]), Found::Nothing, "two accounts");
    let contradicted = [with("d1", &["a"]), with("d2", &["a"]), with("d3", &["b"])];
    assert_eq!(find(&contradicted), Found::Nothing, "a contradiction removes the link");
}

#[test]
fn only_a_device_teaches() {
    let subject_of_bridge = subject(None, Some("b"), Some("c"));
    let by_bridge = Lesson { subject: subject_of_bridge, owners: owners(&["a"], IdKind::Bridge) };
    let stranger = subject(Some("?"), Some("b"), Some("c"));
    let beside_a_stranger = Lesson { subject: stranger, owners: owners(&["a"], IdKind::Bridge) };
    let mut cache = taught(&[by_bridge, beside_a_stranger]);
    assert_eq!(cache.find(&subject(None, None, Some("c")), 0), Found::Nothing);
}

#[test]
fn a_link_is_told_once_in_a_while_and_not_too_many_at_a_time() {
    let mut lessons = Lessons::default();
    let link = |number: u64| lesson(subject(Some("d"), None, Some(&number.to_string())), &["a"]);
    assert!(lessons.tell(&link(0), 0));
    assert!(!lessons.tell(&link(0), 0) && !lessons.tell(&link(0), REPEAT_MS - 1));
    assert!(lessons.tell(&link(0), REPEAT_MS));
    let told = (1..1_000).filter(|number| lessons.tell(&link(*number), 2 * REPEAT_MS)).count();
    assert_eq!(told, LINKS_PER_S as usize);
    assert!(lessons.tell(&link(999), 2 * REPEAT_MS + 1_000), "what was not told is told later");
}
