//! `bellhop quarantine`: events that the filter has set aside. It works on the database, beside a service that runs or
//! without one. What is shown and what a replay is are the directory's.

use anyhow::{Context, bail};
use clap::builder::PossibleValuesParser;
use directory::quarantine::{Entry, Outcome, QuarantineMetrics, Replayed, Replayer, Shown};
use directory::store::{Claim, QuarantineFilter, QuarantineState};
use directory::{Config, Store, clock};

use crate::configuration::Configuration;

/// Events of one page, and of one replay of many.
const PAGE: u16 = 100;

#[derive(clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Lists quarantined events, oldest first
    List(ListArguments),
    /// Shows one as JSON; codes, PINs and the like in its body are hidden
    Show(ShowArguments),
    /// Sends events to the edge once more
    Replay(ReplayArguments),
    /// Removes events for good
    Drop(DropArguments),
}

#[derive(clap::Args)]
struct ListArguments {
    #[command(flatten)]
    configuration: Configuration,
    #[command(flatten)]
    which: Which,
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = PossibleValuesParser::new(["waiting", "replayed"]))]
    state: Option<String>,
    /// The most events
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(clap::Args)]
struct Which {
    /// Only those of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Only those with this cause
    #[arg(long, value_name = "CAUSE")]
    cause: Option<String>,
}

#[derive(clap::Args)]
struct ShowArguments {
    #[command(flatten)]
    configuration: Configuration,
    /// The event's number
    id: i64,
}

#[derive(clap::Args)]
struct ReplayArguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Numbers of events
    #[arg(required_unless_present = "all", conflicts_with_all = ["all", "source", "cause", "limit"])]
    ids: Vec<i64>,
    /// Every event that waits, oldest first; `--source`, `--cause` and `--limit` say less
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    which: Which,
    /// The most events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    limit: Option<u32>,
}

#[derive(clap::Args)]
struct DropArguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Numbers of events
    #[arg(required = true)]
    ids: Vec<i64>,
}

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        Command::List(arguments) => list(arguments).await,
        Command::Show(arguments) => show(arguments).await,
        Command::Replay(arguments) => replay(arguments).await,
        Command::Drop(arguments) => drop_all(arguments).await,
    }
}

async fn open(config: &Config) -> anyhow::Result<Store> {
    Ok(Store::open(config.database.expose(), config.store_limits()).await?)
}

/// How many of `left` the next page shall have.
fn page(left: u32) -> u16 {
    u16::try_from(left).map_or(PAGE, |left| left.min(PAGE))
}

async fn list(arguments: ListArguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let store = open(&config).await?;
    let filter = QuarantineFilter {
        source: arguments.which.source.as_deref(),
        cause: arguments.which.cause.as_deref(),
        state: arguments.state.as_deref().and_then(QuarantineState::of_name),
    };
    let (mut after, mut left) = (0, arguments.limit);
    while left > 0 {
        let wanted = page(left);
        let events = store.quarantined_after(filter, after, wanted).await?;
        let Some(last) = events.last() else { break };
        after = last.id;
        left -= u32::try_from(events.len())?.min(left);
        for event in events {
            print_line(event.into());
        }
    }
    let more = !store.quarantined_after(filter, after, 1).await?.is_empty();
    store.close().await;
    if more {
        eprintln!("there are more: --limit says how many are listed");
    }
    Ok(())
}

/// Columns: number, state, source, cause, event type, device, when it came last in Unix milliseconds, how often it came,
/// how often it was replayed, and what the edge answered then.
fn print_line(event: Entry) {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let status = event.replay_status.map(|status| status.to_string());
    println!(
        "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}",
        event.id,
        event.state,
        event.source,
        event.cause,
        or_dash(event.event_type),
        or_dash(event.device_id),
        event.last_seen_at,
        event.times_seen,
        event.replay_attempts,
        or_dash(status),
        or_dash(event.replay_cause),
    );
}

async fn show(arguments: ShowArguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let store = open(&config).await?;
    let found = store.quarantined(arguments.id).await?;
    store.close().await;
    let (event, body) = found.context("no quarantined event has this number")?;
    println!("{}", printable(&serde_json::to_string_pretty(&Shown::new(event, &body))?));
    Ok(())
}

/// JSON whose control characters are all escaped: what a sender wrote does not move the cursor.
fn printable(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for char in json.chars() {
        if char.is_control() && char != '\n' {
            text.push_str(&format!("\\u{:04x}", u32::from(char)));
        } else {
            text.push(char);
        }
    }
    text
}

async fn replay(arguments: ReplayArguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let edge = config.quarantine.as_ref().and_then(|quarantine| quarantine.edge.as_ref());
    let edge = edge.context("quarantine.edge_url: is required for this")?;
    let store = open(&config).await?;
    let replayer = Replayer::new(store.clone(), edge, QuarantineMetrics::default());
    let (mut n_tried, mut n_failed) = (0, 0);
    let mut count = |replayed: &Replayed| {
        print_replayed(replayed);
        n_tried += 1;
        n_failed += u32::from(replayed.outcome != Outcome::Replayed);
    };
    for id in &arguments.ids {
        count(&replayer.one(*id).await?);
    }
    let (mut after, mut left) = (0, if arguments.all { arguments.limit.unwrap_or(u32::MAX) } else { 0 });
    let Which { source, cause } = &arguments.which;
    while left > 0 {
        let replays = replayer.many(source.as_deref(), cause.as_deref(), after, page(left)).await?;
        let tried: Vec<_> = replays.events.iter().filter(|it| it.outcome != Outcome::NotTried).collect();
        left -= u32::try_from(tried.len())?.min(left);
        let is_away = tried.iter().any(|it| it.outcome == Outcome::Unreachable);
        tried.into_iter().for_each(&mut count);
        match replays.next {
            Some(next) if !is_away => after = next,
            _ => break,
        }
    }
    store.close().await;
    if n_failed > 0 {
        bail!("{n_failed} of {n_tried} were not replayed");
    }
    Ok(())
}

fn print_replayed(replayed: &Replayed) {
    let status = replayed.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    println!("{}\t{}\t{status}\t{}", replayed.id, replayed.outcome.name(), replayed.cause.unwrap_or("-"));
}

async fn drop_all(arguments: DropArguments) -> anyhow::Result<()> {
    let config = arguments.configuration.read()?;
    let store = open(&config).await?;
    let mut n_left = 0;
    for id in arguments.ids {
        let what = match store.drop_quarantined(id, clock::now_ms()).await? {
            Claim::Taken(()) => "dropped",
            Claim::Busy => "busy",
            Claim::Absent => "absent",
        };
        n_left += u32::from(what != "dropped");
        println!("{id}\t{what}");
    }
    store.close().await;
    if n_left > 0 {
        bail!("{n_left} were not dropped");
    }
    Ok(())
}
