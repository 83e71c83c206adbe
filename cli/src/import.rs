//! `bellhop import`. What a line may say is the directory's.

use std::path::PathBuf;

use anyhow::Context;
use directory::{Store, clock};

use crate::configuration::Configuration;
use crate::input;

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
    let reader = input::open(&arguments.file)?;
    let store = Store::open(config.database.expose(), config.store_limits()).await?;
    let imported = store.import(reader, clock::now_ms()).await.with_context(|| name.to_string())?;
    store.close().await;
    eprintln!("imported {} lines with {} ids", imported.lines, imported.ids);
    Ok(())
}
