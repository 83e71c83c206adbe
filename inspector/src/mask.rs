//! Events and configurations as they may be shown to others: without codes, PINs and secrets. Which members those are is said
//! by `event_core`.

use std::ops::Range;

use event_core::confidential::Name;
use event_core::json;
use event_core::trial::{Proof, Trial};

use crate::walk::{Node, walk};

/// In place of a string: it tells no length, and is as much a string as what it stands for.
const STRING: &str = "\"***\"";
/// In place of a number.
const NUMBER: &str = "0";
/// In place of a secret of the configuration: any scheme takes it.
const SECRET: &str = "{\"env\":\"SECRET\"}";

/// Words that stay in a text that is no JSON: they are those of Bellhop, and tell nothing.
const PLAIN_WORDS: [&str; 47] = [
    "access",
    "access_code",
    "access_code_id",
    "action",
    "action_completed",
    "action_id",
    "added",
    "battery_level",
    "bridge",
    "bridge_id",
    "code",
    "completed",
    "created",
    "data",
    "deleted",
    "device",
    "device_id",
    "ends_at",
    "event_type",
    "false",
    "incorrect_attempt",
    "lock",
    "low_battery",
    "method",
    "null",
    "occurred_at",
    "offline",
    "online",
    "pin",
    "provider",
    "reason",
    "removed",
    "result",
    "source",
    "starts_at",
    "status",
    "success",
    "time_wrong",
    "timestamp",
    "true",
    "type",
    "updated",
    "used",
    "value",
    "T",
    "Z",
    "name",
];

/// Replaces each value under a secret's name, at any depth; the rest stays as it is written, so that the judgement stays too. Of what
/// is not strict JSON nobody can say what is under which name: all words and digits are replaced but those that every event has.
#[must_use]
pub fn event(text: &str) -> String {
    match json::parse(text.as_bytes(), json::MAX_DEPTH) {
        Ok(_) => replaced(
            text,
            |name| name == Name::Secret,
            |value| match value.bytes().next() {
                Some(b'"') => STRING,
                Some(b'-' | b'0'..=b'9') => NUMBER,
                // That something is absent, true or false is no secret.
                _ => "",
            },
        ),
        Err(_) => malformed(text),
    }
}

/// Replaces each secret by a variable's name. `None` of a configuration that is refused: its secrets can stand anywhere.
#[must_use]
pub fn configuration(text: &str) -> Option<String> {
    let any_source = |error| match error {
        event_core::trial::TrialError::SourceNotNamed => Ok(()),
        event_core::trial::TrialError::Config(_) | event_core::trial::TrialError::SourceUnknown => Err(()),
    };
    Trial::new(text.as_bytes(), None, Proof::NotAsked).map(|_| ()).or_else(any_source).ok()?;
    let is_string = |value: &str| if value.starts_with('"') { SECRET } else { "" };
    let mut ranges = Vec::new();
    walk(text, &mut |node| {
        // `secrets` are lists of strings or of objects that name a variable, `token` is one of these.
        let mut path = node.pointer.rsplit('/');
        let last = path.next().unwrap_or_default();
        if last == "token" || path.next() == Some("secrets") {
            ranges.push((node.value.clone(), is_string(&text[node.value.clone()])));
        }
    });
    Some(spliced(text, &ranges))
}

fn replaced(text: &str, hides: impl Fn(Name) -> bool, by: impl Fn(&str) -> &'static str) -> String {
    let mut ranges = Vec::new();
    // Values come before what holds them: whether that has a secret's name is known only afterwards.
    let mut secret: Vec<Range<usize>> = Vec::new();
    let mut scalars: Vec<Range<usize>> = Vec::new();
    walk(text, &mut |node: &Node<'_>| {
        if node.name.is_some() {
            let name =
                node.pointer.rsplit('/').next().unwrap_or_default().replace("~1", "/").replace("~0", "~");
            if hides(Name::of(&name)) {
                secret.push(node.value.clone());
            }
        }
        if !text[node.value.clone()].starts_with(['{', '[']) {
            scalars.push(node.value.clone());
        }
    });
    secret.sort_by_key(|range| range.start);
    let mut covered = secret.iter().peekable();
    let mut end = 0;
    scalars.sort_by_key(|range| range.start);
    for scalar in scalars {
        while let Some(range) = covered.next_if(|range| range.start <= scalar.start) {
            end = end.max(range.end);
        }
        if scalar.end <= end {
            ranges.push((scalar.clone(), by(&text[scalar])));
        }
    }
    spliced(text, &ranges)
}

