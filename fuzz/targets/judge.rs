//! libFuzzer's entry to `fuzz::judge`; without libFuzzer, a check of one input from standard input. What must hold stands there.
#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| fuzz::judge::check(input));

#[cfg(not(fuzzing))]
fn main() -> std::io::Result<()> {
    let mut input = Vec::new();
    std::io::Read::read_to_end(&mut std::io::stdin(), &mut input)?;
    fuzz::judge::check(&input);
    Ok(())
}
