//! What the account directory bears: a large fleet imported, then resolved by a service that has one core to itself. The
//! load, and PostgreSQL, run on the other cores. Unlike the rest of the bench it measures time on the wall: run it alone.

mod asker;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use testbed::paths;
use testbed::postgres::Postgres;
use testbed::service::Service;

use super::{Bar, MB, in_mb, print_bars};
use crate::run;

/// Accounts of the fleet, each with a customer and so many devices: 1,000,000 devices.
const N_ACCOUNTS: usize = 10_000;
const N_DEVICES: usize = 100;

const TOKEN: &str = "a-token-of-the-bench";

const RATE_BAR: f64 = 5000.0;
const P99_BAR: Duration = Duration::from_millis(10);
const RESIDENT_BYTES_BAR: i64 = 200 * MB;

/// Measures both databases. Whether all is within its bars.
pub(super) fn run() -> anyhow::Result<bool> {
    run::checked(&mut run::cargo(&["build", "--profile", "service", "--package", "cli"]))?;
    let folder = paths::scratch()?.join(format!("bench-directory-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let result = both(&folder);
    std::fs::remove_dir_all(&folder)?;
    result
}

fn both(folder: &Path) -> anyhow::Result<bool> {
    let fleet = folder.join("fleet.jsonl");
    write_fleet(&fleet)?;
    // The first core is the service's. What we start from here on inherits this.
    keep_to("1-")?;
    let sqlite = format!("sqlite:{}", folder.join("directory.db").display());
    let mut within = measure("SQLite", &sqlite, folder, &fleet)?;
    match Postgres::start() {
        Ok(server) => within &= measure("PostgreSQL", &server.database()?, folder, &fleet)?,
        Err(error) => {
            println!("\nPostgreSQL was not measured: {error}");
            within = false;
        }
    }
    Ok(within)
}

fn measure(name: &str, database: &str, folder: &Path, fleet: &Path) -> anyhow::Result<bool> {
    let config = folder.join("directory.toml");
    let text = format!("listen = \"127.0.0.1:0\"\ndatabase = \"{database}\"\ntokens = [\"{TOKEN}\"]\n");
    std::fs::write(&config, text)?;
    let started = Instant::now();
    let mut import = run::program(program());
    run::checked(import.arg("import").arg("--config").arg(&config).arg(fleet))?;
    println!(
        "\n{name}: {} devices imported in {:.1} s",
        N_ACCOUNTS * N_DEVICES,
        started.elapsed().as_secs_f64()
    );
    let mut serve = run::program("taskset");
    serve.args(["--cpu-list", "0"]).arg(program()).arg("serve").arg("--config").arg(&config);
    let mut service = Service::start("bench-directory", serve)?;
    let address = service.wait_for_value("listening on ")?;
    // Caches of the database fill, of the service and of the system.
    asker::ask(address, 20_000)?;
    let figures = asker::ask(address, 100_000)?;
    let (resident, peak) = memory(service.pid())?;
    service.stop().context("the service does not end in order")?;
    let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    println!("{:.0} resolves a second, p50 {}, p99 {}", figures.rate, ms(figures.p50), ms(figures.p99));
    let bars = [
        Bar {
            what: "resolves a second, the least bar",
            measured: format!("{:.0}", figures.rate),
            bar: format!("least {RATE_BAR:.0}"),
            holds: figures.rate >= RATE_BAR,
        },
        Bar { what: "p99", measured: ms(figures.p99), bar: ms(P99_BAR), holds: figures.p99 <= P99_BAR },
        Bar {
            what: "resident memory after it (peak in brackets)",
            measured: format!("{} ({})", in_mb(resident), in_mb(peak)),
            bar: in_mb(RESIDENT_BYTES_BAR),
            holds: peak <= RESIDENT_BYTES_BAR,
        },
    ];
    Ok(print_bars(&bars))
}

fn program() -> PathBuf {
    paths::target().join("service/bellhop")
}

/// One account a line.
fn write_fleet(file: &Path) -> anyhow::Result<()> {
    let mut writer = std::io::BufWriter::new(std::fs::File::create(file)?);
    for account in 0..N_ACCOUNTS {
        let devices: Vec<_> = (0..N_DEVICES).map(|n| device(account * N_DEVICES + n)).collect();
        let line = serde_json::json!({
            "connected_account_id": format!("ca_{account:06}"),
            "customer_key": format!("property-{account}"),
            "source": "acme",
            "devices": devices,
        });
        writeln!(writer, "{line}")?;
    }
    writer.flush()?;
    Ok(())
}

/// The id of a device: as long as usual ones, and in no order.
fn device(number: usize) -> String {
    let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("lock_{mixed:016x}")
}

/// Keeps us, and what we start, to these cores.
fn keep_to(cores: &str) -> anyhow::Result<()> {
    let n_cores = std::thread::available_parallelism()?.get();
    if n_cores < 2 {
        bail!("the bench of the directory needs two cores: one for the service alone");
    }
    let cores = format!("{cores}{}", n_cores - 1);
    let pid = std::process::id().to_string();
    let mut taskset = run::program("taskset");
    taskset.args(["--all-tasks", "--cpu-list", "--pid", &cores, &pid]);
    if !run::output(&mut taskset)?.status.success() {
        bail!("`{}` failed", run::shown(&taskset));
    }
    Ok(())
}

/// Resident memory and its peak, in bytes, from `/proc`.
fn memory(pid: u32) -> anyhow::Result<(i64, i64)> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let bytes = |name: &str| -> anyhow::Result<i64> {
        let line =
            status.lines().find_map(|line| line.strip_prefix(name)).context("no such line in /proc")?;
        Ok(line.trim().trim_end_matches("kB").trim().parse::<i64>()? * 1024)
    };
    Ok((bytes("VmRSS:")?, bytes("VmHWM:")?))
}
