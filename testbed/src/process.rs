//! Child processes that cannot outlive us: started, measured, ended. It knows nothing of what they do.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

/// Starts the command in a process group of its own, without standard input. The system kills it when this process dies.
///
/// # Errors
/// When it cannot be started.
pub fn spawn(mut command: Command) -> io::Result<Child> {
    // Ctrl-C in the terminal is for us: we then stop it ourselves.
    command.stdin(Stdio::null()).process_group(0);
    die_with_parent(&mut command);
    spawn_on_lasting_thread(command)
}

/// Ends the process: first with a request, then with force.
pub fn stop(child: &mut Child, patience: Duration) {
    if matches!(child.try_wait(), Ok(None)) {
        signal(child.id(), libc::SIGTERM);
        // One that is paused hears nothing.
        resume(child);
        let deadline = Instant::now() + patience;
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
    }
    // Both fail only when the process has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// Asks a process that [`spawn`] has started to end, and all that it has started itself.
#[allow(unsafe_code, reason = "std sends no signal but SIGKILL")]
pub fn ask_all_to_end(leader: &Child) {
    // SAFETY: `kill` touches no memory. The leader is not yet waited for, so the group's id is still its own.
    unsafe {
        libc::kill(-leader.id().cast_signed(), libc::SIGTERM);
    }
}

/// Lets the process do nothing until [`resume`]: to its peers it hangs.
pub fn pause(child: &Child) {
    signal(child.id(), libc::SIGSTOP);
}

/// Lets the process go on.
pub fn resume(child: &Child) {
    signal(child.id(), libc::SIGCONT);
}

/// Resident memory of a process, from `VmRSS` in `/proc`.
///
/// # Errors
/// When the system does not tell.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|value| value.trim().strip_suffix("kB"))
        .and_then(|value| value.trim().parse::<u64>().ok());
    kilobytes
        .map(|kilobytes| kilobytes * 1024)
        .ok_or_else(|| io::Error::other(format!("no VmRSS of process {pid}")))
}

/// The CPU time of all threads of the process, the ended ones too, in nanoseconds: `/proc/PID/stat` has ticks of
/// 10 ms only.
///
/// # Errors
/// When the system does not tell.
#[allow(unsafe_code, reason = "std has no clock of another process")]
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let mut clock = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: both calls write only to the local they are given.
    let result = unsafe {
        match libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) {
            0 => libc::clock_gettime(clock, &raw mut time),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Duration::new(time.tv_sec.cast_unsigned(), u32::try_from(time.tv_nsec).unwrap_or(0)))
}

/// Lets the system kill the child when the thread that started it ends, however it ends.
#[allow(unsafe_code, reason = "std cannot set the parent-death signal")]
fn die_with_parent(command: &mut Command) {
    let parent = std::process::id();
    // SAFETY: between fork and exec only `prctl` and `getppid` are called, which are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
                return Err(io::Error::last_os_error());
            }
            // The parent may have died before the call.
            if libc::getppid().cast_unsigned() != parent {
                return Err(io::Error::other("the parent has ended"));
            }
            Ok(())
        });
    }
}

#[allow(unsafe_code, reason = "std sends no signal but SIGKILL")]
fn signal(pid: u32, signal: libc::c_int) {
    // SAFETY: `kill` touches no memory. The child is not yet waited for, so the id is still its own.
    unsafe {
        libc::kill(pid.cast_signed(), signal);
    }
}

type Job = (Command, Sender<io::Result<Child>>);

/// Starts the command from a thread that lives as long as this process: the parent-death signal goes by the
/// thread, and a test's thread ends while a gateway that it shares with others must go on.
fn spawn_on_lasting_thread(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Job>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in jobs {
                // Whoever asked may have given up.
                let _ = reply.send(command.spawn());
            }
        });
        sender
    });
    let (reply, answer) = channel();
    let gone = || io::Error::other("the thread that starts processes has ended");
    starter.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}
