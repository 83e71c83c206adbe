//! The paths that the documents name. It does not check links to the outside.

use crate::{read, root};

/// The documents whose paths must exist.
const DOCUMENTS: [&str; 3] = ["ARCHITECTURE.md", "README.md", "SECURITY.md"];

/// What stands in backticks with a slash and is no path: media types, protobuf types, repositories, addresses.
const NO_PATHS: [&str; 5] = ["application/", "text/", "type.googleapis.com/", "http://", "https://"];

/// Endings that make a word without a slash a path.
const ENDINGS: [&str; 6] = [".json", ".md", ".rs", ".toml", ".wasm", ".yaml"];

/// The paths in backticks and in links of a text, code blocks left out.
fn paths_in(text: &str) -> Vec<&str> {
    let mut paths = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if !in_block {
            paths.extend(line.split('`').skip(1).step_by(2).filter(|it| is_path(it)));
            let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            let targets = links.map(|link| link.split('#').next().unwrap_or_default());
            paths.extend(targets.filter(|it| !it.is_empty() && !it.contains("://")));
        }
    }
    paths
}

fn is_path(word: &str) -> bool {
    let plain = word.bytes().all(|it| it.is_ascii_alphanumeric() || b"/._-".contains(&it));
    let absolute_or_option = word.starts_with(['/', '-', '.']) && !word.starts_with(".ci");
    let known = NO_PATHS.iter().any(|start| word.starts_with(start));
    // The build folder is not part of the repository.
    let built = word.starts_with("target/");
    plain
        && !absolute_or_option
        && !known
        && !built
        && (word.contains('/') || ENDINGS.iter().any(|ending| word.ends_with(ending)))
}

#[test]
fn every_path_that_a_document_names_exists() {
    for document in DOCUMENTS {
        let text = read(&root().join(document));
        let paths = paths_in(&text);
        assert!(paths.len() >= 5, "{document} names only {paths:?}");
        for path in paths {
            assert!(root().join(path).exists(), "{document} names `{path}`, which is not there");
        }
    }
}

#[test]
fn a_path_is_told_from_other_words_with_slashes() {
    let text = "`a/b.rs` and `application/json`, `/provider_events`, `x`, [c](d.md#e), `target/x/y`\n\
                ```\n`not/this`\n```\n`envoy.yaml` `and/or *`";
    assert_eq!(paths_in(text), ["a/b.rs", "d.md", "envoy.yaml"]);
}
