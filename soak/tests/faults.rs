//! Ten thousand events while everything fails once. `SEED` chooses another schedule than the usual one.

use soak::BoxError;
use soak::plan::FAULTS;
use soak::run::{Extent, Settings, run};

const N_EVENTS: u64 = 10_000;
const SEED: u64 = 5;

#[test]
fn no_event_is_lost_doubled_changed_or_misrouted_whatever_fails() -> Result<(), BoxError> {
    let seed = std::env::var("SEED").map_or(Ok(SEED), |seed| seed.parse())?;
    let report = run(&Settings::new(seed, Extent::Events(N_EVENTS)))?;
    println!("{report}");
    assert!(report.findings().is_empty(), "SEED={seed}: {:#?}", report.findings());
    assert_eq!(report.sent.n_events, N_EVENTS);
    assert_eq!(report.faults.len(), FAULTS.len());
    // Faults that struck nothing would prove nothing.
    assert!(report.sent.n_attempts > N_EVENTS + N_EVENTS / 10, "{} attempts", report.sent.n_attempts);
    Ok(())
}
