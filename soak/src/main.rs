//! A long run from the command line: `soak MINUTES SEED REPORT.json`, as `cargo xtask soak` calls it. It reads no options.

use std::process::ExitCode;
use std::time::Duration;

use soak::BoxError;
use soak::run::{Extent, Settings, run};

fn main() -> ExitCode {
    match soak() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn soak() -> Result<bool, BoxError> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [minutes, seed, file] = arguments.as_slice() else {
        return Err("usage: soak MINUTES SEED REPORT.json".into());
    };
    let time = Duration::from_secs(60 * minutes.parse::<u64>()?);
    let report = run(&Settings::new(seed.parse()?, Extent::Real(time)))?;
    println!("{report}");
    std::fs::write(file, format!("{:#}\n", report.to_json()))?;
    println!("the same as JSON: {file}");
    Ok(report.findings().is_empty())
}
