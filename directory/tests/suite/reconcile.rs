//! Webhooks, jobs and a scripted API together, on a virtual clock. The published fake of the API has a test of its own.

mod leases;
mod service;
mod world;

use directory::store::AccountState;
use directory::sync::Ran;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use testbed::upstream::Answer;

use crate::database::{Database, N_LIVES};
use service::{GRACE_MS, RESYNC_MS, Service, expected};
use world::{Account, Api};

fn block_on<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn webhook(event_type: &str, account: &str) -> Value {
    json!({
        "event_type": event_type, "connected_account_id": account,
        "connect_webview_id": event_type.ends_with(".connected").then(|| format!("{account}/webview"))
    })
}

fn account(wait: bool) -> Account {
    Account {
        customer_key: Some("property-456".to_owned()),
        key_with_account: true,
        wait,
        ..Account::default()
    }
}

#[tokio::test]
async fn with_wait_for_device_creation_the_first_webhook_is_enough() {
    let api = Api::start();
    let service = Service::start(&api).await;
    service.run_due().await;
    let mut new = account(true);
    new.devices.insert("IGP1".to_owned(), true);
    api.world().accounts.insert("ca".to_owned(), new);
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    assert_eq!(service.store.account("ca").await.unwrap().unwrap().state, AccountState::Connected);
    assert!(matches!(service.run_one().await, Ran::Synced));
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn without_it_devices_are_asked_for_when_the_first_sync_is_done() {
    let api = Api::start();
    let service = Service::start(&api).await;
    service.run_due().await;
    api.world().accounts.insert("ca".to_owned(), account(false));
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    assert!(matches!(service.run_one().await, Ran::Deferred));
    assert!(matches!(service.run_one().await, Ran::Nothing));
    api.world().accounts.get_mut("ca").unwrap().devices.insert("IGP1".to_owned(), false);
    service.deliver(&webhook("connected_account.completed_first_sync", "ca")).await;
    assert!(matches!(service.run_one().await, Ran::Synced));
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn a_first_sync_that_nobody_tells_of_is_waited_for_and_no_longer() {
    let api = Api::start();
    let service = Service::start(&api).await;
    service.run_due().await;
    api.world().accounts.insert("ca".to_owned(), account(false));
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    service.run_due().await;
    service.pass(GRACE_MS - 1);
    assert!(matches!(service.run_one().await, Ran::Nothing));
    service.pass(1);
    assert!(matches!(service.run_one().await, Ran::Synced));
    service.end().await;
}

#[tokio::test]
async fn an_account_that_no_webhook_told_of_is_found_within_one_interval() {
    let api = Api::start();
    let service = Service::start(&api).await;
    service.run_due().await;
    for n in 0..5 {
        api.world().accounts.insert(format!("ca{n}"), account(n % 2 == 0));
    }
    service.pass(RESYNC_MS);
    service.run_due().await;
    service.pass(GRACE_MS);
    service.run_due().await;
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn a_deleted_account_goes_with_everything_and_a_late_webhook_does_not_bring_it_back() {
    let api = Api::start();
    let service = Service::start(&api).await;
    let mut new = account(true);
    new.devices.insert("IGP1".to_owned(), true);
    new.doors = Some(["door".to_owned()].into());
    api.world().accounts.insert("ca".to_owned(), new);
    service.settle().await;
    assert_eq!(service.rows().await, expected(&api));
    api.world().accounts.clear();
    service.deliver(&webhook("connected_account.deleted", "ca")).await;
    assert!(matches!(service.run_one().await, Ran::Gone));
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    assert!(matches!(service.run_one().await, Ran::Gone));
    assert_eq!(service.rows().await, expected(&api));
    assert_eq!(service.store.next_due().await.unwrap().map(|due| due > service.now()), Some(true));
    service.end().await;
}

#[tokio::test]
async fn failures_are_waited_out_and_the_api_can_ask_for_longer() {
    let api = Api::start();
    let service = Service::start(&api).await;
    service.run_due().await;
    api.world().accounts.insert("ca".to_owned(), account(true));
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    for (answer, at_least, at_most) in [
        (Answer::status(503), 500, 1_000),
        (Answer::status(429).header("retry-after", "900"), 900_000, 900_000),
        (Answer::status(200).body("<html>"), 2_000, 4_000),
        (Answer::status(401), 150_000, 300_000),
    ] {
        api.world().failures.push(answer);
        assert!(matches!(service.run_one().await, Ran::Failed(_)));
        let wait = service.store.next_due().await.unwrap().unwrap() - service.now();
        assert!((at_least..=at_most).contains(&wait), "{wait}");
        // A webhook does not hurry it.
        service.deliver(&webhook("connected_account.connected", "ca")).await;
        service.pass(wait - 1);
        assert!(matches!(service.run_one().await, Ran::Nothing));
        service.pass(1);
    }
    assert!(matches!(service.run_one().await, Ran::Synced));
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn an_address_that_is_not_the_apis_deletes_nothing() {
    let api = Api::start();
    let service = Service::start(&api).await;
    api.world().accounts.insert("ca".to_owned(), account(true));
    service.settle().await;
    service.deliver(&webhook("connected_account.disconnected", "ca")).await;
    api.world().failures.push(Answer::status(404).body("404"));
    assert!(matches!(service.run_one().await, Ran::Failed(_)));
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn a_sync_that_dies_at_any_request_leaves_nothing_unassigned_and_is_made_up_for() {
    let api = Api::start();
    let mut service = Service::start(&api).await;
    let mut new = account(true);
    new.devices = (0..5).map(|n| (format!("IGP{n}"), n % 2 == 0)).collect();
    new.doors = Some((0..3).map(|n| format!("door{n}")).collect());
    api.world().accounts.insert("ca".to_owned(), new);
    service.settle().await;
    let before = service.rows().await;
    api.world().n_requests = 0;
    service.pass(RESYNC_MS);
    service.run_due().await;
    let n_requests = api.world().n_requests;
    assert!(n_requests > 6, "{n_requests}");
    for hangs_after in 0..n_requests {
        let device = format!("NEW{hangs_after}");
        api.world().accounts.get_mut("ca").unwrap().devices.insert(device, true);
        service.pass(RESYNC_MS);
        service.run_and_die(&api, hangs_after).await;
        let rows = service.rows().await;
        assert!(rows["owned_ids"].is_superset(&before["owned_ids"]), "{hangs_after}: {rows:?}");
        service.run_due().await;
        assert_eq!(service.rows().await, expected(&api), "{hangs_after}");
    }
    service.end().await;
}

/// Something that happens in the world, or to the directory.
#[derive(Debug, Clone)]
enum Step {
    Connect {
        account: u8,
        wait: bool,
        key_with_account: bool,
        key_with_webhook: bool,
    },
    FirstSync(u8),
    Add {
        account: u8,
        device: u8,
        managed: bool,
    },
    Remove {
        account: u8,
        device: u8,
    },
    Door {
        account: u8,
        door: u8,
    },
    Disconnect(u8),
    Reconnect(u8),
    Delete(u8),
    /// One of the webhooks so far arrives: for the first time or again, or never if nothing picks it.
    Deliver(prop::sample::Index),
    RunOne,
    Pass(i64),
    Fail(Vec<u16>),
    Die {
        hangs_after: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let account = 0..3_u8;
    let device = 0..4_u8;
    prop_oneof![
        3 => (account.clone(), any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
            |(account, wait, key_with_account, key_with_webhook)| Step::Connect { account, wait, key_with_account, key_with_webhook }
        ),
        1 => account.clone().prop_map(Step::FirstSync),
        3 => (account.clone(), device.clone(), any::<bool>())
            .prop_map(|(account, device, managed)| Step::Add { account, device, managed }),
        1 => (account.clone(), device.clone()).prop_map(|(account, device)| Step::Remove { account, device }),
        1 => (account.clone(), device).prop_map(|(account, door)| Step::Door { account, door }),
        1 => account.clone().prop_map(Step::Disconnect),
        1 => account.clone().prop_map(Step::Reconnect),
        1 => account.prop_map(Step::Delete),
        6 => any::<prop::sample::Index>().prop_map(Step::Deliver),
        5 => Just(Step::RunOne),
        2 => (0..200_000_i64).prop_map(Step::Pass),
        1 => prop::collection::vec(prop_oneof![Just(503_u16), Just(429), Just(401), Just(400)], 1..4).prop_map(Step::Fail),
        2 => (0..12_usize).prop_map(|hangs_after| Step::Die { hangs_after }),
    ]
}

/// Carries out what happens in the world. Gives the webhook that Seam sends for it.
fn happen(api: &Api, step: &Step) -> Option<Value> {
    let mut world = api.world();
    let id = |account: &u8| format!("ca{account}");
    let mut of = |account: &u8, event: &str, change: &dyn Fn(&mut Account)| {
        change(world.accounts.get_mut(&id(account))?);
        Some(webhook(event, &id(account)))
    };
    match step {
        Step::Connect { account, wait, key_with_account, key_with_webhook } => {
            let key = format!("property {account}");
            let new = Account {
                customer_key: Some(key.clone()),
                key_with_account: *key_with_account,
                wait: *wait,
                ..Account::default()
            };
            // An id is never given twice: one that was deleted stays so.
            world.accounts.entry(id(account)).or_insert(new);
            let mut webhook = webhook("connected_account.connected", &id(account));
            webhook["customer_key"] = if *key_with_webhook { key.into() } else { Value::Null };
            Some(webhook)
        }
        Step::FirstSync(account) => of(account, "connected_account.completed_first_sync", &|_| {}),
        Step::Add { account, device, managed } => of(account, "device.added", &|it| {
            it.devices.insert(format!("{account}-IGP{device}"), *managed);
        }),
        Step::Remove { account, device } => of(account, "device.removed", &|it| {
            it.devices.remove(&format!("{account}-IGP{device}"));
        }),
        Step::Door { account, door } => of(account, "acs_entrance.added", &|it| {
            it.doors.get_or_insert_default().insert(format!("{account}-door{door}"));
        }),
        Step::Disconnect(account) => {
            of(account, "connected_account.disconnected", &|it| it.is_disconnected = true)
        }
        Step::Reconnect(account) => {
            of(account, "connected_account.connected", &|it| it.is_disconnected = false)
        }
        Step::Delete(account) => {
            world.accounts.remove(&id(account))?;
            Some(webhook("connected_account.deleted", &id(account)))
        }
        Step::Deliver(_) | Step::RunOne | Step::Pass(_) | Step::Fail(_) | Step::Die { .. } => None,
    }
}

async fn live_through(steps: &[Step]) {
    let api = Api::start();
    let mut service = Service::start(&api).await;
    let mut sent = Vec::new();
    for step in steps {
        sent.extend(happen(&api, step));
        match step {
            Step::Deliver(index) if !sent.is_empty() => service.deliver(index.get(&sent)).await,
            Step::RunOne => drop(service.run_one().await),
            Step::Pass(ms) => service.pass(*ms),
            Step::Fail(statuses) => {
                api.world().failures.extend(statuses.iter().map(|status| Answer::status(*status)));
            }
            Step::Die { hangs_after } => service.run_and_die(&api, *hangs_after).await,
            Step::Connect { .. }
            | Step::FirstSync(_)
            | Step::Add { .. }
            | Step::Remove { .. }
            | Step::Door { .. }
            | Step::Disconnect(_)
            | Step::Reconnect(_)
            | Step::Delete(_)
            | Step::Deliver(_) => {}
        }
    }
    api.world().failures.clear();
    service.settle().await;
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[test]
fn every_order_repetition_and_loss_of_webhooks_ends_in_the_same_state() {
    // Keeps the server of the databases alive from one life to the next.
    let _database = block_on(Database::new());
    let config = ProptestConfig { cases: N_LIVES, failure_persistence: None, ..ProptestConfig::default() };
    let lives = prop::collection::vec(step(), 0..40);
    let result = TestRunner::new(config).run(&lives, |steps| {
        block_on(live_through(&steps));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
}
