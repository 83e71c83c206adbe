//! An Envoy configuration as text, changed by replacing what stands in it exactly once. It does not read YAML.

use std::fmt;
use std::io;
use std::path::Path;

use crate::paths;

/// The ports that the repository's `envoy.yaml` names.
pub const LISTENER_PORT: u16 = 10000;
/// See [`LISTENER_PORT`].
pub const ADMIN_PORT: u16 = 9901;
/// See [`LISTENER_PORT`].
pub const UPSTREAM_PORT: u16 = 9000;
/// The one of the directory's cluster, which is commented out.
pub const DIRECTORY_PORT: u16 = 8090;
/// The one of the collector of traces, which is commented out.
pub const COLLECTOR_PORT: u16 = 4318;

/// The path of the filter that `envoy.yaml` names, from the root of the repository.
const MODULE: &str = "target/wasm32-wasip1/release/bellhop_plugin.wasm";

/// The type of the filter's configuration, which stands right in front of it.
const CONFIGURATION_TYPE: &str = "type.googleapis.com/google.protobuf.StringValue";

/// A configuration under change.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    text: String,
}

/// A text that should stand in the configuration exactly once does not: the configuration has changed, and what
/// changes it must follow.
#[derive(Debug)]
pub struct NotOnce {
    /// What was looked for.
    pub wanted: String,
    /// How often it was there.
    pub n_found: usize,
}

