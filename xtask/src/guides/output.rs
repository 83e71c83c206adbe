//! Whether a command printed what its page shows. It knows nothing of pages.

/// What a page leaves out within a line.
const ANYTHING: char = '…';

/// The first line that the output lacks: the lines must stand there in this order, with any others between them.
pub(super) fn first_missing<'a>(shown: &'a [String], output: &str) -> Option<&'a str> {
    let mut printed = output.lines().map(|line| line.trim_end());
    shown
        .iter()
        .map(|line| line.trim_end())
        .filter(|line| !line.is_empty())
        .find(|line| !printed.any(|printed| fits(line, printed)))
}

/// Whether the line is the one that is shown, with anything where that says `…`.
fn fits(shown: &str, printed: &str) -> bool {
    let mut parts = shown.split(ANYTHING);
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(start) => rest = &rest[start + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anything_may_stand_where_the_page_leaves_out() {
        for (shown, printed, wanted) in [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("abc", "ab", false),
            ("a…", "abc", true),
            ("a…", "ba", false),
            ("…c", "abc", true),
            ("…c", "abcd", false),
            ("a…c…e", "abcde", true),
            ("a…c…e", "abde", false),
            ("a…a", "a", false),
            ("…", "", true),
            ("  a", "a", false),
        ] {
            assert_eq!(fits(shown, printed), wanted, "`{shown}` of `{printed}`");
        }
    }

    #[test]
    fn lines_are_looked_for_in_their_order() {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(first_missing(&lines("a\n\nc "), "a\r\nb\r\nc\r\n"), None);
        assert_eq!(first_missing(&lines("c\na"), "a\nb\nc\n"), Some("a"));
        assert_eq!(first_missing(&lines("a\na"), "a\n"), Some("a"));
    }
}
