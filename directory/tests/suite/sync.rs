//! Syncs: nothing is unknown in the middle, nothing stays that went, a late one changes nothing.

use directory::store::{AcsSystem, Device, OwnedId, PageRequest, Step, SyncPage, SyncedEntrance};
use directory_api::AssignedBy;

use super::{Fresh, device, new_account, resolved, synced, synced_device};

const ALL: PageRequest<'static> = PageRequest { after: None, limit: 100 };

#[tokio::test]
async fn a_sync_adds_page_by_page_and_removes_at_the_end() {
    let store = Fresh::new().await;
    synced(&store, "a", &[synced_device("old", "1"), synced_device("kept", "2")]).await;
    let generation = store.begin_sync("a").await.unwrap().unwrap();
    let page = [synced_device("kept", "2"), synced_device("new", "3")];
    assert_eq!(store.put_page("a", generation, SyncPage::Devices(&page)).await.unwrap(), Step::Done);
    for id in ["old", "1", "kept", "2", "new", "3"] {
        assert_eq!(resolved(&store, "acme", device(id)).await, "device_id: a", "{id} in the middle");
    }
    assert_eq!(store.finish_sync("a", generation, 9).await.unwrap(), Step::Done);
    for id in ["old", "1"] {
        assert_eq!(resolved(&store, "acme", device(id)).await, "unknown", "{id} at the end");
    }
    let devices = store.devices("a", ALL).await.unwrap().items;
    let names: Vec<_> = devices.iter().map(|device| device.device_id.as_str()).collect();
    assert_eq!(names, ["kept", "new"]);
    assert_eq!(devices[1].ids, page[1].ids);
    let account = store.account("a").await.unwrap().unwrap();
    assert_eq!((account.synced_at, account.has_devices, account.has_acs), (Some(9), true, false));
}

#[tokio::test]
async fn an_account_can_have_systems_and_devices() {
    let store = Fresh::new().await;
    store.upsert_account(&new_account("a"), 1).await.unwrap();
    let generation = store.begin_sync("a").await.unwrap().unwrap();
    let system = |id: &str| AcsSystem {
        acs_system_id: id.to_owned(),
        system_type: Some("visionline".to_owned()),
        display_name: Some("with a \0 in it".to_owned()),
    };
    let entrance = |id: &str| SyncedEntrance {
        acs_entrance_id: id.to_owned(),
        acs_system_id: "s".to_owned(),
        display_name: None,
        source: Some("acme".to_owned()),
        ids: vec![OwnedId { kind: AssignedBy::DeviceId, id: id.to_owned() }],
    };
    let unmanaged = Device { managed: false, ..synced_device("u", "9") };
    // An item that comes twice is no error.
    for page in [
        SyncPage::Systems(&[system("s"), system("s")]),
        SyncPage::Entrances(&[entrance("e"), entrance("e"), entrance("f")]),
        SyncPage::Devices(&[unmanaged.clone(), unmanaged]),
        SyncPage::Devices(&[]),
    ] {
        assert_eq!(store.put_page("a", generation, page).await.unwrap(), Step::Done);
    }
    assert_eq!(store.finish_sync("a", generation, 2).await.unwrap(), Step::Done);
    assert_eq!(store.acs_systems("a", ALL).await.unwrap().items.len(), 1);
    let first = store.acs_entrances("a", PageRequest { after: None, limit: 1 }).await.unwrap();
    assert_eq!((first.items.len(), first.next.as_deref()), (1, Some("e")));
    let rest = store.acs_entrances("a", PageRequest { after: Some("e"), limit: 1 }).await.unwrap();
    assert_eq!((rest.items[0].acs_entrance_id.as_str(), rest.next), ("f", None));
    assert!(!store.devices("a", ALL).await.unwrap().items[0].managed);
    let account = store.account("a").await.unwrap().unwrap();
    assert!(account.has_devices && account.has_acs);
}

#[tokio::test]
async fn a_sync_that_another_one_overtook_changes_nothing() {
    let store = Fresh::new().await;
    synced(&store, "a", &[synced_device("d", "1")]).await;
    let late = store.begin_sync("a").await.unwrap().unwrap();
    let _current = store.begin_sync("a").await.unwrap().unwrap();
    let page = [synced_device("wrong", "2")];
    assert_eq!(store.put_page("a", late, SyncPage::Devices(&page)).await.unwrap(), Step::Superseded);
    assert_eq!(store.finish_sync("a", late, 9).await.unwrap(), Step::Superseded);
    assert_eq!(resolved(&store, "acme", device("1")).await, "device_id: a");
    assert_eq!(resolved(&store, "acme", device("2")).await, "unknown");
}

#[tokio::test]
async fn an_account_that_goes_in_the_middle_stays_gone() {
    let store = Fresh::new().await;
    store.upsert_account(&new_account("a"), 1).await.unwrap();
    let generation = store.begin_sync("a").await.unwrap().unwrap();
    store.delete_account("a").await.unwrap();
    let page = [synced_device("d", "1")];
    assert_eq!(store.put_page("a", generation, SyncPage::Devices(&page)).await.unwrap(), Step::Superseded);
    assert_eq!(store.finish_sync("a", generation, 2).await.unwrap(), Step::Superseded);
    assert_eq!(store.begin_sync("a").await.unwrap(), None);
    assert_eq!(resolved(&store, "acme", device("1")).await, "unknown");
}

#[tokio::test]
async fn a_device_without_a_source_is_listed_and_assigns_nothing() {
    let store = Fresh::new().await;
    synced(&store, "a", &[Device { source: None, ..synced_device("d", "1") }]).await;
    assert_eq!(store.devices("a", ALL).await.unwrap().items.len(), 1);
    assert_eq!(resolved(&store, "acme", device("d")).await, "unknown");
}

#[tokio::test]
async fn a_page_of_thousands_is_one_page() {
    let store = Fresh::new().await;
    let device = |n: u32| synced_device(&format!("d{n}"), &n.to_string());
    synced(&store, "a", &(0..2500).map(device).collect::<Vec<_>>()).await;
    assert_eq!(resolved(&store, "acme", super::device("2499")).await, "device_id: a");
    assert_eq!(resolved(&store, "acme", super::device("d0")).await, "device_id: a");
}
