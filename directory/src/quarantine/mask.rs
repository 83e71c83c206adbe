//! A body as it may be shown: its structure, without codes and PINs. It repairs nothing; the stored bytes stay as they are.
//!
//! Nobody can know every name that a device cloud gives to a code. So names are one rule (the core's), and what looks like
//! a code is another: a run of digits is masked under any name that does not say that it is an id or a time.

use event_core::confidential::Name;
use serde_json::{Map, Value};

/// In place of a value that is not shown at all: it tells no length.
const HIDDEN: &str = "***";

/// The depth that the filter takes.
const DEPTH: usize = 64;

/// So many digits in a row can be a PIN.
const N_DIGITS: usize = 3;

/// What can stand between the digits of a run.
const SEPARATORS: [char; 7] = [' ', ',', '-', '.', '/', ':', '_'];

/// A body that may be shown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Masked {
    /// It is strict JSON, as the filter means it.
    Json(Value),
    /// It is not: every letter and digit is replaced.
    Text(String),
}

/// Masks a body.
pub(crate) fn mask(body: &[u8]) -> Masked {
    match event_core::json::parse(body, DEPTH) {
        Ok(value) => Masked::Json(mask_value(value, Name::Other)),
        Err(_) => Masked::Text(String::from_utf8_lossy(body).chars().map(mask_char).collect()),
    }
}

fn mask_value(value: Value, name: Name) -> Value {
    match (value, name) {
        // That something is absent is no secret.
        (Value::Null, _) => Value::Null,
        (_, Name::Secret) => Value::from(HIDDEN),
        (Value::Object(members), _) => Value::Object(mask_members(members)),
        (Value::Array(items), name) => items.into_iter().map(|item| mask_value(item, name)).collect(),
        (Value::String(text), Name::Other) => Value::String(mask_digits(&text)),
        (Value::Number(number), Name::Other) if has_long_run(&number.to_string()) => Value::from(HIDDEN),
        (value @ (Value::Bool(_) | Value::Number(_) | Value::String(_)), _) => value,
    }
}

fn mask_members(members: Map<String, Value>) -> Map<String, Value> {
    let mut masked = Map::new();
    for (name, value) in members {
        let kind = Name::of(&name);
        // Names are the sender's too. Two that become one get a number each.
        let shown = mask_digits(&name);
        let mut unique = shown.clone();
        let mut number = 2;
        while masked.contains_key(&unique) {
            unique = format!("{shown} ({number})");
            number += 1;
        }
        masked.insert(unique, mask_value(value, kind));
    }
    masked
}

/// Replaces the digits of runs that are long enough for a PIN, also of those that are written in groups.
fn mask_digits(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut run = String::new();
    for char in text.chars() {
        let goes_on = char.is_numeric() || (!run.is_empty() && SEPARATORS.contains(&char));
        if !goes_on {
            end_run(&mut masked, &mut run);
            masked.push(char);
        } else {
            run.push(char);
        }
    }
    end_run(&mut masked, &mut run);
    masked
}

fn end_run(masked: &mut String, run: &mut String) {
    let is_long = run.chars().filter(|char| char.is_numeric()).count() >= N_DIGITS;
    masked.extend(run.chars().map(|char| if is_long { mask_char(char) } else { char }));
    run.clear();
}

/// Whether a number has a run of digits that is long enough for a PIN.
fn has_long_run(number: &str) -> bool {
    number.split(|char: char| !char.is_numeric()).any(|run| run.len() >= N_DIGITS)
}

fn mask_char(char: char) -> char {
    match char {
        char if char.is_alphabetic() => 'x',
        char if char.is_numeric() => '0',
        char => char,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn masked(value: &Value) -> Value {
        match mask(value.to_string().as_bytes()) {
            Masked::Json(value) => value,
            Masked::Text(text) => panic!("not JSON: {text}"),
        }
    }

    #[test]
    fn ids_types_and_times_are_shown() {
        let event = json!({
            "event_type": "access_code.created", "timestamp": "2026-02-10T14:24:18Z", "device_id": "491829",
            "data": {"access_code_id": "1234-5678", "starts_at": "2026-02-10", "battery_level": 85, "status": "ok",
                     "deviceIds": ["1111", 2222], "online": true, "bridgeId": 12345, "level": 0.5}
        });
        assert_eq!(masked(&event), event);
    }

    #[test]
    fn what_is_named_like_a_secret_is_hidden_whatever_it_is() {
        for name in [
            "code",
            "Code",
            "PIN",
            "pin_code",
            "accessCode",
            "access_code",
            "ACCESS-CODE",
            "accesscode",
            "userPin",
            "passcode",
            "password",
            "api_key",
            "secret",
            "auth_token",
            "otp",
            "newCodes",
            "credential",
        ] {
            for value in [json!("ab"), json!(12), json!(true), json!(["x", 1]), json!({"id": "x"})] {
                assert_eq!(masked(&json!({"data": {name: value}})), json!({"data": {name: "***"}}), "{name}");
            }
            let absent = json!({name: null});
            assert_eq!(masked(&absent), absent, "{name}");
        }
    }

    #[test]
    fn what_looks_like_a_pin_is_hidden_under_any_name() {
        assert_eq!(
            masked(
                &json!({"note": "Bob has 4711, room 12", "value": 4711, "deep": [["٤٧١١", {"x": "4 7-1 1"}]],
                           "9876": 1, "ratio": 0.25, "small": "99", "date": 20260210})
            ),
            json!({"note": "Bob has 0000, room 12", "value": "***", "deep": [["0000", {"x": "0 0-0 0"}]],
                   "0000": 1, "ratio": 0.25, "small": "99", "date": 20260210})
        );
        assert_eq!(masked(&json!("4711")), json!("0000"));
        assert_eq!(masked(&json!(4711)), json!("***"));
        assert_eq!(masked(&json!({"1234": "a", "5678": "b"})), json!({"0000": "a", "0000 (2)": "b"}));
    }

    #[test]
    fn what_is_not_strict_json_loses_every_letter_and_digit() {
        for (body, shown) in [
            (b"".as_slice(), ""),
            (b"{\"code\": \"12ab\",}", "{\"xxxx\": \"00xx\",}"),
            (b"{\"code\":1,\"code\":2}", "{\"xxxx\":0,\"xxxx\":0}"),
            (b"\xff1\x00b", "\u{fffd}0\0x"),
            ("pin=äß٣".as_bytes(), "xxx=xx0"),
        ] {
            assert_eq!(mask(body), Masked::Text(shown.to_owned()));
        }
    }

    /// JSON of any shape in which every string and name may hold the PIN, and every number is it.
    fn json_with_pins() -> impl Strategy<Value = Value> {
        let text = || "[a-z ]{0,4}(4711|)[äß. ]{0,3}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            Just(json!(4711)),
            Just(json!(-4711.5)),
            text().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let name = prop_oneof![
                text().prop_filter("a name that says what it is", |name| Name::of(name) != Name::Plain),
                prop::sample::select(vec!["code", "data", "items", "status", "PIN"]).prop_map(str::to_owned),
            ];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..6)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_pin_is_ever_shown(value in json_with_pins()) {
            let shown = masked(&value).to_string();
            prop_assert!(!shown.contains("4711"), "{shown}");
        }

        #[test]
        fn nothing_of_other_bytes_is_shown(body in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Masked::Text(text) = mask(&body) {
                prop_assert!(text.chars().all(|char| matches!(char, 'x' | '0') || !char.is_alphanumeric()), "{text}");
            }
        }
    }
}
