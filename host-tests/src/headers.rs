//! Header lists in a form that runners can be compared by: text, sorted, without what Envoy and HTTP add. It judges none.

use anyhow::{Context, Result, bail};

/// Name and value of each header, as bytes.
pub type Raw = Vec<(Vec<u8>, Vec<u8>)>;

/// Name and value of each header, as [`shown`].
pub type Shown = Vec<(String, String)>;

/// What the client's HTTP, Envoy's connection manager and its router add to a request or change in it. The attempt count
/// is checked where it is read.
const ADDED_TO_REQUESTS: [&str; 12] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "x-envoy-attempt-count",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-request-id",
];

/// The same for an answer.
const ADDED_TO_RESPONSES: [&str; 6] =
    ["connection", "content-length", "date", "server", "transfer-encoding", "x-request-id"];

/// What the plugin tells the router, which takes it away: the simulator and the core still see it.
const FOR_THE_ROUTER: [&str; 6] = [
    "x-bellhop-route",
    "x-envoy-max-retries",
    "x-envoy-retriable-status-codes",
    "x-envoy-retry-on",
    "x-envoy-upstream-rq-per-try-timeout-ms",
    "x-envoy-upstream-rq-timeout-ms",
];

/// Bytes as text: visible ASCII and spaces as they are, but a backslash and all other bytes as `\xNN`.
pub fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\x5c"),
            0x20..=0x7e => text.push(char::from(*byte)),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// The bytes of a text: `\xNN` is one byte, everything else its UTF-8.
///
/// # Errors
/// When a backslash begins anything else.
pub fn unshown(text: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let digits = escape.strip_prefix('x').and_then(|digits| digits.get(..2));
        let Some(digits) = digits else { bail!("a backslash begins only `\\xNN`: {text:?}") };
        bytes.push(u8::from_str_radix(digits, 16).with_context(|| format!("no hex digits in {text:?}"))?);
        rest = &escape[3..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

/// The headers of a request that upstream got, but for those that only Envoy, HTTP or the router are concerned with.
pub fn of_request<'a>(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Shown {
    kept(headers, |name| !ADDED_TO_REQUESTS.contains(&name))
}

/// What the plugin tells the router.
pub fn for_the_router(headers: &Shown) -> Shown {
    headers.iter().filter(|(name, _)| FOR_THE_ROUTER.contains(&name.as_str())).cloned().collect()
}

/// The rest.
pub fn without_those_for_the_router(headers: Shown) -> Shown {
    headers.into_iter().filter(|(name, _)| !FOR_THE_ROUTER.contains(&name.as_str())).collect()
}

/// The headers of an answer.
pub fn of_response<'a>(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Shown {
    kept(headers, |name| !ADDED_TO_RESPONSES.contains(&name))
}

/// Trailers, none left out.
pub fn of_trailers<'a>(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Shown {
    kept(headers, |_| true)
}

/// Sorted by name: Envoy keeps the order of the values of one name and of nothing else.
fn kept<'a>(
    headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
    is_kept: impl Fn(&str) -> bool,
) -> Shown {
    let mut list: Shown = headers
        .into_iter()
        .map(|(name, value)| (shown(&name.to_ascii_lowercase()), shown(value)))
        .filter(|(name, _)| !name.starts_with(':') && is_kept(name))
        .collect();
    list.sort_by(|(one, _), (other, _)| one.cmp(other));
    list
}

/// Raw headers as pairs of slices.
pub fn slices(headers: &Raw) -> impl Iterator<Item = (&[u8], &[u8])> + Clone {
    headers.iter().map(|(name, value)| (name.as_slice(), value.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_read_back() {
        let every: Vec<u8> = (0..=255).collect();
        assert_eq!(unshown(&shown(&every)).unwrap(), every);
        assert_eq!(unshown("caf\u{e9}").unwrap(), "caf\u{e9}".as_bytes());
        for bad in ["\\", "\\n", "\\x1", "\\xzz"] {
            assert!(unshown(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_of_one_name_keep_their_order() {
        let headers: [(&[u8], &[u8]); 4] = [(b"X-B", b"2"), (b"x-a", b"z"), (b"x-b", b"1"), (b":path", b"/")];
        let wanted = [("x-a", "z"), ("x-b", "2"), ("x-b", "1")];
        assert_eq!(of_request(headers), wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }
}
