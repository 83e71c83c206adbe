//! The form of an event type. Which types are known is said by `shape`, from the schemas.

/// Bytes in the longest event type.
pub const MAX_BYTES: usize = 128;

/// Whether `text` is `^[a-z0-9_]+(\.[a-z0-9_]+)+$` and at most [`MAX_BYTES`] long.
#[must_use]
pub fn is_well_formed(text: &str) -> bool {
    // One pass: this runs for every event.
    let (mut n_dots, mut word_bytes) = (0_usize, 0_usize);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' => word_bytes += 1,
            b'.' if word_bytes > 0 => {
                n_dots += 1;
                word_bytes = 0;
            }
            _ => return false,
        }
    }
    n_dots > 0 && word_bytes > 0 && text.len() <= MAX_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lower_case_words_joined_by_dots_are_well_formed() {
        let longest = format!("a.{}", "b".repeat(MAX_BYTES - 2));
        for text in ["device.online", "a.b", "a.b.c", "lock_2.x_1", "0.0", longest.as_str()] {
            assert!(is_well_formed(text), "{text}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        let too_long = format!("a.{}", "b".repeat(MAX_BYTES - 1));
        for text in [
            "",
            ".",
            "device",
            "device.",
            ".online",
            "a..b",
            "Device.online",
            "device.online ",
            "a-b.c",
            "a.é",
            &too_long,
        ] {
            assert!(!is_well_formed(text), "{text}");
        }
    }
}
