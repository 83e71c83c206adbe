//! What must hold for any input, one module per fuzz target. libFuzzer makes inputs, by `cargo xtask fuzz`; the tests replay
//! those that were kept in `corpus/` and a bounded number of [`mutate`]'s. It decides nothing about events.

pub mod configuration;
pub mod filter;
pub mod judge;
pub mod mutate;
pub mod parse;
pub mod verify;

/// A target: its name, which is that of its corpus and its binary, and what must hold for any input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: [Target; 5] = [
    ("configuration", configuration::check),
    ("filter", filter::check),
    ("judge", judge::check),
    ("parse", parse::check),
    ("verify", verify::check),
];
