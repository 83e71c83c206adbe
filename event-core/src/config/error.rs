//! What can be wrong with a configuration. An error names the key and never repeats a value: secrets stand among them.

use crate::json::JsonError;
use std::fmt;

/// The first thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// Where: `sources[0].verify`; empty for the whole.
    pub path: String,
    /// What.
    pub fault: ConfigFault,
}

/// What is wrong at one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// The text is not JSON.
    NotJson(JsonError),
    /// No such key.
    UnknownKey {
        /// The keys that there are.
        known: &'static [&'static str],
    },
    /// A key that must be there is not.
    Missing,
    /// Something else was expected.
    Expected {
        /// In words.
        what: String,
        /// The JSON type that was found.
        found: &'static str,
    },
    /// It stands there twice.
    NotUnique {
        /// In words.
        what: &'static str,
    },
    /// Another key must be given too.
    Needs {
        /// Beside this one.
        key: &'static str,
    },
    /// More accounts claim an id than can own one.
    TooManyOwners {
        /// The most there can be.
        limit: usize,
    },
    /// A secret is to come from an environment variable that is not set, or empty.
    NotInEnvironment {
        /// Its name.
        variable: String,
    },
    /// A secret is not written as it must be.
    SecretNot {
        /// What it must be, in words.
        rule: &'static str,
    },
}

impl ConfigError {
    pub(crate) const fn not_json(error: JsonError) -> Self {
        Self { path: String::new(), fault: ConfigFault::NotJson(error) }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "plugin configuration: {}", self.fault),
            path => write!(f, "plugin configuration: `{path}`: {}", self.fault),
        }
    }
}

/// Its message says all: it has no source.
impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson(error) => write!(
                f,
                "expected JSON text in a google.protobuf.StringValue ({error}). \
                 Envoy hands a google.protobuf.Struct over as protobuf bytes, which cannot be read"
            ),
            Self::UnknownKey { known } => write!(f, "unknown key, expected one of {}", known.join(", ")),
            Self::Missing => f.write_str("missing"),
            Self::Expected { what, found } => write!(f, "expected {what}, found {found}"),
            Self::NotUnique { what } => write!(f, "{what} must be unique"),
            Self::Needs { key } => write!(f, "needs `{key}` beside it"),
            Self::TooManyOwners { limit } => write!(f, "an id can have at most {limit} accounts"),
            Self::NotInEnvironment { variable } => write!(
                f,
                "the environment variable {variable} is not set, or empty; Envoy hands over what \
                 `vm_config.environment_variables` names"
            ),
            Self::SecretNot { rule } => write!(f, "the secret must be {rule}"),
        }
    }
}
