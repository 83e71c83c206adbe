//! CPU per event and resident memory per worker, each over Envoy without a filter.

use std::path::Path;
use std::time::Duration;

use testbed::paths;

use super::gateways::{self, VARIANTS, Variant};
use super::load::{self, EVENT, Sender};
use super::{Bar, CPU_RATIO_BAR, KB, MODULE_BYTES_BAR, RESIDENT_BYTES_BAR, difference, in_mb, print_bars};
use crate::setup::{BELLHOP, announce};

/// How many events each Envoy gets before it is measured, and in each round.
const N_WARM_UP: usize = 6000;
const N_PER_ROUND: usize = 2000;

/// Workers of the Envoys whose memory is compared. One worker bears alone what the process pays once for V8; with
/// several it is shared. The bar holds for both.
const N_WORKERS: [u32; 2] = [1, 4];

/// Measures, prints, and says whether all bars hold.
pub(super) fn run(envoy: &Path, n_rounds: usize) -> anyhow::Result<bool> {
    let rounds = cpu_rounds(envoy, n_rounds)?;
    let added = |variant: Variant| {
        Spread::of(rounds.iter().map(|round| round[variant as usize] - round[Variant::None as usize]))
    };
    let (added_minimal, added_bellhop) = (added(Variant::Minimal).median, added(Variant::Bellhop).median);
    let ratio = added_bellhop / added_minimal;
    let resident = [resident_bytes(envoy, N_WORKERS[0])?, resident_bytes(envoy, N_WORKERS[1])?];
    let per_worker = |variant: Variant, which: usize| {
        let added = difference(resident[which][variant as usize], resident[which][Variant::None as usize]);
        added / i64::from(N_WORKERS[which])
    };
    let module = std::fs::metadata(paths::module(BELLHOP))?.len().cast_signed();

    let [one, four] = N_WORKERS;
    println!(
        "
CPU of one Envoy worker per event of {} bytes: median of {n_rounds} rounds of {N_PER_ROUND} events, half of the rounds in brackets.
Resident memory added per worker: (Envoy with the filter - Envoy without) / workers, after {N_WARM_UP} events.
",
        EVENT.len()
    );
    println!(
        "{:<16} {:>8} {:>22} {:>18} {:>18}",
        "",
        "CPU µs",
        "added µs",
        format!("added, {one} worker"),
        format!("added, {four} workers")
    );
    for variant in VARIANTS {
        let cpu = Spread::of(rounds.iter().map(|round| round[variant as usize])).median;
        let Spread { lower, median, upper } = added(variant);
        println!(
            "{:<16} {cpu:>8.1} {:>22} {:>18} {:>18}",
            variant.name(),
            format!("{median:.1} ({lower:.1} to {upper:.1})"),
            in_mb(per_worker(variant, 0)),
            in_mb(per_worker(variant, 1)),
        );
    }
    let most = per_worker(Variant::Bellhop, 0).max(per_worker(Variant::Bellhop, 1));
    Ok(print_bars(&[
        Bar {
            what: "CPU added by Bellhop / CPU added by the minimal filter",
            measured: format!("{ratio:.2}"),
            bar: format!("{CPU_RATIO_BAR}"),
            // A minimal filter that adds nothing is a failed measurement.
            holds: added_minimal > 0.0 && ratio <= CPU_RATIO_BAR,
        },
        Bar {
            what: "resident memory added by Bellhop per worker",
            measured: in_mb(most),
            bar: in_mb(RESIDENT_BYTES_BAR),
            holds: most <= RESIDENT_BYTES_BAR,
        },
        Bar {
            what: "size of the module",
            measured: format!("{} KB", module / KB),
            bar: format!("{} KB", MODULE_BYTES_BAR / KB),
            holds: module <= MODULE_BYTES_BAR,
        },
    ]))
}

/// CPU per event in µs, by variant, for each round. The Envoys take turns and the turn moves on, so that what
/// disturbs the machine disturbs all alike.
fn cpu_rounds(envoy: &Path, n_rounds: usize) -> anyhow::Result<Vec<[f64; 3]>> {
    announce("warming three Envoys up");
    let upstream = load::upstream()?;
    let configuration = gateways::small_configuration();
    let mut running = Vec::new();
    for variant in VARIANTS {
        let gateway = gateways::start(envoy, variant, upstream.port(), &configuration, 1)?;
        let mut sender = Sender::new(gateway.listener("edge")?);
        sender.send_events(N_WARM_UP)?;
        running.push((gateway, sender));
    }
    let mut rounds = Vec::new();
    for n in 0..n_rounds {
        if n % 10 == 0 {
            announce(&format!("round {} of {n_rounds}", n + 1));
        }
        let mut round = [0.0; 3];
        for turn in 0..running.len() {
            let variant = (n + turn) % running.len();
            let (gateway, sender) = &mut running[variant];
            let before = gateway.cpu_time()?;
            sender.send_events(N_PER_ROUND)?;
            round[variant] = per_event(gateway.cpu_time()?.saturating_sub(before));
        }
        rounds.push(round);
    }
    Ok(rounds)
}

#[allow(clippy::cast_precision_loss, reason = "the number of events is small")]
fn per_event(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6 / N_PER_ROUND as f64
}

/// By variant, after the same load.
fn resident_bytes(envoy: &Path, n_workers: u32) -> anyhow::Result<[u64; 3]> {
    announce(&format!("measuring memory, workers: {n_workers}"));
    let upstream = load::upstream()?;
    let configuration = gateways::small_configuration();
    let mut resident = [0; 3];
    for variant in VARIANTS {
        let gateway = gateways::start(envoy, variant, upstream.port(), &configuration, n_workers)?;
        // Each connection goes to one worker; enough of them reach all.
        let edge = gateway.listener("edge")?;
        let mut senders: Vec<_> = (0..8 * n_workers).map(|_| Sender::new(edge)).collect();
        let n_each = N_WARM_UP / senders.len();
        for sender in &mut senders {
            sender.send_events(n_each)?;
        }
        resident[variant as usize] = gateway.resident_bytes()?;
    }
    Ok(resident)
}

/// The middle of some figures, and the half of them around it.
#[derive(Debug, PartialEq)]
struct Spread {
    lower: f64,
    median: f64,
    upper: f64,
}

impl Spread {
    /// Of at least one figure.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        let (middle, quarter) = (values.len() / 2, values.len() / 4);
        let median = if values.len() % 2 == 1 {
            values[middle]
        } else {
            f64::midpoint(values[middle - 1], values[middle])
        };
        Self { lower: values[quarter], median, upper: values[values.len() - 1 - quarter] }
    }
}

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn a_spread_is_the_middle_and_the_half_around_it() {
        let of = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(of(&[7.0]), Spread { lower: 7.0, median: 7.0, upper: 7.0 });
        assert_eq!(of(&[3.0, 1.0, 2.0]), Spread { lower: 1.0, median: 2.0, upper: 3.0 });
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]), Spread { lower: 2.0, median: 2.5, upper: 3.0 });
    }
}
