//! `bellhop connect`: makes a Connect Webview for a customer. Opening it is the customer's.

use anyhow::Context;
use clap::builder::NonEmptyStringValueParser;
use seam::{Client, Limits, NewConnectWebview};

use crate::configuration::Configuration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// The customer's own key, as your systems have it; nothing about it is changed
    #[arg(long, value_name = "KEY", value_parser = NonEmptyStringValueParser::new())]
    customer_key: String,
    /// The providers to choose from, e.g. `salto,assa_abloy_visionline`; without it, Seam's choice
    #[arg(long, value_delimiter = ',', value_name = "NAME,…", value_parser = NonEmptyStringValueParser::new())]
    providers: Vec<String>,
    /// The webview completes only when the account's devices are there
    #[arg(long)]
    wait_for_device_creation: bool,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let seam = config.seam.context("seam: is required for this")?;
    if config.public_url.is_none() {
        eprintln!(
            "warning: without `public_url` the webview ends on Seam's own page, and only a webhook tells of its account"
        );
    }
    let redirect = config.public_url.map(|url| format!("{}/connected", url.as_str().trim_end_matches('/')));
    let client = Client::try_new(seam.url.as_str(), &seam.api_key, Limits::default())
        .context("seam.url or seam.api_key cannot be used")?;
    let new = NewConnectWebview {
        customer_key: Some(arguments.customer_key),
        accepted_providers: arguments.providers,
        custom_redirect_url: redirect,
        wait_for_device_creation: arguments.wait_for_device_creation,
    };
    let webview = client.create_connect_webview(&new).await.context("the webview could not be made")?;
    println!("{}", webview.url);
    Ok(())
}
