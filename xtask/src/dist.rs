//! `cargo xtask dist`: what a release holds, the same bytes from the same sources wherever it is built. It publishes nothing.

mod artefacts;
mod bill;
mod image;
mod linked;
mod verify;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};
use testbed::paths;

use crate::arguments::DistOptions;
use crate::setup::{self, announce};
use artefacts::Place;

/// What stands in the repository and goes along as it is. Folders whole.
const COPIED: [&str; 4] = ["LICENSE", "envoy.yaml", "schemas", "deploy"];

/// A file of a release.
struct File {
    bytes: Vec<u8>,
    executable: bool,
}

/// The files of a release by their path in it, sorted.
type Files = BTreeMap<String, File>;

/// Writes a release, or builds one twice and compares. Whether that went well.
pub(crate) fn run(options: &DistOptions) -> anyhow::Result<bool> {
    setup::targets()?;
    let folder = paths::target().join("dist");
    let place = Place::new(paths::repository(), &folder.join("build"));
    let files = release(&place, options.module_only)?;
    let out = match &options.out {
        Some(out) => std::path::absolute(out)?,
        None => folder.join(format!("bellhop-{}", env!("CARGO_PKG_VERSION"))),
    };
    write(&files, &out)?;
    for (path, file) in &files {
        eprintln!("{:>10}  {path}", file.bytes.len());
    }
    announce(&format!("written to {}", out.display()));
    if options.verify {
        return verify::elsewhere(&files, options.module_only);
    }
    Ok(true)
}

/// All files of a release, built in this place.
fn release(place: &Place, module_only: bool) -> anyhow::Result<Files> {
    let mut files = Files::new();
    announce("building the module");
    let module = place.module()?;
    let hash = sha256(&module);
    files.add("bellhop.wasm.sha256", format!("{hash}  bellhop.wasm\n").into_bytes());
    for (path, bytes) in image::layout(&module)? {
        files.add(&format!("oci/{path}"), bytes);
    }
    let linked = linked::into_module(place)?;
    files.add("bellhop.wasm.cdx.json", bill::of("bellhop.wasm", &hash, &linked)?);
    files.add("bellhop.wasm", module);
    if !module_only {
        announce("building the inspector");
        let package = place.inspector()?;
        for entry in std::fs::read_dir(&package)? {
            let name = entry?.file_name();
            files.add(&format!("npm/{}", name.to_string_lossy()), std::fs::read(package.join(&name))?);
        }
        announce("building the program");
        let program = place.program()?;
        let linked = linked::into_program(place)?;
        files.add("bellhop.cdx.json", bill::of("bellhop", &sha256(&program), &linked)?);
        files.insert("bellhop".to_owned(), File { bytes: program, executable: true });
    }
    for name in COPIED {
        add_copies(place.root(), Path::new(name), &mut files)?;
    }
    let mut sums = String::new();
    for (path, file) in &files {
        writeln!(sums, "{}  {path}", sha256(&file.bytes))?;
    }
    files.add("SHA256SUMS", sums.into_bytes());
    Ok(files)
}

fn add_copies(root: &Path, path: &Path, files: &mut Files) -> anyhow::Result<()> {
    let from = root.join(path);
    // Cases are for the tests of this repository.
    if path.ends_with("schemas/cases") {
        return Ok(());
    }
    if from.is_dir() {
        for entry in std::fs::read_dir(&from)? {
            add_copies(root, &path.join(entry?.file_name()), files)?;
        }
        return Ok(());
    }
    let bytes = std::fs::read(&from).with_context(|| format!("{} cannot be read", path.display()))?;
    files.add(&path.to_string_lossy(), bytes);
    Ok(())
}

/// Puts the files into the folder, which holds nothing else afterwards.
fn write(files: &Files, out: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if out.exists() {
        // Only what is a release is cleared away.
        if !out.join("SHA256SUMS").is_file() && out.read_dir()?.next().is_some() {
            bail!("{} is there and no release: name another folder", out.display());
        }
        std::fs::remove_dir_all(out)?;
    }
    for (path, file) in files {
        let path = out.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(out))?;
        std::fs::write(&path, &file.bytes)?;
        let mode = if file.executable { 0o755 } else { 0o644 };
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(&Sha256::digest(bytes))
}

/// A folder below the build folder of releases.
fn scratch(name: &str) -> PathBuf {
    paths::target().join("dist").join(name)
}

trait Add {
    fn add(&mut self, path: &str, bytes: Vec<u8>);
}

impl Add for Files {
    fn add(&mut self, path: &str, bytes: Vec<u8>) {
        self.insert(path.to_owned(), File { bytes, executable: false });
    }
}
