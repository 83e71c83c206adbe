//! An HTTP/1.1 server that records every request and answers by a script. It speaks no TLS and no HTTP/2.

mod answer;
mod closed;

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use answer::{Answer, Reply};
pub use closed::ClosedPort;

use crate::PATIENCE;
use crate::message::{Headers, read_body, read_head};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query as they stood in the request line.
    pub path: String,
    /// The headers, in order, with the case they had.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
    /// The trailers, mostly empty.
    pub trailers: Headers,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
}

/// A running server. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    respond: Box<dyn Fn(&Received) -> Answer + Send + Sync>,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    next: VecDeque<Answer>,
    forgetful: bool,
    stopped: bool,
    // A second handle of each open connection, to end it from outside.
    connections: BTreeMap<usize, TcpStream>,
}

/// How a connection goes on after an answer.
enum Next {
    Read,
    Close,
    Reset,
}

impl Upstream {
    /// Starts on a random port. Without a script each request is answered 200 with an empty body.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start() -> io::Result<Self> {
        Self::start_with(0, |_| Answer::status(200))
    }

    /// Starts on this port (0: a random one); `respond` decides each answer that [`Upstream::next`] has not.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub fn start_with(
        port: u16,
        respond: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared =
            Arc::new(Shared { state: Mutex::default(), changed: Condvar::new(), respond: Box::new(respond) });
        let acceptor = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept(&listener)
        });
        Ok(Self { address, shared, acceptor: Some(acceptor) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers the next request that no earlier call has claimed with this; later ones follow the rule again.
    pub fn next(&self, answer: Answer) {
        self.shared.lock().next.push_back(answer);
    }

    /// Answers the next `n` requests with this.
    pub fn next_times(&self, n: usize, answer: &Answer) {
        self.shared.lock().next.extend(std::iter::repeat_n(answer.clone(), n));
    }

    /// How many answers of [`Upstream::next`] have not been given yet.
    pub fn n_scripted(&self) -> usize {
        self.shared.lock().next.len()
    }

    /// Records nothing from now on: for load, where the record would grow without end.
    pub fn forget(&self) {
        let mut state = self.shared.lock();
        state.forgetful = true;
        state.received.clear();
    }

    /// What has been received up to now.
    pub fn received(&self) -> Vec<Received> {
        self.shared.lock().received.clone()
    }

    /// Hands over what has been received up to now and forgets it.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.shared.lock().received)
    }

    /// Waits until `n` requests have been received in all since the last [`Upstream::take`], and gives them.
    ///
    /// # Errors
    /// When they do not come in time.
    pub fn wait_for(&self, n: usize) -> io::Result<Vec<Received>> {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        while state.received.len() < n {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let n_received = state.received.len();
                let message = format!("upstream received {n_received} of {n} requests within {PATIENCE:?}");
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            state = self
                .shared
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        Ok(state.received.clone())
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let connections = {
            let mut state = self.shared.lock();
            state.stopped = true;
            std::mem::take(&mut state.connections)
        };
        self.shared.changed.notify_all();
        for connection in connections.values() {
            // A connection that has ended already is what is wanted.
            let _ = connection.shutdown(Shutdown::Both);
        }
        // Wakes the acceptor, which then sees that it is over.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        if let (true, Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(self: Arc<Self>, listener: &TcpListener) {
        for (connection, stream) in listener.incoming().enumerate() {
            let Ok(stream) = stream else { continue };
            let Ok(handle) = stream.try_clone() else { continue };
            {
                let mut state = self.lock();
                if state.stopped {
                    return;
                }
                state.connections.insert(connection, handle);
            }
            let shared = Arc::clone(&self);
            std::thread::spawn(move || {
                // An error here is the peer going away; whoever waits for the request says so.
                let end = shared.serve(&stream, connection).unwrap_or(Next::Close);
                shared.lock().connections.remove(&connection);
                // A zero linger and no shutdown: closing the last handle then sends RST.
                let reset = matches!(end, Next::Reset)
                    && socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).is_ok();
                if !reset {
                    let _ = stream.shutdown(Shutdown::Both);
                }
            });
        }
    }

    /// Serves one connection until either side has had enough.
    fn serve(&self, stream: &TcpStream, connection: usize) -> io::Result<Next> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream);
        while let Some((start, headers)) = read_head(&mut reader)? {
            let mut words = start.split(' ').map(str::to_owned);
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let (body, trailers) = read_body(&mut reader, &headers, false)?;
            let received = Received { method, path, headers, body, trailers, connection };
            let scripted = self.lock().next.pop_front();
            let answer = scripted.unwrap_or_else(|| (self.respond)(&received));
            let head_only = received.method == "HEAD";
            self.record(received);
            match self.carry_out(stream, &answer, head_only)? {
                Next::Read => {}
                end @ (Next::Close | Next::Reset) => return Ok(end),
            }
        }
        Ok(Next::Close)
    }

    fn record(&self, received: Received) {
        let mut state = self.lock();
        if !state.forgetful {
            state.received.push(received);
            drop(state);
            self.changed.notify_all();
        }
    }

    fn carry_out(&self, mut stream: &TcpStream, answer: &Answer, head_only: bool) -> io::Result<Next> {
        match answer {
            Answer::Reply(reply) => {
                if !reply.delay.is_zero() && self.wait_for_stop(reply.delay) {
                    return Ok(Next::Close);
                }
                stream.write_all(&reply.to_bytes(head_only))?;
                Ok(Next::Read)
            }
            Answer::Raw(bytes) => {
                stream.write_all(bytes)?;
                Ok(Next::Close)
            }
            Answer::Close => Ok(Next::Close),
            Answer::Reset => Ok(Next::Reset),
            Answer::Hang => {
                self.wait_for_stop(Duration::MAX);
                Ok(Next::Close)
            }
        }
    }

    /// Waits this long, or until the server is dropped: then it says `true`.
    fn wait_for_stop(&self, time: Duration) -> bool {
        let started = Instant::now();
        let mut state = self.lock();
        while !state.stopped {
            let left = time.saturating_sub(started.elapsed());
            if left.is_zero() {
                return false;
            }
            // A wait without end would overflow the clock of some systems.
            let left = left.min(Duration::from_secs(3600));
            state = self
                .changed
                .wait_timeout(state, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(state, _)| state);
        }
        true
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}
