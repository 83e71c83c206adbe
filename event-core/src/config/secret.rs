//! Secrets of the configuration, written there or named there as an environment variable. It reads no environment: that is
//! given to it.

use super::reader::Node;
use super::{ConfigError, ConfigFault};
use std::fmt;

/// Bytes in the name of an environment variable.
const VARIABLE_BYTES: usize = 128;

/// The value of an environment variable, by its name.
pub type Environment<'e> = dyn Fn(&str) -> Option<String> + 'e;

/// A secret. It has no `Display`, and its `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    /// What must not be shown.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Reads a string that is not empty, or `{ "env": NAME }`. An error names the variable and no value.
pub(super) fn read(node: &Node<'_>, environment: &Environment<'_>) -> Result<Secret, ConfigError> {
    if let Some(text) = node.as_string() {
        return if text.is_empty() {
            Err(node.expected("a string that is not empty"))
        } else {
            Ok(Secret(text.into()))
        };
    }
    let node = node.object(&["env"])?.required("env")?;
    let name = node.string()?;
    if !is_variable(name) {
        return Err(node.expected("the name of an environment variable: letters, digits and `_`"));
    }
    match environment(name).filter(|value| !value.is_empty()) {
        Some(value) => Ok(Secret(value.into())),
        None => Err(node.fault(ConfigFault::NotInEnvironment { variable: name.to_owned() })),
    }
}

fn is_variable(name: &str) -> bool {
    let starts_well = name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts_well && plain && name.len() <= VARIABLE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(value: &Value) -> Result<Secret, String> {
        let environment = |name: &str| match name {
            "TOKEN" => Some("from outside".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        super::read(&Node::root(value), &environment).map_err(|error| error.to_string())
    }

    #[test]
    fn a_secret_stands_in_the_text_or_in_the_environment() {
        assert_eq!(read(&json!("in the text")).unwrap().expose(), "in the text");
        assert_eq!(read(&json!({"env": "TOKEN"})).unwrap().expose(), "from outside");
    }

    #[test]
    fn a_missing_or_empty_variable_is_named() {
        for name in ["ABSENT", "EMPTY"] {
            let error = read(&json!({ "env": name })).unwrap_err();
            assert!(error.contains(&format!("`env`: the environment variable {name} ")), "{error}");
        }
    }

    #[test]
    fn anything_else_is_refused_and_not_repeated() {
        for value in [
            json!(""),
            json!(7),
            json!({}),
            json!({"env": "7TOPSECRET"}),
            json!({"env": "TOPSECRET X"}),
            json!({"env": "T".repeat(129)}),
            json!({"env": "TOKEN", "topsecret": 1}),
        ] {
            let error = read(&value).unwrap_err();
            assert!(!error.contains("SECRET") && error.len() < 400, "{error}");
        }
    }

    #[test]
    fn it_never_prints() {
        assert_eq!(format!("{:?}", read(&json!("topsecret")).unwrap()), "Secret(…)");
    }
}
