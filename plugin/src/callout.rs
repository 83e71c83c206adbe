//! Questions to the account directory and what came back, as Envoy carries them. It decides nothing about answers.
//!
//! Envoy answers a time-out and a refused connection by itself, with 504 or 503; only an answer that breaks off has no headers.

use crate::host::parse_status;
use directory_api::{LINKS_PATH, Link, MAX_RESOLVED_BYTES};
use event_core::config::DirectorySettings;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, MapType, Status};
use std::time::Duration;

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `None` if the answer broke off.
    pub(crate) status: Option<u16>,
    /// The body of a 200, if it is not too large.
    pub(crate) body: Option<Vec<u8>>,
}

impl Reply {
    /// Only for the callback of a callout's end, before another context is acted for.
    pub(crate) fn read(n_headers: usize, body_size: usize) -> Self {
        if n_headers == 0 {
            return Self { status: None, body: None };
        }
        let status = hostcalls::get_map_value_bytes(MapType::HttpCallResponseHeaders, ":status");
        let status = status.ok().flatten().and_then(|value| parse_status(&value));
        let wanted = status == Some(200) && body_size <= MAX_RESOLVED_BYTES;
        let body = wanted.then(|| {
            hostcalls::get_buffer(BufferType::HttpCallResponseBody, 0, body_size)
                .ok()
                .flatten()
                .unwrap_or_default()
        });
        Self { status, body }
    }
}

/// Sends a question; the token names it when its answer comes. The answer reaches the context whose callback this is called
/// in, if it still lives then.
pub(crate) fn ask(directory: &DirectorySettings, path: &str) -> Result<u32, Status> {
    send(directory, "GET", path, None)
}

/// Tells the directory of a link. Whether it heard is not looked at.
pub(crate) fn tell(directory: &DirectorySettings, link: &Link) {
    let _ = send(directory, "POST", LINKS_PATH, Some(&link.to_json()));
}

fn send(directory: &DirectorySettings, method: &str, path: &str, body: Option<&[u8]>) -> Result<u32, Status> {
    let mut headers = vec![
        (":method", method),
        (":path", path),
        (":authority", &*directory.authority),
        ("accept", "application/json"),
    ];
    if body.is_some() {
        headers.push(("content-type", "application/json"));
    }
    let authorization = directory.token.as_ref().map(|token| format!("Bearer {}", token.expose()));
    headers.extend(authorization.as_deref().map(|value| ("authorization", value)));
    let timeout = Duration::from_millis(u64::from(directory.timeout_ms));
    hostcalls::dispatch_http_call(&directory.cluster, headers, body, Vec::new(), timeout)
}
