//! The device clouds: some connections that carry out what the outbox says is next, sign each attempt anew, and hold what is
//! answered against what upstream has. Now and then one of them forgets an answer, and a forger tries its luck.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use standardwebhooks::Webhook;
use testbed::http1::Connection;
use testbed::message::{Request, Response};

use crate::backoff::{Answer, Delivery, Policy};
use crate::clock::Clock;
use crate::edge::SECRET;
use crate::fleet::{Event, Fleet};
use crate::outbox::{Attempt, Outbox};
use crate::recorder::{Recorder, Seen};
use crate::trap::TRAPPING_HEADERS;
use system_tests::BoxError;
use testbed::random::Random;

/// How long an answer may take, in real time: longer than the gateway's own time for a delivery.
const PATIENCE: Duration = Duration::from_secs(8);

/// How many attempts of a hundred are answered, and the sender does not note it.
const FORGETS_PERCENT: u8 = 1;
/// How many attempts of a hundred at the signed source follow a forgery.
const FORGED_PERCENT: u8 = 3;

/// What all connections share.
#[derive(Debug)]
pub struct Sender {
    edge: SocketAddr,
    fleet: Fleet,
    seed: u64,
    clock: Arc<Clock>,
    recorder: Arc<Recorder>,
    /// How many attempts of a hundred make the filter trap.
    trapping_percent: AtomicU8,
    stopped: AtomicBool,
    /// Whose turn it is to wait for the next attempt: the others would only wake up with it.
    turn: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    outbox: Outbox,
    /// The number of the next event.
    next: u64,
    /// How many events there will be.
    n_events: u64,
    sent: Sent,
}

/// Totals of what the senders did.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// Events that happened.
    pub n_events: u64,
    /// Attempts at them.
    pub n_attempts: u64,
    /// Events that were answered 2xx, and noted to be.
    pub n_delivered: u64,
    /// Events that were tried for as long as the policy says.
    pub n_given_up: u64,
    /// Forgeries sent.
    pub n_forged: u64,
    /// Attempts that were answered `x-event-duplicate`.
    pub n_duplicates: u64,
    /// How often each answer came: a status, the cause in it if there is one, or why there was none.
    pub answers: BTreeMap<String, u64>,
    /// The same of forgeries.
    pub answers_to_forgeries: BTreeMap<String, u64>,
    /// The longest time from the first attempt to the answer, in provider time, and whose.
    pub longest: (Duration, u64),
    /// The most attempts at one event, and whose.
    pub most_attempts: (u32, u64),
    /// How many events took how many attempts.
    pub by_attempts: BTreeMap<u32, u64>,
    /// What must not be.
    pub seen: Seen,
}

