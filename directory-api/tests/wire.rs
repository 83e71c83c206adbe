//! What is written is read back, what is outside the bounds is refused. It opens no connection.

use directory_api::{
    Account, AssignedBy, Ids, Link, MAX_ACCOUNTS, MAX_ID_BYTES, MAX_LINK_BYTES, MAX_RESOLVED_BYTES,
    ReadError, Resolved, is_id, is_source, resolve_path,
};
use proptest::prelude::*;

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[ -~]{1,12}", "\\PC{1,64}"].prop_filter("an id", |text| is_id(text))
}

fn ids() -> impl Strategy<Value = [Option<String>; 3]> {
    let optional = || proptest::option::of(id());
    [optional(), optional(), optional()]
}

fn borrowed([device, bridge, access_code]: &[Option<String>; 3]) -> Ids<'_> {
    Ids { device_id: device.as_deref(), bridge_id: bridge.as_deref(), access_code_id: access_code.as_deref() }
}

fn resolved() -> impl Strategy<Value = Resolved> {
    let accounts = proptest::collection::btree_map(id(), proptest::option::of(id()), 0..=MAX_ACCOUNTS);
    let kind = proptest::sample::select(&AssignedBy::ALL[..]);
    (accounts, kind).prop_map(|(accounts, kind)| {
        let account = |(connected_account_id, customer_key)| Account { connected_account_id, customer_key };
        let accounts: Vec<_> = accounts.into_iter().map(account).collect();
        let assigned_by = (!accounts.is_empty()).then_some(kind);
        Resolved { accounts, assigned_by }
    })
}

proptest! {
    #[test]
    fn an_answer_is_read_back(resolved in resolved()) {
        prop_assert_eq!(Resolved::from_json(&resolved.to_json()), Ok(resolved));
    }

    #[test]
    fn the_order_of_accounts_and_repeats_do_not_matter(resolved in resolved()) {
        let mut shuffled = resolved.clone();
        shuffled.accounts.reverse();
        shuffled.accounts.extend(resolved.accounts.iter().cloned());
        prop_assert_eq!(Resolved::from_json(&shuffled.to_json()), Ok(resolved.clone()));
        let value = serde_json::from_slice(&shuffled.to_json()).unwrap();
        prop_assert_eq!(Resolved::from_value(&value), Ok(resolved));
    }

    #[test]
    fn a_link_is_read_back(ids in ids(), source in "[a-z0-9][a-z0-9_-]{0,63}") {
        let ids = borrowed(&ids);
        match Link::new(&source, &ids) {
            Some(link) => {
                prop_assert_eq!(link.ids(), ids);
                prop_assert_eq!(Link::from_json(&link.to_json()), Ok(link));
            }
            None => prop_assert!(ids.present().count() < 2),
        }
    }

    #[test]
    fn a_query_carries_any_id(ids in ids(), source in "[a-z0-9][a-z0-9_-]{0,63}") {
        let ids = borrowed(&ids);
        let path = resolve_path(&source, &ids);
        prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{}", path);
        let url = url::Url::parse(&format!("http://directory{path}")).unwrap();
        let mut expected = vec![("source".to_owned(), source)];
        expected.extend(ids.present().map(|(kind, id)| (kind.name().to_owned(), id.to_owned())));
        let read: Vec<_> = url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn no_bytes_make_a_reader_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Resolved::from_json(&body);
        let _ = Link::from_json(&body);
    }

    #[test]
    fn a_cut_answer_is_refused(resolved in resolved(), cut in any::<proptest::sample::Index>()) {
        let body = resolved.to_json();
        let cut = cut.index(body.len());
        prop_assert_eq!(Resolved::from_json(&body[..cut]), Err(ReadError::NotJson));
    }
}

fn account(id: &str, customer_key: Option<&str>) -> Account {
    Account { connected_account_id: id.to_owned(), customer_key: customer_key.map(str::to_owned) }
}

