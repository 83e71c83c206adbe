//! What the sender gets to see of upstream's answer. It does not know how the answer is read.

use crate::accepted::duplicates::Fingerprint;
use crate::accepted::order::Latest;
use crate::directory::lessons::Lesson;
use crate::problem::RetryAfter;
use crate::tally::Label;
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

/// What is kept of an event that has left, until the response to it is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// When its sender should come back if it is not accepted.
    pub(crate) retry_after: RetryAfter,
    /// Why it went to the quarantine sink, if it did.
    pub(crate) set_aside: Option<Refusal>,
    pub(crate) lesson: Option<Lesson>,
    pub(crate) fingerprint: Option<Fingerprint>,
    pub(crate) latest: Option<Latest>,
    pub(crate) label: Label,
}

impl Sent {
    /// Nothing but when to come back, and what it is counted under.
    pub(crate) const fn new(retry_after: RetryAfter, label: Label) -> Self {
        Self { retry_after, set_aside: None, lesson: None, fingerprint: None, latest: None, label }
    }

    /// What it is counted under.
    #[must_use]
    pub const fn label(&self) -> Label {
        self.label
    }

    /// Why it went to the quarantine sink, if it did.
    #[must_use]
    pub const fn set_aside(&self) -> Option<&Refusal> {
        self.set_aside.as_ref()
    }

    /// What it teaches about its ids once upstream has accepted it. `None` unless a directory is configured, the source is
    /// verified, and the event is assigned and carries two ids or more.
    #[must_use]
    pub const fn lesson(&self) -> Option<&Lesson> {
        self.lesson.as_ref()
    }

    /// What it will be known by once upstream has accepted it, if copies are looked for.
    #[must_use]
    pub const fn fingerprint(&self) -> Option<&Fingerprint> {
        self.fingerprint.as_ref()
    }

    /// What later events of its device are compared with once upstream has accepted it.
    #[must_use]
    pub fn into_latest(self) -> Option<Latest> {
        self.latest
    }
}

/// What the sender gets in place of the response to its event; `None` lets the response pass.
///
/// Upstream's 2xx and 4xx pass, but for 410, which senders take as "disable the endpoint". Everything else means that
/// upstream has not accepted the event, a missing route included. Of the quarantine sink only a 2xx is taken for an answer: what
/// else it says is no business of the sender's.
pub(crate) fn judge(sent: &Sent, response: &impl UpstreamResponse) -> Option<Refusal> {
    match (response.status(), &sent.set_aside) {
        (200..=299, None) => return None,
        (200..=299, Some(refusal)) => return Some(refusal.clone().taken_aside()),
        (404, None) if response.code_details().is_some_and(|details| details == b"route_not_found") => {}
        (400..=409 | 411..=499, None) => return None,
        _ => {}
    }
    // A `Retry-After` on an answer of Envoy's own is that of the gateway's reply texts.
    let from_upstream = response.code_details().is_some_and(|details| details == b"via_upstream");
    let value = if from_upstream { response.retry_after() } else { None };
    let upstream_asks = value.and_then(|value| read_retry_after(&value)).map(RetryAfter::exactly);
    let refusal =
        Refusal::new(Cause::UpstreamUnavailable, "upstream did not accept the event; send it again later");
    Some(refusal.retry_after(upstream_asks.unwrap_or(sent.retry_after)).labelled(sent.label))
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

    fn judge(response: &Response) -> Option<Refusal> {
        super::judge(&Sent::new(RetryAfter::exactly(30), Label::default()), response)
    }

    fn retry_after(value: Option<&'static [u8]>) -> Option<String> {
        let refusal = judge(&Response(503, "via_upstream", value))?;
        refusal.headers(0).into_iter().find(|(name, _)| *name == "retry-after").map(|(_, value)| value)
    }

    #[test]
    fn upstreams_2xx_and_4xx_pass() {
        for status in [200, 201, 202, 204, 299, 400, 401, 404, 409, 411, 413, 422, 429, 451, 499] {
            assert_eq!(judge(&Response(status, "via_upstream", None)), None, "{status}");
        }
    }

    #[test]
    fn everything_else_becomes_upstream_unavailable() {
        for status in [101, 300, 301, 304, 307, 410, 500, 501, 502, 503, 504, 599, 600] {
            let refusal = judge(&Response(status, "via_upstream", None)).unwrap();
            assert_eq!((refusal.cause(), refusal.status()), (Cause::UpstreamUnavailable, 503), "{status}");
        }
    }

    #[test]
    fn the_sink_has_an_event_only_with_2xx() {
        let refusal = Refusal::new(Cause::JsonMalformed, "there is no JSON value");
        let sent = Sent { set_aside: Some(refusal), ..Sent::new(RetryAfter::exactly(30), Label::default()) };
        for status in [200, 202, 204] {
            let answer = super::judge(&sent, &Response(status, "via_upstream", None)).unwrap();
            assert_eq!((answer.cause(), answer.status()), (Cause::JsonMalformed, 202), "{status}");
        }
        for status in [301, 400, 401, 404, 410, 413, 422, 500, 503] {
            let answer = super::judge(&sent, &Response(status, "via_upstream", None)).unwrap();
            assert_eq!((answer.cause(), answer.status()), (Cause::UpstreamUnavailable, 503), "{status}");
        }
    }

    #[test]
    fn a_missing_route_does_not_tell_the_sender_to_give_up() {
        assert!(judge(&Response(404, "route_not_found", None)).is_some());
    }

    #[test]
    fn a_sane_retry_after_of_upstream_is_kept() {
        for (value, kept) in [("1", "1"), ("120", "120"), (" 7 ", "7"), ("86400", "86400"), ("007", "7")] {
            assert_eq!(retry_after(Some(value.as_bytes())).as_deref(), Some(kept), "{value}");
        }
    }

    #[test]
    fn a_retry_after_that_envoy_wrote_gives_way_to_the_configured_one() {
        let refusal = judge(&Response(503, "upstream_reset_before_response_started", Some(b"7"))).unwrap();
        assert!(refusal.headers(0).contains(&("retry-after", "30".to_owned())));
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
