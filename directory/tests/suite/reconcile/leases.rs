//! Jobs that outlive their lease, lose it, or are given back at the end. The clock of leases is the test's own.

use std::sync::Arc;
use std::time::Duration;

use directory::sync::{Ran, Worker};
use tokio::sync::Notify;

use super::service::{Service, expected};
use super::world::Api;
use super::{account, webhook};

/// A third of it passes in real time between two signs of life.
const LEASE_MS: i64 = 30;

/// A directory that has been told of one account.
async fn told(api: &Api, lease_ms: Option<i64>) -> Service {
    let service = match lease_ms {
        Some(lease_ms) => Service::with_lease(api, lease_ms).await,
        None => Service::start(api).await,
    };
    service.run_due().await;
    let mut new = account(true);
    new.devices.insert("IGP1".to_owned(), true);
    api.world().accounts.insert("ca".to_owned(), new);
    service.deliver(&webhook("connected_account.connected", "ca")).await;
    service
}

/// The account's job can be had by another process now.
async fn is_free(service: &Service) -> bool {
    service.store.claim_job(service.now(), "another", LEASE_MS).await.unwrap().is_some()
}

#[tokio::test]
async fn a_job_keeps_its_lease_for_as_long_as_a_request_takes() {
    let api = Api::start();
    let service = told(&api, Some(LEASE_MS)).await;
    api.world().hangs_after = Some(0);
    let many_leases = async {
        api.hung.notified().await;
        for _ in 0..5 {
            service.pass(LEASE_MS - 1);
            let renewed = service.now() + LEASE_MS;
            while service.store.next_due().await.unwrap() != Some(renewed) {
                tokio::task::yield_now().await;
            }
            assert!(!is_free(&service).await);
        }
    };
    tokio::select! {
        ran = service.syncer.run_one() => panic!("{ran:?}"),
        done = tokio::time::timeout(testbed::PATIENCE, many_leases) => done.unwrap(),
    }
    service.end().await;
}

#[tokio::test]
async fn a_job_that_another_has_taken_is_let_go_of() {
    let api = Api::start();
    let service = told(&api, Some(LEASE_MS)).await;
    api.world().hangs_after = Some(0);
    let take = async {
        api.hung.notified().await;
        // No time passes for a sign of life in between: this process was asleep.
        service.pass(LEASE_MS);
        assert!(is_free(&service).await);
    };
    let (ran, ()) = tokio::join!(service.syncer.run_one(), take);
    assert!(matches!(ran.unwrap(), Ran::Overtaken));
    assert!(!is_free(&service).await, "it is the other's still");
    service.end().await;
}

/// Runs a worker, and tells it to stop when the API has been asked for something.
async fn stopped_while_asking(api: &Api, service: &Service) {
    let worker = Worker::new(Arc::clone(&service.syncer), Arc::new(Notify::new()));
    worker.run(api.hung.notified()).await;
}

#[tokio::test]
async fn a_job_that_can_end_soon_ends_before_the_worker_does() {
    let api = Api::start();
    let service = told(&api, None).await;
    api.world().delay = Duration::from_millis(20);
    stopped_while_asking(&api, &service).await;
    assert_eq!(service.rows().await, expected(&api));
    service.end().await;
}

#[tokio::test]
async fn a_job_that_cannot_is_given_back_and_taken_again_at_once() {
    let api = Api::start();
    let mut service = told(&api, None).await;
    api.world().hangs_after = Some(0);
    stopped_while_asking(&api, &service).await;
    let before = service.now();
    assert!(is_free(&service).await);
    service.store.free_leases_of("another").await.unwrap();
    service.take_over(&api).await;
    assert!(matches!(service.run_one().await, Ran::Synced | Ran::Discovered));
    service.run_due().await;
    assert_eq!((service.now(), service.rows().await), (before, expected(&api)));
    service.end().await;
}
