//! The paths that the documents name, and where their links lead. It does not check links to the outside.

use std::path::Path;

use crate::{files_below, read, root};

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

/// The targets of a text's links, code blocks left out.
fn links_in(text: &str) -> Vec<&str> {
    let mut in_block = false;
    let prose = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence
    });
    let outside_code = prose.flat_map(|line| line.split("](").skip(1));
    outside_code.filter_map(|rest| rest.split(')').next()).collect()
}

/// What the headings of a text are called in links.
fn anchors_in(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        in_block ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if in_block || heading.len() == line.len() || !heading.starts_with(' ') {
            continue;
        }
        let kept = heading.trim().chars().filter(|it| it.is_alphanumeric() || " -_".contains(*it));
        let anchor: String = kept.map(|it| if it == ' ' { '-' } else { it }).collect();
        anchors.push(anchor.to_lowercase());
    }
    anchors
}

#[test]
fn every_link_leads_somewhere() {
    let mut n_links = 0;
    let pages = files_below(root()).into_iter().filter(|path| path.extension().is_some_and(|it| it == "md"));
    for page in pages {
        let text = read(&page);
        for link in links_in(&text).into_iter().filter(|it| !it.contains("://") && !it.starts_with("mailto:"))
        {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let folder = page.parent().unwrap_or(Path::new(""));
            let target = if path.is_empty() { page.clone() } else { folder.join(path) };
            assert!(target.exists(), "{} links to `{link}`, which is not there", page.display());
            let named = anchor.is_empty() || anchors_in(&read(&target)).iter().any(|it| it == anchor);
            assert!(named, "{} links to `{link}`: no heading there is called so", page.display());
            n_links += 1;
        }
    }
    assert!(n_links > 30, "only {n_links} links seen");
}

#[test]
fn every_member_of_the_access_log_is_in_the_operators_guide() {
    let gateway = read(&root().join("envoy.yaml"));
    let log = gateway.split("access_log:").nth(1).and_then(|rest| rest.split("json_format:").nth(1)).unwrap();
    let guide = read(&root().join("docs/operator.md"));
    let section = guide.split("\n## The access log\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let members: Vec<_> =
        log.lines().skip(1).map_while(|line| line.trim().split_once(": \"%")).map(|(name, _)| name).collect();
    assert!(members.len() > 10, "{members:?}");
    for member in members {
        assert!(section.contains(&format!("`{member}`")), "`{member}` of the access log is not explained");
    }
}

#[test]
fn headings_have_the_anchors_that_pages_show_them_under() {
    let text = "# A `b_c`: d, e\n## 1. Two words\n```sh\n# no heading\n```\n#hash";
    assert_eq!(anchors_in(text), ["a-b_c-d-e", "1-two-words"]);
    assert_eq!(links_in("[a](b.md#c), [d](e)\n```\n[f](g)\n```\n[h](#i)"), ["b.md#c", "e", "#i"]);
}

#[test]
fn a_path_is_told_from_other_words_with_slashes() {
    let text = "`a/b.rs` and `application/json`, `/provider_events`, `x`, [c](d.md#e), `target/x/y`\n\
                ```\n`not/this`\n```\n`envoy.yaml` `and/or *`";
    assert_eq!(paths_in(text), ["a/b.rs", "d.md", "envoy.yaml"]);
}
