//! Whose ids are: owners, sources, conflicts, bounds.

use directory_api::{Ids, MAX_ACCOUNTS, MAX_ID_BYTES};

use super::{Fresh, bridge, code, device, resolved};

const FLEET: &str = r#"
{"connected_account_id":"one","source":"acme","devices":["d","only","dot.ted"],"bridges":["b"]}
{"connected_account_id":"two","source":"acme","devices":["d"],"access_codes":["c"]}
{"connected_account_id":"three","source":"other","devices":["d"],"access_codes":["foreign"]}
{"connected_account_id":"every","devices":["d","everywhere"]}
{"connected_account_id":"four","source":"acme","bridges":["d"],"access_codes":["four's"]}
"#;

#[tokio::test]
async fn the_first_known_id_decides_and_all_its_accounts_are_named() {
    let store = Fresh::new().await.imported(FLEET).await;
    let three = |device_id, bridge_id, access_code_id| Ids { device_id, bridge_id, access_code_id };
    for (source, ids, expected) in [
        ("acme", device("d"), "device_id: every,one,two"),
        ("other", device("d"), "device_id: every,three"),
        ("third", device("d"), "device_id: every"),
        ("third", device("only"), "unknown"),
        ("acme", device("D"), "unknown"),
        ("acme", device("dot_ted"), "unknown"),
        ("acme", device("%"), "unknown"),
        ("acme", bridge("b"), "bridge_id: one"),
        ("acme", bridge("d"), "bridge_id: four"),
        ("acme", code("c"), "access_code_id: two"),
        ("acme", code("foreign"), "unknown"),
        ("acme", three(Some("?"), Some("b"), None), "bridge_id: one"),
        ("acme", three(Some("?"), None, Some("c")), "access_code_id: two"),
        ("acme", three(Some("d"), Some("b"), None), "device_id: every,one,two"),
        ("acme", three(Some("d"), Some("?"), Some("c")), "device_id: every,one,two"),
        ("acme", three(Some("d"), Some("b"), Some("c")), "conflict"),
        ("acme", three(Some("only"), None, Some("c")), "conflict"),
        ("acme", three(None, Some("b"), Some("c")), "conflict"),
        ("acme", three(Some("everywhere"), None, Some("four's")), "conflict"),
        ("acme", Ids::default(), "unknown"),
    ] {
        assert_eq!(resolved(&store, source, ids).await, expected, "{source} {ids:?}");
    }
}

#[tokio::test]
async fn an_id_of_too_many_accounts_is_a_conflict_and_none_is_left_out() {
    let account = |n: usize| format!("{{\"connected_account_id\":\"{n:02}\",\"devices\":[\"d\"]}}\n");
    let most: String = (0..MAX_ACCOUNTS).map(account).collect();
    let store = Fresh::new().await.imported(&most).await;
    let all: Vec<_> = (0..MAX_ACCOUNTS).map(|n| format!("{n:02}")).collect();
    assert_eq!(resolved(&store, "acme", device("d")).await, format!("device_id: {}", all.join(",")));
    store.import(account(MAX_ACCOUNTS).as_bytes(), 2).await.unwrap();
    assert_eq!(resolved(&store, "acme", device("d")).await, "conflict");
}

#[tokio::test]
async fn the_longest_ids_fit_every_index() {
    // Nothing that a database could compress.
    let long = |mut seed: u32| -> String {
        let mut next = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b'!' + (seed >> 24) as u8 % 90)
        };
        let text: String = (0..MAX_ID_BYTES).map(|_| next()).collect();
        text.replace(['"', '\\'], "x")
    };
    let (account, key, device_id, code_id) = (long(1), long(2), long(3), long(4));
    let source = "s".repeat(64);
    let line = format!(
        r#"{{"connected_account_id":"{account}","customer_key":"{key}","source":"{source}","devices":["{device_id}"]}}"#
    );
    let store = Fresh::new().await.imported(&line).await;
    let both = Ids { access_code_id: Some(&code_id), ..device(&device_id) };
    assert_eq!(store.learn(&source, &both, 1).await.unwrap().stored, 1);
    assert_eq!(resolved(&store, &source, code(&code_id)).await, format!("access_code_id: {account}"));
}
