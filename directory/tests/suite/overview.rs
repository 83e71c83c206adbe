//! What the console asks for: all accounts, the ids of one, what led to no account, the numbers in short; and its files.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::StatusCode;
use directory::store::OwnedPlace;
use directory::unassigned::{MOST, Reason};
use directory_api::{AssignedBy, Ids};
use serde_json::{Value, json};

use super::service::{Running, check_schema, request};
use super::{Fresh, new_account, quarantine_routes, synced, synced_device};

/// What is refused, for the test that tries every route: method, path, headers, body.
pub(super) fn bad_queries() -> Vec<String> {
    let bad = |path: &str, queries: &[&str]| {
        queries.iter().map(|query| format!("{path}?{query}")).collect::<Vec<_>>()
    };
    let pages = ["limit=0", "limit=501", "limit=1&limit=2", "secret=1"];
    let mut all = Vec::new();
    for path in ["/v1/accounts", "/v1/accounts/one/ids", "/v1/unassigned"] {
        all.extend(bad(path, &pages));
    }
    all.extend(bad(
        "/v1/accounts",
        &["sync=secret", "sync=", "q=", "q=%00", "page_cursor=", "page_cursor=%00"],
    ));
    all.extend(bad("/v1/overview", &["secret=1"]));
    let cursors = ["page_cursor=secret", "page_cursor=device_id:acme:%00", "page_cursor=secret:acme:d"];
    all.extend(bad("/v1/accounts/one/ids", &["kind=secret", "kind="]));
    all.extend(bad("/v1/accounts/one/ids", &cursors));
    let unassigned = ["source=Secret", "source=", "reason=secret", "reason=", "page_cursor=secret"];
    all.extend(bad("/v1/unassigned", &unassigned));
    all.extend(bad("/v1/unassigned", &["page_cursor=-1", "page_cursor=99999999999999999999"]));
    all
}

/// Every item, page by page; and how many pages there were.
async fn everything(service: &Running, path: &str, limit: u16) -> (Vec<Value>, usize) {
    let document = service.document().await;
    let (mut items, mut n_pages, mut cursor) = (Vec::new(), 0, None::<String>);
    loop {
        let sign = if path.contains('?') { '&' } else { '?' };
        let after = cursor.map(|cursor| {
            let cursor: String = url::form_urlencoded::byte_serialize(cursor.as_bytes()).collect();
            format!("&page_cursor={cursor}")
        });
        let page = service.get(&format!("{path}{sign}limit={limit}{}", after.unwrap_or_default())).await;
        assert_eq!(page.status, StatusCode::OK, "{page:?}");
        check_schema(&document, "GET", path, &page);
        let page = page.json();
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= usize::from(limit));
        items.extend(found.iter().cloned());
        n_pages += 1;
        cursor = page["next_page_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            return (items, n_pages);
        }
    }
}

fn names(items: &[Value], member: &str) -> Vec<String> {
    items.iter().map(|item| item[member].as_str().unwrap_or("-").to_owned()).collect()
}

