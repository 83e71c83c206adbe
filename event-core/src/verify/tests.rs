//! Each scheme against published examples and against what a forger would try.

use super::{Presented, Repeated, SignatureFault};
use crate::{Cause, Edge, Verdict};
use hmac::{Hmac, KeyInit, Mac};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::Sha256;

mod senders;

const NOW_S: u64 = 1_767_225_600;

fn edge(verify: &Value) -> Edge {
    let config = json!({
        "environment": "test",
        "sources": [{ "name": "acme", "path": "/", "verify": verify }],
    });
    let environment = |name: &str| (name == "ACME_SECRET").then(|| "from outside".to_owned());
    Edge::with_environment(config.to_string().as_bytes(), &environment).unwrap()
}

type Headers<'h> = [(&'h str, &'h [u8])];

fn gather(edge: &Edge, headers: &Headers<'_>) -> Result<Presented, Repeated> {
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), *value));
    edge.config().sources[0].verify.gather(headers)
}

/// The id that the signature covers, empty without one, or what is wrong.
fn check(verify: &Value, headers: &Headers<'_>, body: &[u8], now_s: u64) -> Result<String, SignatureFault> {
    let edge = edge(verify);
    let presented = gather(&edge, headers).expect("no header is repeated");
    let proved = edge.config().sources[0].verify.check(Some(&presented), body, now_s)?;
    Ok(proved.event_id.unwrap_or_default().to_owned())
}

fn sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

fn base64(bytes: &[u8]) -> String {
    let mut buffer = vec![0; bytes.len() * 2 + 4];
    <base64ct::Base64 as base64ct::Encoding>::encode(bytes, &mut buffer).unwrap().to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A key of Standard Webhooks and its secret.
const KEY: &[u8] = b"twenty-four bytes of key";
const SECRET: &str = "whsec_dHdlbnR5LWZvdXIgYnl0ZXMgb2Yga2V5";

fn standard_webhooks() -> Value {
    json!({"standard_webhooks": {"secrets": [SECRET]}})
}

/// What a sender signs, with one thing changed at a time.
struct Message<'m> {
    id: &'m str,
    timestamp: &'m str,
    body: &'m [u8],
}

impl Message<'_> {
    const GOOD: Message<'static> = Message { id: "msg_1", timestamp: "1767225600", body: b"{}" };

    fn signature(&self, key: &[u8]) -> String {
        let message = [self.id.as_bytes(), b".", self.timestamp.as_bytes(), b".", self.body].concat();
        format!("v1,{}", base64(&sha256(key, &message)))
    }

    fn check(&self, signature: &str) -> Result<String, SignatureFault> {
        let headers: [(&str, &[u8]); 3] = [
            ("webhook-id", self.id.as_bytes()),
            ("webhook-timestamp", self.timestamp.as_bytes()),
            ("webhook-signature", signature.as_bytes()),
        ];
        check(&standard_webhooks(), &headers, self.body, NOW_S)
    }
}

#[test]
fn a_signature_holds_for_its_own_message_only() {
    let good = Message::GOOD;
    let signature = good.signature(KEY);
    assert_eq!(good.check(&signature), Ok("msg_1".to_owned()));
    for (what, other) in [
        ("id", Message { id: "msg_2", ..good }),
        ("timestamp", Message { timestamp: "1767225601", ..good }),
        ("timestamp in another form", Message { timestamp: "01767225600", ..good }),
        ("body", Message { body: b"{ }", ..good }),
        ("no body", Message { body: b"", ..good }),
    ] {
        assert_eq!(other.check(&signature), Err(SignatureFault::Mismatch), "{what}");
        assert_eq!(other.check(&other.signature(KEY)).map(|_| ()), Ok(()), "{what}");
    }
    assert_eq!(good.check(&good.signature(b"another key")), Err(SignatureFault::Mismatch));
}

#[test]
fn a_dot_cannot_be_moved_between_id_and_timestamp() {
    // `a.17.{}` could be the id `a` signed at 17, or another id.
    for id in ["", "msg.1", "msg 1", "msg\t1", "müll", "msg\u{7f}", &"m".repeat(257)] {
        let message = Message { id, ..Message::GOOD };
        assert_eq!(message.check(&message.signature(KEY)), Err(SignatureFault::IdInvalid), "{id:?}");
    }
    let longest = "m".repeat(256);
    let message = Message { id: &longest, ..Message::GOOD };
    assert_eq!(message.check(&message.signature(KEY)), Ok(longest.clone()));
}

