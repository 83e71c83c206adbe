//! The account directory: which connected account owns which device. It checks no events: that is the filter's.

pub mod store;

pub use store::{Store, StoreError};
