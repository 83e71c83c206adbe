//! Every input of the corpus through its target, and a bounded number of inputs made of them, without libFuzzer. `SEED` and
//! `INPUTS` choose others than the usual ones; a failure says the seed of its input.

use fuzz::{TARGETS, Target, mutate};
use std::path::Path;

/// How many inputs are made for each target. A script for the filter is many requests.
const N_INPUTS: u64 = 20_000;
const N_SCRIPTS: u64 = 2_000;
const SEED: u64 = 0x5eed_0001;

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn target(name: &str) -> Target {
    TARGETS.into_iter().find(|(it, _)| *it == name).unwrap()
}

/// The inputs of a target with their names, in the order of these.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder().join("corpus").join(name)).unwrap();
    let mut inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            (path.display().to_string(), std::fs::read(&path).unwrap())
        })
        .collect();
    inputs.sort();
    assert!(inputs.len() > 10, "the corpus of {name} is not there");
    inputs
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("a decimal number"))
}

fn replay(name: &str) {
    let (_, check) = target(name);
    for (path, input) in corpus(name) {
        assert!(std::panic::catch_unwind(|| check(&input)).is_ok(), "{path} breaks a promise");
    }
}

fn make(name: &str, n_inputs: u64) {
    let (_, check) = target(name);
    let corpus: Vec<_> = corpus(name).into_iter().map(|(_, input)| input).collect();
    let words = mutate::words(&std::fs::read_to_string(folder().join("events.dict")).unwrap());
    let first = number("SEED", SEED);
    for seed in first..first + number("INPUTS", n_inputs) {
        let input = mutate::input(seed, &corpus, &words);
        let kept = std::panic::catch_unwind(|| check(&input)).is_ok();
        assert!(kept, "SEED={seed} INPUTS=1 breaks a promise of {name}: {}", input.escape_ascii());
    }
}

/// One test for each target and each kind of input, so that they run at once.
macro_rules! tests {
    ($($replayed:ident, $made:ident: $name:literal, $n_inputs:expr;)*) => {
        $(
            #[test]
            fn $replayed() {
                replay($name);
            }

            #[test]
            fn $made() {
                make($name, $n_inputs);
            }
        )*

        #[test]
        fn every_target_has_its_tests() {
            assert_eq!(TARGETS.map(|(name, _)| name), [$($name),*]);
        }
    };
}

tests! {
    nothing_in_the_corpus_breaks_the_configuration, nothing_made_of_it_breaks_the_configuration:
        "configuration", N_INPUTS;
    nothing_in_the_corpus_breaks_the_filter, nothing_made_of_it_breaks_the_filter: "filter", N_SCRIPTS;
    nothing_in_the_corpus_breaks_the_judgement, nothing_made_of_it_breaks_the_judgement: "judge", N_INPUTS;
    nothing_in_the_corpus_breaks_the_parser, nothing_made_of_it_breaks_the_parser: "parse", N_INPUTS;
    nothing_in_the_corpus_gets_in_without_the_secret, nothing_made_of_it_gets_in_without_the_secret: "verify", N_INPUTS;
}
