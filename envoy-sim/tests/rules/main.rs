//! The simulator's rules, shown with the probe filter.

mod guest;
mod probes;
mod streams;
mod world;
