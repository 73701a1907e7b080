//! The form in which names and titles are compared, searched and sorted. Both databases store it in columns that end in
//! `_key`: the functions of the databases differ from each other.

use icu_casemap::CaseMapper;
use unicode_normalization::UnicodeNormalization;

use super::character::is_ignorable;

/// Returns the caseless form: compatibility caseless matching (Unicode 3.13, D146), without characters that are not
/// displayed. The Turkish letters `ı` and `İ` are equal to `i`. PostgreSQL takes no text with NUL, so it becomes another
/// character that no name contains.
#[must_use]
pub fn caseless(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase().replace('\0', "\u{fffd}");
    }
    let mapper = CaseMapper::new();
    let decomposed: String = text.nfd().collect();
    let compatible: String = mapper.fold_string(&decomposed).nfkc().collect();
    let mut folded = String::with_capacity(compatible.len());
    for char in mapper.fold_string(&compatible).chars() {
        match char {
            '\0' => folded.push('\u{fffd}'),
            'ı' => folded.push('i'),
            // The dot of `İ`, which folding separates from the letter.
            '\u{307}' if folded.ends_with('i') => {}
            char if is_ignorable(char) => {}
            char => folded.push(char),
        }
    }
    folded.nfkc().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_that_differ_only_in_case_or_width_are_equal() {
        for same in [
            &[
                "istanbul",
                "İSTANBUL",
                "ISTANBUL",
                "ıstanbul",
                "i\u{307}stanbul",
            ][..],
            &["straße", "STRASSE", "STRAẞE", "Strasse"],
            &["οδοσ", "ΟΔΟΣ", "οδος"],
            &["ａｎｎ", "Ann", "ＡＮＮ"],
            &["ｶﾞ", "ガ"],
            &["Å", "A\u{30a}", "\u{212b}", "å"],
            &["ﬁsh", "FISH"],
            &["K", "\u{212a}"],
            &["ᾳ", "ΑΙ", "αι"],
            &["soft\u{ad}hyphen", "softhyphen"],
            &["ＮＯ．１", "no.1"],
            &["\u{1c4}", "ǆ", "ǅ", "dž"],
            &["ŉ", "ʼn"],
            &["Ꭰ", "ꭰ"],
        ] {
            for text in same {
                assert_eq!(
                    caseless(text),
                    caseless(same.first().unwrap_or(&"")),
                    "{text}"
                );
            }
        }
        for (one, other) in [("a", "ä"), ("o", "0"), ("а", "a"), ("ss", "s"), ("l", "I")] {
            assert_ne!(caseless(one), caseless(other));
        }
    }

    #[test]
    fn the_beginning_of_a_word_is_the_beginning_of_its_form() {
        assert!(caseless("ΟΔΟΣΤΡΩΜΑ").starts_with(&caseless("ΟΔΟΣ")));
        assert!(caseless("Straße").contains(&caseless("TRAS")));
        assert!(!caseless("a\0b").contains('\0'));
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(text in "\\PC{0,40}|(?s).{0,40}") {
            let once = caseless(&text);
            prop_assert_eq!(caseless(&once), once.clone());
            let composed: String = once.nfc().collect();
            prop_assert_eq!(composed, once);
        }

        #[test]
        fn case_and_composition_do_not_matter(text in "[a-zß-üά-ωа-яİıſK]{0,20}") {
            let same = caseless(&text);
            prop_assert_eq!(caseless(&text.to_uppercase()), same.clone());
            prop_assert_eq!(caseless(&text.to_lowercase()), same.clone());
            prop_assert_eq!(caseless(&text.nfd().collect::<String>()), same);
        }
    }
}
