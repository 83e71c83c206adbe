//! `connect` with a scripted Seam API: what it asks for and what it says.

use serde_json::{Value, json};
use testbed::upstream::{Answer, Upstream};

use crate::folder::{Folder, failure, success};

fn seam(api: &Upstream) -> String {
    format!(
        "[seam]\nurl = 'http://{}'\napi_key = {{ env = 'SEAM_API_KEY' }}\nwebhook_secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']\n",
        api.address()
    )
}

#[test]
fn a_webview_carries_the_key_as_it_is_and_its_address_is_the_answer() {
    let api = Upstream::start().unwrap();
    let folder = Folder::with(&format!("public_url = 'https://directory.example/'\n{}", seam(&api)));
    let webview = json!({ "connect_webview": {
        "connect_webview_id": "cw", "url": "https://connect.example/cw", "status": "pending"
    } });
    api.next(Answer::status(200).body(webview.to_string()));
    let mut command = folder.command("connect");
    command.args(["--customer-key", " property/456 ä", "--providers", "salto,assa_abloy_visionline"]);
    command.arg("--wait-for-device-creation").env("SEAM_API_KEY", "key-of-the-api");
    assert_eq!(success(&command.output().unwrap()), "https://connect.example/cw\n");
    let received = api.take();
    assert_eq!(received[0].path, "/connect_webviews/create");
    assert_eq!(received[0].headers.get("authorization"), Some("Bearer key-of-the-api"));
    assert_eq!(
        serde_json::from_slice::<Value>(&received[0].body).unwrap(),
        json!({
            "customer_key": " property/456 ä", "accepted_providers": ["salto", "assa_abloy_visionline"],
            "custom_redirect_url": "https://directory.example/connected", "wait_for_device_creation": true
        })
    );
}

#[test]
fn what_is_missing_or_refused_is_said() {
    let api = Upstream::start().unwrap();
    let run = |folder: &Folder, arguments: &[&str]| {
        let mut command = folder.command("connect");
        failure(&command.args(arguments).env("SEAM_API_KEY", "key-of-the-api").output().unwrap())
    };
    let with_key = ["--customer-key", "k"];
    let (code, text) = run(&Folder::new(), &with_key);
    assert!(code == Some(1) && text.contains("seam: is required for this"), "{text}");
    let folder = Folder::with(&seam(&api));
    for wrong in [&[][..], &["--customer-key", ""], &["--customer-key", "k", "--providers", ""]] {
        assert_eq!(run(&folder, wrong).0, Some(2), "{wrong:?}");
    }
    assert!(api.take().is_empty());
    api.next(Answer::status(401));
    let (code, text) = run(&folder, &with_key);
    assert!(text.starts_with("warning: without `public_url`"), "{text}");
    assert!(
        code == Some(1) && text.contains("the webview could not be made: the API refuses the key"),
        "{text}"
    );
    assert!(!text.contains("key-of-the-api"), "{text}");
}
