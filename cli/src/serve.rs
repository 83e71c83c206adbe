//! `bellhop serve`. What it answers is the directory's.

use anyhow::Context;
use directory::Service;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::configuration::Configuration;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let listen = config.listen;
    let end = told_to_end()?;
    let service = Service::new(config).await?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    // On a line of its own, so that whoever asked for port 0 learns the port.
    println!("listening on {}", listener.local_addr()?);
    service.run(listener, end).await;
    Ok(())
}

/// Done when the process is told to end.
pub(crate) fn told_to_end() -> anyhow::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
