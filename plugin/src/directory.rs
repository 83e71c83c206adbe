//! Asking the account directory: the first request about a subject asks, others about the same wait with it, and all go on
//! with the answer. What is kept of answers, and what an answer means for an event, is `event-core`'s.
//!
//! An answer reaches the context that asked, if it still lives. When that request has gone and others wait, the root asks
//! again at its next tick. The tick also gives up what is overdue. It runs while somebody waits.

mod reply;

use crate::callout::{self, Reply};
use crate::host::{self, HeldRequest};
use crate::metrics::{Callout, Lookup, Metrics};
use crate::shared_data;
use crate::worker::Worker;
use directory_api::{Ids, Link, resolve_path};
use event_core::config::{Config, DirectorySettings};
use event_core::directory::asking::{Answered, Asking, Place};
use event_core::directory::cache::{Cache, Found};
use event_core::directory::circuit::{Change, Circuit};
use event_core::directory::lessons::{Lesson, Lessons};
use event_core::directory::question::{Question, Subject};
use event_core::directory::slots::Slots;
use event_core::directory::{Answer, Owners, Resolution};
use event_core::response::Sent;
use event_core::tally::{Label, Outcome, Tally};
use event_core::{Decision, Edge};
use proxy_wasm::types::LogLevel;
use reply::Meaning;
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

/// How often the root looks after those who wait.
const TICK_MS: u64 = 20;

/// How much later than its time-out an answer is given up. Envoy ends a callout at its time-out by itself.
const GRACE_MS: u64 = 1_000;

/// How often an answer that cannot be used is complained about.
const COMPLAINT_MS: u64 = 60_000;

/// One per worker.
pub(crate) struct Directory(RefCell<State>);

struct State {
    cache: Cache,
    /// `None` if nothing is shared.
    slots: Option<Slots>,
    circuit: Circuit,
    asking: Asking<Rc<Waiter>>,
    lessons: Lessons,
    ticking: bool,
    complained_ms: u64,
}

/// A request that waits, shared by its stream and the question that it waits for.
pub(crate) struct Waiter {
    context: u32,
    subject: Subject,
    label: Label,
    /// Taken out to be looked at: nothing is borrowed while Envoy is called.
    state: Cell<Wait>,
}

/// Where a request that waits stands.
#[derive(Default)]
pub(crate) enum Wait {
    /// It is held.
    Held(HeldRequest, Question),
    /// It has left.
    Forwarded(Box<Sent>),
    /// Its sender has an answer, or will get none.
    #[default]
    Answered,
}

impl Waiter {
    /// What its event is counted under.
    pub(crate) const fn label(&self) -> Label {
        self.label
    }

    /// What has become of it, if it need not wait any more.
    pub(crate) fn end(&self) -> Option<Wait> {
        match self.state.take() {
            held @ Wait::Held(..) => {
                self.state.set(held);
                None
            }
            end @ (Wait::Forwarded(_) | Wait::Answered) => Some(end),
        }
    }

    /// Lets the request go on, on behalf of its context.
    fn settle(&self, worker: &Worker, resolution: &Resolution) {
        let Wait::Held(request, question) = self.state.take() else { return };
        if !host::act_for(self.context) {
            return;
        }
        worker.metrics().lookup(match resolution {
            Resolution::Answered(_) => Lookup::Miss,
            Resolution::Stale(..) => Lookup::Stale,
            Resolution::Unavailable => Lookup::Unavailable,
        });
        match worker.edge().resolve(question, resolution) {
            Decision::Forward(headers) => match request.forward_later(&headers) {
                Ok(()) => self.state.set(Wait::Forwarded(headers.into_sent())),
                Err(status) => {
                    host::log(LogLevel::Error, &format!("request failed closed: {status:?}"));
                    host::fail_closed();
                    worker.count(Tally::new(self.label, Outcome::Failed));
                }
            },
            Decision::Refuse(refusal) => {
                request.refuse(&refusal);
                worker.count(Tally::refused(&refusal));
            }
        }
    }
}

/// What asking came to.
pub(crate) enum Asked {
    /// The answer is known already.
    Known(HeldRequest, Question, Resolution),
    /// The request waits.
    Waits(Rc<Waiter>),
}

impl Directory {
    pub(crate) fn new(config: &Config, settings: &DirectorySettings) -> Self {
        let wants_slots = settings.cache.shared_slots > 0;
        let secret = if wants_slots { shared_data::secret() } else { None };
        if wants_slots && secret.is_none() {
            host::log(
                LogLevel::Warn,
                "the workers share no answers of the directory: other data is in the way",
            );
        }
        Self(RefCell::new(State {
            cache: Cache::new(settings.cache),
            slots: secret.and_then(|secret| Slots::new(config, &secret)),
            circuit: Circuit::new(settings.pause_ms, u64::from(settings.timeout_ms) + GRACE_MS),
            asking: Asking::new(settings.max_callouts, settings.max_waiting),
            lessons: Lessons::default(),
            ticking: false,
            complained_ms: 0,
        }))
    }

