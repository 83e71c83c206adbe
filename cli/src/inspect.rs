//! `bellhop inspect`: the inspector's page alone, without a directory. It judges nothing: the page does.

use std::net::SocketAddr;

use anyhow::Context;
use directory::serving::{self, Bounds};
use tokio::net::TcpListener;

use crate::serve;

/// Connections at a time. One browser opens six.
const CONNECTIONS: usize = 64;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listen = arguments.listen;
    let end = serve::told_to_end()?;
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    println!("listening on {}", listener.local_addr()?);
    serving::serve(listener, directory::routes::inspector(), Bounds::new(CONNECTIONS), end).await;
    Ok(())
}
