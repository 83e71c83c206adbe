//! The client against a scripted server: what it sends, how it follows pages, what each kind of answer becomes.
//! The published fake of the API is tried where it is at hand, by the directory.

use std::time::Duration;

use seam::{Client, Error, Limits, NewConnectWebview, Provider, Secret, WebviewStatus};
use testbed::upstream::{Answer, Received, Upstream};

fn limits() -> Limits {
    Limits { page_size: 2, pages: 4, answer_bytes: 4096, ..Limits::default() }
}

fn client_of(api: &Upstream, limits: Limits) -> Client {
    Client::try_new(&format!("http://{}", api.address()), &Secret::new("key"), limits).unwrap()
}

fn json(body: &str) -> Answer {
    Answer::status(200).header("content-type", "application/json").body(body)
}

/// Method, path and body of a request.
fn asked(received: &Received) -> String {
    format!("{} {} {}", received.method, received.path, String::from_utf8_lossy(&received.body))
}

fn page(ids: &[&str], pagination: &str) -> Answer {
    let devices: Vec<_> = ids.iter().map(|id| format!(r#"{{"device_id":"{id}"}}"#)).collect();
    json(&format!(r#"{{"devices":[{}],"pagination":{pagination},"ok":true}}"#, devices.join(",")))
}

async fn all(mut pages: seam::Pages<'_, seam::Device>) -> Result<Vec<String>, Error> {
    let mut ids = Vec::new();
    while let Some(page) = pages.next().await? {
        ids.extend(page.into_iter().map(|device| device.device_id));
    }
    Ok(ids)
}

#[tokio::test]
async fn a_webview_is_made_with_the_customers_own_key_and_the_bearer_token() {
    let api = Upstream::start().unwrap();
    api.next(json(
        r#"{"connect_webview":{"connect_webview_id":"w1","url":"https://seam/w1","status":"pending"},"ok":true}"#,
    ));
    let new = NewConnectWebview {
        customer_key: Some("Property 456/ä".to_owned()),
        accepted_providers: vec!["salto".to_owned(), "assa_abloy_visionline".to_owned()],
        custom_redirect_url: Some("https://bellhop.example/connected".to_owned()),
        wait_for_device_creation: true,
    };
    let webview = client_of(&api, limits()).create_connect_webview(&new).await.unwrap();
    assert_eq!((webview.url.as_str(), webview.status), ("https://seam/w1", WebviewStatus::Pending));
    let received = &api.received()[0];
    assert_eq!(
        asked(received),
        concat!(
            "POST /connect_webviews/create {\"accepted_providers\":[\"salto\",\"assa_abloy_visionline\"],",
            "\"custom_redirect_url\":\"https://bellhop.example/connected\",\"customer_key\":\"Property 456/ä\",",
            "\"wait_for_device_creation\":true}"
        )
    );
    assert_eq!(received.headers.get("authorization").unwrap(), "Bearer key");
}

#[tokio::test]
async fn pages_are_followed_with_the_same_parameters() {
    let api = Upstream::start().unwrap();
    api.next(page(&["a", "b"], r#"{"has_next_page":true,"next_page_cursor":"c1","next_page_url":null}"#));
    api.next(page(&["c", "d"], r#"{"has_next_page":true,"next_page_cursor":"c2"}"#));
    api.next(page(&["e"], r#"{"has_next_page":false,"next_page_cursor":null}"#));
    let ids = all(client_of(&api, limits()).devices("ca")).await.unwrap();
    assert_eq!(ids, ["a", "b", "c", "d", "e"]);
    let asked: Vec<_> = api.received().iter().map(asked).collect();
    assert_eq!(
        asked,
        [
            r#"POST /devices/list {"connected_account_id":"ca","limit":2}"#,
            r#"POST /devices/list {"connected_account_id":"ca","limit":2,"page_cursor":"c1"}"#,
            r#"POST /devices/list {"connected_account_id":"ca","limit":2,"page_cursor":"c2"}"#,
        ]
    );
}

#[tokio::test]
async fn a_list_without_pagination_is_one_page() {
    let api = Upstream::start().unwrap();
    api.next(json(
        r#"{"acs_systems":[{"acs_system_id":"s","name":null,"external_type":"visionline_system"}]}"#,
    ));
    let client = client_of(&api, limits());
    let mut pages = client.acs_systems("ca");
    assert_eq!(pages.next().await.unwrap().unwrap()[0].acs_system_id, "s");
    assert!(pages.next().await.unwrap().is_none());
    assert_eq!(asked(&api.received()[0]), r#"POST /acs/systems/list {"connected_account_id":"ca"}"#);
}

#[tokio::test]
async fn a_page_that_failed_can_be_asked_for_again() {
    let api = Upstream::start().unwrap();
    api.next(page(&["a"], r#"{"has_next_page":true,"next_page_cursor":"c1"}"#));
    api.next(Answer::status(503));
    api.next(page(&["b"], r#"{"has_next_page":false}"#));
    let client = client_of(&api, limits());
    let mut pages = client.devices("ca");
    assert_eq!(pages.next().await.unwrap().unwrap().len(), 1);
    assert!(matches!(pages.next().await, Err(Error::Outage { status: 503, retry_after: None })));
    assert_eq!(pages.next().await.unwrap().unwrap()[0].device_id, "b");
    assert!(pages.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_list_that_goes_round_or_never_ends_is_an_error() {
    let api = Upstream::start().unwrap();
    for cursor in ["c1", "c2", "c1"] {
        api.next(page(&["a"], &format!(r#"{{"has_next_page":true,"next_page_cursor":"{cursor}"}}"#)));
    }
    let client = client_of(&api, limits());
    assert!(matches!(all(client.devices("ca")).await, Err(Error::RepeatedCursor)));
    for n in 0..4 {
        api.next(page(&["a"], &format!(r#"{{"has_next_page":true,"next_page_cursor":"c{n}"}}"#)));
    }
    assert!(matches!(all(client.devices("ca")).await, Err(Error::TooManyPages { limit: 4 })));
    assert_eq!(api.received().len(), 7);
}

#[tokio::test]
async fn each_answer_becomes_its_error() {
    let api = Upstream::start().unwrap();
    let client = client_of(&api, limits());
    let too_long = format!("{{\"devices\":[],\"x\":\"{}\"}}", "x".repeat(4096));
    for (answer, expected) in [
        (Answer::status(401), "unauthorised"),
        (Answer::status(403), "unauthorised"),
        (Answer::status(429), "rate_limited"),
        (Answer::status(500), "outage"),
        (Answer::status(302).header("location", "https://elsewhere.example/"), "refused"),
        (Answer::status(404).body("404"), "refused"),
        (Answer::status(404).body(r#"{"error":{"type":"connected_account_not_found"}}"#), "not_found"),
        (Answer::status(400).body(r#"{"error":{"type":"invalid_input"}}"#), "refused"),
        (json("<html>"), "malformed"),
        (json("[]"), "malformed"),
        (json("{}"), "malformed"),
        (json(r#"{"devices":{}}"#), "malformed"),
        (json(r#"{"devices":[{"device_id":7}]}"#), "malformed"),
        (json(r#"{"devices":[{"device_id":" "}]}"#), "malformed"),
        (json(r#"{"devices":[],"pagination":{}}"#), "malformed"),
        (json(r#"{"devices":[],"pagination":{"has_next_page":true}}"#), "malformed"),
        (json(r#"{"devices":[],"pagination":{"has_next_page":true,"next_page_cursor":""}}"#), "malformed"),
        (json(&too_long), "too_large"),
        (Answer::Close, "transport"),
        (Answer::Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"devices\":[".to_vec()), "transport"),
    ] {
        let shown = format!("{answer:?}");
        api.next(answer);
        let error = all(client.devices("ca")).await.unwrap_err();
        assert_eq!(error.name(), expected, "{shown}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("Bearer"), "{error:?}");
    }
    assert_eq!(api.n_scripted(), 0);
}

#[tokio::test]
async fn a_rate_limit_says_how_long_to_wait() {
    let api = Upstream::start().unwrap();
    api.next(Answer::status(429).header("retry-after", "17"));
    let error = client_of(&api, limits()).connected_account("ca").await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn a_server_that_hangs_is_a_timeout() {
    let api = Upstream::start_with(0, |_| Answer::Hang).unwrap();
    let limits = Limits { request_timeout: Duration::from_millis(50), ..limits() };
    let error = client_of(&api, limits).connected_account("ca").await.unwrap_err();
    assert!(matches!(error, Error::Transport { timed_out: true, .. }), "{error:?}");
    let closed = testbed::upstream::ClosedPort::hold().unwrap();
    let address = format!("http://127.0.0.1:{}", closed.port().unwrap());
    let client = Client::try_new(&address, &Secret::new("key"), Limits::default()).unwrap();
    let error = client.connected_account("ca").await.unwrap_err();
    assert!(matches!(error, Error::Transport { timed_out: false, .. }), "{error:?}");
}

#[tokio::test]
async fn a_provider_is_asked_as_its_documentation_shows() {
    let provider = Upstream::start().unwrap();
    provider.next(Answer::status(201).body(r#"{"webhook_id":"wh/1 ü","status":"active"}"#));
    provider.next(json(r#"{"webhook_id":"wh/1 ü","status":"active","events":["device.online"]}"#));
    provider.next(json(r#"{"webhooks":[{"webhook_id":"wh","url":"https://edge/e"}]}"#));
    provider.next(json(r#"[{"webhook_id":"wh"}]"#));
    provider.next(json(r#"{"webhook_id":"","status":"active"}"#));
    let client = Provider::try_new(&format!("http://{}/api", provider.address()), None, limits()).unwrap();
    let events = ["device.online".to_owned(), "bridge.offline".to_owned()];
    let made = client.register("https://edge/e", &events).await.unwrap();
    assert_eq!((made.webhook_id.as_str(), made.status.as_str(), made.events), ("wh/1 ü", "active", None));
    let changed = client.update(&made.webhook_id, "https://edge/e", &events[..1]).await.unwrap();
    assert_eq!(changed.events.as_deref(), Some(&events[..1]));
    assert_eq!(client.list().await.unwrap()[0].url.as_deref(), Some("https://edge/e"));
    assert_eq!(client.list().await.unwrap().len(), 1);
    assert!(matches!(client.register("https://edge/e", &events).await, Err(Error::Malformed { .. })));
    let received = provider.received();
    assert_eq!(
        received[..3].iter().map(asked).collect::<Vec<_>>(),
        [
            r#"POST /api/webhooks {"events":["device.online","bridge.offline"],"url":"https://edge/e"}"#,
            r#"PUT /api/webhooks/wh%2F1%20%C3%BC {"events":["device.online"],"url":"https://edge/e"}"#,
            "GET /api/webhooks ",
        ]
    );
    assert!(received[0].headers.get("authorization").is_none());
}
