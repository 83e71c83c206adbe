//! Where each value of a JSON text stands. The text must have been parsed before: of another one the walk gives something, and
//! ends.

use std::ops::Range;

/// A value, and the name that it has.
#[derive(Debug)]
pub(crate) struct Node<'p> {
    /// Its JSON Pointer.
    pub(crate) pointer: &'p str,
    /// The name with its quotes, if it is a member of an object; in bytes.
    pub(crate) name: Option<Range<usize>>,
    /// In bytes.
    pub(crate) value: Range<usize>,
}

/// Visits every value behind those that are inside it.
pub(crate) fn walk<'t>(text: &'t str, visit: &'t mut dyn FnMut(&Node<'_>)) {
    let mut walker = Walker { bytes: text.as_bytes(), text, at: 0, pointer: String::new(), visit };
    walker.value(None, event_core::json::MAX_DEPTH);
}

struct Walker<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    pointer: String,
    visit: &'t mut dyn FnMut(&Node<'_>),
}

impl Walker<'_> {
    fn value(&mut self, name: Option<Range<usize>>, levels_left: usize) {
        self.skip_space();
        let start = self.at;
        match self.peek() {
            Some(b'{') if levels_left > 0 => self.items(b'}', levels_left),
            Some(b'[') if levels_left > 0 => self.items(b']', levels_left),
            Some(b'"') => self.string(),
            Some(_) => self.scalar(),
            None => {}
        }
        (self.visit)(&Node { pointer: &self.pointer, name, value: start..self.at });
    }

    /// The inside of an object or array, from its bracket to the one that closes it.
    fn items(&mut self, close: u8, levels_left: usize) {
        self.at += 1;
        let length = self.pointer.len();
        let mut index = 0_usize;
        loop {
            self.skip_space();
            match self.peek() {
                None => return,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return;
                }
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                Some(_) => {}
            }
            let before = self.at;
            let name = (close == b'}').then(|| self.name());
            self.pointer.push('/');
            match &name {
                Some(range) => {
                    let name: String = serde_json::from_str(self.text.get(range.clone()).unwrap_or_default())
                        .unwrap_or_default();
                    self.pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
                }
                None => self.pointer.push_str(&index.to_string()),
            }
            self.value(name, levels_left - 1);
            self.pointer.truncate(length);
            index += 1;
            // No JSON: nothing would ever end.
            if self.at == before {
                return;
            }
        }
    }

    /// A name and the colon behind it.
    fn name(&mut self) -> Range<usize> {
        let start = self.at;
        self.string();
        let end = self.at;
        self.skip_space();
        if self.peek() == Some(b':') {
            self.at += 1;
        }
        start..end
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.peek() {
            self.at += 1;
            match byte {
                b'\\' => self.at += 1,
                b'"' => break,
                _ => {}
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    fn scalar(&mut self) {
        while self.peek().is_some_and(|byte| !b",]} \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| b" \t\r\n".contains(&byte)) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(text: &str) -> Vec<(String, Option<&str>, &str)> {
        let mut nodes = Vec::new();
        let mut visit = |node: &Node<'_>| {
            nodes.push((
                node.pointer.to_owned(),
                node.name.clone().map(|it| &text[it]),
                &text[node.value.clone()],
            ));
        };
        walk(text, &mut visit);
        nodes
    }

    #[test]
    fn every_value_has_its_pointer_and_its_place() {
        let found = nodes(r#" {"a/b" : [1, {"\u0063~":"}\"]"}] , "é":null} "#);
        let expected = [
            ("/a~1b/0", None, "1"),
            ("/a~1b/1/c~0", Some(r#""\u0063~""#), r#""}\"]""#),
            ("/a~1b/1", None, r#"{"\u0063~":"}\"]"}"#),
            ("/a~1b", Some(r#""a/b""#), r#"[1, {"\u0063~":"}\"]"}]"#),
            ("/é", Some("\"é\""), "null"),
        ];
        for (found, (pointer, name, value)) in found.iter().zip(expected) {
            assert_eq!((found.0.as_str(), found.1, found.2), (pointer, name, value));
        }
        assert_eq!(found.len(), 6);
        assert_eq!(nodes("true"), [(String::new(), None, "true")]);
    }

    #[test]
    fn what_is_no_json_ends_too() {
        for text in
            ["", "{", "[", "{]", "[}", "\"", "\"\\", "{\"a", "{\"a\":}", "[,,]", "{:::}", "}", "é{é[é"]
        {
            nodes(text);
        }
        nodes(&"[".repeat(100_000));
    }
}
