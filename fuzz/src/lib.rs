//! What must hold for any input, one module per fuzz target. It makes no input: libFuzzer does, by
//! `cargo fuzz run --sanitizer none --fuzz-dir fuzz TARGET -- -dict=fuzz/events.dict`, and `tests/corpus.rs` replays what was
//! kept.

pub mod configuration;
pub mod judge;
pub mod parse;
pub mod verify;
