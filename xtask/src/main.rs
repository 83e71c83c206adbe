//! Set-up, build, checks and runs of this repository.

fn main() {}
