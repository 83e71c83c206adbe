//! Registrations: one for each provider and URL.

use directory::store::Registration;

use super::Fresh;

#[tokio::test]
async fn a_registration_is_replaced_and_never_doubled() {
    let store = Fresh::new().await;
    let first = Registration {
        provider_url: "https://provider.example".to_owned(),
        url: "https://hooks.example/acme".to_owned(),
        webhook_id: "w1".to_owned(),
        status: "active".to_owned(),
        events: vec!["device.offline".to_owned(), "device.online".to_owned()],
        updated_at: 3,
    };
    assert_eq!(store.registration(&first.provider_url, &first.url).await.unwrap(), None);
    store.put_registration(&first).await.unwrap();
    let second = Registration { webhook_id: "w2".to_owned(), events: Vec::new(), ..first.clone() };
    store.put_registration(&second).await.unwrap();
    let other = Registration { url: "https://hooks.example/other".to_owned(), ..first };
    store.put_registration(&other).await.unwrap();
    assert_eq!(store.registration(&second.provider_url, &second.url).await.unwrap(), Some(second.clone()));
    assert_eq!(store.registrations().await.unwrap(), [second, other]);
}
