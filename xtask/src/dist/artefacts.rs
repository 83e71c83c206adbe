//! The module and the program, built so that nothing of the machine is in them. It decides no setting of the compiler but paths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::run;

/// Where sources stand and where their build goes.
pub(crate) struct Place {
    root: PathBuf,
    target: PathBuf,
}

impl Place {
    pub(crate) fn new(root: &Path, target: &Path) -> Self {
        Self { root: root.to_owned(), target: target.to_owned() }
    }

    /// The root of the sources.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The filter.
    pub(crate) fn module(&self) -> anyhow::Result<Vec<u8>> {
        self.build("plugin", "wasm32-wasip1", "release", "bellhop_plugin.wasm", &[])
    }

    /// The inspector's page and its npm package. Gives the folder of the latter.
    pub(crate) fn inspector(&self) -> anyhow::Result<PathBuf> {
        self.build("inspector", "wasm32-unknown-unknown", "page", "inspector.wasm", &[])?;
        let mut build = run::cargo(&["run", "--quiet", "--locked", "--package", "inspector-build"]);
        build.arg("--target-dir").arg(&self.target).arg("--");
        build.arg(self.target.join("wasm32-unknown-unknown/page/inspector.wasm"));
        let package = self.target.join("inspector/npm");
        build.arg(self.page()).arg(&package);
        run::checked(build.current_dir(&self.root))?;
        Ok(package)
    }

    /// The program `bellhop`, with the page that [`Place::inspector`] has made. Its target is said, so that what only the build runs
    /// is not built again for it.
    pub(crate) fn program(&self) -> anyhow::Result<Vec<u8>> {
        self.build("cli", &host()?, "service", "bellhop", &["--features", "inspector"])
    }

    fn page(&self) -> PathBuf {
        self.target.join("inspector/page")
    }

    fn build(
        &self,
        package: &str,
        target: &str,
        profile: &str,
        file: &str,
        options: &[&str],
    ) -> anyhow::Result<Vec<u8>> {
        let machine = Machine::look(self)?;
        let mut cargo = run::cargo(&["build", "--locked", "--package", package]);
        cargo.args(options).env("BELLHOP_INSPECTOR", self.page());
        cargo.args(["--target", target, "--profile", profile]).arg("--target-dir").arg(&self.target);
        cargo.current_dir(&self.root);
        // Of the machine's own wishes for the compiler none counts.
        let flags = [machine.rust_flags(), self.own_flags(target)?].concat().join("\u{1f}");
        cargo.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", flags);
        // The `cc` crate takes spaces apart unless told that there are quotes.
        cargo.env("CFLAGS", machine.c_flags()).env("CC_SHELL_ESCAPED_FLAGS", "1");
        run::checked(&mut cargo)?;
        let path = self.target.join(target).join(profile).join(file);
        let bytes = std::fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        machine.must_not_be_in(&bytes, file)?;
        Ok(bytes)
    }

    /// What the sources' own configuration of cargo asks of the compiler for a target.
    fn own_flags(&self, target: &str) -> anyhow::Result<Vec<String>> {
        let path = self.root.join(".cargo/config.toml");
        let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let mut configuration: CargoConfiguration =
            toml_edit::de::from_str(&text).with_context(|| path.display().to_string())?;
        Ok(configuration.target.remove(target).map(|it| it.rustflags).unwrap_or_default())
    }
}

/// Of `.cargo/config.toml`.
#[derive(Deserialize)]
struct CargoConfiguration {
    target: BTreeMap<String, OfTarget>,
}

#[derive(Deserialize)]
struct OfTarget {
    rustflags: Vec<String>,
}

/// The folders of this machine that a compiler would write into what it makes, and what stands for them.
struct Machine {
    folders: Vec<(PathBuf, String)>,
}

impl Machine {
    fn look(place: &Place) -> anyhow::Result<Self> {
        let said = said_by_rustc(&["--print", "sysroot"])?;
        let sysroot = PathBuf::from(said.trim());
        let version = said_by_rustc(&["--version", "--verbose"])?;
        let hash = field(&version, "commit-hash").context("rustc does not tell its commit")?;
        let home = match std::env::var_os("CARGO_HOME") {
            Some(home) => PathBuf::from(home),
            None => std::env::home_dir().context("there is no home folder")?.join(".cargo"),
        };
        // The last that fits counts.
        let mut folders = vec![
            (sysroot.clone(), "/toolchain".to_owned()),
            (sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{hash}")),
            (home.clone(), "/cargo".to_owned()),
            (place.root.clone(), "/bellhop".to_owned()),
            (place.target.clone(), "/build".to_owned()),
        ];
        // The name of a registry's folder depends on where this machine gets packages from.
        for registry in std::fs::read_dir(home.join("registry/src")).into_iter().flatten() {
            folders.push((registry?.path(), "/crates".to_owned()));
        }
        Ok(Self { folders })
    }

    fn rust_flags(&self) -> Vec<String> {
        let flags = self.folders.iter().map(|(folder, name)| format!("{}={name}", folder.display()));
        flags.flat_map(|flag| ["--remap-path-prefix".to_owned(), flag]).collect()
    }

    /// For the C of SQLite and ring, quoted as a shell reads it.
    fn c_flags(&self) -> String {
        let flags = self
            .folders
            .iter()
            .map(|(folder, name)| format!("-ffile-prefix-map={}={name}", folder.display()));
        flags.map(|flag| format!("'{}'", flag.replace('\'', r"'\''"))).collect::<Vec<_>>().join(" ")
    }

    fn must_not_be_in(&self, bytes: &[u8], file: &str) -> anyhow::Result<()> {
        for (folder, _) in &self.folders {
            let path = folder.to_string_lossy();
            if contains(bytes, path.as_bytes()) {
                bail!("`{path}`, a path of this machine, is in {file}");
            }
        }
        Ok(())
    }
}

/// The value of `field: value` in what `rustc --version --verbose` says.
pub(crate) fn field<'a>(version: &'a str, name: &str) -> Option<&'a str> {
    version.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The compiler's own word.
pub(crate) fn said_by_rustc(arguments: &[&str]) -> anyhow::Result<String> {
    let output = run::output(run::program("rustc").args(arguments))?;
    if !output.status.success() {
        bail!("rustc does not answer {arguments:?}");
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The target of what runs here.
pub(crate) fn host() -> anyhow::Result<String> {
    let version = said_by_rustc(&["--version", "--verbose"])?;
    Ok(field(&version, "host").context("rustc does not tell its host")?.to_owned())
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_machine_is_found() {
        let place = Place::new(Path::new("/somewhere/odd"), Path::new("/somewhere/odd/target"));
        let machine = Machine::look(&place).unwrap();
        machine.must_not_be_in(b"\0/bellhop/src/lib.rs\0", "it").unwrap();
        let error = machine.must_not_be_in(b"\0/somewhere/odd/src/lib.rs\0", "it").unwrap_err();
        assert!(error.to_string().contains("/somewhere/odd"), "{error}");
    }
}
