//! A file that a command reads, or standard input. It reads nothing of it.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::Path;

use anyhow::Context;

/// Whether this stands for standard input.
pub(crate) fn is_stdin(file: &Path) -> bool {
    file.as_os_str() == "-"
}

/// Opens a file; `-` is standard input.
pub(crate) fn open(file: &Path) -> anyhow::Result<Box<dyn BufRead + Send>> {
    if is_stdin(file) {
        return Ok(Box::new(BufReader::new(stdin())));
    }
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(Box::new(BufReader::new(opened)))
}
