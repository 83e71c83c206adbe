//! What a request may say: queries, path parameters, bodies. Strict: what a route does not know is refused.

use std::str::FromStr;

use axum::body::{Bytes, to_bytes};
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use directory_api::{is_id, is_source};

use crate::problem::{Kind, Problem};

/// Reads a query of these parameters, each at most once, in their order.
pub(super) fn query<const N: usize>(
    query: Option<&str>,
    names: [&'static str; N],
) -> Result<[Option<String>; N], Problem> {
    let mut values = [const { None }; N];
    for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let slot = names.iter().position(|known| *known == name).and_then(|place| values.get_mut(place));
        let slot = slot.ok_or_else(|| {
            let known = names.join("`, `");
            Problem::new(Kind::RequestInvalid, format!("the query takes `{known}` and nothing else"))
        })?;
        let value = decode(value).ok_or_else(|| {
            Problem::new(Kind::RequestInvalid, "a parameter of the query is not percent-encoded UTF-8")
        })?;
        if slot.replace(value).is_some() {
            return Err(Problem::new(Kind::RequestInvalid, "a parameter of the query stands there twice"));
        }
    }
    Ok(values)
}

/// Undoes `%XX` and `+`. Nothing is repaired.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// A source to look for, if it is there.
pub(super) fn source(value: Option<String>) -> Result<Option<String>, Problem> {
    named("source", value, is_source)
}

/// A parameter that has to be the name of what the parameter is called, if it is there.
pub(super) fn named(
    parameter: &'static str,
    value: Option<String>,
    is_name: impl Fn(&str) -> bool,
) -> Result<Option<String>, Problem> {
    match value {
        Some(name) if !is_name(&name) => {
            let detail = format!("`{parameter}` has to be the name of a {parameter}");
            Err(Problem::new(Kind::RequestInvalid, detail))
        }
        other => Ok(other),
    }
}

/// A parameter that has to be one of a few names, if it is there. `expected` says which, to whoever calls.
pub(super) fn one_of<T>(
    value: Option<String>,
    of_name: impl Fn(&str) -> Option<T>,
    expected: &'static str,
) -> Result<Option<T>, Problem> {
    let bad = || Problem::new(Kind::RequestInvalid, expected);
    value.map(|name| of_name(&name).ok_or_else(bad)).transpose()
}

/// A number of decimal digits and nothing else: a plus sign is none.
pub(super) fn digits<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A parameter that has to be an id, if it is there.
pub(super) fn id(name: &'static str, value: Option<String>) -> Result<Option<String>, Problem> {
    match value {
        Some(id) if !is_id(&id) => Err(not_an_id(name)),
        other => Ok(other),
    }
}

/// A parameter of the path that has to be an id.
pub(super) fn path_id(
    name: &'static str,
    value: Result<axum::extract::Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<String, Problem> {
    value.ok().map(|path| path.0).filter(|id| is_id(id)).ok_or_else(|| not_an_id(name))
}

fn not_an_id(name: &'static str) -> Problem {
    let detail =
        format!("`{name}` has to be 1 to 1024 bytes of UTF-8, not blank, without control characters");
    Problem::new(Kind::RequestInvalid, detail)
}

/// The body of a request that has to be JSON, up to a bound.
pub(super) async fn json_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    if !is_json(request.headers()) {
        let detail = "`content-type` has to be application/json, and the body not encoded";
        return Err(Problem::new(Kind::MediaTypeUnsupported, detail));
    }
    body(request, limit).await
}

/// The body of a request, up to a bound.
pub(super) async fn body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::BodyTooLarge, format!("the body is larger than {limit} bytes"));
    let declared =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    // Also when it ends early: then nobody reads the answer.
    to_bytes(request.into_body(), limit).await.map_err(|_| too_large())
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else { return false };
    let essence = value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let encoded = headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"));
    essence.eq_ignore_ascii_case(b"application/json") && !encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_decoded_and_never_repaired() {
        let read = |text| query(Some(text), ["a", "b"]).map_err(|problem| problem.kind());
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read("b=%C3%A4+%2B&a=x=y"), Ok([text("x=y"), text("ä +")]));
        assert_eq!(read("&&a="), Ok([text(""), None]));
        for bad in ["a=1&a=1", "c=1", "a=%", "a=%2", "a=%zz", "a=%FF", "A=1", "%61=1", "a=%+1"] {
            assert_eq!(read(bad), Err(Kind::RequestInvalid), "{bad}");
        }
    }
}
