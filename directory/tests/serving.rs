//! Connections over real sockets: strangers that say nothing, more of them than there may be, and the end.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use directory::serving::{Bounds, serve};
use testbed::PATIENCE;
use testbed::http1::Connection;
use testbed::message::Request;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Too long to play a part.
const NEVER: Duration = Duration::from_secs(3600);

const PATIENT: Bounds = Bounds { connections: 64, head: NEVER, life: NEVER, last_wait: NEVER };

/// A server in a runtime of its own; the clients are this thread.
struct Server {
    runtime: Runtime,
    address: SocketAddr,
    end: watch::Sender<()>,
    task: JoinHandle<()>,
    /// Requests for `/held` that have come.
    held: Arc<Notify>,
    /// Lets one of them go on.
    release: Arc<Notify>,
    n_counted: Arc<AtomicUsize>,
}

impl Server {
    fn start(bounds: Bounds) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (held, release, n_counted) = (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::default());
        let wait = {
            let (held, release) = (Arc::clone(&held), Arc::clone(&release));
            async move || {
                held.notify_one();
                release.notified().await;
                "held"
            }
        };
        let count = {
            let n_counted: Arc<AtomicUsize> = Arc::clone(&n_counted);
            async move || {
                n_counted.fetch_add(1, Ordering::Relaxed);
                "counted"
            }
        };
        let large = async || "x".repeat(64 << 20);
        let router = Router::new()
            .route("/", get(async || "here"))
            .route("/held", get(wait))
            .route("/counted", get(count))
            .route("/large", get(large));
        let (end, mut ended) = watch::channel(());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let task = runtime.spawn(async move {
            let end = async move {
                let _ = ended.changed().await;
            };
            serve(listener, router, bounds, end).await;
        });
        Self { runtime, address, end, task, held, release, n_counted }
    }

    fn connect(&self) -> Connection {
        Connection::open(self.address).unwrap()
    }

    /// Says these bytes and nothing more.
    fn say(&self, bytes: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(bytes.as_bytes()).unwrap();
        stream
    }

    fn until_held(&self) {
        self.wait(self.held.notified());
    }

    fn wait<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { tokio::time::timeout(PATIENCE, what).await }).unwrap()
    }

    /// Ends in order; all connections have ended then.
    fn ends(self) {
        let _ = self.end.send(());
        self.has_ended();
    }

    fn has_ended(self) {
        let ended = async { tokio::time::timeout(PATIENCE, self.task).await };
        self.runtime.block_on(ended).unwrap().unwrap();
        assert!(TcpStream::connect(self.address).is_err());
    }
}

/// Everything that the peer still sends before it closes. A reset is an end too.
fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != std::io::ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8(bytes).unwrap(),
    }
}

fn get_from(connection: &mut Connection, path: &str) -> String {
    connection.send(&Request::new("GET", path)).unwrap().text()
}

#[test]
fn who_says_nothing_or_half_a_head_is_not_waited_for() {
    let server = Server::start(Bounds { head: Duration::from_secs(1), ..PATIENT });
    // An answer, and then silence.
    let answered = server.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let halves = ["", "GET", "GET / HTTP/1.1\r\nhost: x\r\n", "GET / HTTP/1.1\r\nhost: x\r\nx: "];
    for (half, stream) in halves.map(|half| (half, server.say(half))) {
        let rest = rest(stream);
        assert!(!rest.contains("here"), "{half:?}: {rest}");
    }
    let rest = rest(answered);
    assert!(rest.starts_with("HTTP/1.1 200") && rest.ends_with("here"), "{rest}");
    server.ends();
}

#[test]
fn a_head_may_come_in_pieces() {
    let server = Server::start(PATIENT);
    let mut stream = server.say("");
    for byte in b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n" {
        stream.write_all(&[*byte]).unwrap();
    }
    assert!(rest(stream).ends_with("here"));
    server.ends();
}

#[test]
fn there_are_no_more_connections_than_the_bound() {
    let server = Server::start(Bounds { connections: 2, ..PATIENT });
    let (mut one, mut two) = (server.connect(), server.connect());
    assert_eq!([get_from(&mut one, "/"), get_from(&mut two, "/")], ["here", "here"]);
    // The system takes it; nobody reads it.
    let mut three = server.connect();
    three.write(&Request::new("GET", "/counted")).unwrap();
    for _ in 0..200 {
        assert_eq!(get_from(&mut two, "/"), "here");
    }
    assert_eq!(server.n_counted.load(Ordering::Relaxed), 0);
    drop(one);
    assert_eq!(three.read_response("GET").unwrap().text(), "counted");
    assert_eq!(get_from(&mut two, "/"), "here");
    server.ends();
}

#[test]
fn silent_strangers_in_every_place_leave_it_to_others() {
    let server = Server::start(Bounds { connections: 4, head: Duration::from_millis(50), ..PATIENT });
    let silent: Vec<_> = (0..40).map(|_| server.say("GET / HTTP/1.1\r\n")).collect();
    assert_eq!(get_from(&mut server.connect(), "/"), "here");
    drop(silent);
    server.ends();
}

#[test]
fn a_request_that_runs_is_answered_before_the_end() {
    let server = Server::start(PATIENT);
    let idle = server.say("GET / HTTP/1.1\r\nhost: x\r\n\r\n");
    let mut connection = server.connect();
    connection.write(&Request::new("GET", "/held")).unwrap();
    server.until_held();
    server.end.send(()).unwrap();
    // The idle one goes; then the end has begun for the other as well.
    assert!(rest(idle).ends_with("here"));
    assert!(!server.task.is_finished());
    server.release.notify_one();
    let answer = connection.read_response("GET").unwrap();
    assert_eq!((answer.status, answer.text()), (200, "held".to_owned()));
    server.has_ended();
}

#[test]
fn the_end_does_not_wait_for_ever() {
    let server = Server::start(Bounds { last_wait: Duration::from_millis(50), ..PATIENT });
    let running = server.say("GET /held HTTP/1.1\r\nhost: x\r\n\r\n");
    server.until_held();
    let half = server.say("GET / HTTP/1.1\r\nho");
    let unread = server.say("GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
    server.ends();
    assert_eq!([rest(running), rest(half)], ["", ""]);
    drop(unread);
}

#[test]
fn the_life_of_a_connection_ends_whatever_its_peer_does() {
    let short = Duration::from_millis(300);
    let server = Server::start(Bounds { connections: 1, life: short, last_wait: short, ..PATIENT });
    // It reads nothing of a large answer, and so keeps the only place.
    let unread = server.say("GET /large HTTP/1.1\r\nhost: x\r\n\r\n");
    assert_eq!(get_from(&mut server.connect(), "/"), "here");
    drop(unread);
    server.ends();
}
