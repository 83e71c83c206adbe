//! A configuration in a folder of its own, and the program with it. It does not judge what the program does.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// A folder of its own, with a configuration in it.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static N_MADE: AtomicU32 = AtomicU32::new(0);
        let number = N_MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("cli-{}-{number}", std::process::id());
        let folder = Self(testbed::paths::scratch().unwrap().join(name));
        std::fs::create_dir_all(&folder.0).unwrap();
        let database = folder.0.join("directory.db").display().to_string();
        let config = format!(
            "listen = '127.0.0.1:0'\ndatabase = 'sqlite:{database}'\ntokens = [{{ env = 'DIRECTORY_TOKEN' }}]\n"
        );
        folder.write("directory.toml", &config);
        folder
    }

    /// With these lines at the end of the configuration.
    pub(crate) fn with(more: &str) -> Self {
        let folder = Self::new();
        let config = std::fs::read_to_string(folder.0.join("directory.toml")).unwrap();
        folder.write("directory.toml", &format!("{config}{more}"));
        folder
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// The command of this name; parts of a name stand apart.
    pub(crate) fn command(&self, name: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellhop"));
        command.args(name.split(' ')).arg("--config").arg(self.0.join("directory.toml"));
        command
            .env("DIRECTORY_TOKEN", "a-token-of-the-tests")
            .env_remove("RUST_LOG")
            .env_remove("BELLHOP_CONFIG");
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays lies in the build folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Exit code and standard error.
pub(crate) fn failure(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Standard output of a success that had nothing to warn of.
pub(crate) fn success(output: &Output) -> String {
    assert_eq!(failure(output), (Some(0), String::new()));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