#[test]
fn a_signature_is_looked_for_among_what_is_none() {
    let good = Message::GOOD.signature(KEY);
    let bare = good.strip_prefix("v1,").unwrap();
    for signatures in [
        format!("v1,AAAA {good}"),
        format!("{good} v1,AAAA"),
        format!("v1a,{bare} v2,{bare} v1 , v1,= {good} nothing"),
        format!("  {good}  "),
    ] {
        assert_eq!(Message::GOOD.check(&signatures), Ok("msg_1".to_owned()), "{signatures}");
    }
    for signatures in
        ["", " ", "v1,", bare, &format!("v1a,{bare}"), &format!("V1,{bare}"), &format!("v1,{bare}x")]
    {
        assert_eq!(Message::GOOD.check(signatures), Err(SignatureFault::Malformed), "{signatures}");
    }
}

#[test]
fn a_truncated_or_padded_signature_is_none() {
    // RUSTSEC-2024-0010: a comparison of the common beginning lets a prefix of a signature through.
    let mac = sha256(KEY, b"msg_1.1767225600.{}");
    for n_bytes in 0..mac.len() {
        let signature = format!("v1,{}", base64(&mac[..n_bytes]));
        assert_eq!(Message::GOOD.check(&signature), Err(SignatureFault::Malformed), "{n_bytes} bytes");
    }
    for n_bytes in [1, 2, 32, 64] {
        let signature = format!("v1,{}", base64(&[&mac[..], &vec![0; n_bytes]].concat()));
        assert_eq!(Message::GOOD.check(&signature), Err(SignatureFault::Malformed), "{n_bytes} bytes more");
    }
    assert!(Message::GOOD.check(&format!("v1,{}", base64(&mac))).is_ok());
}

#[test]
fn only_so_many_signatures_are_looked_at() {
    let wrong = Message::GOOD.signature(b"another key");
    let with = |n_wrong: usize| {
        let all: Vec<_> =
            std::iter::repeat_n(wrong.clone(), n_wrong).chain([Message::GOOD.signature(KEY)]).collect();
        Message::GOOD.check(&all.join(" ")).map(|_| ())
    };
    assert_eq!(with(super::SIGNATURES - 1), Ok(()));
    assert_eq!(with(super::SIGNATURES), Err(SignatureFault::Mismatch));
}

#[test]
fn the_timestamp_of_the_attempt_counts_both_ways() {
    for (timestamp, result) in [
        ("1767225300", Ok(())),
        ("1767225299", Err(SignatureFault::TimestampTooOld)),
        ("1767225900", Ok(())),
        ("1767225901", Err(SignatureFault::TimestampTooNew)),
        ("1767225600.5", Err(SignatureFault::TimestampInvalid)),
        ("", Err(SignatureFault::TimestampInvalid)),
    ] {
        let message = Message { timestamp, ..Message::GOOD };
        assert_eq!(message.check(&message.signature(KEY)).map(|_| ()), result, "{timestamp}");
    }
}

#[test]
fn old_and_new_secrets_hold_at_once() {
    let secret = |key: &[u8]| format!("whsec_{}", base64(key));
    let keys: Vec<Vec<u8>> = (0..16).map(|number| format!("key number {number}").into_bytes()).collect();
    let secrets: Vec<_> = keys.iter().map(|key| secret(key)).collect();
    let verify = json!({"standard_webhooks": {"secrets": secrets}});
    let check_with = |key: &[u8]| {
        let headers: [(&str, &[u8]); 3] = [
            ("webhook-id", b"msg_1"),
            ("webhook-timestamp", b"1767225600"),
            ("webhook-signature", &Message::GOOD.signature(key).into_bytes()),
        ];
        check(&verify, &headers, b"{}", NOW_S).map(|_| ())
    };
    for key in &keys {
        assert_eq!(check_with(key), Ok(()));
    }
    assert_eq!(check_with(b"key number 16"), Err(SignatureFault::Mismatch));
}

#[test]
fn both_sets_of_names_are_ambiguous_and_so_are_repeats() {
    let edge = edge(&standard_webhooks());
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let one = |name: &'static str| (name, &b"1"[..]);
    let own = names.map(one);
    assert!(gather(&edge, &own).is_ok());
    assert!(gather(&edge, &["svix-id", "svix-timestamp", "svix-signature"].map(one)).is_ok());
    for further in ["svix-id", "svix-timestamp", "svix-signature", "webhook-id", "Webhook_Id", "SVIX-ID"] {
        for first in [true, false] {
            let mut headers = own.to_vec();
            headers.insert(if first { 0 } else { 3 }, one(further));
            assert_eq!(gather(&edge, &headers), Err(Repeated), "{further}");
        }
    }
    // Half of one and half of the other are both, too.
    assert_eq!(gather(&edge, &["webhook-id", "svix-timestamp", "svix-signature"].map(one)), Err(Repeated));
    assert!(gather(&edge, &[one("webhook-id"), one("webhook-other"), one("svix-other")]).is_ok());
}

