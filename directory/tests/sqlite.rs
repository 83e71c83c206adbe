//! The suite of the directory on SQLite. What it asks of every database stands in `suite`.

#[path = "suite/suite.rs"]
mod suite;

mod database {
    //! A new database file for each test.

    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Whether an ended process leaves nothing for the next one to wait for: nobody else can be using the file.
    pub(crate) const HAS_ONE_PROCESS: bool = true;

    /// What it says of a table that is not there.
    pub(crate) const NO_TABLE: &str = "code 1: no such table: registrations";

    /// What it says of a database that cannot be.
    pub(crate) const NO_DATABASE: &str = "code 14: unable to open database file";

    /// How many random lives the directory leads here.
    pub(crate) const N_LIVES: u32 = 96;

    /// A database of its own; the file goes with it.
    pub(crate) struct Database(PathBuf);

    impl Database {
        pub(crate) async fn new() -> Self {
            static N_MADE: AtomicU32 = AtomicU32::new(0);
            let number = N_MADE.fetch_add(1, Ordering::Relaxed);
            let folder = testbed::paths::scratch().unwrap();
            let file = folder.join(format!("directory-{}-{number}.db", std::process::id()));
            let database = Self(file);
            database.remove();
            database
        }

        pub(crate) fn url(&self) -> String {
            format!("sqlite:{}", self.0.display())
        }

        /// The address of a database that cannot be.
        pub(crate) fn absent_url(&self) -> String {
            format!("{}/absent", self.url())
        }

        fn remove(&self) {
            for ending in ["", "-wal", "-shm"] {
                let mut file = self.0.clone().into_os_string();
                file.push(ending);
                // It may never have been made.
                let _ = std::fs::remove_file(file);
            }
        }
    }

    impl Drop for Database {
        fn drop(&mut self) {
            self.remove();
        }
    }
}
