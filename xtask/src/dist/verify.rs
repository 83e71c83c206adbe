//! A second build of the same sources in another folder, compared byte by byte. It does not build on another machine.

use std::path::Path;

use anyhow::bail;
use testbed::paths;

use super::artefacts::Place;
use super::{Files, release, scratch};
use crate::run;
use crate::setup::announce;

/// Whether a copy of the sources elsewhere, with a build folder of its own, gives the same files.
pub(super) fn elsewhere(files: &Files, module_only: bool) -> anyhow::Result<bool> {
    // Longer than the first, and not beside it: paths of equal length could hide a difference.
    let copy = scratch("the same sources once more, elsewhere");
    if copy.exists() {
        std::fs::remove_dir_all(&copy)?;
    }
    announce("copying the sources");
    copy_sources(&copy)?;
    let others = release(&Place::new(&copy, &copy.join("target")), module_only)?;
    let differing = differing(files, &others);
    std::fs::remove_dir_all(&copy)?;
    for path in &differing {
        eprintln!("differs between two builds: {path}");
    }
    if differing.is_empty() {
        eprintln!("{} files, the same bytes from two builds in two folders", files.len());
    }
    Ok(differing.is_empty())
}

/// Copies what git knows, and what it would, as it stands in the work tree.
fn copy_sources(to: &Path) -> anyhow::Result<()> {
    let mut git = run::program("git");
    let output = run::output(git.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]))?;
    if !output.status.success() {
        bail!("git does not list the sources: {}", String::from_utf8_lossy(&output.stderr));
    }
    for name in String::from_utf8(output.stdout)?.split('\0').filter(|name| !name.is_empty()) {
        let (from, to) = (paths::repository().join(name), to.join(name));
        // What is deleted and not committed is still in the list.
        if !from.is_file() {
            continue;
        }
        std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
        std::fs::copy(from, to)?;
    }
    Ok(())
}

/// The paths of files that are not in both, or not the same.
fn differing(ours: &Files, others: &Files) -> Vec<String> {
    let paths: std::collections::BTreeSet<_> = ours.keys().chain(others.keys()).collect();
    let same = |path: &str| match (ours.get(path), others.get(path)) {
        (Some(one), Some(other)) => one.bytes == other.bytes && one.executable == other.executable,
        _ => false,
    };
    paths.into_iter().filter(|path| !same(path)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dist::File;

    fn files(of: &[(&str, &[u8])]) -> Files {
        let file = |bytes: &[u8]| File { bytes: bytes.to_owned(), executable: false };
        of.iter().map(|(path, bytes)| ((*path).to_owned(), file(bytes))).collect()
    }

    #[test]
    fn a_changed_a_missing_and_an_added_file_are_found() {
        let ours = files(&[("a", b"1"), ("b", b"2"), ("c", b"3")]);
        let others = files(&[("a", b"1"), ("b", b"x"), ("d", b"3")]);
        assert_eq!(differing(&ours, &others), ["b", "c", "d"]);
        assert!(differing(&ours, &ours).is_empty());
    }
}
