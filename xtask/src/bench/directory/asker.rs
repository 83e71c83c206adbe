//! Asking whose ids are, over connections that stay open. It asks for devices in no order, one in ten of them unknown.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::{N_ACCOUNTS, N_DEVICES, TOKEN, device};

/// How many questions are open at once. With more, each only waits longer.
const N_CONNECTIONS: usize = 16;

/// What was measured.
pub(super) struct Figures {
    pub(super) rate: f64,
    pub(super) p50: Duration,
    pub(super) p99: Duration,
}

/// Asks so many questions, each as soon as the one before on its connection is answered.
pub(super) fn ask(service: SocketAddr, n_questions: usize) -> anyhow::Result<Figures> {
    let started = Instant::now();
    let threads: Vec<_> = (0..N_CONNECTIONS)
        .map(|number| std::thread::spawn(move || one(service, number, n_questions / N_CONNECTIONS)))
        .collect();
    let mut times = Vec::with_capacity(n_questions);
    for thread in threads {
        times.extend(thread.join().map_err(|_| anyhow::anyhow!("a thread of the load panicked"))??);
    }
    let elapsed = started.elapsed();
    times.sort_unstable();
    let at = |share: f64| {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let place = (times.len() as f64 * share) as usize;
        times.get(place).copied().context("nothing was asked")
    };
    #[allow(clippy::cast_precision_loss, reason = "thousands")]
    let rate = times.len() as f64 / elapsed.as_secs_f64();
    Ok(Figures { rate, p50: at(0.5)?, p99: at(0.99)? })
}

/// The times of one connection.
fn one(service: SocketAddr, number: usize, n_questions: usize) -> anyhow::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(service)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(testbed::PATIENCE))?;
    let mut times = Vec::with_capacity(n_questions);
    let mut answer = Vec::new();
    let mut seed = number as u64 + 1;
    for _ in 0..n_questions {
        // Numbers that look random and are the same in every run (Knuth's MMIX generator).
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let number = (seed >> 33) as usize % (N_ACCOUNTS * N_DEVICES * 10 / 9);
        let is_known = number < N_ACCOUNTS * N_DEVICES;
        let question = format!(
            "GET /v1/resolve?source=acme&device_id={} HTTP/1.1\r\nhost: directory\r\nauthorization: Bearer {TOKEN}\r\n\r\n",
            device(number)
        );
        let started = Instant::now();
        stream.write_all(question.as_bytes())?;
        let body = read(&mut stream, &mut answer)?;
        times.push(started.elapsed());
        let expected = if is_known {
            format!("\"ca_{:06}\"", number / N_DEVICES)
        } else {
            "{\"accounts\":[]}".to_owned()
        };
        if !String::from_utf8_lossy(body).contains(&expected) {
            bail!("a wrong answer: {}", String::from_utf8_lossy(&answer));
        }
    }
    Ok(times)
}

/// Reads one answer, whose length its header says; its body.
fn read<'a>(stream: &mut TcpStream, answer: &'a mut Vec<u8>) -> anyhow::Result<&'a [u8]> {
    answer.clear();
    let mut chunk = [0; 4096];
    let (start, end) = loop {
        let n = stream.read(&mut chunk)?;
        if n == 0 {
            bail!("the service closed the connection");
        }
        answer.extend_from_slice(chunk.get(..n).unwrap_or_default());
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(head) = head else { continue };
        let text = String::from_utf8_lossy(answer.get(..head).unwrap_or_default());
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.context("an answer without its length")?.parse()?;
        if answer.len() >= head + 4 + length {
            break (head + 4, head + 4 + length);
        }
    };
    answer.get(start..end).context("an answer without a body")
}
