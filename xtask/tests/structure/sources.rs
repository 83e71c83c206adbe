//! What every source file looks like, and what the core never names. It does not parse Rust.

use std::path::PathBuf;

use crate::{files_below, folder, members, read, root};

/// The longest file, tests not counted.
const N_LINES: usize = 400;

/// A line that begins so gives the reason why a file is longer.
const REASON: &str = "// Long because ";

/// Clocks, I/O, randomness, logging and globals: `event-core` gets all of that as arguments or not at all.
const FORBIDDEN_IN_CORE: [&str; 18] = [
    "Instant",
    "SystemTime",
    "eprintln!",
    "getrandom",
    "log::",
    "print!",
    "println!",
    "rand::",
    "static mut",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::thread",
    "std::time",
    "thread_local!",
    "unsafe",
];

/// Path and text of every Rust file of every member.
fn sources() -> Vec<(PathBuf, String)> {
    let mut sources = Vec::new();
    for package in members() {
        let files = files_below(&folder(&package));
        let rust = files.into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
        let before = sources.len();
        sources.extend(rust.map(|path| (path.clone(), read(&path))));
        assert!(sources.len() > before, "no source in {}", folder(&package).display());
    }
    sources
}

/// The text in front of the file's test module.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {").map_or(text, |end| &text[..end])
}

fn is_test(path: &std::path::Path) -> bool {
    path.strip_prefix(root())
        .unwrap()
        .components()
        .any(|it| it.as_os_str() == "tests" || it.as_os_str() == "tests.rs")
}

#[test]
fn every_file_opens_with_what_it_owns() {
    for (path, text) in sources() {
        let first = text.lines().next().unwrap_or_default();
        assert!(first.starts_with("//! ") && first.len() > 20, "{} opens with `{first}`", path.display());
    }
}

#[test]
fn no_file_is_longer_than_one_reads_at_a_time() {
    let mut n_seen = 0;
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let n_lines = without_tests(&text).lines().count();
        let reason = text.lines().find_map(|line| line.strip_prefix(REASON)).is_some_and(|it| it.len() > 10);
        assert!(n_lines <= N_LINES || reason, "{} has {n_lines} lines and no `{REASON}…`", path.display());
        assert!(n_lines > N_LINES || !reason, "{} is short: its `{REASON}…` can go", path.display());
        n_seen += n_lines;
    }
    assert!(n_seen > 1000, "only {n_seen} lines seen");
}

#[test]
fn no_module_is_called_mod() {
    let modules: Vec<_> = sources().into_iter().filter(|(path, _)| path.ends_with("mod.rs")).collect();
    assert!(modules.is_empty(), "{modules:?}");
}

#[test]
fn the_core_names_no_clock_no_io_and_no_globals() {
    let core = root().join("event-core/src");
    let mut n_seen = 0;
    let of_core = |path: &std::path::Path| path.starts_with(&core) && !is_test(path);
    for (path, text) in sources().into_iter().filter(|(path, _)| of_core(path)) {
        let code: Vec<_> =
            without_tests(&text).lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        for line in &code {
            for forbidden in FORBIDDEN_IN_CORE {
                assert!(!names(line, forbidden), "{} names `{forbidden}`: {line}", path.display());
            }
        }
        // One `use` a line, so that none of them hides in braces.
        assert!(!code.join("\n").contains("use std::{"), "{}: `use std::{{`", path.display());
        n_seen += 1;
    }
    assert!(n_seen > 5, "only {n_seen} files of the core seen");
}

/// Whether the line has this word: not as a part of a longer one.
fn names(line: &str, word: &str) -> bool {
    let is_part = |it: Option<char>| it.is_some_and(|it| it.is_alphanumeric() || it == '_');
    line.match_indices(word).any(|(start, _)| {
        let ends_in_name = word.ends_with(|it: char| it.is_alphanumeric());
        let before = line[..start].chars().next_back();
        let after = line[start + word.len()..].chars().next();
        !(is_part(before) || ends_in_name && is_part(after))
    })
}

#[test]
fn a_word_is_found_as_a_whole_only() {
    assert!(names("let now = Instant::now();", "Instant"));
    assert!(names("use rand::rng;", "rand::"));
    assert!(!names("struct InstantOfEvent;", "Instant"));
    assert!(!names("catalog::find()", "log::"));
}
