//! The simulator's rules, shown with the probe filter.

mod guest;
mod streams;