    /// Never fails: Envoy enters the module once at a time, and no borrow outlives a method.
    fn state(&self) -> Option<RefMut<'_, State>> {
        self.0.try_borrow_mut().ok()
    }

    /// Finds out whose an event is, or lets its request wait. `context` is that of the request.
    #[inline(never)]
    pub(crate) fn ask(
        &self,
        worker: &Worker,
        context: u32,
        request: HeldRequest,
        question: Question,
    ) -> Asked {
        let (edge, metrics) = (worker.edge(), worker.metrics());
        let known = |request, question, resolution| Asked::Known(request, question, resolution);
        let (Some(mut state), Some(settings)) = (self.state(), edge.config().directory()) else {
            return known(request, question, Resolution::Unavailable);
        };
        let now_ms = host::now_ms();
        let subject = question.subject().clone();
        let label = question.label();
        let found = match state.find(edge, metrics, &subject, now_ms) {
            Found::Fresh(answer) => return known(request, question, Resolution::Answered(answer)),
            found @ (Found::Stale(..) | Found::Nothing) => found,
        };
        let waiter = |request, question| {
            let state = Cell::new(Wait::Held(request, question));
            Rc::new(Waiter { context, subject: subject.clone(), label, state })
        };
        match state.asking.place(&subject) {
            Place::Follows => {
                let waiter = waiter(request, question);
                state.asking.follow(&subject, context, Rc::clone(&waiter));
                Asked::Waits(waiter)
            }
            Place::Leads => match state.send(edge, metrics, settings, &subject, now_ms) {
                Some(token) => {
                    let waiter = waiter(request, question);
                    state.asking.lead(&subject, token, now_ms, context, Rc::clone(&waiter));
                    state.tick();
                    Asked::Waits(waiter)
                }
                None => known(request, question, not_asked(metrics, found)),
            },
            Place::None => known(request, question, not_asked(metrics, found)),
        }
    }

    /// A callout has ended: all that waited for it go on. `context` is the one whose callback this is.
    pub(crate) fn answered(&self, worker: &Worker, token: u32, reply: &Reply) {
        let Some((resolution, waiting)) =
            self.state().and_then(|mut state| state.answered(worker, token, reply))
        else {
            // An answer to a link, or to a question that nobody waits for any more.
            return;
        };
        for waiter in waiting {
            waiter.settle(worker, &resolution);
        }
    }

    /// Asks again what a request that has gone has asked, and gives up what is overdue.
    pub(crate) fn tick(&self, worker: &Worker) {
        let edge = worker.edge();
        let Some(settings) = edge.config().directory() else { return };
        let mut settled = Vec::new();
        if let Some(mut state) = self.state() {
            let now_ms = host::now_ms();
            let since_ms = now_ms.saturating_sub(u64::from(settings.timeout_ms) + GRACE_MS);
            for subject in state.asking.lost(since_ms) {
                if !state.asking.is_overdue(&subject, since_ms)
                    && let Some(token) = state.send(edge, worker.metrics(), settings, &subject, now_ms)
                {
                    state.asking.asked_again(&subject, token, now_ms);
                } else {
                    let resolution = without_answer(state.cache.find(&subject, now_ms));
                    settled.push((resolution, state.asking.give_up(&subject)));
                }
            }
            if state.asking.is_empty() {
                state.ticking = false;
                host::tick_every(None);
            }
        }
        for (resolution, waiting) in settled {
            for waiter in waiting {
                waiter.settle(worker, &resolution);
            }
        }
    }

    /// A request that waited has gone.
    pub(crate) fn leave(&self, waiter: &Waiter) {
        if let Some(mut state) = self.state() {
            state.asking.leave(&waiter.subject, waiter.context);
        }
    }

    /// Upstream has accepted an event that teaches something.
    pub(crate) fn learn(&self, edge: &Edge, lesson: &Lesson) {
        let (Some(mut state), Some(settings)) = (self.state(), edge.config().directory()) else { return };
        let now_ms = host::now_ms();
        let State { lessons, cache, circuit, .. } = &mut *state;
        lessons.learn(lesson, cache, now_ms);
        if circuit.is_closed()
            && lessons.tell(lesson, now_ms)
            && let Some(link) = Link::new(edge.source_name(lesson.subject()), &ids(lesson.subject()))
        {
            callout::tell(settings, &link);
        }
    }
}

