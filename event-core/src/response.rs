//! What the sender gets to see of upstream's answer. It does not know how the answer is read.

use crate::{Cause, Refusal};

/// A sane `Retry-After`, in seconds. A date is not kept: there is no clock here to read it by.
const RETRY_AFTER_S: std::ops::RangeInclusive<u32> = 1..=86_400;

/// The answer to a forwarded event: upstream's own, or one that Envoy made up because there was none.
pub trait UpstreamResponse {
    /// The HTTP status.
    fn status(&self) -> u16;
    /// Envoy's `response.code_details`: `via_upstream` for upstream's own answer.
    fn code_details(&self) -> Option<Vec<u8>>;
    /// The value of `retry-after`.
    fn retry_after(&self) -> Option<Vec<u8>>;
}

/// Upstream's 2xx and 4xx pass, but for 410, which senders take as "disable the endpoint". Everything else means that
/// upstream has not accepted the event, a missing route included.
pub(crate) fn judge(response: &impl UpstreamResponse, retry_after_s: u32) -> Option<Refusal> {
    match response.status() {
        200..=299 => return None,
        404 if response.code_details().is_some_and(|details| details == b"route_not_found") => {}
        400..=409 | 411..=499 => return None,
        _ => {}
    }
    // A `Retry-After` on an answer of Envoy's own is that of the gateway's reply texts.
    let from_upstream = response.code_details().is_some_and(|details| details == b"via_upstream");
    let value = if from_upstream { response.retry_after() } else { None };
    let upstream_asks = value.and_then(|value| read_retry_after(&value));
    let refusal =
        Refusal::new(Cause::UpstreamUnavailable, "upstream did not accept the event; send it again later");
    Some(refusal.retry_after(upstream_asks.unwrap_or(retry_after_s)))
}

/// RFC 9110, section 10.2.3: delay-seconds.
fn read_retry_after(value: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(value).ok()?.trim_matches([' ', '\t']);
    let seconds = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())??;
    RETRY_AFTER_S.contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Response(u16, &'static str, Option<&'static [u8]>);

    impl UpstreamResponse for Response {
        fn status(&self) -> u16 {
            self.0
        }
        fn code_details(&self) -> Option<Vec<u8>> {
            Some(self.1.into())
        }
        fn retry_after(&self) -> Option<Vec<u8>> {
            self.2.map(Into::into)
        }
    }

    fn retry_after(value: Option<&'static [u8]>) -> Option<String> {
        let refusal = judge(&Response(503, "via_upstream", value), 30)?;
        refusal.headers().into_iter().find(|(name, _)| *name == "retry-after").map(|(_, value)| value)
    }

    #[test]
    fn upstreams_2xx_and_4xx_pass() {
        for status in [200, 201, 202, 204, 299, 400, 401, 404, 409, 411, 413, 422, 429, 451, 499] {
            assert_eq!(judge(&Response(status, "via_upstream", None), 30), None, "{status}");
        }
    }

    #[test]
    fn everything_else_becomes_upstream_unavailable() {
        for status in [101, 300, 301, 304, 307, 410, 500, 501, 502, 503, 504, 599, 600] {
            let refusal = judge(&Response(status, "via_upstream", None), 30).unwrap();
            assert_eq!((refusal.cause(), refusal.status()), (Cause::UpstreamUnavailable, 503), "{status}");
        }
    }

    #[test]
    fn a_missing_route_does_not_tell_the_sender_to_give_up() {
        assert!(judge(&Response(404, "route_not_found", None), 30).is_some());
    }

    #[test]
    fn a_sane_retry_after_of_upstream_is_kept() {
        for (value, kept) in [("1", "1"), ("120", "120"), (" 7 ", "7"), ("86400", "86400"), ("007", "7")] {
            assert_eq!(retry_after(Some(value.as_bytes())).as_deref(), Some(kept), "{value}");
        }
    }

    #[test]
    fn a_retry_after_that_envoy_wrote_gives_way_to_the_configured_one() {
        let refusal =
            judge(&Response(503, "upstream_reset_before_response_started", Some(b"7")), 30).unwrap();
        assert!(refusal.headers().contains(&("retry-after", "30".to_owned())));
    }

    #[test]
    fn any_other_retry_after_gives_way_to_the_configured_one() {
        for value in
            ["", "0", "-1", "+5", "1.5", "86401", "99999999999", "Fri, 22 Nov 2026 08:00:00 GMT", "soon"]
        {
            assert_eq!(retry_after(Some(value.as_bytes())).as_deref(), Some("30"), "{value}");
        }
        assert_eq!(retry_after(Some(b"\xff")).as_deref(), Some("30"));
        assert_eq!(retry_after(None).as_deref(), Some("30"));
    }
}