#[tokio::test]
async fn all_accounts_are_listed_by_pages_and_those_whose_sync_fails_by_themselves() {
    let service = Running::new().await;
    synced(&service.store, "two-synced", &[]).await;
    for limit in 1..=5 {
        let (items, n_pages) = everything(&service, "/v1/accounts", limit).await;
        assert_eq!(names(&items, "connected_account_id"), ["alone", "one", "two", "two-synced"]);
        assert_eq!(n_pages, 4_usize.div_ceil(usize::from(limit)));
        assert!(items.iter().all(|item| item["sync"].is_null()), "nobody has asked for a sync: {items:?}");
    }
    // One is called as the customer of two others.
    synced(&service.store, "key 1", &[]).await;
    for limit in 1..=4 {
        let named = async |q: &str| {
            names(
                &everything(&service, &format!("/v1/accounts?q={q}"), limit).await.0,
                "connected_account_id",
            )
        };
        assert_eq!(named("key+1").await, ["key 1", "one", "two"]);
        assert_eq!(named("alone").await, ["alone"]);
        assert_eq!(named("Alone").await, [""; 0]);
    }
    let failing = async || everything(&service, "/v1/accounts?sync=failing", 1).await.0;
    assert_eq!(failing().await, [] as [Value; 0]);
    service.store.want_sync("two-synced", 5).await.unwrap();
    let job = service.store.claim_job(10, "me", 20).await.unwrap().unwrap();
    let _ = service.store.fail_job(&job, "me", 77, "timeout").await.unwrap();
    let sync = json!({"due_at": 77, "attempts": 1, "last_error": "timeout", "is_running": false});
    assert_eq!(names(&failing().await, "connected_account_id"), ["two-synced"]);
    assert_eq!(failing().await[0]["sync"], sync);
    let of_key = everything(&service, "/v1/accounts?sync=failing&q=key+1", 1).await.0;
    assert_eq!(of_key, [] as [Value; 0]);
    assert_eq!(service.get("/v1/accounts/two-synced").await.json()["sync"], sync);
    // It is held now, and for long.
    let now = i64::try_from(std::time::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap();
    service.store.claim_job(now, "me", 3_600_000).await.unwrap().unwrap();
    assert_eq!(failing().await[0]["sync"]["is_running"], true);
}

#[tokio::test]
async fn ids_of_an_account_are_listed_each_once_whatever_they_hold() {
    let service = Running::new().await;
    let hostile = "<img src=x onerror=alert(1)>:a:";
    let more = json!({
        "connected_account_id": "many", "source": "acme", "devices": ["d1", "D2", "\u{e4}", hostile, "b3"],
        "bridges": ["b3", "::"], "access_codes": ["c1"],
    });
    let everywhere = json!({"connected_account_id": "many", "devices": ["d1"]});
    service.store.import(format!("{more}\n{everywhere}\n").as_bytes(), 2).await.unwrap();
    let mut expected = BTreeSet::from([
        ("device_id", Some("acme"), "d1"),
        ("device_id", None, "d1"),
        ("device_id", Some("acme"), "D2"),
        ("device_id", Some("acme"), "\u{e4}"),
        ("device_id", Some("acme"), hostile),
        ("device_id", Some("acme"), "b3"),
        ("bridge_id", Some("acme"), "b3"),
        ("bridge_id", Some("acme"), "::"),
        ("access_code_id", Some("acme"), "c1"),
    ]);
    let of = |items: &[Value]| -> BTreeSet<String> { items.iter().map(Value::to_string).collect() };
    let item = |(kind, source, id): &(&str, Option<&str>, &str)| {
        json!({"kind": kind, "source": source, "id": id}).to_string()
    };
    for limit in 1..=10 {
        let (items, _) = everything(&service, "/v1/accounts/many/ids", limit).await;
        assert_eq!(items.len(), expected.len(), "{limit}: {items:?}");
        assert_eq!(of(&items), expected.iter().map(item).collect::<BTreeSet<_>>(), "{limit}");
        let kinds = names(&items, "kind");
        assert!(kinds.is_sorted_by_key(|kind| AssignedBy::ALL.iter().position(|it| it.name() == kind)));
    }
    let (bridges, _) = everything(&service, "/v1/accounts/many/ids?kind=bridge_id", 1).await;
    expected.retain(|(kind, _, _)| *kind == "bridge_id");
    assert_eq!(of(&bridges), expected.iter().map(item).collect::<BTreeSet<_>>());
    let (none, _) = everything(&service, "/v1/accounts/alone/ids?kind=access_code_id", 1).await;
    assert_eq!(none, [] as [Value; 0]);
}

#[tokio::test]
async fn a_synced_account_has_the_ids_that_its_events_can_carry() {
    let store = Fresh::new().await;
    store.upsert_account(&new_account("other"), 1).await.unwrap();
    synced(&store, "a", &[synced_device("seam", "native")]).await;
    let ids = async |after| store.owned_ids("a", None, after, 9).await.unwrap();
    let found: Vec<_> = ids(None).await.into_iter().map(|owned| (owned.source, owned.id)).collect();
    assert_eq!(found, [("acme", "native"), ("acme", "seam")].map(|(a, b)| (a.to_owned(), b.to_owned())));
    let place = OwnedPlace { kind: AssignedBy::DeviceId, source: "acme", id: "native" };
    assert_eq!(ids(Some(place)).await.len(), 1);
    assert_eq!(store.owned_ids("other", None, None, 9).await.unwrap(), []);
}

#[tokio::test]
async fn what_nobody_owns_is_remembered_until_somebody_does() {
    let service = Running::new().await;
    let ask = async |query: &str| service.get(&format!("/v1/resolve?{query}")).await.status;
    assert_eq!(ask("source=acme&device_id=new&access_code_id=c1").await, StatusCode::OK);
    assert_eq!(ask("source=acme&device_id=new&access_code_id=c2").await, StatusCode::OK);
    assert_eq!(ask("source=other&bridge_id=b").await, StatusCode::OK);
    assert_eq!(ask("source=acme&device_id=d&access_code_id=c").await, StatusCode::CONFLICT);
    // Owned: nothing to look at.
    assert_eq!(ask("source=acme&device_id=d").await, StatusCode::OK);
    let (all, _) = everything(&service, "/v1/unassigned", 2).await;
    let short = |it: &Value| {
        let ids: Vec<_> = ["device_id", "bridge_id", "access_code_id"].map(|kind| it[kind].clone()).into();
        json!([it["reason"], it["source"], ids, it["times_seen"]])
    };
    let conflict = json!(["conflict", "acme", ["d", null, "c"], 1]);
    let bridge = json!(["unknown", "other", [null, "b", null], 1]);
    let device = json!(["unknown", "acme", ["new", null, "c2"], 2]);
    let shorts = |items: &[Value]| items.iter().map(short).collect::<Vec<_>>();
    assert_eq!(shorts(&all), [&conflict, &bridge, &device].map(Clone::clone));
    assert!(all.iter().all(|it| it["first_seen_at"].as_i64() <= it["last_seen_at"].as_i64()));
    let of = async |query: &str| shorts(&everything(&service, &format!("/v1/unassigned?{query}"), 1).await.0);
    assert_eq!(of("source=acme").await, [&conflict, &device].map(Clone::clone));
    assert_eq!(of("reason=unknown").await, [&bridge, &device].map(Clone::clone));
    assert_eq!(of("source=other&reason=conflict").await, [] as [Value; 0]);
    // One is imported, and the conflict is mended: both leave.
    let lines = r#"{"connected_account_id":"three","source":"acme","devices":["new"]}
{"connected_account_id":"two","customer_key":"key 1","source":"acme","devices":["d"],"access_codes":["c"]}"#;
    service.store.import(lines.as_bytes(), 2).await.unwrap();
    assert_eq!(of("").await, [bridge]);
}

#[tokio::test]
async fn a_contradiction_of_links_is_remembered_with_its_ids() {
    let service = Running::new().await;
    let tell = async |device: &str| {
        let body = json!({"source": "acme", "device_id": device, "access_code_id": "shared"}).to_string();
        let headers = "content-type: application/json";
        let answer = service.send(request("POST", "/v1/links", headers).body(body.into()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    };
    let list = async || everything(&service, "/v1/unassigned?reason=contradiction", 10).await.0;
    tell("d").await;
    assert_eq!(list().await, [] as [Value; 0]);
    tell("e").await;
    let listed = list().await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["device_id"], &listed[0]["access_code_id"]), (&json!("e"), &json!("shared")));
    let overview = service.get("/v1/overview").await.json();
    assert_eq!(overview["links"], json!({"stored": 1, "known": 0, "contradicted": 1, "full": 0}));
}

#[tokio::test]
async fn strangers_cannot_make_it_grow() {
    let service = Running::new().await;
    assert_eq!(service.get("/v1/resolve?source=quiet&device_id=mine").await.status, StatusCode::OK);
    let unassigned = &service.service.app().unassigned;
    for number in 0..MOST + 20 {
        let (device, bridge) = (format!("x{number}"), format!("y{number}"));
        let ids = Ids { device_id: Some(&device), bridge_id: Some(&bridge), ..Ids::default() };
        unassigned.saw(Reason::Unknown, "acme", &ids, 5);
    }
    let (all, n_pages) = everything(&service, "/v1/unassigned", 500).await;
    assert_eq!((all.len(), n_pages), (MOST, 2));
    assert_eq!(all.last().unwrap()["device_id"], "mine", "another source pushes nothing out");
}

#[tokio::test]
async fn the_overview_counts_what_is_there() {
    let service = Running::new().await;
    let document = service.document().await;
    let overview = service.get("/v1/overview").await;
    check_schema(&document, "GET", "/v1/overview", &overview);
    let overview = overview.json();
    assert_eq!(
        (&overview["accounts"], &overview["sync"], &overview["quarantine"]),
        (&json!(3), &Value::Null, &Value::Null)
    );
    for query in ["device_id=d", "device_id=x", "device_id=d&access_code_id=c"] {
        service.get(&format!("/v1/resolve?source=acme&{query}")).await;
    }
    let overview = service.get("/v1/overview").await.json();
    assert_eq!(overview["questions"], json!({"assigned": 1, "unknown": 1, "conflict": 1}));

    let service = Running::with(quarantine_routes::SETTINGS).await;
    quarantine_routes::taken(&service, "", "{}").await;
    let overview = service.get("/v1/overview").await;
    check_schema(&document, "GET", "/v1/overview", &overview);
    let overview = overview.json();
    let quarantine = &overview["quarantine"];
    assert_eq!(
        (&quarantine["waiting"], &quarantine["max_events"], &quarantine["can_replay"]),
        (&json!(1), &json!(100), &json!(true))
    );
    assert!(quarantine["oldest_waiting_at"].as_i64() >= overview["started_at"].as_i64());
}

#[tokio::test]
async fn the_files_of_the_page_need_no_token_and_are_kept_to_themselves() {
    let service = Running::new().await;
    let get = async |path: &str, headers: &str| {
        let headers = format!("authorization: none\n{headers}");
        service.send(request("GET", path, headers.trim_end()).body(Body::empty()).unwrap()).await
    };
    let page = get("/console", "").await;
    assert_eq!(
        (page.status, &page.headers["content-type"]),
        (StatusCode::OK, &"text/html; charset=utf-8".parse().unwrap())
    );
    // Everything that the page names is there, and everything that its scripts name.
    let mut paths: Vec<String> = vec!["/console".to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(path) = paths.pop() {
        if !seen.insert(path.clone()) {
            continue;
        }
        let file = get(&path, "").await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        let policy = file.headers["content-security-policy"].to_str().unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "frame-ancestors 'none'",
            "form-action 'none'",
            "base-uri 'none'",
            "require-trusted-types-for 'script'; trusted-types 'none'",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains("http") && !policy.contains('*'), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-cache"),
        ] {
            assert_eq!(file.headers[name], value, "{path}");
        }
        let known =
            get(&path, &format!("if-none-match: \"x\", {}", file.headers["etag"].to_str().unwrap())).await;
        assert_eq!((known.status, known.body.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path}");
        let quoted = file.body.split('"').skip(1).step_by(2);
        for name in
            quoted.filter(|it| it.starts_with("console/") || (path.ends_with(".js") && it.starts_with("./")))
        {
            let folder = if name.starts_with("./") { "/console/" } else { "/" };
            paths.push(format!("{folder}{}", name.trim_start_matches("./")));
        }
        assert!(!file.body.contains("innerHTML") && !file.body.contains("localStorage"), "{path}");
    }
    assert!(seen.len() >= 10, "{seen:?}");
    let other = get("/console/index.html", "").await;
    assert_eq!(other.json()["type"], "urn:bellhop:problem:route_unknown");
    let slash = get("/console/", "").await;
    assert_eq!((slash.status.as_u16(), &slash.headers["location"]), (308, &"../console".parse().unwrap()));
    let posted = service.send(request("POST", "/console", "").body(Body::empty()).unwrap()).await;
    assert_eq!(posted.json()["type"], "urn:bellhop:problem:method_not_allowed");
    let metrics = service.get("/metrics").await.body;
    assert!(metrics.contains("requests_total{route=\"/console\",status=\"200\"}"), "{metrics}");
    assert!(!metrics.contains("main.js"), "{metrics}");
}
