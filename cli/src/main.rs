//! The program `bellhop`: the account directory from the command line, and the filter's judgement of events. Each command has
//! a file of its own; none decides what directory or filter do.

mod check;
mod configuration;
mod connect;
mod export;
mod import;
mod input;
mod inspect;
mod quarantine;
mod register;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line.
#[derive(Parser)]
#[command(
    name = "bellhop",
    version,
    about = "The account directory: which connected account owns which device; and a check of events",
    after_help = "Exit codes: 0 done, 1 it failed, 2 the command line is wrong. Standard output is for the answer alone"
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Tells what the filter would do with events
    Check(check::Arguments),
    /// Serves the inspector, a page that tells the same in a browser, until SIGTERM or Ctrl-C
    Inspect(inspect::Arguments),
    /// Serves the directory until SIGTERM or Ctrl-C
    Serve(serve::Arguments),
    /// Makes a Connect Webview for a customer and prints its address
    Connect(connect::Arguments),
    /// Asks a provider to deliver its events to an address; safe to run again
    Register(register::Arguments),
    /// Lists what was registered with providers
    Registrations(register::ListArguments),
    /// Imports accounts from JSON lines, each one entry of `accounts` in the plugin configuration
    Import(import::Arguments),
    /// Exports every account as JSON lines that `import` takes
    Export(export::Arguments),
    /// Lists, shows, replays and drops events that the filter has set aside
    Quarantine(quarantine::Arguments),
}

/// Of `check`: the event is the fault, not the program or its arguments.
const NOT_FORWARDED: u8 = 3;

const fn done(_: ()) -> ExitCode {
    ExitCode::SUCCESS
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let result = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(Into::into);
    let result = result.and_then(|runtime| match arguments.command {
        Command::Check(arguments) => check::run(&arguments)
            .map(|all| if all { ExitCode::SUCCESS } else { ExitCode::from(NOT_FORWARDED) }),
        Command::Inspect(arguments) => runtime.block_on(inspect::run(arguments)).map(done),
        Command::Serve(arguments) => runtime.block_on(serve::run(arguments)).map(done),
        Command::Connect(arguments) => runtime.block_on(connect::run(arguments)).map(done),
        Command::Register(arguments) => runtime.block_on(register::run(arguments)).map(done),
        Command::Registrations(arguments) => runtime.block_on(register::list(arguments)).map(done),
        Command::Import(arguments) => runtime.block_on(import::run(arguments)).map(done),
        Command::Export(arguments) => runtime.block_on(export::run(arguments)).map(done),
        Command::Quarantine(arguments) => runtime.block_on(quarantine::run(arguments)).map(done),
    });
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