impl State {
    /// What this worker or another knows of a subject.
    fn find(&mut self, edge: &Edge, metrics: &Metrics, subject: &Subject, now_ms: u64) -> Found {
        let found = self.cache.find(subject, now_ms);
        if matches!(found, Found::Fresh(_)) {
            metrics.lookup(Lookup::Hit);
            return found;
        }
        let Some(slots) = &self.slots else { return found };
        let slot = slots.slot(edge.config(), subject);
        let shared = shared_data::read(&slot).and_then(|entry| slot.read(&entry));
        match shared.filter(|shared| shared.is_newer_than(&found, now_ms)) {
            None => found,
            Some(shared) => {
                self.cache.keep(subject, &Answer::Assigned(shared.owners), shared.said_ms);
                let found = self.cache.find(subject, now_ms);
                if matches!(found, Found::Fresh(_)) {
                    metrics.lookup(Lookup::SharedHit);
                }
                found
            }
        }
    }

    /// Sends a question, unless the directory is left alone for now.
    fn send(
        &mut self,
        edge: &Edge,
        metrics: &Metrics,
        settings: &DirectorySettings,
        subject: &Subject,
        now_ms: u64,
    ) -> Option<u32> {
        if !self.circuit.may_ask(now_ms) {
            return None;
        }
        match callout::ask(settings, &resolve_path(edge.source_name(subject), &ids(subject))) {
            Ok(token) => Some(token),
            Err(status) => {
                // `BadArgument`: no such cluster. `InternalFailure`: no healthy host.
                metrics.callout(Callout::Refused);
                let change = self.circuit.failed(now_ms);
                say(change, &format!("the callout was refused with {status:?}"));
                None
            }
        }
    }

    fn answered(
        &mut self,
        worker: &Worker,
        token: u32,
        reply: &Reply,
    ) -> Option<(Resolution, Vec<Rc<Waiter>>)> {
        let (edge, metrics) = (worker.edge(), worker.metrics());
        let Answered { subject, asked_ms, waiting } = self.asking.answered(token)?;
        let now_ms = host::now_ms();
        metrics.callout_ms(now_ms.saturating_sub(asked_ms));
        let meaning = reply::read(reply);
        metrics.callout(meaning.counts_as(reply));
        let resolution = match meaning {
            Meaning::Answer(answer) => {
                say(self.circuit.succeeded(), "");
                self.cache.keep(&subject, &answer, now_ms);
                if let Answer::Assigned(owners) = &answer {
                    self.share(edge, &subject, owners, now_ms);
                }
                Resolution::Answered(answer)
            }
            Meaning::Away => {
                let why =
                    reply.status.map_or("an answer that broke off".to_owned(), |it| format!("status {it}"));
                say(self.circuit.failed(now_ms), &why);
                without_answer(self.cache.find(&subject, now_ms))
            }
            Meaning::Unusable => {
                say(self.circuit.succeeded(), "");
                if now_ms.abs_diff(self.complained_ms) >= COMPLAINT_MS {
                    self.complained_ms = now_ms;
                    let status = reply.status.unwrap_or_default();
                    host::log(
                        LogLevel::Warn,
                        &format!("the account directory gave an answer that is none, with status {status}"),
                    );
                }
                without_answer(self.cache.find(&subject, now_ms))
            }
        };
        Some((resolution, waiting))
    }

    fn share(&self, edge: &Edge, subject: &Subject, owners: &Owners, now_ms: u64) {
        let Some(slots) = &self.slots else { return };
        let slot = slots.slot(edge.config(), subject);
        if let Some(entry) = slot.write(owners, now_ms) {
            shared_data::write(&slot, &entry);
        }
    }

    fn tick(&mut self) {
        if !self.ticking {
            self.ticking = true;
            host::tick_every(Some(TICK_MS));
        }
    }
}

/// What an event gets to know when the directory cannot be asked.
fn without_answer(found: Found) -> Resolution {
    match found {
        Found::Fresh(answer) => Resolution::Answered(answer),
        Found::Stale(owners, age_s) => Resolution::Stale(owners, age_s),
        Found::Nothing => Resolution::Unavailable,
    }
}

/// The same for an event that does not wait, and counts it.
fn not_asked(metrics: &Metrics, found: Found) -> Resolution {
    metrics.lookup(if matches!(found, Found::Nothing) { Lookup::Unavailable } else { Lookup::Stale });
    without_answer(found)
}

fn say(change: Change, why: &str) {
    match change {
        Change::None => {}
        Change::Opened => host::log(LogLevel::Warn, &format!("the account directory is away: {why}")),
        Change::Closed => host::log(LogLevel::Warn, "the account directory is back"),
    }
}

fn ids(subject: &Subject) -> Ids<'_> {
    let ids = subject.ids();
    Ids { device_id: ids.device, bridge_id: ids.bridge, access_code_id: ids.access_code }
}