impl Sender {
    /// Senders of `n_events` events that post to this address. They begin when [`Sender::run`] is called.
    pub fn new(
        edge: SocketAddr,
        fleet: Fleet,
        seed: u64,
        policy: Policy,
        n_events: u64,
        clock: Arc<Clock>,
        recorder: Arc<Recorder>,
    ) -> Self {
        let state = State { outbox: Outbox::new(policy), next: 0, n_events, sent: Sent::default() };
        Self {
            edge,
            fleet,
            seed,
            clock,
            recorder,
            trapping_percent: AtomicU8::new(0),
            stopped: AtomicBool::new(false),
            turn: Mutex::new(()),
            state: Mutex::new(state),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on so many attempts of a hundred make the filter trap.
    pub fn set_trapping(&self, percent: u8) {
        self.trapping_percent.store(percent, Ordering::Relaxed);
    }

    /// No more events happen from now on.
    pub fn end_events(&self) {
        let mut state = self.lock();
        state.n_events = state.next;
    }

    /// Whether all events have happened, and each is delivered or given up.
    pub fn is_done(&self) -> bool {
        let state = self.lock();
        state.next >= state.n_events && state.outbox.n_open() == 0
    }

    /// How many events are neither delivered nor given up.
    pub fn n_open(&self) -> usize {
        self.lock().outbox.n_open()
    }

    /// The totals up to now.
    pub fn sent(&self) -> Sent {
        self.lock().sent.clone()
    }

    /// Ends every connection after its present attempt.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Carries out attempts, one after the other, until all is done or [`Sender::stop`] is called.
    ///
    /// # Errors
    /// When the outbox is asked for what it cannot do.
    pub fn run(&self) -> Result<(), BoxError> {
        let webhook = Webhook::new(SECRET)?;
        let mut connection = None;
        while let Some(attempt) = self.next()? {
            self.carry_out(&mut connection, &webhook, attempt)?;
        }
        Ok(())
    }

    /// Waits for the next attempt; `None`: there will be none.
    fn next(&self) -> Result<Option<Attempt>, BoxError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.stopped.load(Ordering::Relaxed) && !self.is_done() {
            match self.take()? {
                (Some(attempt), _) => return Ok(Some(attempt)),
                (None, wake) => {
                    self.clock.wait_until(wake);
                }
            }
        }
        Ok(None)
    }

    /// The next attempt if one is due, else when to look again.
    fn take(&self) -> Result<(Option<Attempt>, Duration), BoxError> {
        let now = self.clock.now();
        let mut state = self.lock();
        while state.next < state.n_events && self.fleet.born(state.next) <= now {
            let number = state.next;
            state.outbox.add(number, self.fleet.device(number), self.fleet.born(number));
            state.next += 1;
            state.sent.n_events += 1;
        }
        let attempt = state.outbox.take(now)?;
        let born = (state.next < state.n_events).then(|| self.fleet.born(state.next));
        let wake = [born, state.outbox.next_due()].into_iter().flatten().min();
        // What is parked becomes due when somebody else is done.
        Ok((attempt, wake.unwrap_or(now + Duration::from_secs(60))))
    }

    fn carry_out(
        &self,
        connection: &mut Option<Connection>,
        webhook: &Webhook,
        attempt: Attempt,
    ) -> Result<(), BoxError> {
        let number = attempt.event;
        let mut random = Random::of(self.seed ^ u64::from(attempt.number) << 32, 4, number);
        let event = self.fleet.event(number);
        if event.is_signed() && random.percent(FORGED_PERCENT) {
            self.forge(webhook, &event, number, &mut random)?;
        }
        let mut request = self.request(webhook, &event, &event.body)?;
        if random.percent(self.trapping_percent.load(Ordering::Relaxed)) {
            for n in 0..TRAPPING_HEADERS {
                request = request.header(format!("x-many-{n}"), "1");
            }
        }
        let answered = send(self.edge, connection, &request);
        let accepted = matches!(&answered, Ok(response) if (200..300).contains(&response.status));
        if accepted {
            self.recorder.acknowledged(number, event.device);
        }
        let has = accepted.then(|| self.recorder.has(number));
        let answer = match &answered {
            Ok(_) if accepted && random.percent(FORGETS_PERCENT) => Answer::None,
            Ok(_) if accepted => Answer::Accepted,
            Ok(response) => Answer::NotAccepted { retry_after: retry_after(response) },
            Err(_) => Answer::None,
        };
        let now = self.clock.now();
        let mut state = self.lock();
        let State { outbox, sent, .. } = &mut *state;
        sent.n_attempts += 1;
        *sent.answers.entry(named(&answered)).or_default() += 1;
        if has == Some(false) {
            sent.seen.finding(format!("event {number} was answered 2xx, and upstream does not have it"));
        }
        if let Ok(response) = &answered {
            sent.n_duplicates += u64::from(response.headers.has("x-event-duplicate"));
            let status = response.status;
            if (300..400).contains(&status) || status == 410 {
                sent.seen
                    .finding(format!("event {number} was answered {status}, which makes senders give up"));
            }
        }
        match outbox.end(number, now, answer, random.bits().to_le_bytes()[0])? {
            Delivery::Delivered { since, at, n_attempts } => {
                sent.n_delivered += 1;
                sent.longest = sent.longest.max((at.saturating_sub(since), number));
                sent.most_attempts = sent.most_attempts.max((n_attempts, number));
                *sent.by_attempts.entry(n_attempts).or_default() += 1;
            }
            Delivery::GivenUp { n_attempts, .. } => {
                sent.n_given_up += 1;
                let last = named(&answered);
                sent.seen.finding(format!(
                    "event {number} was given up after {n_attempts} attempts, the last: {last}"
                ));
            }
            Delivery::Waiting { .. } | Delivery::UnderWay { .. } => {}
        }
        Ok(())
    }

    /// Posts a body that was never signed, in one of the ways that a forger has. It must not be accepted.
    fn forge(
        &self,
        webhook: &Webhook,
        event: &Event,
        number: u64,
        random: &mut Random,
    ) -> Result<(), BoxError> {
        let body = self.fleet.forgery(number);
        let request = if random.percent(50) {
            // The signature of the true event over other bytes.
            let signed = self.request(webhook, event, &event.body)?;
            signed.body(&body)
        } else {
            let other = Webhook::from_bytes(b"a secret of a forger".to_vec())?;
            self.request(&other, event, &body)?
        };
        let answered = send(self.edge, &mut None, &request);
        let mut state = self.lock();
        let sent = &mut state.sent;
        sent.n_forged += 1;
        *sent.answers_to_forgeries.entry(named(&answered)).or_default() += 1;
        if matches!(&answered, Ok(response) if (200..300).contains(&response.status)) {
            sent.seen.finding(format!("a forgery of event {number} was accepted"));
        }
        Ok(())
    }

    fn request(&self, webhook: &Webhook, event: &Event, body: &[u8]) -> Result<Request, BoxError> {
        let request = Request::post_json(event.path, body);
        let Some(id) = &event.webhook_id else { return Ok(request) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let signature = webhook.sign(id, i64::try_from(now)?, body)?;
        Ok(request
            .header("webhook-id", id)
            .header("webhook-timestamp", now.to_string())
            .header("webhook-signature", signature))
    }
}

/// Sends on the connection that is open, else on a new one.
fn send(
    edge: SocketAddr,
    connection: &mut Option<Connection>,
    request: &Request,
) -> std::io::Result<Response> {
    let mut open = match connection.take() {
        Some(open) => open,
        None => {
            let open = Connection::open(edge)?;
            open.set_patience(PATIENCE)?;
            open
        }
    };
    let response = open.send(request)?;
    let closes = response.headers.get("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
    if !closes {
        *connection = Some(open);
    }
    Ok(response)
}

fn retry_after(response: &Response) -> Option<Duration> {
    response.headers.get("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// An answer in a word: its status, and the cause in a problem.
fn named(answered: &std::io::Result<Response>) -> String {
    match answered {
        Ok(response) => {
            let problem = response.json().unwrap_or_default();
            let cause = problem["cause"].as_str().map(|cause| format!(" {cause}"));
            format!("{}{}", response.status, cause.unwrap_or_default())
        }
        Err(error) => format!("no answer: {}", error.kind()),
    }
}
