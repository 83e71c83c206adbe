//! `bellhop check`: what the filter would do with events, without a gateway. It judges nothing itself, sends nothing and asks
//! no directory.

use std::io::{BufRead, Read, Write, stdout};
use std::path::PathBuf;

use anyhow::{Context, anyhow};
use event_core::trial::{Proof, Trial, TrialError};
use event_core::{Refusal, Verdict};
use serde_json::{Value, json};

use crate::input;

/// The largest body that any configuration allows, in bytes. What is longer is not read to its end.
const MOST_BYTES: usize = 4 * 1024 * 1024;

#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 every event would be forwarded, 3 some would not, 1 it failed, 2 the command line is wrong"
)]
pub(crate) struct Arguments {
    /// The filter's configuration (JSON): its accounts, limits and event types count. Proofs of senders are not asked for
    #[arg(long, value_name = "FILE")]
    plugin_config: Option<PathBuf>,
    /// The source that would send the events; needed if the configuration has several
    #[arg(long, value_name = "NAME", requires = "plugin_config")]
    source: Option<String>,
    /// Takes each line for an event; so are those of files that end in .jsonl
    #[arg(long)]
    lines: bool,
    /// Prints a JSON object for each event, with the headers that upstream would get
    #[arg(long)]
    json: bool,
    /// Files with one event each; `-`, or none, is standard input
    files: Vec<PathBuf>,
}

/// Whether every event would be forwarded.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let trial = trial(arguments)?;
    let inputs = if arguments.files.is_empty() { vec!["-".into()] } else { arguments.files.clone() };
    let mut out = stdout().lock();
    let mut all_forwarded = true;
    for file in &inputs {
        let mut reader = input::open(file)?;
        let shown =
            if input::is_stdin(file) { "standard input".to_owned() } else { file.display().to_string() };
        if arguments.lines || file.extension().is_some_and(|it| it == "jsonl") {
            let mut number = 0;
            while let Some(line) = read_line(&mut reader).with_context(|| format!("cannot read {shown}"))? {
                number += 1;
                if !line.trim_ascii().is_empty() {
                    let place = format!("{shown}:{number}");
                    all_forwarded &= check(&trial, &place, &line, arguments.json, &mut out)?;
                }
            }
        } else {
            let mut body = Vec::new();
            let limit = MOST_BYTES as u64 + 1;
            reader.take(limit).read_to_end(&mut body).with_context(|| format!("cannot read {shown}"))?;
            all_forwarded &= check(&trial, &shown, &body, arguments.json, &mut out)?;
        }
    }
    Ok(all_forwarded)
}

/// The next line without its end, or as much of it as is looked at.
fn read_line(reader: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    if reader.by_ref().take(MOST_BYTES as u64 + 1).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(line))
}

fn trial(arguments: &Arguments) -> anyhow::Result<Trial> {
    let Some(file) = &arguments.plugin_config else { return Ok(Trial::of_shape()?) };
    let name = file.display();
    let text = std::fs::read(file).with_context(|| format!("cannot read {name}"))?;
    // A secret need not be here: no proof is asked for, and no directory.
    Trial::new(&text, arguments.source.as_deref(), Proof::NotAsked).map_err(|error| match error {
        TrialError::Config(_) => anyhow::Error::new(error).context(name.to_string()),
        TrialError::SourceUnknown => anyhow!("{name} has no such source"),
        TrialError::SourceNotNamed => anyhow!("{name} has several sources: say which with --source"),
    })
}

/// Prints what would become of an event. Whether it would be forwarded, as far as can be told without the directory.
fn check(
    trial: &Trial,
    place: &str,
    body: &[u8],
    as_json: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let verdict = trial.judge(&[(b"content-type", b"application/json")], body, 0).verdict;
    let (told, is_forwarded) = match &verdict {
        Verdict::Forward(headers) => {
            let sent = headers.get("x-event-cause");
            let value: serde_json::Map<String, Value> =
                headers.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
            (json!({ "outcome": headers.outcome(), "headers": value }), sent.is_none())
        }
        Verdict::Ask(question) => {
            let ids = question.subject().ids();
            let ids =
                json!({"device_id": ids.device, "bridge_id": ids.bridge, "access_code_id": ids.access_code});
            (json!({ "outcome": "asks_the_directory", "ids": ids }), true)
        }
        Verdict::Refuse(refusal) => (told_of(refusal), false),
    };
    if as_json {
        let mut line = json!({ "event": place });
        if let (Some(line), Value::Object(told)) = (line.as_object_mut(), told) {
            line.extend(told);
        }
        writeln!(out, "{line}")?;
    } else {
        print(out, place, &verdict)?;
    }
    Ok(is_forwarded)
}

fn told_of(refusal: &Refusal) -> Value {
    let answer: Value = serde_json::from_slice(&refusal.body()).unwrap_or_default();
    json!({ "outcome": refusal.cause().name(), "answer": answer })
}

fn print(out: &mut impl Write, place: &str, verdict: &Verdict<'_>) -> std::io::Result<()> {
    match verdict {
        Verdict::Forward(headers) => {
            let event_type = headers.get("x-event-type").unwrap_or("?");
            let to = match headers.get("x-event-cause") {
                Some(cause) => format!("quarantined: {cause}"),
                None => "forwarded".to_owned(),
            };
            write!(out, "{place}: {to}, {event_type}")?;
            if let (Some(accounts), Some(by)) =
                (headers.get("x-connected-account-id"), headers.get("x-assigned-by"))
            {
                write!(out, ", to {accounts} by its {by}")?;
            }
            writeln!(out)
        }
        Verdict::Ask(_) => writeln!(out, "{place}: the account directory would be asked whose it is"),
        Verdict::Refuse(refusal) => {
            let (cause, status) = (refusal.cause().name(), refusal.status());
            writeln!(out, "{place}: {cause} ({status}): {}", refusal.detail())?;
            for error in refusal.errors() {
                writeln!(out, "  {} {}", error.pointer, error.fault)?;
            }
            Ok(())
        }
    }
}
