//! What the inspector's page and the npm package know of an event: all of it is [`event_core`]'s judgement, with the places of
//! its faults in the text. It decides nothing about an event, and nothing leaves the browser.
//!
//! | module | from → to |
//! |---|---|
//! | [`judge`](mod@judge) | a body, a configuration, headers → what would become of it |
//! | [`places`] | text and JSON Pointers, or a fault of the grammar → ranges |
//! | [`sign`] | a body and a secret → the headers that a sender must send |
//! | [`mask`](mod@mask) | an event, a configuration → the same without codes and secrets |
//! | [`examples`] | events to begin with |
//!
//! The bindings take and give JSON text: one crossing a call, and the same types for native tests.

#[cfg(target_arch = "wasm32")]
pub mod bindings;
pub mod examples;
pub mod judge;
pub mod mask;
pub mod places;
pub mod sign;
mod walk;
