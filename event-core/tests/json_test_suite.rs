//! The parser against JSONTestSuite: what RFC 8259 demands, and what we chose where it leaves a choice. It looks at no value
//! that came out.

use event_core::json;
use serde::Deserialize;

/// The default of `limits.depth`.
const DEPTH: usize = 64;

/// Valid JSON that is refused all the same: a repeated member would be read differently by different readers.
const REPEATED_MEMBERS: [&str; 2] = ["y_object_duplicated_key", "y_object_duplicated_key_and_value"];

/// Where RFC 8259 leaves the choice to the parser, these are accepted: integers of any length, and what rounds to zero. What is
/// beyond a double, no UTF-8, a lone surrogate, or behind a byte order mark is refused.
const CHOSEN: [&str; 5] = [
    "i_number_double_huge_neg_exp",
    "i_number_real_underflow",
    "i_number_too_big_neg_int",
    "i_number_too_big_pos_int",
    "i_number_very_big_negative_int",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    text: Option<String>,
    hex: Option<String>,
    repeat: Option<Vec<(String, usize)>>,
}

impl Case {
    fn bytes(&self) -> Vec<u8> {
        match (&self.text, &self.hex, &self.repeat) {
            (Some(text), None, None) => text.clone().into_bytes(),
            (None, Some(hex), None) => {
                let pairs = (0..hex.len()).step_by(2).map(|at| &hex[at..at + 2]);
                pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
            }
            (None, None, Some(pieces)) => {
                pieces.iter().map(|(text, times)| text.repeat(*times)).collect::<String>().into_bytes()
            }
            _ => panic!("{}: one of text, hex and repeat", self.name),
        }
    }

    fn is_accepted(&self) -> bool {
        json::parse(&self.bytes(), DEPTH).is_ok()
    }
}

/// The names of all cases of one kind, and of those among them that are accepted.
fn cases(kind: &str) -> (Vec<String>, Vec<String>) {
    let lines = include_str!("json_test_suite/cases.jsonl").lines();
    let cases = lines.map(|line| serde_json::from_str::<Case>(line).unwrap());
    let (mut all, mut accepted) = (Vec::new(), Vec::new());
    for case in cases.filter(|case| case.name.starts_with(kind)) {
        if case.is_accepted() {
            accepted.push(case.name.clone());
        }
        all.push(case.name);
    }
    (all, accepted)
}

#[test]
fn what_must_be_accepted_is_accepted_unless_a_member_repeats() {
    let (mut all, accepted) = cases("y_");
    assert_eq!(all.len(), 95);
    all.retain(|name| !REPEATED_MEMBERS.contains(&name.as_str()));
    assert_eq!(accepted, all);
}

#[test]
fn what_must_be_refused_is_refused() {
    let (all, accepted) = cases("n_");
    assert_eq!(all.len(), 188);
    assert_eq!(accepted, Vec::<String>::new());
}

#[test]
fn where_a_parser_may_choose_our_choice_stands() {
    let (all, accepted) = cases("i_");
    assert_eq!(all.len(), 35);
    assert_eq!(accepted, CHOSEN);
}
