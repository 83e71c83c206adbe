//! What the filter remembers of accepted events, while everything fails but Envoy's own process, which has the memory.

use soak::BoxError;
use soak::edge::Options;
use soak::plan::{FAULTS, Fault};
use soak::run::{Extent, Settings, run};

const N_EVENTS: u64 = 3_000;
const SEED: u64 = 5;

/// Few devices and many places: two events or devices at one place would make the filter forget, which it may.
const N_DEVICES: u64 = 20;
const SLOTS: u32 = 1 << 20;

#[test]
fn late_events_are_flagged_and_copies_end_at_the_gateway_while_envoy_lives() -> Result<(), BoxError> {
    let seed = std::env::var("SEED").map_or(Ok(SEED), |seed| seed.parse())?;
    let report = run(&Settings {
        faults: FAULTS.into_iter().filter(|it| Fault::keeps_memory(*it)).collect(),
        n_devices: N_DEVICES,
        options: Options { memory_slots: Some(SLOTS), ..Options::default() },
        ..Settings::new(seed, Extent::Events(N_EVENTS))
    })?;
    println!("{report}");
    assert!(report.findings().is_empty(), "SEED={seed}: {:#?}", report.findings());
    // A finding would be a flag on an event that nothing newer of its device had overtaken. This is the other direction.
    assert_eq!(report.seen.n_unflagged_late, 0, "SEED={seed}");
    assert!(report.seen.n_flagged > 10, "SEED={seed}: {} flagged", report.seen.n_flagged);
    assert_eq!(report.seen.n_copies_of_acknowledged, 0, "SEED={seed}");
    assert!(report.sent.n_duplicates > 5, "SEED={seed}: {} duplicates", report.sent.n_duplicates);
    Ok(())
}
