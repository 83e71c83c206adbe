//! The formats that the schemas name: rules that JSON Schema has no keyword for, or only one that needs a regex engine.

use crate::event_type::is_well_formed;
use crate::subject::IdKind;
use crate::timestamp::Timestamp;

/// `event-type`: lower-case words joined by dots.
pub(crate) fn event_type(text: &str) -> bool {
    is_well_formed(text)
}

/// Whatever is judged elsewhere.
pub(crate) const fn any(_text: &str) -> bool {
    true
}

/// `event-timestamp`: an ISO 8601 date and time that names an instant.
pub(crate) fn event_timestamp(text: &str) -> bool {
    Timestamp::parse(text).is_some()
}

/// `subject-id`: not blank (empty or only Unicode white space), no control character (Unicode category Cc).
pub(crate) fn subject_id(text: &str) -> bool {
    if text.is_ascii() {
        // What nearly all ids are. The other white space of ASCII is control characters.
        return !text.bytes().any(|byte| byte.is_ascii_control()) && text.bytes().any(|byte| byte != b' ');
    }
    !text.chars().any(char::is_control) && !text.chars().all(char::is_whitespace)
}

/// `event-member`: not the name of a member that decides something, but for ASCII case.
pub(crate) fn event_member(name: &str) -> bool {
    data_member(name)
        && match name.len() {
            4 => !differs_only_by_case(name, "data"),
            9 => !differs_only_by_case(name, "timestamp"),
            10 => !differs_only_by_case(name, "event_type"),
            _ => true,
        }
}

/// `data-member`: not the name of an id, but for ASCII case.
pub(crate) fn data_member(name: &str) -> bool {
    // No id's name has another length: this runs for every member of every event.
    !matches!(name.len(), 9 | 14)
        || !IdKind::ALL.into_iter().any(|kind| differs_only_by_case(name, kind.name()))
}

fn differs_only_by_case(name: &str, routed: &str) -> bool {
    name != routed && name.eq_ignore_ascii_case(routed)
}
