//! The configuration file that every command takes. Its keys are the directory's.

use std::path::PathBuf;

use anyhow::Context;
use directory::Config;

/// Where the configuration stands.
#[derive(clap::Args)]
pub(crate) struct Configuration {
    /// The configuration file (TOML)
    #[arg(long, value_name = "FILE", env = "BELLHOP_CONFIG")]
    config: PathBuf,
}

impl Configuration {
    pub(crate) fn read(&self) -> anyhow::Result<Config> {
        let name = self.config.display();
        let text = std::fs::read_to_string(&self.config).with_context(|| format!("cannot read {name}"))?;
        let environment = |name: &str| std::env::var(name).ok();
        Config::from_toml(&text, &environment).with_context(|| name.to_string())
    }
}
