//! One request and its answer: JSON both ways, a bearer token, limits of time and size. It knows no route.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;
use url::{Host, Url};

use crate::{Error, Secret};

/// The longest wait that a `Retry-After` can ask for; a longer one counts as this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// Bounds of one client.
#[derive(Debug, Clone)]
pub struct Limits {
    /// For a connection to come about.
    pub connect_timeout: Duration,
    /// For a request from its start to the last byte of its answer.
    pub request_timeout: Duration,
    /// Bytes of an answer.
    pub answer_bytes: usize,
    /// Entries of a page that are asked for, where the API lets one ask.
    pub page_size: u32,
    /// Pages of one list.
    pub pages: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(30),
            answer_bytes: 16 << 20,
            page_size: 500,
            pages: 10_000,
        }
    }
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is no URL.
    #[error("the address is no URL")]
    Url(#[from] url::ParseError),
    /// The address is not `https`, nor `http` to this machine.
    #[error(
        "the address must be https: over http the key would be read on the way (http is for loopback addresses)"
    )]
    Insecure,
    /// The address has a query, a fragment, a user or a password.
    #[error("the address may have a path and nothing after it, and no user")]
    Superfluous,
    /// The key cannot be a header's value.
    #[error("the key has characters that no header can carry")]
    Key,
    /// TLS or the HTTP client could not be set up.
    #[error("the HTTP client could not be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A client of one base address.
#[derive(Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    base: String,
    pub(crate) limits: Limits,
}

impl Http {
    pub(crate) fn try_new(base: &str, key: Option<&Secret>, limits: Limits) -> Result<Self, SetupError> {
        let url = Url::parse(base)?;
        let local = is_loopback(&url);
        if url.scheme() != "https" && !(url.scheme() == "http" && local) {
            return Err(SetupError::Insecure);
        }
        let plain = url.query().is_none() && url.fragment().is_none();
        if !plain || !url.username().is_empty() || url.password().is_some() {
            return Err(SetupError::Superfluous);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("bellhop/", env!("CARGO_PKG_VERSION"))));
        if let Some(key) = key {
            let mut value =
                HeaderValue::try_from(format!("Bearer {}", key.expose())).map_err(|_| SetupError::Key)?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        // Fails only when another part of the program has chosen already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(limits.connect_timeout)
            .timeout(limits.request_timeout)
            // The key is for this address only.
            .redirect(reqwest::redirect::Policy::none());
        if local {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| SetupError::Client(Box::new(error.without_url())))?;
        Ok(Self { client, base: url.as_str().trim_end_matches('/').to_owned(), limits })
    }

    /// The address that routes are added to: always the same for the same server, without a slash at the end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Sends one request and reads its answer to the end. `path` begins with `/`.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(Error::transport)?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        // The status says enough; the body of an outage is anybody's.
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Error::Unauthorised { status: status.as_u16() });
            }
            StatusCode::TOO_MANY_REQUESTS => return Err(Error::RateLimited { retry_after }),
            _ if status.is_server_error() => {
                return Err(Error::Outage { status: status.as_u16(), retry_after });
            }
            _ => {}
        }
        let body = self.read(response).await?;
        if !status.is_success() {
            return Err(refusal(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| Error::malformed_json("no JSON", error))
    }

    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Error> {
        let limit_bytes = self.limits.answer_bytes;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Error::transport)? {
            if body.len() + chunk.len() > limit_bytes {
                return Err(Error::TooLarge { limit_bytes });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// A status that is neither success nor one with a variant of its own.
fn refusal(status: StatusCode, body: &[u8]) -> Error {
    let kind = serde_json::from_slice::<Value>(body)
        .ok()
        .and_then(|body| body.get("error")?.get("type")?.as_str().map(str::to_owned))
        .filter(|kind| is_word(kind));
    match kind {
        Some(kind) if status == StatusCode::NOT_FOUND && kind.ends_with("_not_found") => {
            Error::NotFound { kind }
        }
        kind => {
            Error::Refused { status: status.as_u16(), kind: kind.unwrap_or_else(|| "unknown".to_owned()) }
        }
    }
}

/// An error type is a short word; anything else could carry data into a log.
fn is_word(kind: &str) -> bool {
    (1..=64).contains(&kind.len()) && kind.bytes().all(|it| it.is_ascii_lowercase() || it == b'_')
}

/// The seconds of a `Retry-After`. Its other form, a date, needs a clock that both sides share, and is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str) -> Result<String, String> {
        Http::try_new(base, None, Limits::default()).map(|it| it.base).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_https_or_of_this_machine() {
        for (base, expected) in [
            ("https://connect.getseam.com", "https://connect.getseam.com"),
            ("https://gateway.example/seam/", "https://gateway.example/seam"),
            ("http://127.0.0.1:8094", "http://127.0.0.1:8094"),
            ("http://[::1]:8094/", "http://[::1]:8094"),
            ("http://localhost:8094", "http://localhost:8094"),
        ] {
            assert_eq!(check(base).as_deref(), Ok(expected));
        }
        for base in [
            "http://connect.getseam.com",
            "http://localhost.example",
            "ftp://127.0.0.1",
            "https://user@connect.getseam.com",
            "https://connect.getseam.com/?a=b",
            "connect.getseam.com",
            "",
        ] {
            assert!(check(base).is_err(), "{base}");
        }
    }

    #[test]
    fn only_the_apis_own_word_makes_a_404_a_missing_object() {
        let of =
            |status: u16, body: &str| refusal(StatusCode::from_u16(status).unwrap(), body.as_bytes()).name();
        assert_eq!(
            of(404, r#"{"error":{"type":"connected_account_not_found","message":"m"},"ok":false}"#),
            "not_found"
        );
        for (status, body) in [
            (404, "404"),
            (404, "<html>"),
            (404, r#"{"error":{"type":"Not_found"}}"#),
            (404, r#"{"error":{"type":"unknown_route"}}"#),
            (400, r#"{"error":{"type":"device_not_found"}}"#),
            (302, ""),
        ] {
            assert_eq!(of(status, body), "refused", "{status} {body}");
        }
    }

    #[test]
    fn a_retry_after_is_seconds_and_bounded() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, value.parse().unwrap());
            retry_after(&headers).map(|it| it.as_secs())
        };
        assert_eq!([of("7"), of(" 0 "), of("999999999")], [Some(7), Some(0), Some(3600)]);
        assert_eq!([of("-1"), of("soon"), of("Sun, 06 Nov 1994 08:49:37 GMT")], [None, None, None]);
    }

    #[test]
    fn neither_a_client_nor_its_errors_print_the_key() {
        let key = Secret::new("seam_apikey1_token");
        let http = Http::try_new("https://connect.getseam.com", Some(&key), Limits::default()).unwrap();
        assert!(!format!("{http:?}").contains("apikey1"));
        let error = Http::try_new("https://a.example", Some(&Secret::new("se\ncret")), Limits::default())
            .unwrap_err();
        assert!(!format!("{error:?} {error}").contains("cret"));
    }
}
