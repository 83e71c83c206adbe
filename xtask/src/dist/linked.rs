//! Which packages end in a module or program, by `cargo tree` and the lock file. It formats nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, bail};
use serde_json::Value;
use toml_edit::DocumentMut;

use super::artefacts::{Place, field, host, said_by_rustc};
use crate::run;

/// A package that is linked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    /// An SPDX expression.
    pub(super) licence: String,
    pub(super) from: Origin,
    /// Keys of [`Linked::packages`].
    pub(super) dependencies: BTreeSet<String>,
}

/// Where a package comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// This repository.
    Here,
    /// The registry, with the SHA-256 of its package from the lock file.
    Registry { sha256: String },
    /// Neither: what the compiler brings, and C code inside a package.
    Elsewhere,
}

/// All that is linked, by `NAME@VERSION`; the root is what was built.
#[derive(Debug)]
pub(super) struct Linked {
    pub(super) root: String,
    pub(super) packages: BTreeMap<String, Package>,
}

/// What is linked into the filter.
pub(super) fn into_module(place: &Place) -> anyhow::Result<Linked> {
    linked(place, "plugin", "wasm32-wasip1")
}

/// What is linked into the program.
pub(super) fn into_program(place: &Place) -> anyhow::Result<Linked> {
    linked(place, "cli", &host()?)
}

fn linked(place: &Place, package: &str, target: &str) -> anyhow::Result<Linked> {
    // Neither what only the build runs, nor what only tests need.
    let mut tree = run::cargo(&["tree", "--locked", "--package", package, "--target", target]);
    tree.args(["--edges", "normal,no-proc-macro", "--prefix", "depth", "--format", "|{p}|{l}|"]);
    tree.current_dir(place.root());
    let output = run::output(&mut tree)?;
    if !output.status.success() {
        bail!("cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    }
    let lock = std::fs::read_to_string(place.root().join("Cargo.lock"))?.parse::<DocumentMut>()?;
    let mut linked = read_tree(&String::from_utf8(output.stdout)?, &checksums(&lock))?;
    linked.add_std()?;
    if linked.packages.values().any(|it| it.name == "libsqlite3-sys") {
        linked.add_sqlite(place)?;
    }
    Ok(linked)
}

/// The SHA-256 of each package that the lock file has from the registry, by `NAME@VERSION`.
fn checksums(lock: &DocumentMut) -> BTreeMap<String, String> {
    let packages = lock.get("package").and_then(|it| it.as_array_of_tables());
    let read = |package: &toml_edit::Table| {
        let text = |key| package.get(key)?.as_str();
        Some((format!("{}@{}", text("name")?, text("version")?), text("checksum")?.to_owned()))
    };
    packages.into_iter().flatten().filter_map(read).collect()
}

/// Reads lines of `DEPTH|NAME vVERSION …|LICENCE|…`. A package that is there again comes without its dependencies.
fn read_tree(text: &str, checksums: &BTreeMap<String, String>) -> anyhow::Result<Linked> {
    let mut packages = BTreeMap::<String, Package>::new();
    let mut above: Vec<String> = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.split('|');
        let mut part = || parts.next().with_context(|| format!("an odd line of cargo tree: {line}"));
        let (depth, package, licence) = (part()?.parse::<usize>()?, part()?, part()?);
        let (name, rest) = package.split_once(" v").with_context(|| format!("no package: {package}"))?;
        let (version, origin) = rest.split_once(' ').unwrap_or((rest, ""));
        let key = format!("{name}@{version}");
        let from = match checksums.get(&key) {
            Some(sha256) if origin.is_empty() => Origin::Registry { sha256: sha256.clone() },
            _ if origin.starts_with("(/") => Origin::Here,
            _ => bail!("{key} is neither ours nor of the lock file"),
        };
        above.truncate(depth);
        if let Some(dependent) = above.last().and_then(|it| packages.get_mut(it)) {
            dependent.dependencies.insert(key.clone());
        }
        above.push(key.clone());
        packages.entry(key).or_insert_with(|| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            // Some still write `/` for `OR`.
            licence: licence.replace('/', " OR "),
            from,
            dependencies: BTreeSet::new(),
        });
    }
    let root = above.first().context("cargo tree shows nothing")?.clone();
    Ok(Linked { root, packages })
}

impl Linked {
    /// Rust's standard library, with what it links: on wasm32-wasip1 the C library of WASI.
    fn add_std(&mut self) -> anyhow::Result<()> {
        let version = said_by_rustc(&["--version", "--verbose"])?;
        let version = field(&version, "release").context("rustc does not tell its release")?;
        let root = self.root.clone();
        self.add("rust-std", version, "MIT OR Apache-2.0", &root);
        Ok(())
    }

    /// SQLite's C code, which a package brings along and compiles.
    fn add_sqlite(&mut self, place: &Place) -> anyhow::Result<()> {
        let mut metadata = run::cargo(&["metadata", "--locked", "--format-version", "1"]);
        let output = run::output(metadata.current_dir(place.root()))?;
        let metadata: Value = serde_json::from_slice(&output.stdout)?;
        let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
        let found = packages.iter().find(|it| it["name"] == "libsqlite3-sys");
        let manifest = found.and_then(|it| it["manifest_path"].as_str()).context("no package of SQLite")?;
        let header = PathBuf::from(manifest).with_file_name("sqlite3").join("sqlite3.h");
        let text = std::fs::read_to_string(header)?;
        let version = text.lines().find_map(|line| line.strip_prefix("#define SQLITE_VERSION "));
        let version = version.context("sqlite3.h names no version")?.trim().trim_matches('"');
        let user = self.packages.iter().find(|(_, it)| it.name == "libsqlite3-sys");
        let user = user.map(|(key, _)| key.clone()).unwrap_or_default();
        self.add("sqlite", version, "blessing", &user);
        Ok(())
    }

    fn add(&mut self, name: &str, version: &str, licence: &str, user: &str) {
        let key = format!("{name}@{version}");
        if let Some(user) = self.packages.get_mut(user) {
            user.dependencies.insert(key.clone());
        }
        let package = Package {
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.to_owned(),
            from: Origin::Elsewhere,
            dependencies: BTreeSet::new(),
        };
        self.packages.insert(key, package);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_gives_packages_and_who_needs_them() {
        let tree = "0|plugin v0.1.0 (/here/plugin)|Apache-2.0|\n1|a v1.0.0|MIT/Apache-2.0|\n2|b v2.0.0|MIT|\n1|b v2.0.0|MIT| (*)\n";
        let sums = [("a@1.0.0", "aa"), ("b@2.0.0", "bb")].map(|(key, sum)| (key.to_owned(), sum.to_owned()));
        let linked = read_tree(tree, &sums.into()).unwrap();
        assert_eq!(linked.root, "plugin@0.1.0");
        let needs = |key: &str| linked.packages[key].dependencies.iter().cloned().collect::<Vec<_>>();
        assert_eq!(needs("plugin@0.1.0"), ["a@1.0.0", "b@2.0.0"]);
        assert_eq!(needs("a@1.0.0"), ["b@2.0.0"]);
        assert_eq!(linked.packages["a@1.0.0"].licence, "MIT OR Apache-2.0");
        assert_eq!(linked.packages["a@1.0.0"].from, Origin::Registry { sha256: "aa".to_owned() });
        assert_eq!(linked.packages["plugin@0.1.0"].from, Origin::Here);
    }

    #[test]
    fn a_package_that_the_lock_file_lacks_is_an_error() {
        assert!(read_tree("0|a v1.0.0|MIT|\n", &BTreeMap::new()).is_err());
    }
}
