//! The client against the published fake of the API: its shapes are those of the people who make the API.

use seam::{Client, Error, Limits, NewConnectWebview, Secret, WebviewStatus};
use serde_json::json;
use testbed::fake_seam::{API_KEY, FakeSeam};

fn client_of(fake: &FakeSeam, key: &str) -> Client {
    let limits = Limits { page_size: 3, ..Limits::default() };
    Client::try_new(&fake.url(), &Secret::new(key), limits).unwrap()
}

#[tokio::test]
async fn everything_that_the_directory_asks_is_answered() {
    let fake = FakeSeam::start().unwrap();
    let client = client_of(&fake, API_KEY);

    let new = NewConnectWebview {
        customer_key: Some("property-456".to_owned()),
        accepted_providers: vec!["salto".to_owned()],
        custom_redirect_url: Some("http://127.0.0.1:1/connected".to_owned()),
        wait_for_device_creation: true,
    };
    let made = client.create_connect_webview(&new).await.unwrap();
    assert_eq!((made.status, &made.connected_account_id), (WebviewStatus::Pending, &None));
    let rest = json!({ "customer_key": "property-456", "wait_for_device_creation": true });
    fake.complete_webview(&made.connect_webview_id, "ca", rest).unwrap();
    let done = client.connect_webview(&made.connect_webview_id).await.unwrap();
    assert_eq!((done.status, done.wait_for_device_creation), (WebviewStatus::Authorized, true));
    assert_eq!(done.customer_key.as_deref(), Some("property-456"));
    assert!(client.connect_webviews(None).next().await.unwrap().unwrap().contains(&done));

    fake.add_account("ca", "igloohome", json!({ "customer_key": "property-456" })).unwrap();
    let account = client.connected_account("ca").await.unwrap();
    assert_eq!(
        (account.provider(), account.customer_key.as_deref()),
        (Some("igloohome"), Some("property-456"))
    );
    let mut accounts = client.connected_accounts(None);
    let mut found = Vec::new();
    while let Some(page) = accounts.next().await.unwrap() {
        assert!(page.len() <= 3);
        found.extend(page.into_iter().map(|it| it.connected_account_id));
    }
    assert_eq!(found.len(), 4);
    assert!(found.contains(&"ca".to_owned()));

    for n in 0..8 {
        let metadata =
            json!({ "igloohome_metadata": { "device_id": format!("IGP{n}"), "bridge_id": "EB1" } });
        fake.add_device("ca", &format!("device-{n}"), n != 7, "igloohome_lock", metadata).unwrap();
    }
    let mut pages = client.devices("ca");
    let mut devices = Vec::new();
    let mut n_pages = 0;
    while let Some(page) = pages.next().await.unwrap() {
        n_pages += 1;
        devices.extend(page);
    }
    assert_eq!((n_pages, devices.len()), (3, 7));
    let ids = devices[0].native_ids();
    assert_eq!((ids.device_id.as_deref(), ids.bridge_id.as_deref()), (Some("IGP0"), Some("EB1")));
    let unmanaged = client.unmanaged_devices("ca").next().await.unwrap().unwrap();
    assert_eq!(unmanaged.len(), 1);
    assert_eq!(unmanaged[0].native_ids().device_id.as_deref(), Some("IGP7"));

    fake.add_system("ca", "system", "visionline_system").unwrap();
    let entrance = fake.add_entrance("system", "Room 101").unwrap();
    let systems = client.acs_systems("ca").next().await.unwrap().unwrap();
    assert_eq!(
        (systems[0].acs_system_id.as_str(), systems[0].external_type.as_str()),
        ("system", "visionline_system")
    );
    let entrances = client.acs_entrances("system").next().await.unwrap().unwrap();
    assert_eq!(
        (entrances[0].acs_entrance_id.as_str(), entrances[0].display_name.as_str()),
        (&*entrance, "Room 101")
    );
}

#[tokio::test]
async fn what_goes_wrong_is_told_apart() {
    let fake = FakeSeam::start().unwrap();
    let client = client_of(&fake, API_KEY);
    let error = client.connected_account("nobody").await.unwrap_err();
    assert!(matches!(&error, Error::NotFound { kind } if kind == "connected_account_not_found"), "{error:?}");
    let error = client_of(&fake, "seam_wrong").connected_account("nobody").await.unwrap_err();
    // The API documents 401; the fake takes an unknown key for a client session's.
    assert!(matches!(error, Error::Refused { status: 400, .. }), "{error:?}");

    fake.outage(None).unwrap();
    let error = client.devices("ca").next().await.unwrap_err();
    assert!(matches!(error, Error::Outage { status: 503, .. }), "{error:?}");
    fake.recover().unwrap();
    assert!(client.devices("ca").next().await.unwrap().unwrap().is_empty());

    let url = fake.url();
    drop(fake);
    let client = Client::try_new(&url, &Secret::new(API_KEY), Limits::default()).unwrap();
    let error = client.connected_account("nobody").await.unwrap_err();
    assert!(matches!(error, Error::Transport { .. }), "{error:?}");
}
