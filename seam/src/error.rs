//! What a call can end with other than an answer, by what the caller should do about it. It decides no delay.

use std::error::Error as StdError;
use std::time::Duration;

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
        /// Where JSON parsing stopped, if that was it.
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
        Self::Malformed { what, source: Some(Box::new(source)) }
    }

    pub(crate) fn transport(error: reqwest::Error) -> Self {
        Self::Transport { timed_out: error.is_timeout(), source: Box::new(error.without_url()) }
    }
}
