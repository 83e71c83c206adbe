//! Which members of an event may hold a code or another secret, by their names: for whoever shows events. It masks nothing, and
//! no judgement depends on it.

/// Words in the name of a member whose value is a secret.
const SECRET_WORDS: [&str; 22] = [
    "auth",
    "authorization",
    "cipher",
    "code",
    "codes",
    "credential",
    "credentials",
    "cvv",
    "key",
    "keys",
    "keypad",
    "otp",
    "pan",
    "pass",
    "passwd",
    "password",
    "pin",
    "pins",
    "pwd",
    "secret",
    "secrets",
    "token",
];

/// The same where they are written together with others.
const SECRET_PARTS: [&str; 7] = ["code", "credential", "passw", "passphrase", "pincode", "secret", "token"];

/// A name of these last words is one of an id or a time, which an operator has to see.
const PLAIN_ENDS: [&str; 8] = ["at", "date", "id", "ids", "time", "timestamp", "type", "uuid"];

/// What the name of a member says about its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// It is a secret.
    Secret,
    /// It is an id, a type or a time.
    Plain,
    /// It may hold anything.
    Other,
}

impl Name {
    /// Judges the name of a member, however its words are joined.
    #[must_use]
    pub fn of(member: &str) -> Self {
        let words = words(member);
        let last = words.last().map(String::as_str).unwrap_or_default();
        if PLAIN_ENDS.contains(&last) {
            return Self::Plain;
        }
        let whole = words.concat();
        let is_secret = words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()))
            || SECRET_PARTS.iter().any(|part| whole.contains(part));
        if is_secret { Self::Secret } else { Self::Other }
    }
}

/// The words of `snake_case`, `kebab-case`, `camelCase` and the like, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for char in name.chars() {
        if !char.is_alphanumeric() || (char.is_uppercase() && was_lower) {
            words.push(String::new());
        }
        if char.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(char.to_lowercase());
        }
        was_lower = char.is_lowercase() || char.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_their_words() {
        for (kind, names) in [
            (
                Name::Secret,
                &["code", "pin", "PIN", "accessCode", "door-code", "newPin", "pincode", "api_key"][..],
            ),
            (
                Name::Plain,
                &["access_code_id", "event_type", "timestamp", "created_at", "deviceIds", "code_type"],
            ),
            (Name::Other, &["status", "name", "opinion", "pinned", "battery_level", ""]),
        ] {
            for name in names {
                assert_eq!(Name::of(name), kind, "{name}");
            }
        }
    }
}
