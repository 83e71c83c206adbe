//! A client of the Seam API and of a provider's webhook registration: typed, bounded, with errors that say what to do.
//! It stores nothing, retries nothing and logs nothing: callers decide.

mod client;
mod error;
mod http;
mod model;
mod native;
mod pages;
mod provider;
mod secret;

pub use client::Client;
pub use error::Error;
pub use http::{Limits, SetupError};
pub use model::{
    AcsEntrance, AcsSystem, ConnectWebview, ConnectedAccount, Device, MAX_ID_BYTES, NewConnectWebview,
    WebviewStatus,
};
pub use native::NativeIds;
pub use pages::Pages;
pub use provider::{Provider, ProviderWebhook};
pub use secret::Secret;
