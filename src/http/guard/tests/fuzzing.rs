//! Random texts.

use proptest::prelude::*;
use serde_json::json;

use super::{
    super::{Limits, lex},
    support::{admit, admit_with},
};

fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "(", ")", "[", "]", "{ viewer { id } }", "...", "... on User", "...F", "@skip(if: true)",
            "query", "mutation", "subscription", "fragment F on Query", "fragment G on User", "$x", ":", "=", "!",
            "$x: [Int!]! = [1]", "first: 100", "\"", "\"\"\"", "\\\"\"\"", "\\", "#", "\n", "1e9", "-", "\u{feff}", "|", "&",
            "users(first: 50)", "a: b", "null", "true", "é", "\0", "{ a: [{ b: $x }] }",
        ])
        .prop_map(str::to_owned),
        1 => "[a-zA-Z_]{1,8}",
        1 => any::<char>().prop_map(String::from),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_makes_the_guard_panic_or_run_for_long(pieces in prop::collection::vec(piece(), 0..120)) {
        let text = pieces.join(" ");
        if let Ok(found) = lex(&text, &Limits::default()) {
            prop_assert!(found.steps <= u64::try_from(text.len()).unwrap());
            prop_assert!(found.nesting <= 32);
        }
        if let Err(error) = admit_with(&text, &json!({"x": [1, {"a": null}]})) {
            prop_assert!(error.message.len() <= 400);
        }
    }

    #[test]
    fn no_bracketed_document_makes_the_guard_panic(shape in prop::collection::vec(0_u8..6, 1..200)) {
        let mut text = String::from("query Q { viewer { id } ");
        let mut open = Vec::new();
        for step in shape {
            let (opening, closing) = [("a {", "}"), ("b(c: [", "]) { d }"), ("e(f: {g: ", "1}) { h }")][usize::from(step % 3)];
            if step < 4 {
                text += opening;
                open.push(closing);
            } else if let Some(closing) = open.pop() {
                text += closing;
            }
        }
        while let Some(closing) = open.pop() {
            text += closing;
        }
        text += " }";
        let _ = admit(&text);
    }
}
