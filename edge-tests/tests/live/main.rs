//! The listener replaced while events come, as `docs/live-configuration.md` says: nothing is lost, nothing doubled. What an event is
//! judged by is tested elsewhere.

mod gateway;
mod memory;
mod stream;
