//! Running other programs, with one sentence when one is missing or fails. It decides nothing about them.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, Output, Stdio};

use anyhow::{anyhow, bail};
use testbed::paths;

/// A program, to be run in the root of the repository.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(paths::repository());
    command
}

/// The cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs to the end with its output on our terminal. Whether it succeeded.
pub(crate) fn succeeds(command: &mut Command) -> anyhow::Result<bool> {
    match command.status() {
        Ok(status) => Ok(status.success()),
        Err(error) => Err(missing(command, error)),
    }
}

/// Runs to the end with its output on our terminal.
pub(crate) fn checked(command: &mut Command) -> anyhow::Result<()> {
    if succeeds(command)? {
        return Ok(());
    }
    bail!("`{}` failed", shown(command))
}

/// Runs to the end and gives what it printed.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<Output> {
    command.stdin(Stdio::null()).output().map_err(|error| missing(command, error))
}

/// Whether the program is there and succeeds, silently.
pub(crate) fn probe(command: &mut Command) -> bool {
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    quiet.status().is_ok_and(|status| status.success())
}

/// What the command looks like on a terminal.
pub(crate) fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn missing(command: &Command, error: io::Error) -> anyhow::Error {
    let name = command.get_program().to_string_lossy().into_owned();
    if error.kind() == io::ErrorKind::NotFound {
        return anyhow!("`{name}` is missing: install it and try again");
    }
    anyhow::Error::new(error).context(format!("`{name}` could not be run"))
}
