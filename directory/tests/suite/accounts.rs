//! Accounts: what is kept when more is told of them, and what goes with them.

use directory::store::{AccountState, AccountsOf, Connection, NewAccount, Origin, PageRequest};

use super::{Fresh, device, new_account, resolved, synced, synced_device};

#[tokio::test]
async fn what_is_told_later_adds_to_what_is_known() {
    let store = Fresh::new().await;
    let with_key = NewAccount { customer_key: Some("k"), first_synced: true, ..new_account("a") };
    store.upsert_account(&with_key, 5).await.unwrap();
    let waited = NewAccount { provider: Some("acme_pro"), wait_for_devices: true, ..new_account("a") };
    store.upsert_account(&NewAccount { source: None, ..waited }, 7).await.unwrap();
    let account = store.account("a").await.unwrap().unwrap();
    assert_eq!(account.customer_key.as_deref(), Some("k"));
    assert_eq!(account.source.as_deref(), Some("acme"));
    assert_eq!(account.provider.as_deref(), Some("acme_pro"));
    assert!(account.first_synced && account.wait_for_devices);
    assert_eq!((account.origin, account.state), (Origin::Seam, AccountState::Connected));
    assert_eq!((account.created_at, account.updated_at, account.synced_at), (5, 7, None));
    store.upsert_account(&NewAccount { customer_key: Some("new"), ..new_account("a") }, 8).await.unwrap();
    assert_eq!(store.account("a").await.unwrap().unwrap().customer_key.as_deref(), Some("new"));
    assert_eq!(store.account("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_disconnected_account_keeps_its_devices_and_comes_back_as_it_was() {
    let store = Fresh::new().await;
    let state = async || store.account("a").await.unwrap().unwrap().state;
    synced(&store, "a", &[synced_device("d", "7")]).await;
    assert_eq!(state().await, AccountState::Ready);
    let disconnected = NewAccount { connection: Connection::Disconnected, ..new_account("a") };
    store.upsert_account(&disconnected, 3).await.unwrap();
    assert_eq!(state().await, AccountState::Disconnected);
    assert_eq!(resolved(&store, "acme", device("7")).await, "device_id: a");
    store.upsert_account(&new_account("a"), 4).await.unwrap();
    assert_eq!(state().await, AccountState::Ready);
}

#[tokio::test]
async fn a_deleted_account_owns_nothing() {
    let store = Fresh::new().await;
    synced(&store, "a", &[synced_device("d", "7")]).await;
    synced(&store, "b", &[synced_device("e", "7")]).await;
    assert_eq!(resolved(&store, "acme", device("7")).await, "device_id: a,b");
    store.delete_account("a").await.unwrap();
    assert_eq!(resolved(&store, "acme", device("7")).await, "device_id: b");
    assert_eq!(resolved(&store, "acme", device("d")).await, "unknown");
    let all = PageRequest { after: None, limit: 10 };
    assert_eq!(store.devices("a", all).await.unwrap().items, []);
    assert_eq!(store.devices("b", all).await.unwrap().items.len(), 1);
}

#[tokio::test]
async fn pages_of_a_customer_name_each_account_once() {
    let store = Fresh::new().await;
    // Databases order these differently.
    let names = ["B", "a", "ä", "A", "b-2", "b1", "b 3"];
    for name in names {
        let account = NewAccount { customer_key: Some("k"), ..new_account(name) };
        store.upsert_account(&account, 1).await.unwrap();
    }
    let other = NewAccount { customer_key: Some("other"), ..new_account("c") };
    store.upsert_account(&other, 1).await.unwrap();
    for limit in 1..=8 {
        let (mut seen, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = PageRequest { after: after.as_deref(), limit };
            let page = store.accounts(AccountsOf::Customer("k"), false, page).await.unwrap();
            assert!(page.items.len() <= usize::from(limit));
            seen.extend(page.items.into_iter().map(|account| account.connected_account_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        seen.sort();
        let mut expected = names.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(seen, expected, "{limit} a page");
    }
}
