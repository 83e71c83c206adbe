//! `delivery`: what the router is told, and when a sender should come back. The router itself is Envoy's.

use super::ConfigError;
use super::reader::{Node, Object};
use crate::headers;

/// What the router can retry on, for HTTP: Envoy's `x-envoy-retry-on`.
pub const RETRY_ON: [&str; 10] = [
    "5xx",
    "connect-failure",
    "envoy-ratelimited",
    "gateway-error",
    "http3-post-connect-failure",
    "refused-stream",
    "reset",
    "reset-before-request",
    "retriable-4xx",
    "retriable-status-codes",
];

const DEFAULT_RETRY_ON: [&str; 3] = ["connect-failure", "refused-stream", "gateway-error"];
const DEFAULT_PER_TRY_TIMEOUT_MS: u64 = 4000;

/// Delivery settings, ready to be sent.
#[derive(Debug)]
pub struct Delivery {
    /// The headers that the router reads and takes off.
    pub(crate) router_headers: Vec<(&'static str, Box<str>)>,
    /// Seconds after which a sender should try again.
    pub(crate) retry_after_s: u32,
}

impl Delivery {
    pub(super) fn read(node: Option<Node<'_>>) -> Result<Self, ConfigError> {
        let object = Object::read_or_empty(
            node,
            &[
                "max_retries",
                "per_try_timeout_ms",
                "retriable_status_codes",
                "retry_after_s",
                "retry_on",
                "timeout_ms",
            ],
        )?;
        let timeout_ms = object.integer_or("timeout_ms", 2..=300_000, 15_000)?;
        // Envoy ignores a per-try timeout that is not under the whole one.
        let per_try_timeout_ms = object.integer_or(
            "per_try_timeout_ms",
            1..=timeout_ms - 1,
            DEFAULT_PER_TRY_TIMEOUT_MS.min(timeout_ms / 2),
        )?;
        let max_retries = object.integer_or("max_retries", 0..=10, 2)?;
        let status_codes = read_status_codes(object.optional("retriable_status_codes"))?;
        let mut retry_on = read_retry_on(object.optional("retry_on"))?;
        if !status_codes.is_empty() && !retry_on.contains(&"retriable-status-codes") {
            // Without it the router does not look at the codes.
            retry_on.push("retriable-status-codes");
        }

        let mut router_headers = vec![
            (headers::TIMEOUT_MS, timeout_ms.to_string().into()),
            (headers::PER_TRY_TIMEOUT_MS, per_try_timeout_ms.to_string().into()),
        ];
        if !retry_on.is_empty() {
            router_headers.push((headers::RETRY_ON, retry_on.join(",").into()));
            router_headers.push((headers::MAX_RETRIES, max_retries.to_string().into()));
        }
        if !status_codes.is_empty() {
            router_headers.push((headers::RETRIABLE_STATUS_CODES, status_codes.join(",").into()));
        }
        let retry_after_s = object.integer_or("retry_after_s", 1..=86_400, 30)?;
        Ok(Self { router_headers, retry_after_s: u32::try_from(retry_after_s).unwrap_or(u32::MAX) })
    }
}

fn read_retry_on(node: Option<Node<'_>>) -> Result<Vec<&'static str>, ConfigError> {
    let Some(node) = node else { return Ok(DEFAULT_RETRY_ON.to_vec()) };
    let choices = RETRY_ON.map(|name| (name, name));
    node.array(0..=RETRY_ON.len())?.iter().map(|node| node.choice(&choices)).collect()
}

fn read_status_codes(node: Option<Node<'_>>) -> Result<Vec<String>, ConfigError> {
    let Some(node) = node else { return Ok(Vec::new()) };
    node.array(0..=32)?.iter().map(|node| node.integer(&(100..=599)).map(|code| code.to_string())).collect()
}
