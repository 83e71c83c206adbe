//! The paths of the contract. It does not read them.

use std::fmt::Write;

use crate::Ids;

/// Asked with GET: whose are these ids?
pub const RESOLVE_PATH: &str = "/v1/resolve";

/// Told with POST: these ids were carried by one accepted event.
pub const LINKS_PATH: &str = "/v1/links";

/// Path and query of the question whose these ids are.
#[must_use]
pub fn resolve_path(source: &str, ids: &Ids<'_>) -> String {
    let mut path = format!("{RESOLVE_PATH}?source=");
    encode_into(&mut path, source);
    for (kind, id) in ids.present() {
        path.push('&');
        path.push_str(kind.name());
        path.push('=');
        encode_into(&mut path, id);
    }
    path
}

/// Everything but the unreserved characters of RFC 3986, section 2.3, as `%XX`.
fn encode_into(path: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
}
