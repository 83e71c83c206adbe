//! Known senders, said as configuration: how each is written, with an example that it publishes or one made after its
//! documentation.

use super::{NOW_S, SignatureFault, check};
use serde_json::{Value, json};

/// One request of a sender.
struct Example {
    verify: Value,
    headers: Vec<(&'static str, &'static str)>,
    body: &'static str,
    now_s: u64,
}

/// The example is accepted, and no change of it is.
#[track_caller]
fn assert_accepted(example: &Example) {
    let Example { verify, headers, body, now_s } = example;
    let with = |headers: &[(&str, &str)], body: &str| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
        check(verify, &headers, body.as_bytes(), *now_s)
    };
    assert!(with(headers, body).is_ok(), "{:?}", with(headers, body));
    assert_eq!(with(headers, &format!("{body} ")), Err(SignatureFault::Mismatch));
    for index in 0..headers.len() {
        let mut fewer = headers.clone();
        let (name, value) = fewer.remove(index);
        assert_eq!(with(&fewer, body), Err(SignatureFault::Missing), "without {name}");
        let shorter = &value[..value.len() - 1];
        let mut changed = headers.clone();
        changed[index].1 = shorter;
        assert!(with(&changed, body).is_err(), "{name} without its last character");
    }
}

const EVENT: &str = r#"{"event":"door.opened"}"#;
const SECRET: &str = "a-shared-secret";

#[test]
fn standard_webhooks() {
    // The vector of the specification's reference libraries.
    assert_accepted(&Example {
        verify: json!({"standard_webhooks": {"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}),
        headers: vec![
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ],
        body: r#"{"test": 2432232314}"#,
        now_s: 1_614_265_330,
    });
}

#[test]
fn svix() {
    // The example of its documentation; a secret is accepted without `whsec_`, too.
    for secret in ["whsec_plJ3nmyCDGBKInavdOK15jsl", "plJ3nmyCDGBKInavdOK15jsl"] {
        assert_accepted(&Example {
            verify: json!({"standard_webhooks": {"secrets": [secret]}}),
            headers: vec![
                ("svix-id", "msg_loFOjxBNrRLzqYUf"),
                ("svix-timestamp", "1731705121"),
                ("svix-signature", "v1,rAvfW3dJ/X/qxhsaXPOyyCGmRKsaKWcsNccKXlIktD0="),
            ],
            body: r#"{"event_type":"ping","data":{"success":true}}"#,
            now_s: 1_731_705_121,
        });
    }
}

#[test]
fn github() {
    // The example of its documentation.
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "X-Hub-Signature-256",
            "prefix": "sha256=",
            "secrets": ["It's a Secret to Everybody"],
        }}),
        headers: vec![(
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
        )],
        body: "Hello, World!",
        now_s: NOW_S,
    });
}

#[test]
fn nuki() {
    assert_accepted(&Example {
        verify: json!({"hmac": {"header": "X-Nuki-Signature-SHA256", "secrets": [SECRET]}}),
        headers: vec![(
            "x-nuki-signature-sha256",
            "3a16087ee22a61acc5cf5282c3fa3d553e78305254d71633f6dc4d0f99e59f2d",
        )],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn shopify() {
    assert_accepted(&Example {
        verify: json!({"hmac": {"header": "X-Shopify-Hmac-SHA256", "encoding": "base64", "secrets": [SECRET]}}),
        headers: vec![("x-shopify-hmac-sha256", "OhYIfuIqYazFz1KCw/o9VT54MFJU1xYz9txND5nlny0=")],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn stripe() {
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "Stripe-Signature",
            "item": "v1",
            "timestamp": {"item": "t"},
            "secrets": [SECRET],
        }}),
        headers: vec![(
            "stripe-signature",
            "t=1767225600,v0=00,v1=a58903cf04711b26c8379cc1522396d728c3bb3a418a26d62307b7f0e859d07e",
        )],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn paddle() {
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "Paddle-Signature",
            "item": "h1",
            "timestamp": {"item": "ts", "tolerance_s": 5},
            "signed": "{timestamp}:{body}",
            "secrets": [SECRET],
        }}),
        headers: vec![(
            "paddle-signature",
            "ts=1767225600;h1=ac15d9ce7ff787a1373c4043c626920803cfdfc0ff3db0b38f5442228c102efd",
        )],
        body: EVENT,
        now_s: NOW_S + 5,
    });
}

#[test]
fn slack() {
    // The example of its documentation.
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "X-Slack-Signature",
            "prefix": "v0=",
            "timestamp": {"header": "X-Slack-Request-Timestamp"},
            "signed": "v0:{timestamp}:{body}",
            "secrets": ["8f742231b10e8888abcd99yyyzzz85a5"],
        }}),
        headers: vec![
            ("x-slack-request-timestamp", "1531420618"),
            ("x-slack-signature", "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"),
        ],
        body: "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V\
               &channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=\
               &response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
               &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
        now_s: 1_531_420_618,
    });
}

#[test]
fn square() {
    // It signs the address that it posts to, too.
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "x-square-hmacsha256-signature",
            "encoding": "base64",
            "signed": "https://example.com/webhook{body}",
            "secrets": [SECRET],
        }}),
        headers: vec![("x-square-hmacsha256-signature", "RsCw3qHSxaDse5N/74DEW3IuWMT1RLomCu7o01ikpvI=")],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn vercel_with_sha1() {
    assert_accepted(&Example {
        verify: json!({"hmac": {"header": "x-vercel-signature", "algorithm": "sha1", "secrets": [SECRET]}}),
        headers: vec![("x-vercel-signature", "e30577381be4d93363e604f3b7287d109714a73b")],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn a_sender_whose_secret_is_hex() {
    assert_accepted(&Example {
        verify: json!({"hmac": {
            "header": "x-sig",
            "secret_encoding": "hex",
            "secrets": ["44782def547aaa06c910c43932b1eb0c71fc68d9"],
        }}),
        headers: vec![("x-sig", "fdcebf3026598f88453e3ce68370bc13368fc8a5dd4ecd93758a0596dffb72ce")],
        body: EVENT,
        now_s: NOW_S,
    });
}

#[test]
fn august_with_a_token() {
    let verify = json!({"token": {"header": "x-august-token", "secrets": [SECRET]}});
    let with = |value: &str| check(&verify, &[("X-August-Token", value.as_bytes())], EVENT.as_bytes(), NOW_S);
    assert!(with(SECRET).is_ok());
    assert_eq!(with("a-shared-secre"), Err(SignatureFault::Mismatch));
}
