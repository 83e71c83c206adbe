//! `bellhop export`. What a line says is the directory's.

use std::fs::File;
use std::io::{BufWriter, Write, stdout};
use std::path::PathBuf;

use anyhow::Context;
use directory::Store;

use crate::configuration::Configuration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Where to write, instead of standard output; a file that is there is replaced
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let store = Store::open(config.database.expose(), config.store_limits()).await?;
    let writer: Box<dyn Write + Send> = match &arguments.output {
        None => Box::new(BufWriter::new(stdout())),
        Some(file) => Box::new(BufWriter::new(
            File::create(file).with_context(|| format!("cannot write {}", file.display()))?,
        )),
    };
    let exported = store.export(writer).await?;
    store.close().await;
    eprintln!("exported {} lines with {} ids", exported.lines, exported.ids);
    Ok(())
}
