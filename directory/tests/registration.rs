//! Registering with a scripted provider: once, whatever happens in between.

use std::path::PathBuf;

use directory::registration::{Action, RegisterError, Registered, Wanted, known_events, register};
use directory::store::{Limits, Store};
use seam::{Error, Provider};
use testbed::upstream::{Answer, Upstream};

const URL: &str = "https://edge.example/provider_events";

struct Setting {
    provider: Upstream,
    store: Store,
    file: PathBuf,
}

impl Setting {
    async fn new(name: &str) -> Self {
        let file = testbed::paths::scratch().unwrap().join(format!("{name}-{}.db", std::process::id()));
        let store = Store::open(&format!("sqlite:{}", file.display()), Limits::default()).await.unwrap();
        Self { provider: Upstream::start().unwrap(), store, file }
    }

    async fn register(&self, events: &[&str], anew: bool) -> Result<Registered, RegisterError> {
        let provider_url = format!("http://{}", self.provider.address());
        let client = Provider::try_new(&provider_url, None, seam::Limits::default()).unwrap();
        let events = events.iter().map(|it| (*it).to_owned()).collect();
        let wanted = Wanted { url: URL.to_owned(), events };
        register(&self.store, &client, &wanted, anew, 1).await
    }

    /// What the provider was asked since the last time.
    fn asked(&self) -> Vec<String> {
        self.provider.take().iter().map(|it| format!("{} {}", it.method, it.path)).collect()
    }

    async fn end(self) {
        self.store.close().await;
        for ending in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{ending}", self.file.display()));
        }
    }
}

fn json(body: &str) -> Answer {
    Answer::status(200).header("content-type", "application/json").body(body)
}

#[tokio::test]
async fn twice_is_once_and_other_events_are_an_update() {
    let setting = Setting::new("register-twice").await;
    setting.provider.next(json(r#"{"webhook_id":"wh_1","status":"active"}"#));
    let first = setting.register(&["device.online", "bridge.offline", "device.online"], false).await.unwrap();
    assert_eq!((first.action, first.registration.webhook_id.as_str()), (Action::Created, "wh_1"));
    assert_eq!(first.registration.events, ["bridge.offline", "device.online"]);
    let again = setting.register(&["bridge.offline", "device.online"], false).await.unwrap();
    assert_eq!((again.action, &again.registration), (Action::Unchanged, &first.registration));
    assert_eq!(setting.asked(), ["POST /webhooks"]);

    setting.provider.next(json(r#"{"webhook_id":"wh_1","status":"active"}"#));
    let changed = setting.register(&["device.offline"], false).await.unwrap();
    assert_eq!(
        (changed.action, &*changed.registration.events),
        (Action::Updated, &["device.offline".to_owned()][..])
    );
    assert_eq!(setting.asked(), ["PUT /webhooks/wh_1"]);
    assert_eq!(setting.store.registrations().await.unwrap(), [changed.registration]);
    setting.end().await;
}

#[tokio::test]
async fn what_the_provider_leaves_out_is_told() {
    let setting = Setting::new("register-fewer").await;
    let events = known_events();
    assert!(
        events.contains(&"bridge.offline".to_owned()) && events.contains(&"device.time_wrong".to_owned())
    );
    let wanted: Vec<_> = events.iter().map(String::as_str).collect();
    let accepted: Vec<_> =
        wanted.iter().filter(|it| !["bridge.offline", "device.time_wrong"].contains(it)).collect();
    let body = format!(r#"{{"webhook_id":"wh_1","status":"pending","events":{accepted:?}}}"#);
    setting.provider.next(json(&body));
    let registered = setting.register(&wanted, false).await.unwrap();
    assert_eq!(registered.left_out, ["bridge.offline", "device.time_wrong"]);
    assert_eq!(registered.registration.events.len(), wanted.len() - 2);
    assert_eq!(registered.registration.status, "pending");
    setting.end().await;
}

#[tokio::test]
async fn a_lost_answer_is_looked_up_before_anything_is_sent_again() {
    let setting = Setting::new("register-lost").await;
    setting.provider.next(Answer::Close);
    let error = setting.register(&["device.online"], false).await.unwrap_err();
    assert!(matches!(error, RegisterError::Provider(Error::Transport { .. })), "{error:?}");

    // The provider has no list: nothing is sent twice on a guess.
    setting.provider.next(Answer::status(405));
    let error = setting.register(&["device.online"], false).await.unwrap_err();
    assert!(matches!(error, RegisterError::Uncertain(_)), "{error:?}");
    assert_eq!(setting.asked(), ["POST /webhooks", "GET /webhooks"]);

    // It has one, and we are in it.
    setting.provider.next(json(&format!(
        r#"[{{"webhook_id":"other","url":"https://x"}},{{"webhook_id":"wh_9","url":"{URL}","status":"active","events":["device.online"]}}]"#
    )));
    let found = setting.register(&["device.online"], false).await.unwrap();
    assert_eq!((found.action, found.registration.webhook_id.as_str()), (Action::Found, "wh_9"));
    assert_eq!(setting.asked(), ["GET /webhooks"]);
    setting.end().await;
}

#[tokio::test]
async fn a_lost_request_is_sent_again_once_the_list_shows_that_it_was_lost() {
    let setting = Setting::new("register-again").await;
    setting.provider.next(Answer::status(502));
    setting.register(&["device.online"], false).await.unwrap_err();
    setting.provider.next(json(r#"{"webhooks":[]}"#));
    setting.provider.next(json(r#"{"webhook_id":"wh_1","status":"active"}"#));
    let made = setting.register(&["device.online"], false).await.unwrap();
    assert_eq!(made.action, Action::Created);
    assert_eq!(setting.asked(), ["POST /webhooks", "GET /webhooks", "POST /webhooks"]);
    setting.end().await;
}

#[tokio::test]
async fn a_refused_request_and_one_that_the_operator_vouches_for_are_sent_at_once() {
    let setting = Setting::new("register-refused").await;
    setting.provider.next(Answer::status(403));
    setting.register(&["device.online"], false).await.unwrap_err();
    setting.provider.next(Answer::Close);
    setting.register(&["device.online"], false).await.unwrap_err();
    setting.provider.next(json(r#"{"webhook_id":"wh_1","status":"active"}"#));
    let made = setting.register(&["device.online"], true).await.unwrap();
    assert_eq!(made.action, Action::Created);
    assert_eq!(setting.asked(), ["POST /webhooks", "POST /webhooks", "POST /webhooks"]);
    setting.end().await;
}

#[tokio::test]
async fn a_webhook_that_the_provider_has_forgotten_is_made_anew() {
    let setting = Setting::new("register-forgotten").await;
    setting.provider.next(json(r#"{"webhook_id":"wh_1","status":"active"}"#));
    setting.register(&["device.online"], false).await.unwrap();
    // No `PUT` there at all: the list shows that ours still is.
    setting.provider.next(Answer::status(404));
    setting.provider.next(json(&format!(r#"[{{"webhook_id":"wh_1","url":"{URL}"}}]"#)));
    setting.register(&["device.offline"], false).await.unwrap_err();
    setting.provider.next(Answer::status(404));
    setting.provider.next(json("[]"));
    setting.provider.next(json(r#"{"webhook_id":"wh_2","status":"active"}"#));
    let made = setting.register(&["device.offline"], false).await.unwrap();
    assert_eq!((made.action, made.registration.webhook_id.as_str()), (Action::Created, "wh_2"));
    setting.end().await;
}
