//! Set-up, build, checks and runs of this repository: `cargo xtask`. It ships nothing to anyone.

mod arguments;
mod bench;
mod deny;
mod dist;
mod examples;
mod fuzz;
mod guides;
mod optional;
mod run;
mod setup;
mod soak;
mod test;
mod up;

use std::process::ExitCode;

use arguments::Command;

fn main() -> ExitCode {
    let result = match arguments::parse() {
        Ok(Command::Help) => {
            print!("{}", arguments::USAGE);
            Ok(true)
        }
        Ok(Command::Up(options)) => up::run(&options),
        Ok(Command::SendExamples) => up::send_examples(),
        Ok(Command::Test(options)) => test::run(options),
        Ok(Command::Bench(options)) => bench::run(options),
        Ok(Command::Fuzz(options)) => fuzz::run(&options),
        Ok(Command::Deny) => deny::run(),
        Ok(Command::Inspector) => inspector(),
        Ok(Command::Guides(pages)) => guides::run(&pages),
        Ok(Command::Dist(options)) => dist::run(&options),
        Ok(Command::Soak(options)) => soak::run(&options),
        Err(error) => Err(error),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says where to look.
fn inspector() -> anyhow::Result<bool> {
    let bellhop = setup::bellhop()?;
    let folder = testbed::paths::target().join("inspector");
    println!("page: {}", setup::from_repository(&folder.join("page")).display());
    println!("npm package: {}", setup::from_repository(&folder.join("npm")).display());
    println!("open the page: {} inspect --listen 127.0.0.1:8095", setup::from_repository(&bellhop).display());
    Ok(true)
}
