//! The headers of an event that is set aside. They become columns, and headers and path of a replay: what could not be sent
//! again is refused.

use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName};
use directory_api::is_source;

use crate::problem::{Kind, Problem};
use crate::store::NewQuarantined;

/// An id has 256 bytes at most, each of which the filter may write as `%XX`.
const EVENT_ID_BYTES: usize = 3 * 256;
const CAUSE_BYTES: usize = 64;
const ENVIRONMENT_BYTES: usize = 1024;
const MEDIA_TYPE_BYTES: usize = 1024;
const PATH_BYTES: usize = 8192;
/// Three times the longest id, and a source in front of it.
const OPTIONAL_BYTES: usize = 4096;

/// What the headers say of an event whose body is still to come.
pub(super) fn read(headers: &HeaderMap) -> Result<NewQuarantined<'_>, Problem> {
    if headers.get_all(CONTENT_ENCODING).iter().any(|it| !it.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(Kind::HeaderInvalid, "the body must not be encoded"));
    }
    let visible = |name, most| one(headers, name, |text| text.len() <= most && is_visible(text));
    let optional = |name| visible(name, OPTIONAL_BYTES);
    Ok(NewQuarantined {
        environment: required("x-event-environment", visible("x-event-environment", ENVIRONMENT_BYTES))?,
        source: required("x-event-source", one(headers, "x-event-source", is_source))?,
        event_id: required("x-event-id", one(headers, "x-event-id", is_event_id))?,
        cause: required("x-event-cause", one(headers, "x-event-cause", is_cause))?,
        path: required("x-envoy-original-path", one(headers, "x-envoy-original-path", is_path))?,
        content_type: required("content-type", one(headers, CONTENT_TYPE.as_str(), is_media_type))?,
        event_type: optional("x-event-type")?,
        event_timestamp: optional("x-event-timestamp")?,
        device_id: optional("x-device-id")?,
        bridge_id: optional("x-bridge-id")?,
        access_code_id: optional("x-access-code-id")?,
        partition_key: optional("x-event-partition-key")?,
        body: &[],
    })
}

/// A header that stands there once, or not at all.
fn one<'h>(
    headers: &'h HeaderMap,
    name: &'static str,
    is_good: impl Fn(&str) -> bool,
) -> Result<Option<&'h str>, Problem> {
    let mut values = headers.get_all(HeaderName::from_static(name)).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().filter(|text| is_good(text)),
        (Some(_), Some(_)) => None,
    };
    value.map(Some).ok_or_else(|| {
        let detail = format!("the header `{name}` is repeated, too long, or not of its form");
        Problem::new(Kind::HeaderInvalid, detail)
    })
}

fn required<'h>(name: &'static str, value: Result<Option<&'h str>, Problem>) -> Result<&'h str, Problem> {
    let missing = || Problem::new(Kind::HeaderInvalid, format!("the header `{name}` has to be there"));
    value?.ok_or_else(missing)
}

fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// As the filter takes it back at a replay: `.` separates the parts of what Standard Webhooks sign.
fn is_event_id(text: &str) -> bool {
    text.len() <= EVENT_ID_BYTES && is_visible(text) && !text.contains('.')
}

/// Whether this can name a cause. Filters that are newer than this program may have more.
pub(super) fn is_cause(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    !text.is_empty() && text.len() <= CAUSE_BYTES && text.bytes().all(is_word)
}

fn is_path(text: &str) -> bool {
    let is_origin = text.starts_with('/') && !text.contains('#');
    is_origin && text.len() <= PATH_BYTES && is_visible(text) && text.parse::<PathAndQuery>().is_ok()
}

fn is_media_type(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    !text.trim().is_empty() && text.len() <= MEDIA_TYPE_BYTES && text.bytes().all(is_plain)
}
