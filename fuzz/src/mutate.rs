//! Inputs made of others by chance that a seed decides: for a bounded run without libFuzzer. It knows no coverage.

use testbed::random::Random;

/// Places and lengths by chance.
#[derive(Debug)]
struct Chance(Random);

impl Chance {
    /// Below `bound`; 0 if that is 0.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound as u64)).unwrap_or(0)
    }

    fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..start + self.below((length - start).min(64) + 1)
    }
}

/// The input of this number: one of the corpus, changed a few times, now and then by a word or a part of another. The same
/// seed gives the same input.
///
/// # Panics
/// When there is no corpus.
#[must_use]
pub fn input(seed: u64, corpus: &[Vec<u8>], words: &[Vec<u8>]) -> Vec<u8> {
    let mut chance = Chance(Random::new(seed));
    let mut input = corpus[chance.below(corpus.len())].clone();
    for _ in 0..=chance.below(6) {
        let at = chance.below(input.len() + 1);
        match chance.below(7) {
            0 if at < input.len() => input[at] ^= 1 << chance.below(8),
            1 if at < input.len() => input[at] = chance.0.bits().to_le_bytes()[0],
            2 => drop(input.drain(chance.range(input.len()))),
            3 => {
                let again = input[chance.range(input.len())].to_vec();
                drop(input.splice(at..at, again));
            }
            4 if !words.is_empty() => {
                let word = words[chance.below(words.len())].clone();
                drop(input.splice(at..at, word));
            }
            // The beginning of this and the end of another.
            5 => {
                let other = &corpus[chance.below(corpus.len())];
                input.truncate(at);
                input.extend_from_slice(&other[chance.below(other.len() + 1)..]);
            }
            _ => {
                // Whole lines: scripts and heads are made of them.
                let other = &corpus[chance.below(corpus.len())];
                let lines: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
                let begins = input[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                let line = lines.get(chance.below(lines.len())).copied().unwrap_or_default();
                drop(input.splice(begins..begins, line.iter().copied()));
            }
        }
    }
    input
}

/// The words of a dictionary of libFuzzer's.
///
/// # Panics
/// When a line of it is none.
#[must_use]
pub fn words(dictionary: &str) -> Vec<Vec<u8>> {
    let lines = dictionary.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| unquoted(line).unwrap_or_else(|| panic!("no word: {line}"))).collect()
}

fn unquoted(line: &str) -> Option<Vec<u8>> {
    let mut rest = line.strip_prefix('"')?.strip_suffix('"')?.bytes();
    let mut word = Vec::new();
    while let Some(byte) = rest.next() {
        match byte {
            b'\\' => match rest.next()? {
                b'x' => {
                    let digits = [rest.next()?, rest.next()?];
                    word.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
                }
                escaped => word.push(escaped),
            },
            plain => word.push(plain),
        }
    }
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_is_read_as_libfuzzer_reads_it() {
        let words = words("# a comment\n\"a\"\n\n\"\\\"b\\\\\\xef\"\n");
        assert_eq!(words, [b"a".to_vec(), b"\"b\\\xef".to_vec()]);
    }

    #[test]
    fn the_same_seed_gives_the_same_input_and_another_another() {
        let corpus = [b"one\ntwo\n".to_vec(), b"three".to_vec()];
        let inputs = |from: u64| (from..from + 50).map(|seed| input(seed, &corpus, &[])).collect::<Vec<_>>();
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(51));
    }
}
