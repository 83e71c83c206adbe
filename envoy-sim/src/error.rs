//! What can go wrong while a test drives the simulator. A filter that misbehaves is not an error: it is a result.

use std::fmt;
use std::path::PathBuf;

/// Why a module was not loaded, or a drive was not possible.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The module file could not be read.
    Read {
        /// The file asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not a WebAssembly module that wasmtime accepts.
    Compile(wasmtime::Error),
    /// The module imports something that Envoy does not offer, or with another signature.
    UnknownImport {
        /// Import module, such as `env`.
        module: String,
        /// Import name.
        name: String,
    },
    /// The module lacks an export that Envoy needs.
    MissingExport(&'static str),
    /// The module exports no `proxy_abi_version_*` that Envoy knows.
    UnknownAbi,
    /// The module could not be instantiated.
    Instantiate(wasmtime::Error),
    /// The filter trapped while it was started or configured.
    StartTrapped {
        /// The callback that trapped.
        callback: &'static str,
        /// What wasmtime said.
        message: String,
        /// What the filter logged before.
        logs: Vec<String>,
    },
    /// `proxy_on_vm_start` or `proxy_on_configure` returned false: Envoy refuses the configuration.
    Refused {
        /// The callback that refused.
        callback: &'static str,
        /// What the filter logged.
        logs: Vec<String>,
    },
    /// A setting of the test is out of range.
    BadSetup(&'static str),
    /// The filter called something that Envoy has and the simulator does not imitate.
    Unsupported {
        /// The host function, with the name of what was asked of it.
        call: String,
    },
    /// No such worker.
    NoWorker(usize),
    /// No such stream.
    NoStream(u32),
    /// No such callout, or it has been answered.
    NoCallout(u32),
    /// The stream cannot take this step now.
    Misuse {
        /// What the test asked for.
        step: &'static str,
        /// Why it makes no sense.
        why: &'static str,
    },
    /// The event loop did not come to rest: a filter and its peers keep each other busy.
    NoRest {
        /// Events run before giving up.
        events: usize,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Read { path, .. } => write!(f, "cannot read {}", path.display()),
            Error::Compile(_) => write!(f, "not a module that can be compiled"),
            Error::UnknownImport { module, name } => {
                write!(f, "the module imports `{module}.{name}`, which Envoy does not offer in that form")
            }
            Error::MissingExport(name) => write!(f, "the module does not export `{name}`"),
            Error::UnknownAbi => write!(f, "the module exports no proxy-wasm ABI version that Envoy knows"),
            Error::Instantiate(_) => write!(f, "the module cannot be instantiated"),
            Error::StartTrapped { callback, message, logs } => {
                write!(f, "trap in {callback}: {message}; log: {logs:?}")
            }
            Error::Refused { callback, logs } => write!(f, "{callback} returned false; log: {logs:?}"),
            Error::BadSetup(what) => write!(f, "bad setup: {what}"),
            Error::Unsupported { call } => write!(f, "not simulated: {call}"),
            Error::NoWorker(index) => write!(f, "no worker {index}"),
            Error::NoStream(id) => write!(f, "no stream {id}"),
            Error::NoCallout(id) => write!(f, "no pending callout {id}"),
            Error::Misuse { step, why } => write!(f, "cannot {step}: {why}"),
            Error::NoRest { events } => write!(f, "no rest after {events} events"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Read { source, .. } => Some(source),
            Error::Compile(source) | Error::Instantiate(source) => Some(source.as_ref()),
            Error::UnknownImport { .. }
            | Error::MissingExport(_)
            | Error::UnknownAbi
            | Error::StartTrapped { .. }
            | Error::Refused { .. }
            | Error::BadSetup(_)
            | Error::Unsupported { .. }
            | Error::NoWorker(_)
            | Error::NoStream(_)
            | Error::NoCallout(_)
            | Error::Misuse { .. }
            | Error::NoRest { .. } => None,
        }
    }
}
