//! Import and export: what goes in comes out, and a bad line is named.

use directory::store::{AccountState, Exported, Imported, LineFault, Origin};
use directory::{Store, StoreError};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

use super::{Fresh, device, new_account, resolved};

async fn exported(store: &Store) -> (Exported, String) {
    let mut bytes = Vec::new();
    let exported = store.export(&mut bytes).await.unwrap();
    (exported, String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn an_export_has_the_shape_of_the_plugin_configuration() {
    let lines = r#"{"connected_account_id":"a","customer_key":"k","source":"acme","devices":["d"],"bridges":["b"],"access_codes":["c"]}
{"connected_account_id":"b","devices":[],"bridges":[],"access_codes":[]}
"#;
    let store = Fresh::new().await.imported(lines).await;
    assert_eq!(exported(&store).await, (Exported { lines: 2, ids: 3 }, lines.to_owned()));
    let account = store.account("a").await.unwrap().unwrap();
    assert_eq!((account.origin, account.state), (Origin::Import, AccountState::Ready));
    assert!(account.has_devices);
    // A gateway takes each line as it is.
    let accounts: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let config = serde_json::json!({
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/", "verify": "none" }],
        "accounts": accounts,
    });
    event_core::Config::from_json(&serde_json::to_vec(&config).unwrap(), &|_| None).unwrap();
}

#[tokio::test]
async fn an_import_replaces_what_was_imported_before() {
    let store = Fresh::new().await.imported(
        "{\"connected_account_id\":\"a\",\"customer_key\":\"k\",\"devices\":[\"1\",\"2\"]}\n\
         {\"connected_account_id\":\"b\",\"devices\":[\"3\"]}\n",
    );
    let store = store.await;
    // The same moment again, as a clock that stands would have it.
    let lines = "{\"connected_account_id\":\"a\",\"devices\":[\"2\"]}\r\n\n\
                 {\"connected_account_id\":\"a\",\"customer_key\":\"new\",\"source\":\"acme\",\"devices\":[\"4\"]}";
    let imported = store.import(lines.as_bytes(), 1).await.unwrap();
    assert_eq!(imported, Imported { lines: 2, ids: 2 });
    for (id, expected) in
        [("1", "unknown"), ("2", "device_id: a"), ("3", "device_id: b"), ("4", "device_id: a")]
    {
        assert_eq!(resolved(&store, "acme", device(id)).await, expected, "{id}");
    }
    assert_eq!(store.account("a").await.unwrap().unwrap().customer_key.as_deref(), Some("new"));
}

#[tokio::test]
async fn a_bad_line_is_named_by_its_number_and_repeated_nowhere() {
    let store = Fresh::new().await;
    store.upsert_account(&new_account("kept"), 1).await.unwrap();
    let good = "{\"connected_account_id\":\"good\"}\n\n";
    for (line, fault) in [
        ("{\"secret\":1}", LineFault::NotAnAccount),
        ("{\"connected_account_id\":\"secret\x01\"}", LineFault::NotAnAccount),
        (
            "{\"connected_account_id\":\"\\u0001secret\"}",
            LineFault::NotAnId { member: "connected_account_id" },
        ),
        ("{\"connected_account_id\":\"kept\"}", LineFault::KeptBySeam),
    ] {
        let error = store.import(format!("{good}{line}").as_bytes(), 1).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        let StoreError::Line { line: number, fault: actual } = error else { panic!("{error:?}") };
        assert_eq!((number, actual), (3, fault));
    }
    let long = std::io::BufReader::new(std::io::repeat(b' '));
    let error = store.import(long, 1).await.unwrap_err();
    assert!(matches!(error, StoreError::Line { line: 1, fault: LineFault::TooLong }), "{error:?}");
}

#[tokio::test]
async fn an_account_of_many_ids_is_exported_in_lines_that_an_import_takes() {
    let ids: Vec<_> = (0..25_001).map(|n| format!("\"d{n}\"")).collect();
    let line =
        format!("{{\"connected_account_id\":\"a\",\"customer_key\":\"k\",\"devices\":[{}]}}", ids.join(","));
    let store = Fresh::new().await.imported(&line).await;
    let (count, lines) = exported(&store).await;
    assert_eq!(count, Exported { lines: 3, ids: 25_001 });
    let other = Fresh::new().await.imported(&lines).await;
    assert_eq!(exported(&other).await.1, lines);
}

/// Account, its key, and for each source and kind its ids.
type Fleet = BTreeMap<String, (Option<String>, BTreeMap<(Option<String>, usize), BTreeSet<String>>)>;

const KINDS: [&str; 3] = ["devices", "bridges", "access_codes"];

fn fleet() -> impl Strategy<Value = Fleet> {
    let id = || "[a-zA-Zäé\"\\\\ 0-9]{0,6}[a-z]";
    let source = proptest::option::of("[ab]");
    let ids = proptest::collection::btree_set(id(), 0..4);
    let owned = proptest::collection::btree_map((source, 0..3usize), ids, 0..4);
    proptest::collection::btree_map(id(), (proptest::option::of(id()), owned), 0..6)
}

fn lines_of(fleet: &Fleet) -> String {
    let mut lines = String::new();
    for (account, (key, owned)) in fleet {
        let mut line = serde_json::json!({ "connected_account_id": account, "customer_key": key });
        lines += &format!("{line}\n");
        for ((source, kind), ids) in owned {
            line["source"] = serde_json::json!(source);
            line[KINDS[*kind]] = serde_json::json!(ids);
            lines += &format!("{line}\n");
            line.as_object_mut().unwrap().remove(KINDS[*kind]);
        }
    }
    lines
}

/// What lines say, however they are cut and ordered.
fn meaning(lines: &str) -> Fleet {
    let mut fleet = Fleet::new();
    for line in lines.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| line[name].as_str().map(str::to_owned);
        let (key, owned) = fleet.entry(text("connected_account_id").unwrap()).or_default();
        *key = text("customer_key").or(key.take());
        for (kind, name) in KINDS.iter().enumerate() {
            for id in line[name].as_array().into_iter().flatten() {
                owned.entry((text("source"), kind)).or_default().insert(id.as_str().unwrap().to_owned());
            }
        }
    }
    fleet
}

#[test]
fn what_is_imported_is_exported() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(fleet in fleet())| {
        runtime.block_on(async {
            let lines = lines_of(&fleet);
            let store = Fresh::new().await.imported(&lines).await;
            let (_, once) = exported(&store).await;
            assert_eq!(meaning(&once), meaning(&lines));
            store.import(once.as_bytes(), 2).await.unwrap();
            assert_eq!(exported(&store).await.1, once, "importing it again changes nothing");
        });
    });
}
