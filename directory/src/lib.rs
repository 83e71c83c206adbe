//! The account directory: which connected account owns which device. It checks no events: that is the filter's.
//!
//! | part | module |
//! |---|---|
//! | what is known, in a database | [`store`] |
//! | events that were set aside: shown, replayed | [`quarantine`] |
//! | what the operator writes | [`config`] |
//! | the routes, one file each | [`routes`] |
//! | every refusal | [`problem`] |
//! | what Seam tells, as hints | [`webhook`] |
//! | keeping accounts as the Seam API has them | [`sync`], [`sources`] |
//! | asking providers to deliver | [`registration`] |
//! | the side that faces Seam, as one part of the service | [`seam_side`] |
//! | what led to no account, lately | [`unassigned`] |
//! | connections and their bounds | [`serving`] |
//! | running it all | [`service`] |

pub mod clock;
pub mod config;
pub mod metrics;
pub mod problem;
pub mod quarantine;
pub mod registration;
pub mod routes;
pub mod seam_side;
pub mod service;
pub mod serving;
pub mod sources;
pub mod store;
pub mod sync;
pub mod unassigned;
pub mod webhook;

pub use config::{Config, ConfigError};
pub use service::{App, Service};
pub use store::{Store, StoreError};
