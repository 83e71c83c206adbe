//! `bellhop register` and `bellhop registrations`: asking providers to deliver, and what they have said. When a request may
//! be sent again is the directory's to know.

use anyhow::{Context, bail};
use clap::builder::NonEmptyStringValueParser;
use directory::registration::{Action, RegisterError, Wanted, known_events, register};
use directory::{Store, clock};
use seam::{Limits, Provider, Secret};

use crate::configuration::Configuration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// The address of the provider's API; `/webhooks` is added
    #[arg(long, value_name = "URL")]
    provider: String,
    /// Where it shall deliver: the gateway's address and the path of the source. One an environment
    #[arg(long, value_name = "URL")]
    url: String,
    /// The event types; without it, every known one
    #[arg(long, value_delimiter = ',', value_name = "TYPE,…", value_parser = NonEmptyStringValueParser::new())]
    events: Vec<String>,
    /// The variable with the provider's bearer token, if it wants one
    #[arg(long, value_name = "NAME")]
    token_env: Option<String>,
    /// Registers even if an earlier request may have succeeded: you have looked at the provider
    #[arg(long)]
    anew: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let token = match &arguments.token_env {
        Some(name) => Some(Secret::new(std::env::var(name).with_context(|| format!("{name} is not set"))?)),
        None => None,
    };
    let events = if arguments.events.is_empty() { known_events() } else { arguments.events };
    let provider = client(&arguments.provider, token.as_ref())?;
    let known = known_events();
    let unknown: Vec<_> = events.iter().filter(|it| !known.contains(it)).map(String::as_str).collect();
    if !unknown.is_empty() {
        eprintln!("warning: the filter does not know {}", unknown.join(", "));
    }
    let wanted = Wanted { url: arguments.url, events };
    let store = Store::open(config.database.expose(), config.store_limits()).await?;
    let done = register(&store, &provider, &wanted, arguments.anew, clock::now_ms()).await;
    store.close().await;
    let done = match done {
        Ok(done) => done,
        Err(error @ RegisterError::Uncertain(_)) => bail!("{error}"),
        Err(error) => return Err(error.into()),
    };
    let what = match done.action {
        Action::Created => "registered",
        Action::Updated => "updated",
        Action::Found => "registered earlier",
        Action::Unchanged => "unchanged",
    };
    println!("{what}: {} ({})", done.registration.webhook_id, done.registration.status.escape_debug());
    if !done.left_out.is_empty() {
        eprintln!("warning: the provider does not deliver {}", done.left_out.join(", "));
    }
    Ok(())
}

fn client(address: &str, token: Option<&Secret>) -> anyhow::Result<Provider> {
    Provider::try_new(address, token, Limits::default()).context("--provider or its token cannot be used")
}

#[derive(clap::Args)]
pub(crate) struct ListArguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Only what is registered with this provider
    #[arg(long, value_name = "URL")]
    provider: Option<String>,
    /// Prints the event types as the `events` of the source in the plugin configuration
    #[arg(long)]
    as_plugin_events: bool,
}

pub(crate) async fn list(arguments: ListArguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let store = Store::open(config.database.expose(), config.store_limits()).await?;
    let mut registrations = store.registrations().await?;
    store.close().await;
    if let Some(provider) = &arguments.provider {
        let provider = client(provider, None)?;
        registrations.retain(|it| it.provider_url == provider.address());
    }
    if !arguments.as_plugin_events {
        for it in registrations {
            let id = if it.webhook_id.is_empty() { "-" } else { &it.webhook_id };
            // What the provider has said does not move the cursor.
            let (status, events) = (it.status.escape_debug(), it.events.join(","));
            println!("{}\t{}\t{id}\t{status}\t{}", it.provider_url, it.url, events.escape_debug());
        }
        return Ok(());
    }
    match registrations.as_slice() {
        // A flow sequence: both JSON and YAML.
        [one] => println!("\"events\": {}", serde_json::to_string(&one.events)?),
        [] => bail!("nothing is registered"),
        _ => bail!("several are registered: choose one with --provider"),
    }
    Ok(())
}