#[test]
fn an_answer_looks_as_the_contract_says() {
    let resolved = Resolved {
        accounts: vec![account("ca_1", Some("property-456")), account("ca_2", None)],
        assigned_by: Some(AssignedBy::BridgeId),
    };
    let body = r#"{"accounts":[{"connected_account_id":"ca_1","customer_key":"property-456"},{"connected_account_id":"ca_2","customer_key":null}],"assigned_by":"bridge_id"}"#;
    assert_eq!(String::from_utf8(resolved.to_json()).unwrap(), body);
    assert_eq!(String::from_utf8(Resolved::default().to_json()).unwrap(), r#"{"accounts":[]}"#);
}

#[test]
fn members_that_a_newer_directory_adds_pass() {
    let body = br#"{"accounts":[{"connected_account_id":"a","new":{}}],"assigned_by":"device_id","new":[1]}"#;
    assert_eq!(Resolved::from_json(body).unwrap().accounts, [account("a", None)]);
}

#[test]
fn an_answer_outside_the_contract_is_refused() {
    let long = "x".repeat(MAX_ID_BYTES + 1);
    let many: Vec<_> = (0..=MAX_ACCOUNTS).map(|n| format!(r#"{{"connected_account_id":"{n}"}}"#)).collect();
    let with = |accounts: &str| format!(r#"{{"accounts":[{accounts}],"assigned_by":"device_id"}}"#);
    let not_an_id = |member| ReadError::NotAnId { member };
    let cases = [
        (String::new(), ReadError::NotJson),
        (r#"{"accounts":[]} {}"#.to_owned(), ReadError::NotJson),
        ("[]".to_owned(), ReadError::OtherShape),
        (r#"[[{"connected_account_id":"a"}],"device_id"]"#.to_owned(), ReadError::OtherShape),
        (with(r#"["a","b"]"#), ReadError::OtherShape),
        ("{}".to_owned(), ReadError::OtherShape),
        (r#"{"accounts":null}"#.to_owned(), ReadError::OtherShape),
        (r#"{"accounts":[],"accounts":[]}"#.to_owned(), ReadError::OtherShape),
        (r#"{"accounts":[],"assigned_by":"device_id"}"#.to_owned(), ReadError::AssignedByMismatch),
        (r#"{"accounts":[{"connected_account_id":"a"}]}"#.to_owned(), ReadError::AssignedByMismatch),
        (
            r#"{"accounts":[{"connected_account_id":"a"}],"assigned_by":"x"}"#.to_owned(),
            ReadError::OtherShape,
        ),
        (with(r#"{"connected_account_id":5}"#), ReadError::OtherShape),
        (with(r#"{"connected_account_id":""}"#), not_an_id("connected_account_id")),
        (with(r#"{"connected_account_id":"\u0000"}"#), not_an_id("connected_account_id")),
        (with(&format!(r#"{{"connected_account_id":"{long}"}}"#)), not_an_id("connected_account_id")),
        (with(r#"{"connected_account_id":"a","customer_key":" "}"#), not_an_id("customer_key")),
        (
            with(r#"{"connected_account_id":"a","customer_key":"k"},{"connected_account_id":"a"}"#),
            ReadError::AccountTwice,
        ),
        (with(&many.join(",")), ReadError::TooManyAccounts),
        (" ".repeat(MAX_RESOLVED_BYTES + 1), ReadError::TooLarge { limit_bytes: MAX_RESOLVED_BYTES }),
    ];
    for (body, error) in cases {
        assert_eq!(Resolved::from_json(body.as_bytes()), Err(error), "{body:.80}");
        // A value shows neither its size nor a member that came twice.
        let tells = error != ReadError::NotJson && !body.contains(r#"],"accounts""#);
        if tells && let Ok(value) = serde_json::from_str(&body) {
            assert_eq!(Resolved::from_value(&value), Err(error), "{body:.80}");
        }
    }
    let skipped = b"{\"accounts\":[],\"x\":\"\xff\"}";
    assert_eq!(Resolved::from_json(skipped), Err(ReadError::NotJson), "a skipped member has to be UTF-8 too");
}

#[test]
fn the_largest_link_fits_its_bound() {
    let id = "\"".repeat(MAX_ID_BYTES);
    let ids = Ids { device_id: Some(&id), bridge_id: Some(&id), access_code_id: Some(&id) };
    let body = Link::new(&"s".repeat(64), &ids).unwrap().to_json();
    assert!(body.len() <= MAX_LINK_BYTES);
    assert!(Link::from_json(&body).is_ok());
}

#[test]
fn a_link_outside_the_contract_is_refused() {
    let cases = [
        (r#"{"source":"s","device_id":"d"}"#, ReadError::TooFewIds),
        (r#"{"source":"s","device_id":"d","bridge_id":null}"#, ReadError::TooFewIds),
        (r#"{"source":"","device_id":"d","bridge_id":"b"}"#, ReadError::NotASource),
        (r#"{"source":"a/b","device_id":"d","bridge_id":"b"}"#, ReadError::NotASource),
        (r#"{"device_id":"d","bridge_id":"b"}"#, ReadError::OtherShape),
        (r#"{"source":"s","device_id":"d","bridge_id":7}"#, ReadError::OtherShape),
        (r#"{"source":"s","device_id":"d","bridge_id":"b","lock":1}"#, ReadError::OtherShape),
        (r#"{"source":"s","device_id":"d","device_id":"d","bridge_id":"b"}"#, ReadError::OtherShape),
        (r#"{"source":"s","device_id":"d","bridge_id":"\t"}"#, ReadError::NotAnId { member: "bridge_id" }),
        (r#"["s","d","b",null]"#, ReadError::OtherShape),
    ];
    for (body, error) in cases {
        assert_eq!(Link::from_json(body.as_bytes()), Err(error), "{body}");
    }
}

#[test]
fn a_name_of_a_source_is_short_and_plain() {
    assert!(is_source("acme-eu_1") && is_source("4k") && is_source(&"a".repeat(64)));
    for other in ["", "a b", "ä", "a.b", "Acme", "_a", &"a".repeat(65)] {
        assert!(!is_source(other), "{other}");
    }
}
