//! libFuzzer's entry to `fuzz::filter`; without libFuzzer, a check of one input from standard input. What must hold stands there.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
mod counted {
    use std::sync::atomic::{AtomicU8, Ordering};

    const N_COUNTERS: usize = 1 << 14;

    /// libFuzzer reads this section after each input and clears it before the next: what is set is coverage to it.
    // SAFETY: the section holds bytes only, and nobody touches them while libFuzzer does.
    #[allow(unsafe_code, reason = "there is no safe way to name a section")]
    #[unsafe(link_section = "__libfuzzer_extra_counters")]
    static COUNTERS: [AtomicU8; N_COUNTERS] = [const { AtomicU8::new(0) }; N_COUNTERS];

    pub(super) fn check(input: &[u8]) {
        for feature in fuzz::filter::run(input).features {
            let at = usize::try_from(feature % N_COUNTERS as u64).unwrap_or(0);
            COUNTERS[at].fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| counted::check(input));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    let mut input = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut input)?;
    println!("{:?}", fuzz::filter::run(&input));
    Ok(())
}
