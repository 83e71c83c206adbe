//! Sync jobs: one an account, kept by lease, run again if asked for meanwhile.

use directory::store::{JobCounts, Step};

use super::{Fresh, new_account};

const LEASE_MS: i64 = 100;

#[tokio::test]
async fn a_job_is_taken_when_it_is_due_and_by_one_only() {
    let store = Fresh::new().await;
    assert_eq!(store.next_due().await.unwrap(), None);
    store.want_sync("a", 10).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(10));
    assert_eq!(store.claim_job(9, "x", LEASE_MS).await.unwrap(), None);
    let job = store.claim_job(10, "x", LEASE_MS).await.unwrap().unwrap();
    assert_eq!((job.connected_account_id.as_str(), job.attempts), ("a", 0));
    assert_eq!(store.claim_job(11, "y", LEASE_MS).await.unwrap(), None);
    assert_eq!(store.next_due().await.unwrap(), Some(110));
    assert_eq!(store.complete_job(&job, "x", None).await.unwrap(), Step::Done);
    assert_eq!(store.next_due().await.unwrap(), None);
}

#[tokio::test]
async fn an_earlier_wish_hurries_a_later_one_and_not_the_other_way() {
    let store = Fresh::new().await;
    store.want_sync("a", 50).await.unwrap();
    store.want_sync("a", 20).await.unwrap();
    store.want_sync("a", 90).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(20));
}

#[tokio::test]
async fn a_job_that_is_asked_for_while_it_runs_runs_again() {
    let store = Fresh::new().await;
    store.want_sync("a", 10).await.unwrap();
    let job = store.claim_job(10, "x", LEASE_MS).await.unwrap().unwrap();
    store.want_sync("a", 40).await.unwrap();
    store.want_sync("a", 60).await.unwrap();
    assert_eq!(store.claim_job(70, "y", LEASE_MS).await.unwrap(), None, "one at a time");
    assert_eq!(store.complete_job(&job, "x", Some(5000)).await.unwrap(), Step::Done);
    assert_eq!(store.next_due().await.unwrap(), Some(40));
    let job = store.claim_job(40, "y", LEASE_MS).await.unwrap().unwrap();
    assert_eq!(store.complete_job(&job, "y", Some(5000)).await.unwrap(), Step::Done);
    assert_eq!(store.next_due().await.unwrap(), Some(5000), "then only the periodic one");
    store.want_sync("a", 70).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(70));
}

#[tokio::test]
async fn a_lease_that_is_not_renewed_lets_another_process_take_the_job() {
    let store = Fresh::new().await;
    let other = store.another().await;
    store.want_sync("a", 0).await.unwrap();
    let job = store.claim_job(0, "x", LEASE_MS).await.unwrap().unwrap();
    assert_eq!(store.renew(&job, "x", 90, LEASE_MS).await.unwrap(), Step::Done);
    assert_eq!(other.claim_job(189, "y", LEASE_MS).await.unwrap(), None);
    assert_eq!(store.renew(&job, "x", 190, LEASE_MS).await.unwrap(), Step::Superseded);
    let taken = other.claim_job(190, "y", LEASE_MS).await.unwrap().unwrap();
    assert_eq!(store.complete_job(&job, "x", None).await.unwrap(), Step::Superseded);
    assert_eq!(store.fail_job(&job, "x", 0, "late").await.unwrap(), Step::Superseded);
    assert_eq!(other.complete_job(&taken, "y", None).await.unwrap(), Step::Done);
    other.close().await;
}

#[tokio::test]
async fn who_ends_in_order_leaves_its_jobs_to_others_at_once() {
    let store = Fresh::new().await;
    for (account, owner) in [("a", "x"), ("b", "y")] {
        store.want_sync(account, 0).await.unwrap();
        store.claim_job(0, owner, LEASE_MS).await.unwrap().unwrap();
    }
    assert_eq!(store.free_leases_of("x").await.unwrap(), 1);
    let taken = store.claim_job(1, "z", LEASE_MS).await.unwrap().unwrap();
    assert_eq!((taken.connected_account_id.as_str(), taken.attempts), ("a", 0));
    assert_eq!(store.claim_job(1, "z", LEASE_MS).await.unwrap(), None, "y lives");
}

#[tokio::test]
async fn a_job_that_fails_keeps_its_own_time() {
    let store = Fresh::new().await;
    store.want_sync("a", 0).await.unwrap();
    let job = store.claim_job(0, "x", LEASE_MS).await.unwrap().unwrap();
    assert_eq!(store.fail_job(&job, "x", 500, "the API is down").await.unwrap(), Step::Done);
    store.want_sync("a", 1).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), Some(500));
    assert_eq!(store.job_counts(499).await.unwrap(), JobCounts { jobs: 1, due: 0, failing: 1 });
    assert_eq!(store.job_counts(500).await.unwrap(), JobCounts { jobs: 1, due: 1, failing: 1 });
    let job = store.claim_job(500, "x", LEASE_MS).await.unwrap().unwrap();
    assert_eq!(job.attempts, 1);
    assert_eq!(store.complete_job(&job, "x", Some(900)).await.unwrap(), Step::Done);
    assert_eq!(store.job_counts(500).await.unwrap(), JobCounts { jobs: 1, due: 0, failing: 0 });
}

#[tokio::test]
async fn every_account_of_the_api_gets_a_job_and_imported_ones_do_not() {
    let store = Fresh::new().await.imported(r#"{"connected_account_id":"imported"}"#).await;
    for name in ["a", "b"] {
        store.upsert_account(&new_account(name), 1).await.unwrap();
    }
    store.want_sync("a", 5).await.unwrap();
    assert_eq!(store.want_missing_syncs(7).await.unwrap(), 1);
    assert_eq!(store.want_missing_syncs(8).await.unwrap(), 0);
    assert_eq!(store.claim_job(6, "x", LEASE_MS).await.unwrap().unwrap().connected_account_id, "a");
    assert_eq!(store.claim_job(7, "x", LEASE_MS).await.unwrap().unwrap().connected_account_id, "b");
    assert_eq!(store.claim_job(7, "x", LEASE_MS).await.unwrap(), None);
}

#[tokio::test]
async fn many_processes_take_each_job_once() {
    let store = Fresh::new().await;
    let others = [store.another().await, store.another().await];
    for n in 0..40 {
        store.want_sync(&format!("a{n:02}"), 0).await.unwrap();
    }
    let take_all = async |store: &directory::Store, owner: &str| {
        let mut taken = Vec::new();
        // `None` while jobs are left means that another was faster.
        while store.next_due().await.unwrap().is_some_and(|at| at <= 0) {
            taken.extend(store.claim_job(0, owner, LEASE_MS).await.unwrap());
        }
        taken
    };
    let (one, two) = tokio::join!(take_all(&others[0], "x"), take_all(&others[1], "y"));
    let mut names: Vec<_> = one.into_iter().chain(two).map(|job| job.connected_account_id).collect();
    names.sort();
    assert_eq!(names, (0..40).map(|n| format!("a{n:02}")).collect::<Vec<_>>());
    for other in others {
        other.close().await;
    }
}
