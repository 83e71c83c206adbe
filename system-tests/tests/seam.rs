//! The post-connection flow, with the published fake of the Seam API: a customer connects an account, and the events of its
//! devices find it. The fake sends no webhooks, so the tests send them, signed.

use serde_json::json;
use system_tests::chain::{Chain, cause, device_online};
use system_tests::directory::Settings;
use system_tests::{BoxError, webhook};
use testbed::fake_seam::FakeSeam;
use testbed::message::Request;

const ACCOUNT: &str = "ca_new_guest_house";

/// A chain whose directory asks a fake of its own.
fn chain(first_sync_grace_s: u64) -> Result<(FakeSeam, Chain), BoxError> {
    let seam = FakeSeam::start()?;
    let settings = Settings { seam_url: Some(seam.url()), first_sync_grace_s, ..Settings::default() };
    let chain = Chain::start(&settings, 60)?;
    Ok((seam, chain))
}

/// `bellhop connect`, and a customer who goes through with it. Gives the id of the webview.
fn connect(seam: &FakeSeam, chain: &Chain, waits: bool) -> Result<String, BoxError> {
    let mut arguments = vec!["connect", "--customer-key", "property-456", "--providers", "august"];
    if waits {
        arguments.push("--wait-for-device-creation");
    }
    let printed = chain.directory.bellhop(&arguments)?;
    let url = printed.split_whitespace().find(|word| word.starts_with("http")).ok_or("no URL was printed")?;
    let (_, id) = url.split_once("connect_webview_id=").ok_or("the URL names no webview")?;
    let id = id.split('&').next().unwrap_or_default().to_owned();
    let rest = json!({ "customer_key": "property-456" });
    seam.add_account(ACCOUNT, "august", rest)?;
    let rest = json!({ "customer_key": "property-456", "wait_for_device_creation": waits });
    seam.complete_webview(&id, ACCOUNT, rest)?;
    Ok(id)
}

fn add_lock(seam: &FakeSeam, id: &str, native: &str) -> Result<(), BoxError> {
    let properties =
        json!({ "august_metadata": { "lock_id": native, "lock_name": "Front", "house_name": "Home" } });
    Ok(seam.add_device(ACCOUNT, id, true, "august_lock", properties)?)
}

fn assert_accepted(chain: &Chain, event: &str) -> Result<(), BoxError> {
    let (received, _) = chain.post_until_accepted(event)?;
    assert_eq!(received.headers.get("x-connected-account-id"), Some(ACCOUNT));
    assert_eq!(received.headers.get("x-customer-key"), Some("property-456"));
    Ok(())
}

fn assert_deferred(chain: &Chain, event: &str) -> Result<(), BoxError> {
    let refused = chain.post(event)?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("account_unknown")));
    Ok(())
}

fn deliver(chain: &Chain, event_type: &str) -> Result<(), BoxError> {
    let members = json!({ "connected_account_id": ACCOUNT, "customer_key": "property-456" });
    let response = chain.directory.send(&webhook::signed(event_type, members))?;
    assert!((200..300).contains(&response.status), "{} {}", response.status, response.text());
    Ok(())
}

#[test]
fn with_devices_waited_for_an_event_of_a_new_device_arrives_after_the_first_webhook() -> Result<(), BoxError>
{
    let (seam, chain) = chain(3600)?;
    connect(&seam, &chain, true)?;
    add_lock(&seam, "seam_lock_1", "native_lock_1")?;
    assert_deferred(&chain, &device_online("native_lock_1"))?;
    deliver(&chain, "connected_account.connected")?;
    assert_accepted(&chain, &device_online("native_lock_1"))?;
    assert_accepted(&chain, &device_online("seam_lock_1"))?;
    Ok(())
}

#[test]
fn without_it_the_event_arrives_once_the_first_sync_is_done_and_nobody_does_anything() -> Result<(), BoxError>
{
    let (seam, chain) = chain(3600)?;
    connect(&seam, &chain, false)?;
    deliver(&chain, "connected_account.connected")?;
    let account = format!("/v1/accounts/{ACCOUNT}");
    chain.directory.wait_until(&account, |it| it["customer_key"] == "property-456")?;
    assert_deferred(&chain, &device_online("native_lock_1"))?;
    add_lock(&seam, "seam_lock_1", "native_lock_1")?;
    deliver(&chain, "connected_account.completed_first_sync")?;
    assert_accepted(&chain, &device_online("native_lock_1"))
}

#[test]
fn the_redirect_alone_is_enough_when_devices_are_waited_for() -> Result<(), BoxError> {
    let (seam, chain) = chain(3600)?;
    let webview = connect(&seam, &chain, true)?;
    add_lock(&seam, "seam_lock_1", "native_lock_1")?;
    let page =
        chain.directory.send(&Request::new("GET", &format!("/connected?connect_webview_id={webview}")))?;
    assert_eq!(page.status, 200);
    assert_accepted(&chain, &device_online("native_lock_1"))
}

#[test]
fn a_first_sync_whose_webhook_is_lost_is_done_after_the_grace_time() -> Result<(), BoxError> {
    let (seam, chain) = chain(1)?;
    connect(&seam, &chain, false)?;
    add_lock(&seam, "seam_lock_1", "native_lock_1")?;
    deliver(&chain, "connected_account.connected")?;
    assert_accepted(&chain, &device_online("native_lock_1"))
}

#[test]
fn an_outage_of_the_api_and_a_killed_directory_only_delay_an_account() -> Result<(), BoxError> {
    let (seam, mut chain) = chain(3600)?;
    connect(&seam, &chain, true)?;
    add_lock(&seam, "seam_lock_1", "native_lock_1")?;
    seam.outage(None)?;
    deliver(&chain, "connected_account.connected")?;
    assert_deferred(&chain, &device_online("native_lock_1"))?;
    chain.directory.kill()?;
    let refused = chain.post(&device_online("native_lock_2"))?;
    assert_eq!((refused.status, cause(&refused).as_deref()), (503, Some("directory_unavailable")));
    chain.directory.run()?;
    seam.recover()?;
    assert_accepted(&chain, &device_online("native_lock_1"))
}

#[test]
fn a_webhook_that_is_not_signed_changes_nothing() -> Result<(), BoxError> {
    let (seam, chain) = chain(3600)?;
    connect(&seam, &chain, true)?;
    let forged = json!({ "event_type": "connected_account.connected", "connected_account_id": ACCOUNT });
    let response = chain.directory.send(&Request::post_json("/webhooks/seam", forged.to_string()))?;
    assert_eq!(response.status, 401);
    let answer = chain.directory.get(&format!("/v1/accounts/{ACCOUNT}"))?;
    assert_eq!(answer.status, 404);
    Ok(())
}
