//! The units of `deploy/systemd`, as systemd reads them, and the stop of Envoy as its unit does it. No unit is started.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, mpsc};

use edge_tests::{BoxError, Filter, Setup, TestResult, event};
use testbed::upstream::Answer;
use testbed::{envoy, paths};

use crate::yaml::{file, run};

const UNITS: [&str; 2] = ["bellhop.service", "bellhop-edge.service"];

/// The highest exposure by `systemd-analyze security`, in tenths: 10 points are the worst.
const THRESHOLD: u32 = 20;

fn unit(name: &str) -> Result<String, BoxError> {
    Ok(std::fs::read_to_string(file("deploy/systemd").join(name))?)
}

/// Writes the unit into a folder of its own: its name must stay. The programs that it starts are ones that are here.
fn write(test: &str, name: &str, text: &str) -> Result<PathBuf, BoxError> {
    let folder = paths::scratch()?.join(format!("systemd-{test}-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let envoy = envoy::shared()?.display().to_string();
    let text = text.replace("/usr/local/bin/envoy", &envoy).replace("/usr/local/bin/bellhop", "/bin/true");
    let path = folder.join(name);
    std::fs::write(&path, text)?;
    Ok(path)
}

fn verify(path: &Path) -> Result<(bool, String), BoxError> {
    run(Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(path))
}

fn security(path: &Path) -> Result<(bool, String), BoxError> {
    let threshold = format!("--threshold={THRESHOLD}");
    run(Command::new("systemd-analyze").args(["security", "--offline=true", &threshold]).arg(path))
}

#[test]
fn systemd_reads_every_line() -> TestResult {
    for name in UNITS {
        let (accepted, said) = verify(&write("lines", name, &unit(name)?)?)?;
        // It succeeds with unknown lines too, but says so.
        assert!(accepted && said.trim().is_empty(), "{name}: {said}");
    }
    Ok(())
}

#[test]
fn a_wrong_line_is_found() -> TestResult {
    let text = unit(UNITS[0])?.replace("ProtectSystem=strict", "ProtectSistem=strict");
    let (_, said) = verify(&write("wrong", UNITS[0], &text)?)?;
    assert!(said.contains("ProtectSistem"), "{said}");
    Ok(())
}

#[test]
fn the_services_are_hardened() -> TestResult {
    for name in UNITS {
        let (passed, said) = security(&write("hardened", name, &unit(name)?)?)?;
        assert!(passed, "{name}: {said}");
    }
    let weaker = unit(UNITS[0])?.replace("SystemCallFilter", "#").replace("CapabilityBoundingSet=", "#");
    let (passed, _) = security(&write("weaker", UNITS[0], &weaker)?)?;
    assert!(!passed, "the threshold finds nothing");
    Ok(())
}

#[test]
fn a_stop_lets_what_is_under_way_end_and_takes_no_more() -> TestResult {
    let (arrived, has_arrived) = mpsc::channel::<()>();
    let (release, released) = mpsc::channel::<()>();
    let (arrived, released) = (Mutex::new(arrived), Mutex::new(released));
    let edge = Setup::new(Filter::Bellhop).start_with(move |_| {
        let _ = arrived.lock().unwrap_or_else(|it| it.into_inner()).send(());
        let _ = released.lock().unwrap_or_else(|it| it.into_inner()).recv();
        Answer::status(200)
    })?;
    let text = unit("bellhop-edge.service")?;
    let stop = text.lines().find_map(|line| line.strip_prefix("ExecStop=/bin/sh -ec '")).ok_or("no stop")?;
    let stop = stop.strip_suffix('\'').ok_or("no end")?.replace("$$", "$");
    let admin = edge.gateway().admin().to_string();
    assert!(stop.contains("127.0.0.1:9901"), "{stop}");
    let stop = stop.replace("127.0.0.1:9901", &admin);
    std::thread::scope(|scope| -> TestResult {
        let held = scope.spawn(|| edge.http1(&event::post(event::GOOD)));
        has_arrived.recv_timeout(testbed::PATIENCE)?;
        let mut stopping = Command::new("/bin/sh").args(["-ec", &stop]).spawn()?;
        // No connection is taken any more, and the stop waits.
        edge_tests::until(|| std::net::TcpStream::connect(edge.address()).is_err().then_some(()))
            .ok_or("connections are still taken")?;
        assert!(stopping.try_wait()?.is_none(), "the stop does not wait for what is under way");
        release.send(())?;
        assert_eq!(held.join().map_err(|_| "the sender panicked")??.status, 200);
        assert!(stopping.wait()?.success());
        Ok(())
    })
}
