//! What a call can end with other than an answer, by what the caller should do about it. It decides no delay.

use std::error::Error as StdError;
use std::time::Duration;

use serde_json::error::Category;

/// Why a call gave no answer. No variant holds a secret, and none holds text of the answer but the API's own error type.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// 401 or 403: the key is wrong, revoked, or may not do this. Retrying soon is of no use.
    #[error("the API refuses the key (status {status})")]
    Unauthorised {
        /// 401 or 403.
        status: u16,
    },
    /// 404 with the API's own word that the object does not exist, e.g. `connected_account_not_found`.
    /// A 404 without it is [`Error::Refused`]: a wrong address must not look like a deleted account.
    #[error("the API knows no such object ({kind})")]
    NotFound {
        /// The API's error type, which ends in `_not_found`.
        kind: String,
    },
    /// 429.
    #[error("the API limits the rate of requests")]
    RateLimited {
        /// How long it asks to wait, where it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// 5xx: the API is down or in trouble.
    #[error("the API is unavailable (status {status})")]
    Outage {
        /// The status.
        status: u16,
        /// How long it asks to wait, where it says so in seconds.
        retry_after: Option<Duration>,
    },
    /// Any other status that is no success: the request is wrong, or its address is.
    #[error("the API refuses the request (status {status}, {kind})")]
    Refused {
        /// The status.
        status: u16,
        /// The API's error type, or `unknown`.
        kind: String,
    },
    /// A success whose body is not what the API documents.
    #[error("the answer of the API is malformed: {what}")]
    Malformed {
        /// What is wrong with it. Nothing of the body.
        what: &'static str,
        /// What JSON parsing stopped at, if that was it. Nothing of the body.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// The body is longer than the client reads.
    #[error("the answer of the API is longer than {limit_bytes} bytes")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// A list names a cursor that it has named before: following it would never end.
    #[error("the API repeats a page cursor")]
    RepeatedCursor,
    /// A list goes on beyond the bound.
    #[error("the list has more than {limit} pages")]
    TooManyPages {
        /// The bound.
        limit: usize,
    },
    /// No answer: no connection, a reset, a timeout.
    #[error("the API gave no answer{}", if *timed_out { " in time" } else { "" })]
    Transport {
        /// Whether time ran out.
        timed_out: bool,
        /// What the HTTP client says, without the address.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}

impl Error {
    /// How long the API asks to wait before the next try.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Outage { retry_after, .. } => *retry_after,
            Self::Unauthorised { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Malformed { .. }
            | Self::TooLarge { .. }
            | Self::RepeatedCursor
            | Self::TooManyPages { .. }
            | Self::Transport { .. } => None,
        }
    }

    /// A short stable name of the variant, for metrics and stored state.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthorised { .. } => "unauthorised",
            Self::NotFound { .. } => "not_found",
            Self::RateLimited { .. } => "rate_limited",
            Self::Outage { .. } => "outage",
            Self::Refused { .. } => "refused",
            Self::Malformed { .. } => "malformed",
            Self::TooLarge { .. } => "too_large",
            Self::RepeatedCursor => "repeated_cursor",
            Self::TooManyPages { .. } => "too_many_pages",
            Self::Transport { timed_out: true, .. } => "timeout",
            Self::Transport { timed_out: false, .. } => "transport",
        }
    }

    pub(crate) fn malformed(what: &'static str) -> Self {
        Self::Malformed { what, source: None }
    }

    pub(crate) fn malformed_json(what: &'static str, source: serde_json::Error) -> Self {
        Self::Malformed { what, source: Some(without_values(&source).into()) }
    }

    pub(crate) fn transport(error: reqwest::Error) -> Self {
        Self::Transport { timed_out: error.is_timeout(), source: Box::new(error.without_url()) }
    }
}

/// What the parser says, without the value that it says it of.
fn without_values(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = format!("line {}, column {}", error.line(), error.column());
    match error.classify() {
        // It names a member of ours.
        Category::Data if text.starts_with("missing field") => text,
        // A value that was parsed already has no place.
        Category::Data if error.line() == 0 => "a value is not of its type".to_owned(),
        Category::Data => format!("a value is not of its type ({place})"),
        Category::Syntax | Category::Eof | Category::Io => format!("not JSON ({place})"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, from_slice, from_value, json};

    use super::*;

    #[test]
    fn what_is_malformed_is_said_without_its_value() {
        let type_of = |value: Value| from_value::<crate::ConnectWebview>(value).unwrap_err();
        for (error, said) in [
            (from_slice::<Value>(b"property-456").unwrap_err(), "not JSON (line 1, column 1)"),
            (
                from_slice::<u8>(b"\"property-456\"").unwrap_err(),
                "a value is not of its type (line 1, column 14)",
            ),
            (type_of(json!("property-456")), "a value is not of its type"),
            (type_of(json!({ "customer_key": "property-456" })), "missing field `connect_webview_id`"),
        ] {
            let error = Error::malformed_json("the object", error);
            assert_eq!(error.source().unwrap().to_string(), said);
            assert!(!format!("{error:?}").contains("456"), "{error:?}");
        }
    }
}
