//! Every input of the corpus through its target, without libFuzzer. It finds nothing new.

use std::path::Path;

/// Runs a check over the files of `corpus/NAME`.
fn replay(name: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut n_inputs = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let input = std::fs::read(&path).unwrap();
        if std::panic::catch_unwind(|| check(&input)).is_err() {
            panic!("{} breaks a promise", path.display());
        }
        n_inputs += 1;
    }
    assert!(n_inputs > 10, "the corpus of {name} is not there");
}

#[test]
fn nothing_in_the_corpus_breaks_the_parser() {
    replay("parse", fuzz::parse::check);
}

#[test]
fn nothing_in_the_corpus_breaks_the_judgement() {
    replay("judge", fuzz::judge::check);
}

#[test]
fn nothing_in_the_corpus_breaks_the_configuration() {
    replay("configuration", fuzz::configuration::check);
}

#[test]
fn nothing_in_the_corpus_gets_in_without_the_secret() {
    replay("verify", fuzz::verify::check);
}
