//! The command line of Envoy. How a process is kept is in `crate::process`.

use std::fs::File;
use std::io;
use std::process::{Child, Command};

use super::{Files, Launch};
use crate::{paths, process};

/// Starts Envoy. Its output goes to its log file.
pub(super) fn spawn(launch: &Launch, files: &Files) -> io::Result<Child> {
    let log = File::create(&files.log)?;
    let mut command = Command::new(&launch.envoy);
    command
        .arg("--config-path")
        .arg(&files.bootstrap)
        .arg("--admin-address-path")
        .arg(&files.admin_address)
        .arg("--use-dynamic-base-id")
        .args(["--concurrency", &launch.concurrency.to_string()])
        .args(["--log-level", &launch.log_level])
        .args(["--file-flush-interval-msec", &launch.flush_interval.as_millis().to_string()])
        .args(["--drain-time-s", &launch.drain_time.as_secs().to_string()])
        .args(["--parent-shutdown-time-s", &(launch.drain_time.as_secs() + 1).to_string()])
        .envs(launch.variables.iter().map(|(name, value)| (name, value)))
        .current_dir(paths::repository())
        .stdout(log.try_clone()?)
        .stderr(log);
    process::spawn(command)
}
