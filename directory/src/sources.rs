//! Which source the events of a device come from: a table of the configuration, from what Seam calls brands. It knows no
//! brand by heart.

use std::collections::BTreeMap;

/// The key of the table that stands for everything else.
const DEFAULT: &str = "default";

/// Prefixes of Seam's device types, system types and providers, and the source of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    prefixes: BTreeMap<String, String>,
    default: Option<String>,
}

impl Sources {
    /// From the table as it is written, `default` among it.
    #[must_use]
    pub fn new(mut table: BTreeMap<String, String>) -> Self {
        let default = table.remove(DEFAULT);
        Self { prefixes: table, default }
    }

    /// The source of the first of these names that has one, by its longest prefix in the table; else the default. A prefix
    /// ends where a word does: `igloo` is one of `igloo_lock` and not of `igloohome_lock`.
    pub fn of<'a, 'n>(&'a self, names: impl IntoIterator<Item = Option<&'n str>>) -> Option<&'a str> {
        let of_name = |name: &str| {
            let matching = self.prefixes.iter().filter(|(prefix, _)| {
                name.strip_prefix(prefix.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
            });
            matching.max_by_key(|(prefix, _)| prefix.len()).map(|(_, source)| source.as_str())
        };
        names.into_iter().flatten().find_map(of_name).or(self.default.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(table: &[(&str, &str)]) -> Sources {
        Sources::new(
            table.iter().map(|(prefix, source)| ((*prefix).to_owned(), (*source).to_owned())).collect(),
        )
    }

    #[test]
    fn the_longest_prefix_of_the_first_name_that_has_one_decides() {
        let sources =
            sources(&[("igloo", "igloo"), ("salto", "salto"), ("salto_ks", "ks"), ("default", "other")]);
        for (names, expected) in [
            ([Some("igloo_lock"), None], "igloo"),
            ([Some("igloohome_lock"), None], "other"),
            ([Some("salto_ks_lock"), Some("igloo")], "ks"),
            ([Some("salto_space_door"), None], "salto"),
            ([Some("unheard_of"), Some("salto_ks")], "ks"),
            ([None, None], "other"),
        ] {
            assert_eq!(sources.of(names), Some(expected), "{names:?}");
        }
    }

    #[test]
    fn without_a_default_the_rest_has_no_source() {
        assert_eq!(sources(&[("nuki", "nuki")]).of([Some("august_lock"), Some("august")]), None);
    }
}
