//! `bellhop import`. What a line may say is the directory's.

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::PathBuf;

use anyhow::Context;
use directory::{Store, clock};

use crate::configuration::Configuration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// A file of JSON lines; `-` is standard input
    file: PathBuf,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let name = arguments.file.display();
    let reader: Box<dyn BufRead + Send> = if arguments.file.as_os_str() == "-" {
        Box::new(BufReader::new(stdin()))
    } else {
        Box::new(BufReader::new(File::open(&arguments.file).with_context(|| format!("cannot read {name}"))?))
    };
    let store = Store::open(config.database.expose(), config.store_limits()).await?;
    let imported = store.import(reader, clock::now_ms()).await.with_context(|| name.to_string())?;
    store.close().await;
    eprintln!("imported {} lines with {} ids", imported.lines, imported.ids);
    Ok(())
}
