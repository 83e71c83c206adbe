//! The account directory: which connected account owns which device. It checks no events: that is the filter's.

pub mod registration;
pub mod sources;
pub mod store;
pub mod sync;
pub mod webhook;

pub use store::{Store, StoreError};
