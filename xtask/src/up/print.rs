//! What the upstream of `up` shows of an event: Bellhop's headers and the body, PINs masked. It sends nothing.

use std::fmt::Write;

use serde_json::Value;
use testbed::upstream::Received;

/// The headers worth showing: those that Bellhop adds for whoever receives the event.
const SHOWN: [&str; 15] = [
    "x-event-id",
    "idempotency-key",
    "x-event-type",
    "x-event-timestamp",
    "x-event-source",
    "x-event-environment",
    "x-device-id",
    "x-bridge-id",
    "x-access-code-id",
    "x-connected-account-id",
    "x-customer-key",
    "x-assigned-by",
    "x-event-partition-key",
    "x-event-out-of-order",
    "x-envoy-attempt-count",
];

/// Members that hold a PIN, at any depth and in any case.
const SECRET: [&str; 2] = ["code", "pin"];

/// The event as a few lines.
pub(super) fn received(request: &Received) -> String {
    let mut text = format!("--- {} {}\n", request.method, request.path);
    for name in SHOWN {
        for value in request.headers.all(name) {
            let _ = writeln!(text, "{name}: {}", String::from_utf8_lossy(value));
        }
    }
    text + &masked(&request.body)
}

/// The body with its PINs masked, otherwise as it came. What cannot be read is not shown at all.
fn masked(body: &[u8]) -> String {
    let shown = std::str::from_utf8(body).ok().filter(|text| parse_at(text).is_some()).and_then(mask);
    shown.unwrap_or_else(|| format!("({} bytes that are no JSON)", body.len()))
}

/// Copies the text of a JSON value and masks what stands behind the names of secrets.
fn mask(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('"') {
        out.push_str(&rest[..quote]);
        rest = &rest[quote..];
        let (string, length) = parse_at(rest)?;
        out.push_str(&rest[..length]);
        rest = &rest[length..];
        let gap = rest.len() - rest.trim_start().len();
        let is_name = rest[gap..].starts_with(':');
        let is_secret =
            string.as_str().is_some_and(|name| SECRET.iter().any(|it| it.eq_ignore_ascii_case(name)));
        if is_name && is_secret {
            let (value, length) = parse_at(&rest[gap + 1..])?;
            let shown = if value.is_null() { "null" } else { "\"****\"" };
            out.push(':');
            out.push_str(shown);
            rest = &rest[gap + 1 + length..];
        }
    }
    out.push_str(rest);
    Some(out)
}

/// The JSON value at the start of the text, and how many bytes it takes.
fn parse_at(text: &str) -> Option<(Value, usize)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    let value = values.next()?.ok()?;
    Some((value, values.byte_offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_masked_and_the_rest_stays() {
        let body = r#"{ "code" : "0042", "a":"code", "data":{"PIN":7,"x":"\"code\":\"1\"","co\u0064e":{"code":"9"}}, "pin":null }"#;
        let shown = r#"{ "code":"****", "a":"code", "data":{"PIN":"****","x":"\"code\":\"1\"","co\u0064e":"****"}, "pin":null }"#;
        assert_eq!(masked(body.as_bytes()), shown);
    }

    #[test]
    fn what_cannot_be_read_is_not_shown() {
        assert_eq!(masked(b"\xff\"code\":\"0042\""), "(14 bytes that are no JSON)");
        assert_eq!(masked(b"{\"code\":\"0042"), "(13 bytes that are no JSON)");
    }
}