/// The text with these ranges replaced, those with nothing left as they are.
fn spliced(text: &str, ranges: &[(Range<usize>, &str)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    for (range, by) in ranges.iter().filter(|(_, by)| !by.is_empty()) {
        result.push_str(&text[from..range.start]);
        result.push_str(by);
        from = range.end;
    }
    result.push_str(&text[from..]);
    result
}

/// Character for character, so that the fault stays at its place.
fn malformed(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_word = |char: char| char.is_alphanumeric() || char == '_';
        let end = rest.find(|char| !is_word(char)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() {
            result.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            // The letter of an escape belongs to it.
            let escape =
                usize::from(result.ends_with('\\') && word.starts_with(['b', 'f', 'n', 'r', 't', 'u']));
            if PLAIN_WORDS.contains(&word) {
                result.push_str(word);
            } else {
                result.push_str(&word[..escape]);
                result.extend(word[escape..].chars().map(|char| match char {
                    // A number that begins with 0 would be a fault of its own, and 1 is a digit of an escape.
                    char if char.is_numeric() => '1',
                    '_' => '_',
                    _ => 'a',
                }));
            }
            rest = after;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_masked_at_any_depth_and_the_rest_stays_as_it_is_written() {
        for (text, masked) in [
            (r#"{ "code" : "0042", "a":1.50}"#, r#"{ "code" : "***", "a":1.50}"#),
            (r#"{"data":{"pin":4711,"x":[{"PIN":"1"}]}}"#, r#"{"data":{"pin":0,"x":[{"PIN":"***"}]}}"#),
            (r#"{"c\u006fde":"0042"}"#, r#"{"c\u006fde":"***"}"#),
            (
                r#"{"code":{"v":"1","w":[2,true,null]},"b":"1"}"#,
                r#"{"code":{"v":"***","w":[0,true,null]},"b":"1"}"#,
            ),
            (r#"{"access_code_id":"ac_1","code":null}"#, r#"{"access_code_id":"ac_1","code":null}"#),
            (r#"["1"]"#, r#"["1"]"#),
        ] {
            assert_eq!(event(text), masked);
        }
    }

    #[test]
    fn of_malformed_text_only_known_words_stay_and_so_does_the_fault() {
        let text = r#"{"event_type":"access_code.created","code":"0042" "who":"Zoë","u":"\u00e9\n","n":07}"#;
        let masked = event(text);
        assert_eq!(
            masked,
            r#"{"event_type":"access_code.created","code":"1111" "aaa":"aaa","a":"\u11a1\n","a":11}"#
        );
        assert_eq!(json::parse(text.as_bytes(), 64), json::parse(masked.as_bytes(), 64));
    }

    #[test]
    fn secrets_of_a_configuration_become_variables() {
        let text = r#"{"environment":"e","sources":[
            {"name":"a","path":"/a","verify":{"token":{"header":"x-a","secrets":["topsecret",{"env":"A"}]}}},
            {"name":"b","path":"/b","verify":{"standard_webhooks":{"secrets":["whsec_c2VjcmV0"]}}}],
            "replay":{"secrets":["topsecret"]},
            "directory":{"cluster":"d","token":"topsecret"}}"#;
        let masked = configuration(text).unwrap();
        assert!(!masked.contains("topsecret") && !masked.contains("whsec"), "{masked}");
        assert_eq!(configuration(&masked).as_deref(), Some(masked.as_str()));
        assert_eq!(configuration("{\"secret\":\"topsecret\"}"), None);
        assert_eq!(configuration("topsecret"), None);
    }
}
