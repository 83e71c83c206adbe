//! The names of every header that Bellhop sets, which ones a client may never bring, and how values are written.

/// The event's id.
pub const EVENT_ID: &str = "x-event-id";
/// The same value, under the name that upstreams know.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The event type.
pub const EVENT_TYPE: &str = "x-event-type";
/// The event's instant: RFC 3339, UTC, at most nanoseconds.
pub const EVENT_TIMESTAMP: &str = "x-event-timestamp";
/// The name of the source.
pub const EVENT_SOURCE: &str = "x-event-source";
/// The environment of this gateway.
pub const EVENT_ENVIRONMENT: &str = "x-event-environment";
/// The device that the event is about.
pub const DEVICE_ID: &str = "x-device-id";
/// The bridge that the event is about.
pub const BRIDGE_ID: &str = "x-bridge-id";
/// The access code that the event is about.
pub const ACCESS_CODE_ID: &str = "x-access-code-id";
/// The accounts that own the subject, sorted, joined by commas.
pub const CONNECTED_ACCOUNT_ID: &str = "x-connected-account-id";
/// Their customers, in the same order; an absent key is an empty item.
pub const CUSTOMER_KEY: &str = "x-customer-key";
/// The kind of id that found the accounts.
pub const ASSIGNED_BY: &str = "x-assigned-by";
/// Age in seconds of an assignment that was served while the directory was away.
pub const ASSIGNMENT_STALE: &str = "x-assignment-stale";
/// Events with equal values reach one upstream host while the host set is stable.
pub const EVENT_PARTITION_KEY: &str = "x-event-partition-key";
/// The event is older than one already accepted for its device.
pub const EVENT_OUT_OF_ORDER: &str = "x-event-out-of-order";
/// The cause, to the quarantine sink.
pub const EVENT_CAUSE: &str = "x-event-cause";
/// On the answer to a sender: the event was accepted before.
pub const EVENT_DUPLICATE: &str = "x-event-duplicate";
/// On the answer to a sender: the event was not forwarded, the quarantine sink has it.
pub const EVENT_QUARANTINED: &str = "x-event-quarantined";
/// From whoever replays quarantined events: its secret.
pub const BELLHOP_REPLAY: &str = "x-bellhop-replay";
/// From whoever replays quarantined events: the id that the event had.
pub const BELLHOP_REPLAY_ID: &str = "x-bellhop-replay-id";
/// Chooses the route inside the gateway.
pub const BELLHOP_ROUTE: &str = "x-bellhop-route";
/// What the router retries on.
pub const RETRY_ON: &str = "x-envoy-retry-on";
/// How often the router retries.
pub const MAX_RETRIES: &str = "x-envoy-max-retries";
/// How long the router gives upstream in all, in milliseconds.
pub const TIMEOUT_MS: &str = "x-envoy-upstream-rq-timeout-ms";
/// How long the router gives upstream for one try, in milliseconds.
pub const PER_TRY_TIMEOUT_MS: &str = "x-envoy-upstream-rq-per-try-timeout-ms";
/// Statuses of upstream that the router retries on.
pub const RETRIABLE_STATUS_CODES: &str = "x-envoy-retriable-status-codes";

/// Every header that Bellhop can set, those of switched-off features too. Prefixes are in [`is_reserved`].
pub const RESERVED: [&str; 26] = [
    EVENT_ID,
    IDEMPOTENCY_KEY,
    EVENT_TYPE,
    EVENT_TIMESTAMP,
    EVENT_SOURCE,
    EVENT_ENVIRONMENT,
    DEVICE_ID,
    BRIDGE_ID,
    ACCESS_CODE_ID,
    CONNECTED_ACCOUNT_ID,
    CUSTOMER_KEY,
    ASSIGNED_BY,
    ASSIGNMENT_STALE,
    EVENT_PARTITION_KEY,
    EVENT_OUT_OF_ORDER,
    EVENT_CAUSE,
    EVENT_DUPLICATE,
    EVENT_QUARANTINED,
    BELLHOP_REPLAY,
    BELLHOP_REPLAY_ID,
    BELLHOP_ROUTE,
    RETRY_ON,
    MAX_RETRIES,
    TIMEOUT_MS,
    PER_TRY_TIMEOUT_MS,
    RETRIABLE_STATUS_CODES,
];

/// CloudEvents 1.0, binary mode.
const CLOUD_EVENTS: &[u8] = b"ce-";
/// Bellhop's own routing.
const BELLHOP: &[u8] = b"x-bellhop-";
/// Envoy's own: a client could steer retries, timeouts and shadowing with them.
const ENVOY: &[u8] = b"x-envoy-";
/// Envoy sets these two itself, after cleaning; upstreams read them.
const ENVOY_KEPT: [&[u8]; 2] = [b"x-envoy-external-address", b"x-envoy-internal"];

