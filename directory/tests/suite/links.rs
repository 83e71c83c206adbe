//! What events teach, and what they cannot.

use directory::Store;
use directory::store::{Limits, LinkOutcome};
use directory_api::Ids;

use super::{Fresh, bridge, code, device, resolved};

const FLEET: &str = r#"
{"connected_account_id":"one","source":"acme","devices":["d1","d2","shared"],"bridges":["b1"],"access_codes":["c1"]}
{"connected_account_id":"two","source":"acme","devices":["e1","e2","shared"]}
"#;

const DAY_MS: i64 = 24 * 3600 * 1000;

const NOTHING: LinkOutcome = LinkOutcome { stored: 0, known: 0, contradicted: 0, full: 0 };

/// Ids as `device bridge code`, `-` for none.
fn ids(words: &str) -> Ids<'_> {
    let mut words = words.split(' ').map(|word| Some(word).filter(|word| *word != "-"));
    let mut next = || words.next().flatten();
    Ids { device_id: next(), bridge_id: next(), access_code_id: next() }
}

async fn learn(store: &Store, words: &str) -> LinkOutcome {
    store.learn("acme", &ids(words), 1).await.unwrap()
}

#[tokio::test]
async fn an_access_code_counts_at_once() {
    let store = Fresh::new().await.imported(FLEET).await;
    assert_eq!(learn(&store, "d1 - c").await, LinkOutcome { stored: 1, ..NOTHING });
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: one");
    assert_eq!(resolved(&store, "other", code("c")).await, "unknown", "links stay in their source");
    assert_eq!(learn(&store, "d1 - c").await, LinkOutcome { known: 1, ..NOTHING });
    // Of an unknown device, by its bridge.
    assert_eq!(learn(&store, "? b1 by-bridge").await, LinkOutcome { stored: 1, ..NOTHING });
    assert_eq!(resolved(&store, "acme", code("by-bridge")).await, "access_code_id: one");
}

#[tokio::test]
async fn a_bridge_counts_after_two_devices_of_one_account() {
    let store = Fresh::new().await.imported(FLEET).await;
    assert_eq!(learn(&store, "d1 b -").await.stored, 1);
    assert_eq!(learn(&store, "d1 b -").await.known, 1);
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "unknown");
    assert_eq!(learn(&store, "d2 b -").await.stored, 1);
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "bridge_id: one");
}

#[tokio::test]
async fn a_shared_device_names_both_accounts_until_another_device_tells_which() {
    let store = Fresh::new().await.imported(FLEET).await;
    let _ = learn(&store, "shared - c").await;
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: one,two");
    let _ = learn(&store, "e1 - c").await;
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: two");
}

#[tokio::test]
async fn a_contradiction_removes_the_links_of_the_id() {
    let store = Fresh::new().await.imported(FLEET).await;
    let _ = learn(&store, "d1 b c").await;
    let _ = learn(&store, "d2 b other").await;
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "bridge_id: one");
    assert_eq!(learn(&store, "e1 b -").await, LinkOutcome { contradicted: 1, ..NOTHING });
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "unknown");
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: one", "of another id");
    // From then on it is learned anew.
    assert_eq!(learn(&store, "e1 b -").await.stored, 1);
    assert_eq!(learn(&store, "e2 b -").await.stored, 1);
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "bridge_id: two");
}

#[tokio::test]
async fn what_is_owned_learns_nothing_and_unknown_ids_teach_nothing() {
    let store = Fresh::new().await.imported(FLEET).await;
    assert_eq!(learn(&store, "e1 b1 c1").await, NOTHING);
    assert_eq!(learn(&store, "? ? c").await, NOTHING);
    assert_eq!(learn(&store, "- - c").await, NOTHING);
    assert_eq!(learn(&store, "? b1 -").await, NOTHING, "a device is never tied to a bridge");
    assert_eq!(resolved(&store, "acme", device("?")).await, "unknown");
    assert_eq!(resolved(&store, "acme", bridge("b1")).await, "bridge_id: one");
}

#[tokio::test]
async fn links_form_no_chains() {
    let store = Fresh::new().await.imported(FLEET).await;
    let _ = learn(&store, "d1 b -").await;
    let _ = learn(&store, "d2 b -").await;
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "bridge_id: one");
    assert_eq!(learn(&store, "? b c").await, NOTHING, "the bridge is not owned, only learned");
}

#[tokio::test]
async fn ownership_that_comes_later_counts_and_ownership_that_goes_takes_links_along() {
    let store = Fresh::new().await.imported(FLEET).await;
    let _ = learn(&store, "d1 - c").await;
    let line = r#"{"connected_account_id":"three","source":"acme","access_codes":["c"]}"#;
    store.import(line.as_bytes(), 2).await.unwrap();
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: three");
    store.delete_account("three").await.unwrap();
    assert_eq!(resolved(&store, "acme", code("c")).await, "access_code_id: one");
    store.delete_account("one").await.unwrap();
    assert_eq!(resolved(&store, "acme", code("c")).await, "unknown");
}

#[tokio::test]
async fn a_source_has_so_many_links_and_no_more() {
    let limits = Limits { links_per_source: 2, ..Limits::default() };
    let store = Fresh::with(limits).await.imported(FLEET).await;
    assert_eq!(learn(&store, "d1 - x").await.stored, 1);
    assert_eq!(learn(&store, "d1 b y").await, LinkOutcome { stored: 1, full: 1, ..NOTHING });
    assert_eq!(learn(&store, "d1 - z").await, LinkOutcome { full: 1, ..NOTHING });
    assert_eq!(learn(&store, "d1 - x").await.known, 1, "what is known stays");
    // Old ones make room.
    assert_eq!(store.expire_links(1).await.unwrap(), 0);
    assert_eq!(store.expire_links(2).await.unwrap(), 2);
    assert_eq!(resolved(&store, "acme", code("x")).await, "unknown");
    assert_eq!(learn(&store, "d1 b z").await.stored, 2);
    // So do contradictions.
    assert_eq!(learn(&store, "e1 - z").await.contradicted, 1);
    assert_eq!(learn(&store, "e1 - z").await.stored, 1);
}

#[tokio::test]
async fn a_link_that_is_seen_does_not_expire() {
    let store = Fresh::new().await.imported(FLEET).await;
    let learn = async |at| store.learn("acme", &ids("d1 - c"), at).await.unwrap();
    assert_eq!(learn(0).await.stored, 1);
    assert_eq!(learn(DAY_MS).await.known, 1);
    assert_eq!(store.expire_links(DAY_MS).await.unwrap(), 0);
    assert_eq!(store.expire_links(DAY_MS + 1).await.unwrap(), 1);
}

#[tokio::test]
async fn an_id_is_tied_to_so_many_and_no_more() {
    let devices: Vec<_> = (0..70).map(|n| format!("\"x{n}\"")).collect();
    let line = format!(r#"{{"connected_account_id":"a","source":"acme","devices":[{}]}}"#, devices.join(","));
    let store = Fresh::new().await.imported(&line).await;
    let mut sum = NOTHING;
    for n in 0..70 {
        let outcome = learn(&store, &format!("x{n} b -")).await;
        sum.stored += outcome.stored;
        sum.full += outcome.full;
    }
    assert_eq!(sum, LinkOutcome { stored: 64, full: 6, ..NOTHING });
    assert_eq!(resolved(&store, "acme", bridge("b")).await, "bridge_id: a");
}
