//! A PostgreSQL of our own, thrown away afterwards. It knows no table.

use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::{PATIENCE, process};

/// Where Debian, Fedora and others put the programs; else they are looked for on `PATH`.
const FOLDERS: [&str; 3] = ["/usr/lib/postgresql", "/usr/pgsql", "/opt/homebrew/opt"];

/// The superuser of the cluster.
const USER: &str = "bellhop";

/// A running server, with a data folder of its own. Both go with it.
#[derive(Debug)]
pub struct Postgres {
    child: Child,
    programs: PathBuf,
    folder: PathBuf,
    account: Option<Account>,
    n_databases: AtomicU32,
}

/// Whom the server runs as, since it refuses to run as root.
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl Postgres {
    /// Starts a server that listens on a socket in its folder only. It is not made to survive a power cut.
    ///
    /// # Errors
    /// If PostgreSQL is not installed, or does not start.
    pub fn start() -> io::Result<Self> {
        static N_STARTED: AtomicU32 = AtomicU32::new(0);
        let programs = programs()?;
        let account = account()?;
        let number = N_STARTED.fetch_add(1, Ordering::Relaxed);
        // Not in the build folder: the path of a socket has at most 107 bytes, and another user has to reach it.
        let folder = std::env::temp_dir().join(format!("bellhop-pg-{}-{number}", std::process::id()));
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        if let Some(Account { user, group }) = account {
            std::os::unix::fs::chown(&folder, Some(user), Some(group))?;
        }
        let log = File::create(folder.join("log"))?;
        let command = |name: &str| -> io::Result<Command> {
            let mut command = Command::new(programs.join(name));
            command
                .current_dir(&folder)
                .stdin(Stdio::null())
                .stdout(log.try_clone()?)
                .stderr(log.try_clone()?);
            run_as(&mut command, account);
            Ok(command)
        };
        let started = (|| {
            let mut initdb = command("initdb")?;
            initdb.args(["--pgdata", "data", "--username", USER, "--auth", "trust", "--encoding", "UTF8"]);
            // An order of words that is not that of their bytes, as servers of users have it.
            initdb.args([
                "--locale-provider",
                "icu",
                "--icu-locale",
                "en",
                "--locale",
                "C.UTF-8",
                "--no-sync",
            ]);
            if !initdb.status()?.success() {
                return Err(failure("initdb failed", &folder));
            }
            let mut server = command("postgres")?;
            server.args(["-D", "data", "-c", "listen_addresses=", "-k"]).arg(&folder);
            server.args(["-c", "fsync=off", "-c", "max_connections=200", "-c", "shared_buffers=64MB"]);
            process::spawn(server)
        })();
        let child = match started {
            Ok(child) => child,
            Err(error) => {
                // The error that is worth telling is the other one.
                let _ = std::fs::remove_dir_all(&folder);
                return Err(error);
            }
        };
        let mut server = Self { child, programs, folder, account, n_databases: AtomicU32::new(0) };
        server.wait()?;
        Ok(server)
    }

    /// Makes an empty database; its address.
    ///
    /// # Errors
    /// If the server refuses.
    pub fn database(&self) -> io::Result<String> {
        let name = format!("d{}", self.n_databases.fetch_add(1, Ordering::Relaxed));
        let mut createdb = self.client("createdb");
        createdb.args(["--host", &self.folder.to_string_lossy(), "--username", USER]).arg(&name);
        if !createdb.status()?.success() {
            return Err(failure("createdb failed", &self.folder));
        }
        // A host that begins with a slash is the folder of the socket; in an address it is percent-encoded.
        let host = self.folder.to_string_lossy().replace('/', "%2F");
        Ok(format!("postgres://{USER}@{host}/{name}"))
    }

    /// The process that the connections' processes are children of.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn client(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        run_as(&mut command, self.account);
        command
    }

    fn wait(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ready = self.client("pg_isready");
            ready.args(["--quiet", "--host", &self.folder.to_string_lossy()]);
            if ready.status()?.success() {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(failure("PostgreSQL did not start", &self.folder));
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Asked to end by a signal it would wait for its clients. If this fails the process is ended by force.
        let _ = self.client("pg_ctl").args(["stop", "-D", "data", "-m", "immediate"]).status();
        process::stop(&mut self.child, Duration::from_secs(1));
        // What cannot be removed lies in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// The newest installed server's programs.
fn programs() -> io::Result<PathBuf> {
    let mut found = Vec::new();
    for folder in FOLDERS {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let bin = entry.path().join("bin");
            if bin.join("postgres").is_file() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let digits: String = name.chars().filter(char::is_ascii_digit).collect();
                found.push((digits.parse::<u32>().unwrap_or(0), bin));
            }
        }
    }
    let on_path = std::env::var_os("PATH")
        .and_then(|path| std::env::split_paths(&path).find(|folder| folder.join("postgres").is_file()));
    found.into_iter().max().map(|(_, bin)| bin).or(on_path).ok_or_else(|| {
        let text = "PostgreSQL is not installed: neither in /usr/lib/postgresql nor on PATH; Debian's package is `postgresql`";
        io::Error::new(io::ErrorKind::NotFound, text)
    })
}

/// Whom to run as: ourselves, unless that is root.
fn account() -> io::Result<Option<Account>> {
    if !is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let find = |name: &str| {
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            let [found, _, user, group, ..] = fields[..] else { return None };
            (found == name).then_some(Account { user: user.parse().ok()?, group: group.parse().ok()? })
        })
    };
    let account = find("postgres").or_else(|| find("nobody"));
    account
        .map(Some)
        .ok_or_else(|| io::Error::other("PostgreSQL refuses to run as root, and there is no user `postgres`"))
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // Our own entry in /proc belongs to whom we run as.
    std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn run_as(command: &mut Command, account: Option<Account>) {
    if let Some(Account { user, group }) = account {
        command.uid(user).gid(group);
    }
}

/// What was wrong, with the end of the log.
fn failure(what: &str, folder: &Path) -> io::Error {
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(20);
    io::Error::other(format!("{what}:\n{}", lines.get(last..).unwrap_or_default().join("\n")))
}
