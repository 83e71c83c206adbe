//! The program bellhop.
fn main() {}
