//! The wire types of the account directory: what the filter asks and what a directory answers. It sends nothing and stores
//! nothing.
//!
//! Reading is strict and bounded: JSON of the other side is exactly one object in UTF-8, of a bounded size, with ids that
//! keep to [`is_id`]. Errors name members and bounds, never values.
//!
//! ```
//! use directory_api::{Ids, Resolved, resolve_path};
//!
//! let ids = Ids { device_id: Some("lock 1"), ..Ids::default() };
//! assert_eq!(resolve_path("acme", &ids), "/v1/resolve?source=acme&device_id=lock%201");
//! let body = br#"{"accounts":[{"connected_account_id":"ca_1","customer_key":null}],"assigned_by":"device_id"}"#;
//! assert_eq!(Resolved::from_json(body).unwrap().accounts[0].connected_account_id, "ca_1");
//! ```
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

mod ids;
mod link;
mod path;
mod read;
mod resolved;

pub use ids::{AssignedBy, Ids, MAX_ID_BYTES, MAX_SOURCE_BYTES, is_id, is_source};
pub use link::{Link, MAX_LINK_BYTES};
pub use path::{LINKS_PATH, RESOLVE_PATH, resolve_path};
pub use read::ReadError;
pub use resolved::{Account, MAX_ACCOUNTS, MAX_RESOLVED_BYTES, Resolved};
