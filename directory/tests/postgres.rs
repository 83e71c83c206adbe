//! The suite of the directory on a real PostgreSQL. What it asks of every database stands in `suite`.

#[path = "suite/suite.rs"]
mod suite;

mod database {
    //! A new database for each test, on one server that goes with the last of them.

    use std::sync::{Arc, Mutex, Weak};

    use testbed::postgres::Postgres;

    /// Another machine may hold a job, so that its lease has to end.
    pub(crate) const HAS_ONE_PROCESS: bool = false;

    /// What it says of a table that is not there: a message of this kind could name values.
    pub(crate) const NO_TABLE: &str = "code 42P01";

    /// What it says of a database that is not there.
    pub(crate) const NO_DATABASE: &str = "code 3D000: database \"absent\" does not exist";

    /// How many random lives the directory leads here. Each has a database of its own, which takes its time.
    pub(crate) const N_LIVES: u32 = 32;

    /// A database of its own.
    pub(crate) struct Database {
        url: String,
        _server: Arc<Postgres>,
    }

    impl Database {
        pub(crate) async fn new() -> Self {
            static SERVER: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
            let mut shared = SERVER.lock().unwrap();
            let server = shared.upgrade().unwrap_or_else(|| Arc::new(Postgres::start().unwrap()));
            *shared = Arc::downgrade(&server);
            drop(shared);
            Self { url: server.database().unwrap(), _server: server }
        }

        /// The address of a database that is not there.
        pub(crate) fn absent_url(&self) -> String {
            let (server, _) = self.url.rsplit_once('/').unwrap();
            format!("{server}/absent")
        }

        pub(crate) fn url(&self) -> String {
            self.url.clone()
        }
    }
}