#[test]
fn a_missing_or_overlong_header_is_told_apart() {
    let signature = Message::GOOD.signature(KEY).into_bytes();
    let long = vec![b'1'; super::HEADER_BYTES + 1];
    let headers: [(&str, &[u8]); 3] =
        [("webhook-id", b"msg_1"), ("webhook-timestamp", b"1767225600"), ("webhook-signature", &signature)];
    for index in 0..headers.len() {
        let mut fewer = headers.to_vec();
        fewer.remove(index);
        assert_eq!(check(&standard_webhooks(), &fewer, b"{}", NOW_S), Err(SignatureFault::Missing));
        let mut longer = headers;
        longer[index].1 = &long;
        assert_eq!(check(&standard_webhooks(), &longer, b"{}", NOW_S), Err(SignatureFault::TooLong));
    }
}

#[test]
fn a_token_must_be_whole_and_behind_its_prefix() {
    let verify =
        json!({"token": {"header": "X-Api-Key", "secrets": ["first token", {"env": "ACME_SECRET"}]}});
    let with = |value: &str| check(&verify, &[("x-api-key", value.as_bytes())], b"", NOW_S).map(|_| ());
    assert_eq!(with("first token"), Ok(()));
    assert_eq!(with("from outside"), Ok(()));
    for value in
        ["", "first", "first token ", "First token", "first token,first token", "first tokenfrom outside"]
    {
        assert_eq!(with(value), Err(SignatureFault::Mismatch), "{value}");
    }
    assert_eq!(check(&verify, &[], b"", NOW_S), Err(SignatureFault::Missing));
    let verify = json!({"token": {"header": "authorization", "prefix": "Bearer ", "secrets": ["t0ken"]}});
    let with = |value: &str| check(&verify, &[("Authorization", value.as_bytes())], b"", NOW_S).map(|_| ());
    assert_eq!(with("Bearer t0ken"), Ok(()));
    assert_eq!(with("Bearer t0ken2"), Err(SignatureFault::Mismatch));
    assert_eq!(with("t0ken"), Err(SignatureFault::Malformed));
}

#[test]
fn a_token_stays_here_and_a_signature_goes_on() {
    let forbidden = |verify: &Value, headers: &Headers<'_>| {
        let edge = edge(verify);
        let usual: [(&str, &[u8]); 3] =
            [(":path", b"/"), (":method", b"POST"), ("content-type", b"application/json")];
        let all = usual.iter().chain(headers).map(|(name, value)| (name.as_bytes(), *value));
        edge.admit(all).map(|admission| admission.forbidden)
    };
    let token = json!({"token": {"header": "x-api-key", "secrets": ["t0ken"]}});
    assert_eq!(forbidden(&token, &[("X_Api-Key", b"t0ken")]).unwrap(), ["X_Api-Key"]);
    let twice: [(&str, &[u8]); 2] = [("x-api-key", b"t0ken"), ("x-api_key", b"t0ken")];
    assert_eq!(forbidden(&token, &twice).unwrap_err().cause(), Cause::HeaderAmbiguous);
    let hmac = json!({"hmac": {"header": "x-sig", "secrets": ["s"]}});
    assert!(forbidden(&hmac, &[("x-sig", b"00")]).unwrap().is_empty());
    let twice: [(&str, &[u8]); 2] = [("x-sig", b"00"), ("X-Sig", b"00")];
    assert_eq!(forbidden(&hmac, &twice).unwrap_err().cause(), Cause::HeaderAmbiguous);
}

#[test]
fn what_is_presented_never_prints() {
    let edge = edge(&json!({"token": {"header": "x-api-key", "secrets": ["topsecret"]}}));
    let presented = gather(&edge, &[("x-api-key", b"topsecret")]).unwrap();
    let shown = format!("{presented:?} {edge:?}");
    assert!(!shown.contains("topsecret") && !shown.contains("116, 111, 112"), "{shown}");
}