/// Whether a header or trailer of this name from a client must be dropped.
///
/// Case does not count, and `_` counts as `-`: some upstreams cannot tell `x_device_id` from `x-device-id`. The names
/// that Envoy sets are kept only in Envoy's own spelling.
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    if !matches!(name.first(), Some(b'c' | b'C' | b'i' | b'I' | b'x' | b'X')) {
        return false;
    }
    if folded_starts_with(name, ENVOY) {
        return !ENVOY_KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept));
    }
    folded_starts_with(name, CLOUD_EVENTS)
        || folded_starts_with(name, BELLHOP)
        || RESERVED.iter().any(|reserved| same_name(name, reserved.as_bytes()))
}

/// Whether two header names are the same, case aside and with `_` for `-`.
pub(crate) fn same_name(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| fold(*a) == fold(*b))
}

/// Whether a header name starts with `prefix` (lower-case, hyphens), case aside and with `_` for `-`.
pub(crate) fn folded_starts_with(name: &[u8], prefix: &[u8]) -> bool {
    name.len() >= prefix.len() && name.iter().zip(prefix).all(|(byte, expected)| fold(*byte) == *expected)
}

const fn fold(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}

/// Writes `text` as a header value, behind what `value` holds: the bytes of its UTF-8 outside 0x21–0x7E, and `%` and `,`,
/// become `%XX`.
pub(crate) fn encode_into(value: &mut String, text: &str) {
    if text.bytes().all(is_plain) {
        return value.push_str(text);
    }
    for byte in text.bytes() {
        if is_plain(byte) {
            value.push(char::from(byte));
        } else {
            value.push('%');
            value.extend([byte >> 4, byte & 0xf].map(upper_hex));
        }
    }
}

/// The same, as a value of its own.
pub(crate) fn encoded(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    encode_into(&mut value, text);
    value
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x21..=0x7e) && byte != b'%' && byte != b','
}

fn upper_hex(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_header_that_bellhop_sets_is_reserved_in_any_spelling() {
        for name in RESERVED.into_iter().chain(["ce-id", "ce-type", "ce-anything", "x-bellhop-anything"]) {
            for spelling in
                [name.to_owned(), name.to_uppercase(), name.replace('-', "_"), name.replacen('-', "_", 1)]
            {
                assert!(is_reserved(spelling.as_bytes()), "{spelling}");
            }
        }
    }

    #[test]
    fn of_envoys_headers_only_two_are_kept_and_only_as_envoy_spells_them() {
        for (name, reserved) in [
            ("x-envoy-attempt-count", true),
            ("x-envoy-original-path", true),
            ("X-Envoy-Hedge-On-Per-Try-Timeout", true),
            ("x_envoy_anything", true),
            ("x-envoy-external-address", false),
            ("x-envoy-internal", false),
            ("x_envoy_internal", true),
            ("x-envoy-external_address", true),
        ] {
            assert_eq!(is_reserved(name.as_bytes()), reserved, "{name}");
        }
    }

    #[test]
    fn other_headers_pass() {
        for name in
            ["content-type", "x-request-id", "cookie", "ce", "c", "", "x-device", "x-device-id-2", "x-envoy"]
        {
            assert!(!is_reserved(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn bytes_that_could_split_or_blur_a_header_are_escaped() {
        for (text, value) in [
            ("lock_491829", "lock_491829"),
            ("IQ-00:1B:C5", "IQ-00:1B:C5"),
            ("a b", "a%20b"),
            ("100%,", "100%25%2C"),
            ("дверь/7", "%D0%B4%D0%B2%D0%B5%D1%80%D1%8C/7"),
            ("a\r\nb", "a%0D%0Ab"),
            ("\u{7f}~!", "%7F~!"),
            ("", ""),
        ] {
            assert_eq!(encoded(text), value, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn encoding_loses_nothing_and_writes_only_visible_ascii(text: String) {
            let value = encoded(&text);
            prop_assert!(value.bytes().all(|byte| matches!(byte, 0x21..=0x7e) && byte != b','));
            let mut bytes = Vec::new();
            let mut rest = value.as_bytes();
            while let Some((byte, after)) = rest.split_first() {
                if *byte == b'%' {
                    bytes.push(u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap());
                    rest = &after[2..];
                } else {
                    bytes.push(*byte);
                    rest = after;
                }
            }
            prop_assert_eq!(bytes, text.into_bytes());
        }
    }
}
