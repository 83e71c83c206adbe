//! Resident memory over many events, good and bad: it must not go up with their number.

use std::path::Path;

use anyhow::bail;

use super::gateways::{self, VARIANTS, Variant};
use super::load::{self, N_CONNECTIONS, Sender};
use super::{Bar, GROWTH_BYTES_BAR, difference, in_mb, print_bars};
use crate::examples::{self, Example};
use crate::setup::announce;

/// After so many events memory is read first, and then again.
const N_FIRST: usize = 10_000;
const N_ALL: usize = 100_000;

/// Measures, prints, and says whether Bellhop's growth is within its bar.
pub(super) fn run(envoy: &Path) -> anyhow::Result<bool> {
    let examples = examples::read()?;
    println!("\nResident memory of Envoy with one worker, after so many events of the manifest in turn\n");
    println!("{:<16} {:>14} {:>14} {:>12}", "", N_FIRST, N_ALL, "growth");
    let mut growth_of_bellhop = 0;
    for variant in VARIANTS {
        announce(&format!("{N_ALL} events through Envoy with {}", variant.name()));
        let upstream = load::upstream()?;
        let configuration = &examples.plugin_configuration;
        let gateway = gateways::start(envoy, variant, upstream.port(), configuration, 1)?;
        let mut sender = Sender::new(gateway.listener("edge")?);
        send(&mut sender, variant, &examples.all, 0..N_FIRST)?;
        let first = gateway.resident_bytes()?;
        send(&mut sender, variant, &examples.all, N_FIRST..N_ALL)?;
        let all = gateway.resident_bytes()?;
        let growth = difference(all, first);
        if variant == Variant::Bellhop {
            growth_of_bellhop = growth;
        }
        println!(
            "{:<16} {:>14} {:>14} {:>12}",
            variant.name(),
            in_mb(first.cast_signed()),
            in_mb(all.cast_signed()),
            in_mb(growth)
        );
    }
    Ok(print_bars(&[Bar {
        what: "growth of resident memory with Bellhop",
        measured: in_mb(growth_of_bellhop),
        bar: in_mb(GROWTH_BYTES_BAR),
        holds: growth_of_bellhop <= GROWTH_BYTES_BAR,
    }]))
}

/// Sends the examples in turn. Bellhop must treat each as its row says; the others forward them all.
fn send(
    sender: &mut Sender,
    variant: Variant,
    examples: &[Example],
    range: std::ops::Range<usize>,
) -> anyhow::Result<()> {
    let requests: Vec<_> = examples.iter().map(|example| load::event(&example.body)).collect();
    for batch in range.collect::<Vec<_>>().chunks(N_CONNECTIONS) {
        let turns = batch.iter().map(|n| n % examples.len());
        let statuses = sender.send_batch(&turns.clone().map(|turn| &requests[turn]).collect::<Vec<_>>())?;
        for (turn, status) in turns.zip(statuses) {
            let example = &examples[turn];
            let expected = if variant == Variant::Bellhop { example.expected.status } else { 200 };
            if status != expected {
                bail!("{} was answered {status} and not {expected}", example.file);
            }
        }
    }
    Ok(())
}