#[test]
fn the_signature_comes_after_the_size_and_before_the_json() {
    let config = json!({
        "environment": "test",
        "sources": [{
            "name": "acme",
            "path": "/",
            "verify": {"token": {"header": "x-api-key", "secrets": ["t0ken"]}},
        }],
        "limits": { "body_bytes": 10 },
    });
    let edge = Edge::from_json(config.to_string().as_bytes()).unwrap();
    let judge = |token: &'static [u8], body: &[u8]| {
        let headers: [(&[u8], &[u8]); 4] = [
            (b":path", b"/"),
            (b":method", b"POST"),
            (b"content-type", b"application/json"),
            (b"x-api-key", token),
        ];
        let admission = edge.admit(headers).unwrap();
        match edge.judge(&admission, body, NOW_S, &()) {
            Verdict::Refuse(refusal) => refusal,
            other @ (Verdict::Forward(_) | Verdict::Ask(_)) => panic!("not refused: {other:?}"),
        }
    };
    assert_eq!(judge(b"wrong", b"more than ten bytes").cause(), Cause::BodyTooLarge);
    assert_eq!(judge(b"wrong", b"no JSON").cause(), Cause::SignatureInvalid);
    assert_eq!(judge(b"t0ken", b"no JSON").cause(), Cause::JsonMalformed);
}

#[test]
fn every_fault_has_one_and_the_same_answer() {
    let answers: Vec<_> = SignatureFault::ALL
        .into_iter()
        .map(|fault| {
            let refusal = crate::Refusal::signature_invalid(fault);
            assert_eq!(refusal.signature_fault(), Some(fault));
            (refusal.status(), refusal.headers(0), refusal.body())
        })
        .collect();
    assert_eq!(answers[0].0, 401);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let names: std::collections::BTreeSet<_> = SignatureFault::ALL.iter().map(|fault| fault.name()).collect();
    assert_eq!(names.len(), SignatureFault::ALL.len());
}

proptest! {
    #[test]
    fn whatever_is_signed_is_accepted_and_a_changed_bit_is_not(
        id in "[!-\\-/-~]{1,40}",
        offset in -300i64..=300,
        body: Vec<u8>,
        bit in 0usize..256,
    ) {
        let timestamp = NOW_S.saturating_add_signed(offset).to_string();
        let message = Message { id: &id, timestamp: &timestamp, body: &body };
        prop_assert_eq!(message.check(&message.signature(KEY)), Ok(id.clone()));
        let mut mac = sha256(KEY, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat());
        mac[bit / 8] ^= 1 << (bit % 8);
        let forged = format!("v1,{}", base64(&mac));
        prop_assert_eq!(message.check(&forged), Err(SignatureFault::Mismatch));
    }

    #[test]
    fn no_header_breaks_a_scheme_or_is_taken_for_a_proof(
        first: Vec<u8>, second: Vec<u8>, third: Vec<u8>, body: Vec<u8>,
    ) {
        let schemes = [
            standard_webhooks(),
            json!({"hmac": {"header": "webhook-signature", "secrets": ["s"], "item": "v1", "timestamp": {"item": "t"}}}),
            json!({"hmac": {"header": "webhook-signature", "secrets": ["s"], "prefix": "v0=", "timestamp": {"header": "webhook-timestamp"}}}),
            json!({"token": {"header": "webhook-signature", "secrets": ["a token that chance does not hit"]}}),
        ];
        for verify in schemes {
            let headers: [(&str, &[u8]); 3] =
                [("webhook-id", &first), ("webhook-timestamp", &second), ("webhook-signature", &third)];
            prop_assert!(check(&verify, &headers, &body, NOW_S).is_err());
        }
    }

    #[test]
    fn a_list_of_items_is_read_in_any_order_and_with_strangers_in_it(
        before in "([a-z0-9]{1,4}=[a-z0-9+/]{0,8}[,;] ?){0,4}",
        after in "([,;] ?[a-z0-9]{1,4}=[a-z0-9+/]{0,8}){0,4}",
        swapped: bool,
    ) {
        // A stranger called `t` would be a second timestamp.
        prop_assume!(!format!("{before},{after}").split([',', ';']).any(|item| item.trim().starts_with("t=")));
        let verify = json!({"hmac": {"header": "x-sig", "secrets": ["s"], "item": "v1", "timestamp": {"item": "t"}}});
        let signature = format!("v1={}", hex(&sha256(b"s", b"1767225600.{}")));
        let parts = if swapped { [signature.as_str(), "t=1767225600"] } else { ["t=1767225600", &signature] };
        let header = format!("{before}{}{after}", parts.join(","));
        prop_assert_eq!(check(&verify, &[("x-sig", header.as_bytes())], b"{}", NOW_S).map(|_| ()), Ok(()));
    }
}
