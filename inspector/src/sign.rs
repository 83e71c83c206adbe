//! What a sender has to send, and whether what it sends proves anything. The schemes are `event_core`'s; no secret is kept.

use event_core::trial::{Proof, Trial, TrialError};
use event_core::{Cause, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::judge::{MOST_BYTES, to_text};

/// What is asked beside the body.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    /// One of the schemes of `verify`; its `secrets` may be missing.
    verify: Value,
    secret: String,
    /// The id of the message, where the scheme has one.
    #[serde(default)]
    id: String,
    now_s: u64,
    /// Headers that a sender has sent, to be checked.
    #[serde(default)]
    headers: Vec<(String, String)>,
}

/// Headers to send, and what those that were sent are worth.
#[derive(Debug, Default, Serialize)]
struct Reply {
    /// Why nothing can be signed.
    error: Option<String>,
    headers: Vec<(String, String)>,
    /// `proved`, or what is wrong with the headers that were given.
    check: Option<&'static str>,
}

/// Signs a body, and checks headers if there are any. `question` is JSON, so is what is given back.
#[must_use]
pub fn sign(body: &[u8], question: &str) -> String {
    let reply = match serde_json::from_str::<Question>(question) {
        Ok(question) => reply(body, &question),
        Err(error) => failed(format!("the question is not understood: {error}")),
    };
    to_text(&reply)
}

fn failed(error: String) -> Reply {
    Reply { error: Some(error), ..Reply::default() }
}

fn reply(body: &[u8], question: &Question) -> Reply {
    if body.len() > MOST_BYTES {
        return failed("the body is larger than 4 MiB".to_owned());
    }
    let mut verify = question.verify.clone();
    for (_, scheme) in verify.as_object_mut().into_iter().flatten() {
        if let Some(scheme) = scheme.as_object_mut() {
            scheme.insert("secrets".to_owned(), json!([{ "env": "SECRET" }]));
        }
    }
    let config = json!({
        "environment": "signing",
        "sources": [{ "name": "sender", "path": "/", "verify": verify }],
        "limits": { "body_bytes": MOST_BYTES }
    });
    let trial = match Trial::new(config.to_string().as_bytes(), None, Proof::Under(&question.secret)) {
        Ok(trial) => trial,
        Err(TrialError::Config(error)) => {
            let path = error.path.trim_start_matches("sources[0].");
            return failed(format!("{path}: {}", error.fault));
        }
        Err(error @ (TrialError::SourceUnknown | TrialError::SourceNotNamed)) => {
            return failed(error.to_string());
        }
    };
    let headers = trial.sign(&question.id, body, question.now_s);
    let check = (!question.headers.is_empty()).then(|| check(&trial, body, question));
    Reply { error: None, headers, check }
}

fn check(trial: &Trial, body: &[u8], question: &Question) -> &'static str {
    // The content type is no proof: it is judged elsewhere.
    let given =
        question.headers.iter().filter(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
    let mut headers: Vec<(&[u8], &[u8])> = vec![(b"content-type", b"application/json")];
    headers.extend(given.map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    match trial.judge(&headers, body, question.now_s).verdict {
        Verdict::Refuse(refusal) => match (refusal.signature_fault(), refusal.cause()) {
            (Some(fault), _) => fault.name(),
            (None, Cause::HeaderAmbiguous) => Cause::HeaderAmbiguous.name(),
            // Whatever is wrong with the event, who sent it is proved.
            (None, _) => "proved",
        },
        Verdict::Forward(_) | Verdict::Ask(_) => "proved",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: u64 = 1_767_225_600;

    fn ask(body: &str, question: &Value) -> Value {
        serde_json::from_str(&sign(body.as_bytes(), &question.to_string())).unwrap()
    }

    #[test]
    fn what_is_signed_is_proved_when_it_comes_back() {
        for (verify, secret) in [
            (json!({"standard_webhooks": {}}), "whsec_c2VjcmV0IG9mIGFjbWU="),
            (
                json!({"hmac": {"header": "x-hub-signature-256", "prefix": "sha256="}}),
                "It's a Secret to Everybody",
            ),
            (json!({"hmac": {"header": "stripe-signature", "item": "v1", "timestamp": {"item": "t"}}}), "s"),
            (json!({"token": {"header": "x-august-token"}}), "opaque"),
        ] {
            let mut question = json!({"verify": verify, "secret": secret, "id": "msg_1", "nowS": NOW_S});
            let headers = ask("Hello, World!", &question)["headers"].clone();
            assert!(!headers.as_array().unwrap().is_empty(), "{verify}");
            question["headers"] = headers;
            assert_eq!(ask("Hello, World!", &question)["check"], "proved", "{verify}");
            question["secret"] = "b3RoZXI=".into();
            assert_eq!(ask("Hello, World!", &question)["check"], "mismatch", "{verify}");
        }
    }

    /// The example of GitHub's documentation.
    #[test]
    fn a_published_signature_is_given() {
        let verify = json!({"hmac": {"header": "x-hub-signature-256", "prefix": "sha256="}});
        let question = json!({"verify": verify, "secret": "It's a Secret to Everybody", "nowS": 0});
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(ask("Hello, World!", &question)["headers"], json!([["x-hub-signature-256", expected]]));
    }

    #[test]
    fn a_wrong_scheme_or_secret_is_told_without_the_secret() {
        for (verify, secret, told) in [
            (json!({"standard_webhooks": {}}), "no base64 topsecret!", "base64"),
            (json!({"hmac": {}}), "topsecret", "header"),
            (json!("none "), "topsecret", "none"),
            (json!({"hmac": {"header": "x", "topsecret": 1}}), "topsecret", "unknown key"),
        ] {
            let reply = ask("{}", &json!({"verify": verify, "secret": secret, "nowS": 0}));
            let error = reply["error"].as_str().unwrap();
            assert!(error.contains(told), "{error}");
            assert!(!error.contains("topsecret!") && reply["headers"] == json!([]), "{error}");
        }
    }
}
