//! Connections: how many there are, how long each may say nothing, and how they end. What is answered is the routes'.
//!
//! Some routes are open to strangers. Whoever opens connections and says nothing, or says it very slowly, gets one bound
//! after another: for the head of a request here, for all of it in the routes, for the connection as a whole here.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

/// After no connection could be accepted: mostly the process has as many files as it may.
const PAUSE: Duration = Duration::from_secs(1);

/// What bounds connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// How many there are at a time. More wait until the system's own queue is full.
    pub connections: usize,
    /// From the end of an answer, or the beginning of the connection, to the end of the next request's head. So an idle
    /// connection ends too.
    pub head: Duration,
    /// From the beginning of a connection to its last request. A peer that reads no answer is thrown out some time after.
    pub life: Duration,
    /// For requests that run when the service is told to end, or when the life of their connection is over.
    pub last_wait: Duration,
}

impl Bounds {
    /// With as many connections as this.
    #[must_use]
    pub const fn new(connections: usize) -> Self {
        Self {
            connections,
            head: Duration::from_secs(10),
            life: Duration::from_secs(3600),
            // A request has ten seconds.
            last_wait: Duration::from_secs(12),
        }
    }
}

/// Answers until `end` is done, then lets the requests that run end, within bounds.
pub async fn serve(listener: TcpListener, router: Router, bounds: Bounds, end: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(bounds.connections));
    let (ending, ended) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut end = pin!(end);
    loop {
        let accepted = tokio::select! {
            () = &mut end => break,
            accepted = accept(&listener, &room) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        let (stream, permit) = accepted;
        let (router, ended) = (router.clone(), ended.clone());
        connections.spawn(async move {
            connection(stream, router, bounds, ended).await;
            drop(permit);
        });
    }
    // Whoever wants to connect now shall learn that there is nobody.
    drop(listener);
    drop(ending);
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        // It is never closed.
        let Ok(permit) = Arc::clone(room).acquire_owned().await else { return std::future::pending().await };
        match listener.accept().await {
            Ok((stream, _)) => return (stream, permit),
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, bounds: Bounds, mut ended: watch::Receiver<()>) {
    // Answers are written whole. Without it a small one could wait for the peer's acknowledgement.
    let _ = stream.set_nodelay(true);
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(bounds.head);
    let service = TowerToHyperService::new(router);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        // An error is the peer's: it went away, took too long, or does not speak HTTP.
        _ = &mut connection => return,
        _ = ended.changed() => {}
        () = tokio::time::sleep(bounds.life) => {}
    }
    connection.as_mut().graceful_shutdown();
    // Dropped either way.
    let _ = tokio::time::timeout(bounds.last_wait, connection).await;
}
