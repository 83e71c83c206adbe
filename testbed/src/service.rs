//! A server of our own choosing in a process of its own: started, waited for, ended in order or killed. It does not ask
//! the server anything; what says that it is ready stands in its output.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{PATIENCE, paths, process};

/// How long a service may take to stop before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// A running service. It is stopped when this is dropped, and by the system when this process dies.
#[derive(Debug)]
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it. Standard output and error go to a log file in the scratch folder, whose name begins with `name`.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(name: &str, mut command: Command) -> io::Result<Self> {
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let number = N_STARTED.fetch_add(1, Ordering::Relaxed);
        let log = paths::scratch()?.join(format!("{name}-{}-{number}.log", std::process::id()));
        let output = File::create(&log)?;
        command.stdout(output.try_clone()?).stderr(output);
        let child = process::spawn(command)?;
        Ok(Self { child, log })
    }

    /// Waits until `look` finds what it wants in the output so far.
    ///
    /// # Errors
    /// When the service ends before, or nothing is found in time; with the end of its output.
    pub fn wait_for<T>(&mut self, look: impl Fn(&str) -> Option<T>) -> io::Result<T> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Asked first: what an ended process has written is whole.
            let ended = self.child.try_wait()?;
            let output = self.output();
            if let Some(found) = look(&output) {
                return Ok(found);
            }
            let why = match ended {
                Some(status) => format!("it ended ({status})"),
                None if Instant::now() > deadline => format!("it was not ready within {PATIENCE:?}"),
                None => {
                    // A file tells nobody that it has grown.
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                }
            };
            return Err(io::Error::other(format!("{why}:\n{output}")));
        }
    }

    /// Waits for a line that begins so, and reads what follows, e.g. the address behind `listening on `.
    ///
    /// # Errors
    /// As for [`Service::wait_for`].
    pub fn wait_for_value<T: FromStr>(&mut self, prefix: &str) -> io::Result<T> {
        self.wait_for(|output| output.lines().find_map(|line| line.strip_prefix(prefix)?.trim().parse().ok()))
    }

    /// Everything that it has written.
    pub fn output(&self) -> String {
        match std::fs::read(&self.log) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => format!("(the log cannot be read: {error})"),
        }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Asks it to end, and all that it has started itself. Dropping it then waits.
    pub fn ask_all_to_end(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            process::ask_all_to_end(&self.child);
        }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it do nothing until [`Service::resume`]: to its peers it hangs.
    pub fn pause(&self) {
        process::pause(&self.child);
    }

    /// Lets it go on.
    pub fn resume(&self) {
        process::resume(&self.child);
    }

    /// Kills it, as a crash or a power cut would.
    ///
    /// # Errors
    /// When it has ended by itself before.
    pub fn kill(mut self) -> io::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("it had ended ({status})")));
        }
        self.child.kill()
    }

    /// Asks it to end and waits until it has; a service that does not is killed. How it ended.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        process::stop(&mut self.child, STOP_PATIENCE);
        self.child.wait()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        process::stop(&mut self.child, STOP_PATIENCE);
        // After a failed test it is what one wants to read.
        if !std::thread::panicking() {
            let _ = std::fs::remove_file(&self.log);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_service_is_ready_when_its_output_says_so() {
        let mut service = Service::start("service-test", shell("echo on 8090; exec sleep 60")).unwrap();
        let port = service.wait_for(|output| output.strip_prefix("on ")?.trim().parse::<u16>().ok()).unwrap();
        assert_eq!(port, 8090);
        assert_eq!(service.wait_for_value::<u16>("on ").unwrap(), 8090);
        service.kill().unwrap();
    }

    #[test]
    fn a_service_that_ends_is_not_waited_for() {
        let mut service = Service::start("service-test", shell("echo no database; exit 3")).unwrap();
        let error = service.wait_for(|_| None::<()>).unwrap_err().to_string();
        assert!(error.contains("no database") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_paused_service_does_nothing_until_it_is_resumed_and_can_be_stopped() {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let mut service = Service::start("service-test", shell(script)).unwrap();
        service.wait_for(|output| output.contains("ready").then_some(())).unwrap();
        let state = |pid: u32| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
            stat.rsplit(") ").next().unwrap().chars().next().unwrap()
        };
        service.pause();
        while state(service.pid()) != 'T' {
            std::thread::yield_now();
        }
        service.resume();
        while state(service.pid()) == 'T' {
            std::thread::yield_now();
        }
        service.pause();
        assert_eq!(service.stop().unwrap().code(), Some(7));
    }

    #[test]
    fn a_service_is_asked_to_end_first() {
        let script = "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done";
        let mut service = Service::start("service-test", shell(script)).unwrap();
        service.wait_for(|output| output.contains("ready").then_some(())).unwrap();
        assert_eq!(service.stop().unwrap().code(), Some(7));
    }
}
