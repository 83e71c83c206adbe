//! Makes two folders of the compiled inspector: the page, and the npm package. It compiles nothing; `cargo xtask inspector` does,
//! and calls this: `inspector-build MODULE PAGE_FOLDER PACKAGE_FOLDER`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

/// What wasm-bindgen calls its files.
const NAME: &str = "inspector";

fn main() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [module, page, package] = arguments.as_slice() else {
        bail!("usage: inspector-build MODULE PAGE_FOLDER PACKAGE_FOLDER");
    };
    let sources = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../inspector"));
    make(Path::new(module), &sources.join("page"), Path::new(page))?;
    make(Path::new(module), &sources.join("npm"), Path::new(package))?;
    Ok(())
}

/// The files of a folder, and what JavaScript needs to run the module, and nothing else. What is there already keeps its time: who
/// builds them in need not build again.
fn make(module: &Path, files: &Path, target: &Path) -> anyhow::Result<()> {
    // Two may be at it at once.
    let scratch = target.with_extension(format!("{}.new", std::process::id()));
    clear(&scratch)?;
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name(NAME).web(true)?.typescript(false);
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.generate(&scratch).with_context(|| format!("{} gives no bindings", module.display()))?;
    for file in files_of(files)? {
        fs::copy(files.join(&file), scratch.join(&file))?;
    }
    fs::create_dir_all(target).with_context(|| format!("{} cannot be made", target.display()))?;
    let made = files_of(&scratch)?;
    for file in files_of(target)?.difference(&made) {
        fs::remove_file(target.join(file))?;
    }
    for file in &made {
        let bytes = fs::read(scratch.join(file))?;
        if fs::read(target.join(file)).ok().as_ref() != Some(&bytes) {
            fs::write(target.join(file), bytes)?;
        }
    }
    clear(&scratch)
}

fn clear(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    Ok(())
}

fn files_of(folder: &Path) -> anyhow::Result<BTreeSet<OsString>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    Ok(entries.map(|entry| entry.map(|it| it.file_name())).collect::<Result<_, _>>()?)
}
