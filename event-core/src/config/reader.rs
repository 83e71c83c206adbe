//! Reads a JSON value key by key and remembers where it is. It knows no key of the configuration.

use super::{ConfigError, ConfigFault};
use serde_json::{Map, Value};
use std::ops::RangeInclusive;

/// A value and its place in the configuration.
#[derive(Clone, Debug)]
pub(super) struct Node<'v> {
    path: String,
    value: &'v Value,
}

impl<'v> Node<'v> {
    pub(super) const fn root(value: &'v Value) -> Self {
        Self { path: String::new(), value }
    }

    pub(super) fn fault(&self, fault: ConfigFault) -> ConfigError {
        ConfigError { path: self.path.clone(), fault }
    }

    pub(super) fn expected(&self, what: impl Into<String>) -> ConfigError {
        let found = match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "another number",
            Value::String(_) => "another string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        };
        self.fault(ConfigFault::Expected { what: what.into(), found })
    }

    pub(super) fn as_string(&self) -> Option<&'v str> {
        self.value.as_str()
    }

    pub(super) fn string(&self) -> Result<&'v str, ConfigError> {
        self.as_string().ok_or_else(|| self.expected("a string"))
    }

    /// A short name that starts with a letter or digit.
    pub(super) fn name(&self, allowed: fn(u8) -> bool, words: &str) -> Result<&'v str, ConfigError> {
        let name = self.string()?;
        let starts_well = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        if starts_well && name.len() <= super::NAME_BYTES && name.bytes().all(allowed) {
            Ok(name)
        } else {
            let limit = super::NAME_BYTES;
            Err(self.expected(format!("at most {limit} of {words}, the first a letter or a digit")))
        }
    }

    pub(super) fn integer(&self, bounds: &RangeInclusive<u64>) -> Result<u64, ConfigError> {
        self.value.as_u64().filter(|number| bounds.contains(number)).ok_or_else(|| {
            self.expected(format!("a whole number from {} to {}", bounds.start(), bounds.end()))
        })
    }

    pub(super) fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, ConfigError> {
        let chosen = self.as_string().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        chosen.map(|(_, choice)| *choice).ok_or_else(|| {
            let names = choices.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>();
            self.expected(format!("one of {}", names.join(", ")))
        })
    }

    pub(super) fn array(&self, bounds: RangeInclusive<usize>) -> Result<Vec<Self>, ConfigError> {
        let items = self.value.as_array().filter(|items| bounds.contains(&items.len())).ok_or_else(|| {
            self.expected(format!("an array of {} to {} items", bounds.start(), bounds.end()))
        })?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(index, value)| Self { path: format!("{}[{index}]", self.path), value })
            .collect())
    }

    /// An object with no other keys than these.
    pub(super) fn object(&self, known: &'static [&'static str]) -> Result<Object<'v>, ConfigError> {
        let members = self.value.as_object().ok_or_else(|| self.expected("an object"))?;
        let object = Object { path: self.path.clone(), members: Some(members) };
        match members.keys().find(|key| !known.contains(&key.as_str())) {
            None => Ok(object),
            Some(key) => {
                Err(ConfigError { path: object.path_of(key), fault: ConfigFault::UnknownKey { known } })
            }
        }
    }
}

/// An object whose keys are all known.
#[derive(Debug)]
pub(super) struct Object<'v> {
    path: String,
    members: Option<&'v Map<String, Value>>,
}

impl<'v> Object<'v> {
    /// An object that need not be there.
    pub(super) fn read_or_empty(
        node: Option<Node<'v>>,
        known: &'static [&'static str],
    ) -> Result<Self, ConfigError> {
        node.map_or_else(|| Ok(Self { path: String::new(), members: None }), |node| node.object(known))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn optional(&self, key: &str) -> Option<Node<'v>> {
        let value = self.members?.get(key)?;
        Some(Node { path: self.path_of(key), value })
    }

    pub(super) fn required(&self, key: &str) -> Result<Node<'v>, ConfigError> {
        self.optional(key).ok_or_else(|| ConfigError { path: self.path_of(key), fault: ConfigFault::Missing })
    }

    pub(super) fn integer_or(
        &self,
        key: &str,
        bounds: RangeInclusive<u64>,
        default: u64,
    ) -> Result<u64, ConfigError> {
        self.optional(key).map_or(Ok(default), |node| node.integer(&bounds))
    }

    pub(super) fn size_or(
        &self,
        key: &str,
        bounds: RangeInclusive<u64>,
        default: usize,
    ) -> Result<usize, ConfigError> {
        self.optional(key).map_or(Ok(default), |node| {
            // The bounds fit a usize of 32 bits.
            node.integer(&bounds).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
        })
    }
}