impl fmt::Display for NotOnce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` should stand in the configuration once, not {} times", self.wanted, self.n_found)
    }
}

impl std::error::Error for NotOnce {}

impl Bootstrap {
    /// This text.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The repository's `envoy.yaml`, with the filter from the build folder in use.
    ///
    /// # Errors
    /// When the file cannot be read or does not name the filter.
    pub fn of_repository() -> io::Result<Self> {
        let text = std::fs::read_to_string(paths::repository().join("envoy.yaml"))?;
        Self::new(text).module(&paths::module("bellhop_plugin")).map_err(io::Error::other)
    }

    /// The same on ports of its own: random ones for the listener and the admin port, this one for upstream.
    ///
    /// # Errors
    /// When a port does not stand there exactly once.
    pub fn on_free_ports(self, upstream_port: u16) -> Result<Self, NotOnce> {
        self.port(LISTENER_PORT, 0)?.port(ADMIN_PORT, 0)?.port(UPSTREAM_PORT, upstream_port)
    }

    /// Replaces a port: `port_value: OLD`.
    ///
    /// # Errors
    /// When it does not stand there exactly once.
    pub fn port(self, old: u16, new: u16) -> Result<Self, NotOnce> {
        let wanted = format!("port_value: {old}");
        let starts: Vec<_> = self
            .text
            .match_indices(&wanted)
            .map(|(start, _)| start)
            .filter(|start| {
                !self.text[start + wanted.len()..].starts_with(|next: char| next.is_ascii_digit())
            })
            .collect();
        let [start] = starts.as_slice() else {
            return Err(NotOnce { wanted, n_found: starts.len() });
        };
        let (before, after) = (&self.text[..*start], &self.text[start + wanted.len()..]);
        Ok(Self { text: format!("{before}port_value: {new}{after}") })
    }

    /// Takes the cluster of the account directory out of its comment, on this port.
    ///
    /// # Errors
    /// When it does not stand there.
    pub fn with_directory(self, port: u16) -> Result<Self, NotOnce> {
        self.out_of_comment("    #- name: directory\n")?.port(DIRECTORY_PORT, port)
    }

    /// Takes tracing out of its comment, with a collector on this port.
    ///
    /// # Errors
    /// When it does not stand there.
    pub fn with_tracing(self, port: u16) -> Result<Self, NotOnce> {
        let tracing = format!("{}#tracing:\n", " ".repeat(16));
        self.out_of_comment(&tracing)?.out_of_comment("    #- name: collector\n")?.port(COLLECTOR_PORT, port)
    }

    /// Takes the route to the quarantine sink out of its comment, which leads to the directory's cluster.
    ///
    /// # Errors
    /// When it does not stand there.
    pub fn with_quarantine(self) -> Result<Self, NotOnce> {
        let indent = " ".repeat(26);
        self.replace_once(
            &format!("{indent}direct_response: {{ status: 503 }}\n{indent}#route:\n"),
            &format!("{indent}#route:\n"),
        )?
        .out_of_comment(&format!("{indent}#route:\n"))
    }

    /// Takes the lines out of their comment that begin with this one and go on with the same indent. Comments among them stay
    /// comments.
    fn out_of_comment(self, begin: &str) -> Result<Self, NotOnce> {
        let mark = format!("{}#", &begin[..indent_of(begin)]);
        let commented: String = match self.text.split_once(begin) {
            Some((_, after)) => {
                let rest = after.lines().take_while(|line| line.starts_with(&mark));
                rest.fold(begin.to_owned(), |text, line| text + line + "\n")
            }
            None => return Err(NotOnce { wanted: begin.to_owned(), n_found: 0 }),
        };
        let lines: String = commented
            .split_inclusive('\n')
            .map(|line| line.replacen(&mark, &mark[..mark.len() - 1], 1))
            .collect();
        self.replace_once(&commented, &lines)
    }

    /// Replaces the path of the filter.
    ///
    /// # Errors
    /// When it does not stand there exactly once.
    pub fn module(self, path: &Path) -> Result<Self, NotOnce> {
        self.replace_once(MODULE, &path.display().to_string())
    }

    /// Replaces the filter's configuration, the block behind `value: |`, by this text.
    ///
    /// # Errors
    /// When there is no such block, or more than one.
    pub fn plugin_configuration(self, configuration: &str) -> Result<Self, NotOnce> {
        let n_found = self.text.matches(CONFIGURATION_TYPE).count();
        if n_found != 1 {
            return Err(NotOnce { wanted: CONFIGURATION_TYPE.to_owned(), n_found });
        }
        let mut text = String::new();
        let mut lines = self.text.lines().peekable();
        let mut n_replaced = 0;
        let mut announced = false;
        while let Some(line) = lines.next() {
            text.push_str(line);
            text.push('\n');
            let of_configuration = std::mem::replace(&mut announced, line.contains(CONFIGURATION_TYPE));
            if !of_configuration || !line.trim_start().starts_with("value: |") {
                continue;
            }
            n_replaced += 1;
            let indent = indent_of(line);
            while lines.next_if(|line| line.trim().is_empty() || indent_of(line) > indent).is_some() {}
            for line in configuration.lines() {
                text.push_str(&" ".repeat(indent + 2));
                text.push_str(line);
                text.push('\n');
            }
        }
        if n_replaced == 1 {
            return Ok(Self { text });
        }
        Err(NotOnce { wanted: format!("value: |` behind `{CONFIGURATION_TYPE}"), n_found: n_replaced })
    }

    /// Replaces a text.
    ///
    /// # Errors
    /// When it does not stand there exactly once.
    pub fn replace_once(self, old: &str, new: &str) -> Result<Self, NotOnce> {
        match self.text.matches(old).count() {
            1 => Ok(Self { text: self.text.replacen(old, new, 1) }),
            n_found => Err(NotOnce { wanted: old.to_owned(), n_found }),
        }
    }

    /// The text as it is now.
    pub fn into_text(self) -> String {
        self.text
    }
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_replaced_only_when_it_stands_there_once() {
        let bootstrap = Bootstrap::new("{ port_value: 9000 }, { port_value: 90001 }");
        let moved = bootstrap.clone().port(9000, 0).unwrap().into_text();
        assert_eq!(moved, "{ port_value: 0 }, { port_value: 90001 }");
        assert_eq!(bootstrap.port(10000, 0).unwrap_err().n_found, 0);
        let twice = Bootstrap::new("port_value: 1\nport_value: 1");
        assert_eq!(twice.port(1, 2).unwrap_err().n_found, 2);
    }

    #[test]
    fn the_block_of_the_configuration_is_replaced_and_nothing_else() {
        let text = format!(
            "a:\n  configuration:\n    \"@type\": {CONFIGURATION_TYPE}\n    value: |\n      {{\n\n      }}\n  b: 1\n"
        );
        let replaced = Bootstrap::new(text).plugin_configuration("[\n  2\n]").unwrap().into_text();
        let wanted = format!(
            "a:\n  configuration:\n    \"@type\": {CONFIGURATION_TYPE}\n    value: |\n      [\n        2\n      ]\n  b: 1\n"
        );
        assert_eq!(replaced, wanted);
    }

    #[test]
    fn a_configuration_without_a_block_is_an_error() {
        assert!(Bootstrap::new("a: 1").plugin_configuration("{}").is_err());
        let inline = format!("\"@type\": {CONFIGURATION_TYPE}\nvalue: '{{}}'\n");
        assert_eq!(Bootstrap::new(inline).plugin_configuration("{}").unwrap_err().n_found, 0);
    }
}
