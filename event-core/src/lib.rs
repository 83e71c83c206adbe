//! What Bellhop decides about an event, from bytes to headers or a refusal. It knows nothing of Envoy and does no I/O.
//!
//! The way of an event, one module each:
//!
//! | step | module | from → to |
//! |---|---|---|
//! | configuration | [`config`] | JSON text → [`Config`] |
//! | route and headers | [`admission`] | request headers → [`Admission`] or a [`Refusal`] |
//! | signature | `verify` | the headers that prove who sent, and the raw body → proved, or a [`SignatureFault`] |
//! | JSON | [`json`] | bytes → one strict JSON value |
//! | shape | [`shape`] | JSON value → [`ValidEvent`] |
//! | subject, account | [`subject`], [`accounts`] | [`ValidEvent`] → [`Assignment`] |
//! | if the directory must say | [`directory`] | what is kept of its answers, and what an event waits with |
//! | forward | [`forward`] | the headers that upstream gets |
//! | response | [`response`] | upstream's status → pass, or a [`Refusal`] |
//! | without a gateway | [`trial`] | a configuration and an event → what would become of it |
//! | afterwards | [`accepted`] | what is remembered, to find copies and late events |
//! | | [`tally`] | what the event is counted under |
//!
//! [`Edge`] ties them together: [`Edge::admit`] judges the headers, [`Edge::judge`] the body.
//!
//! ```
//! use event_core::{Edge, Verdict};
//!
//! let edge = Edge::from_json(br#"{
//!     "environment": "production",
//!     "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
//!     "accounts": [{ "connected_account_id": "ca_hotel", "devices": ["lock_491829"] }]
//! }"#).unwrap();
//! let headers = [(":path", "/provider_events"), (":method", "POST"), ("content-type", "application/json")];
//! let admission = edge.admit(headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()))).unwrap();
//! let body = br#"{"event_type":"device.online","device_id":"lock_491829","timestamp":"2025-05-22T10:48:18Z"}"#;
//! let Verdict::Forward(headers) = edge.judge(&admission, body, 0, &()) else { panic!("refused") };
//! assert_eq!(headers.get("x-connected-account-id"), Some("ca_hotel"));
//! ```
//!
//! Nothing here panics on any input: the lints below hold that, and property tests look for what they cannot see.
#![cfg_attr(
    not(test),
    deny(
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::string_slice,
        clippy::unreachable,
        clippy::unwrap_used
    )
)]

pub mod accepted;
pub mod accounts;
pub mod admission;
pub mod cause;
pub mod confidential;
pub mod config;
pub mod directory;
mod edge;
pub mod event_id;
pub mod event_type;
pub mod forward;
pub mod headers;
pub mod json;
pub mod problem;
pub mod response;
pub mod shape;
pub mod subject;
pub mod tally;
pub mod timestamp;
pub mod trial;
mod verify;

pub use accounts::Assignment;
pub use admission::Admission;
pub use cause::Cause;
pub use config::{Config, ConfigError};
pub use edge::{Decision, Edge, SourceIndex, Verdict};
pub use problem::Refusal;
pub use shape::ValidEvent;
pub use verify::SignatureFault;
