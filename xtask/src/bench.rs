//! `cargo xtask bench`: what the filter costs on real Envoy, beside no filter and a minimal one, all measured in one run.
//! It measures no time on the wall, but for the account directory: machines are busy.

mod cost;
mod directory;
mod gateways;
mod load;
mod memory;

use crate::arguments::BenchOptions;
use crate::setup;

/// CPU that the filter adds to Envoy, at most so many times what the minimal filter adds.
const CPU_RATIO_BAR: f64 = 1.5;

/// Resident memory that the filter adds, per worker.
const RESIDENT_BYTES_BAR: i64 = 30 * MB;

/// The compiled filter.
const MODULE_BYTES_BAR: i64 = 400 * KB;

/// What resident memory may grow by between the first events and all of them.
const GROWTH_BYTES_BAR: i64 = 2 * MB;

const KB: i64 = 1000;
const MB: i64 = 1000 * KB;

/// Measures and prints a table. Whether all is within its bars, or nobody asked.
pub(crate) fn run(options: BenchOptions) -> anyhow::Result<bool> {
    if options.directory {
        return Ok(directory::run()? || !options.check);
    }
    let envoy = setup::gateway(&["plugin", "minimal-filter"])?;
    let within = if options.memory { memory::run(&envoy)? } else { cost::run(&envoy, options.n_rounds)? };
    Ok(within || !options.check)
}

/// One measured figure against its bar.
struct Bar {
    what: &'static str,
    measured: String,
    bar: String,
    holds: bool,
}

/// Prints the figures. Whether all hold.
fn print_bars(bars: &[Bar]) -> bool {
    println!();
    for Bar { what, measured, bar, holds } in bars {
        let verdict = if *holds { "holds" } else { "OVER" };
        println!("{what:<55} {measured:>10}   at most {bar:<8} {verdict}");
    }
    bars.iter().all(|bar| bar.holds)
}

/// Bytes as megabytes of 10⁶.
fn in_mb(bytes: i64) -> String {
    #[allow(clippy::cast_precision_loss, reason = "two decimals are shown")]
    let megabytes = bytes as f64 / MB as f64;
    format!("{megabytes:.2} MB")
}

/// The difference of two sizes.
fn difference(larger: u64, smaller: u64) -> i64 {
    larger.cast_signed() - smaller.cast_signed()
}
