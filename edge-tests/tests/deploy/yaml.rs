//! YAML read by a Python library, as JSON. It judges nothing.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use edge_tests::BoxError;
use serde_json::Value;
use testbed::paths;

const READ: &str = "import sys, json, ruamel.yaml
print(json.dumps(list(ruamel.yaml.YAML(typ='safe').load_all(sys.stdin))))";

/// A file of this repository.
pub(crate) fn file(path: &str) -> PathBuf {
    paths::repository().join(path)
}

/// The documents of a YAML file.
pub(crate) fn documents(path: &Path) -> Result<Vec<Value>, BoxError> {
    of_text(&std::fs::read_to_string(path)?)
}

/// The documents of a YAML text.
pub(crate) fn of_text(text: &str) -> Result<Vec<Value>, BoxError> {
    let mut python = python(&["-c", READ]);
    let mut child = python.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err("python cannot read it; `cargo xtask test --all --install` installs what it needs".into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The document of this kind.
pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Result<&'a Value, BoxError> {
    let found = documents.iter().find(|it| it["kind"] == kind);
    Ok(found.ok_or_else(|| format!("no {kind}"))?)
}

/// Python with the packages of the build folder.
pub(crate) fn python(arguments: &[&str]) -> Command {
    let mut path = paths::target().join("tools/python").into_os_string();
    if let Some(others) = std::env::var_os("PYTHONPATH") {
        path.push(OsString::from(":"));
        path.push(others);
    }
    let mut command = Command::new("python3");
    command.args(arguments).env("PYTHONPATH", path).current_dir(paths::repository());
    command
}

/// What a command says, and whether it succeeded.
pub(crate) fn run(command: &mut Command) -> Result<(bool, String), BoxError> {
    let output = command.stdin(Stdio::null()).output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}
