//! Reading a configuration by path. It knows no key.

use std::ops::RangeInclusive;

use seam::Secret;
use serde_json::{Map, Value};
use url::Url;

/// From the name of an environment variable to its value.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Why a configuration is refused. It repeats no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The text is not TOML.
    #[error("line {line}: not TOML")]
    NotToml {
        /// From 1.
        line: usize,
    },
    /// A key that has to be there.
    #[error("{path}: is required")]
    Required {
        /// The key.
        path: String,
    },
    /// A key that means nothing.
    #[error("{path}: is not known here")]
    Unknown {
        /// The key.
        path: String,
    },
    /// A value of another type, or out of its bounds.
    #[error("{path}: expected {what}")]
    Expected {
        /// The key.
        path: String,
        /// What it has to be.
        what: String,
    },
    /// A secret that stands nowhere.
    #[error("{path}: the environment has no such variable")]
    NoVariable {
        /// The key.
        path: String,
    },
}

/// Reads TOML. Dates become objects that no key expects.
pub(super) fn parse(text: &str) -> Result<Value, ConfigError> {
    toml_edit::de::from_str(text).map_err(|error| {
        let start = error.span().map_or(0, |span| span.start);
        let before = text.as_bytes().get(..start).unwrap_or(text.as_bytes());
        ConfigError::NotToml { line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    })
}

/// A value and where it stands.
pub(super) struct Node<'v> {
    value: &'v Value,
    path: String,
    environment: Environment<'v>,
}

/// An object whose keys are all known.
pub(super) struct Object<'v> {
    members: Option<&'v Map<String, Value>>,
    path: String,
    environment: Option<Environment<'v>>,
}

impl<'v> Node<'v> {
    pub(super) fn root(value: &'v Value, environment: Environment<'v>) -> Self {
        Self { value, path: String::new(), environment }
    }

    pub(super) fn expected(&self, what: impl Into<String>) -> ConfigError {
        ConfigError::Expected { path: self.path.clone(), what: what.into() }
    }

    pub(super) fn string(&self) -> Result<&'v str, ConfigError> {
        self.value.as_str().ok_or_else(|| self.expected("a string"))
    }

    /// A string, or the name of an environment variable that holds it.
    pub(super) fn secret(&self) -> Result<Secret, ConfigError> {
        if let Some(text) = self.value.as_str().filter(|text| !text.is_empty()) {
            return Ok(Secret::new(text));
        }
        if !self.value.is_object() {
            return Err(self.expected("a string, or `{ env = \"NAME\" }`"));
        }
        let name = self.object(&["env"])?.required("env")?.string()?.to_owned();
        let value = (self.environment)(&name).filter(|value| !value.is_empty());
        value.map(Secret::new).ok_or_else(|| ConfigError::NoVariable { path: self.path.clone() })
    }

    pub(super) fn url(&self) -> Result<Url, ConfigError> {
        let url = Url::parse(self.string()?).ok().filter(|url| ["http", "https"].contains(&url.scheme()));
        url.ok_or_else(|| self.expected("an address that begins with http:// or https://"))
    }

    pub(super) fn array(&self, lengths: RangeInclusive<usize>) -> Result<Vec<Node<'v>>, ConfigError> {
        let items = self.value.as_array().filter(|items| lengths.contains(&items.len()));
        let items =
            items.ok_or_else(|| self.expected(format!("{} to {} items", lengths.start(), lengths.end())))?;
        let item = |(place, value)| Node {
            value,
            path: format!("{}[{place}]", self.path),
            environment: self.environment,
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// The members of an object whose keys are free.
    pub(super) fn entries(&self, most: usize) -> Result<Vec<(&'v str, Node<'v>)>, ConfigError> {
        let members = self.value.as_object().filter(|members| members.len() <= most);
        let members = members.ok_or_else(|| self.expected(format!("a table of at most {most} keys")))?;
        Ok(members.iter().map(|(name, value)| (name.as_str(), self.member(name, value))).collect())
    }

    /// An object with no other keys than these.
    pub(super) fn object(&self, known: &[&str]) -> Result<Object<'v>, ConfigError> {
        let members = self.value.as_object().ok_or_else(|| self.expected("a table"))?;
        if let Some((name, value)) = members.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            return Err(ConfigError::Unknown { path: self.member(name, value).path });
        }
        let path = self.path.clone();
        Ok(Object { members: Some(members), path, environment: Some(self.environment) })
    }

    fn member(&self, name: &str, value: &'v Value) -> Node<'v> {
        Node { value, path: join(&self.path, name), environment: self.environment }
    }
}

impl<'v> Object<'v> {
    /// An object that may be left out.
    pub(super) fn read_or_empty(node: Option<Node<'v>>, known: &[&str]) -> Result<Self, ConfigError> {
        let empty = Self { members: None, path: String::new(), environment: None };
        node.map_or(Ok(empty), |node| node.object(known))
    }

    pub(super) fn optional(&self, name: &str) -> Option<Node<'v>> {
        let value = self.members?.get(name)?;
        Some(Node { value, path: join(&self.path, name), environment: self.environment? })
    }

    pub(super) fn required(&self, name: &str) -> Result<Node<'v>, ConfigError> {
        self.optional(name).ok_or_else(|| ConfigError::Required { path: join(&self.path, name) })
    }

    pub(super) fn number_or(
        &self,
        name: &str,
        range: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        let Some(node) = self.optional(name) else { return Ok(default) };
        node.value
            .as_u64()
            .filter(|number| range.contains(number))
            .ok_or_else(|| node.expected(format!("a whole number from {} to {}", range.start(), range.end())))
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
