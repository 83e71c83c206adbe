//! Which commands run in which callback, and the line that each callback logs. It calls no host function itself.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::abi;
use crate::command::{self, Ran};

/// What is known of one context.
#[derive(Default, Clone)]
struct Script {
    /// The path of the request: it marks the lines of this stream in the log.
    mark: String,
    /// Commands by phase.
    phases: BTreeMap<String, String>,
}

thread_local! {
    static SCRIPTS: RefCell<BTreeMap<u32, Script>> = const { RefCell::new(BTreeMap::new()) };
    /// The stream that sent each callout.
    static CALLS: RefCell<BTreeMap<u32, u32>> = const { RefCell::new(BTreeMap::new()) };
}

const ROOT: u32 = 1;
const INFO: u32 = 2;
const REQUEST_HEADERS: u32 = 0;
const VM_CONFIGURATION: u32 = 6;
const PLUGIN_CONFIGURATION: u32 = 7;

/// Phases that a request can script, each in the header `x-probe-<phase>`.
const PHASES: &[&str] = &[
    "request-headers",
    "request-body",
    "request-end",
    "request-trailers",
    "response-headers",
    "response-body",
    "response-end",
    "response-trailers",
    "call",
    "log",
    "done",
];

pub(crate) fn context_create(context: u32, root: u32) {
    let mark = if root == 0 { "/root".to_owned() } else { String::new() };
    SCRIPTS.with_borrow_mut(|scripts| scripts.insert(context, Script { mark, ..Script::default() }));
}

/// The VM starts: its configuration has the commands of that phase.
pub(crate) fn start(size: usize) -> bool {
    read_configuration(VM_CONFIGURATION, size);
    root("start")
}

pub(crate) fn configure(size: usize) -> bool {
    read_configuration(PLUGIN_CONFIGURATION, size);
    root("configure")
}

/// Reads a configuration: one `phase: commands` a line.
fn read_configuration(kind: u32, size: usize) {
    let (_, text) = abi::get_buffer(kind, 0, size);
    let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
    SCRIPTS.with_borrow_mut(|scripts| {
        let script = scripts.entry(ROOT).or_default();
        for line in text.lines() {
            if let Some((phase, commands)) = line.split_once(": ") {
                script.phases.insert(phase.to_owned(), commands.to_owned());
            }
        }
    });
}

/// A callback of the root context. True unless a command returned 0.
pub(crate) fn root(phase: &str) -> bool {
    run(ROOT, phase, "").returned.unwrap_or(1) != 0
}

pub(crate) fn queue_ready(token: u32) {
    run(ROOT, "queue", &format!(" token={token}"));
}

pub(crate) fn request_headers(context: u32, end: bool) -> u32 {
    let value = |name: &str| {
        abi::get_header(REQUEST_HEADERS, name).1.map(|value| String::from_utf8_lossy(&value).into_owned())
    };
    let mut script = Script { mark: value(":path").unwrap_or_default(), phases: BTreeMap::new() };
    for phase in PHASES {
        if let Some(commands) = value(&format!("x-probe-{phase}")) {
            script.phases.insert((*phase).to_owned(), commands);
        }
    }
    SCRIPTS.with_borrow_mut(|scripts| scripts.insert(context, script));
    headers_of(context, "request-headers", end)
}

pub(crate) fn headers_of(context: u32, phase: &str, end: bool) -> u32 {
    run(context, phase, &format!(" end={}", u8::from(end))).returned.unwrap_or(0)
}

/// The commands of `…-end` run with the last piece, if there are any; else those of `…-body`.
pub(crate) fn body(context: u32, phase: &str, size: usize, end: bool) -> u32 {
    let last = phase.replace("-body", "-end");
    let scripted = SCRIPTS
        .with_borrow(|scripts| scripts.get(&context).is_some_and(|script| script.phases.contains_key(&last)));
    let chosen = if end && scripted { last.as_str() } else { phase };
    run(context, chosen, &format!(" size={size} end={}", u8::from(end))).returned.unwrap_or(0)
}

pub(crate) fn stream(context: u32, phase: &str) -> u32 {
    run(context, phase, "").returned.unwrap_or(0)
}

pub(crate) fn remember_call(token: u32, context: u32) {
    CALLS.with_borrow_mut(|calls| calls.insert(token, context));
}

/// The end of a callout: commands run on the context that sent it, if the host still has it.
pub(crate) fn call_ended(token: u32, headers: usize) {
    let context = CALLS.with_borrow_mut(|calls| calls.remove(&token)).unwrap_or(ROOT);
    let effective = abi::effective_context(context);
    let headers = if headers == 0 { "none" } else { "some" };
    run(context, "call", &format!(" headers={headers} effective={effective}"));
}

pub(crate) fn done(context: u32) -> bool {
    run(context, "done", "").returned.unwrap_or(1) != 0
}

pub(crate) fn delete(context: u32) {
    SCRIPTS.with_borrow_mut(|scripts| scripts.remove(&context));
}

fn run(context: u32, phase: &str, args: &str) -> Ran {
    let script = SCRIPTS.with_borrow(|scripts| scripts.get(&context).cloned()).unwrap_or_default();
    let commands = script.phases.get(phase).map(String::as_str).unwrap_or_default();
    let ran = command::run_all(context, commands);
    abi::log(INFO, &format!("PROBE {} {phase}{args}{}", script.mark, ran.text));
    ran
}
