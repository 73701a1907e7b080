//! Reads dates as mailers of all ages write them: RFC 5322 with its obsolete forms, asctime, RFC 850 and ISO 8601. Reads
//! what Python's `email` reads, as it does.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];

/// Names of zones and their offsets as they are written, `-500` for `-05:00`. Other names, and the letters A to Y, mean
/// UTC: RFC 5322 section 4.3 states that mailers used them wrongly.
const ZONES: &[(&str, i32)] = &[
    ("ast", -400),
    ("adt", -300),
    ("est", -500),
    ("edt", -400),
    ("cst", -600),
    ("cdt", -500),
    ("mst", -700),
    ("mdt", -600),
    ("pst", -800),
    ("pdt", -700),
    ("akst", -900),
    ("akdt", -800),
    ("hst", -1000),
    ("wet", 0),
    ("west", 100),
    ("bst", 100),
    ("met", 100),
    ("mez", 100),
    ("cet", 100),
    ("mest", 200),
    ("mesz", 200),
    ("cest", 200),
    ("eet", 200),
    ("eest", 300),
    ("msk", 300),
    ("msd", 400),
    ("jst", 900),
    ("kst", 900),
    ("aest", 1000),
    ("aedt", 1100),
    ("nzst", 1200),
    ("nzdt", 1300),
];

/// The parts of a date, as they are written.
#[derive(Default)]
struct Parts<'a> {
    day: Option<u32>,
    month: Option<u32>,
    year: Option<i32>,
    time: Option<(u32, u32, u32)>,
    zone: Option<&'a str>,
}

/// Reads a date. The parts may occur in any order, except that the day precedes the year.
#[must_use]
pub fn read(text: &str) -> Option<DateTime<Utc>> {
    let text = without_comments(text);
    // Space is allowed around the colons (RFC 5322 section 4.3).
    let pieces: Vec<&str> = text.split(':').map(str::trim).collect();
    let text = pieces.join(":");
    let mut parts = Parts::default();
    for word in text.split(|char: char| char.is_whitespace() || char == ',') {
        read_word(&mut parts, word);
    }
    let date = NaiveDate::from_ymd_opt(parts.year?, parts.month?, parts.day?)?;
    let (hour, minute, second) = parts.time.unwrap_or_default();
    // A leap second, 60, is the first second of the next minute.
    let time = date.and_hms_opt(hour, minute, second.min(59))?;
    let leap = TimeDelta::seconds(i64::from(second.saturating_sub(59)));
    let offset = TimeDelta::seconds(offset_seconds(parts.zone.unwrap_or_default()));
    let time = time.checked_add_signed(leap)?.checked_sub_signed(offset)?;
    Some(time.and_utc())
}

fn without_comments(text: &str) -> String {
    let mut depth = 0_usize;
    text.chars()
        .filter(|char| match char {
            '(' => {
                depth += 1;
                false
            }
            ')' if depth > 0 => {
                depth -= 1;
                false
            }
            _ => depth == 0,
        })
        .collect()
}

fn read_word<'a>(parts: &mut Parts<'a>, word: &'a str) {
    if word.is_empty() {
        return;
    }
    if parts.day.is_none() && parts.month.is_none() && read_joined_date(parts, word) {
        return;
    }
    if parts.time.is_none() && read_time(parts, word) {
        return;
    }
    if parts.month.is_none()
        && let Some(month) = month(word)
    {
        parts.month = Some(month);
        return;
    }
    if let Ok(number) = word.parse::<u32>()
        && word.bytes().all(|byte| byte.is_ascii_digit())
    {
        if parts.day.is_none() && word.len() <= 2 {
            parts.day = Some(number);
        } else if parts.year.is_none() && parts.day.is_some() {
            parts.year = year(word);
        } else if parts.year.is_none() && word.len() == 4 {
            // The year precedes the month.
            parts.year = year(word);
        }
        return;
    }
    if parts.time.is_some() && (parts.zone.is_none() || is_numeric_zone(word)) {
        let is_numeric = parts.zone.is_some_and(is_numeric_zone);
        if !is_numeric
            && (is_numeric_zone(word) || word.starts_with(|char: char| char.is_ascii_alphabetic()))
        {
            parts.zone = Some(word);
        }
    }
}

/// Reads `11-Feb-1998`, `11/Feb/1998`, `1998-02-11` and `1998-02-11T17:51:00Z`.
fn read_joined_date<'a>(parts: &mut Parts<'a>, word: &'a str) -> bool {
    let (date, time) = match word.split_once(['T', 't', '_']) {
        Some((date, time)) if time.contains(':') => (date, Some(time)),
        _ => (word, None),
    };
    let mut pieces = date.split(['-', '/', '.']);
    let (Some(first), Some(second), Some(third), None) =
        (pieces.next(), pieces.next(), pieces.next(), pieces.next())
    else {
        return false;
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(first) || !is_number(third) {
        return false;
    }
    let (day, year_text) = if first.len() == 4 {
        (third, first)
    } else {
        (first, third)
    };
    let number = second
        .parse()
        .ok()
        .filter(|_| is_number(second) && first.len() == 4);
    let Some(month) = month(second).or(number) else {
        return false;
    };
    parts.day = day.parse().ok();
    parts.month = Some(month);
    parts.year = year(year_text);
    if let Some(time) = time {
        read_time(parts, time);
    }
    true
}

/// Reads `17:51`, `17:51:00`, `17.51.00`, `17:51:00.123`, and a zone that follows without space.
fn read_time<'a>(parts: &mut Parts<'a>, word: &'a str) -> bool {
    let end = word
        .find(|char: char| !(char.is_ascii_digit() || char == ':' || char == '.'))
        .unwrap_or(word.len());
    let (time, zone) = word.split_at(end);
    let separator = if time.contains(':') { ':' } else { '.' };
    let numbers: Option<Vec<u32>> = time
        .split(separator)
        .map(|part| part.split('.').next().unwrap_or_default())
        .map(|part| part.parse().ok().filter(|_| part.len() <= 2))
        .collect();
    let time = match numbers.as_deref() {
        Some([hour, minute]) => (*hour, *minute, 0),
        Some([hour, minute, second]) => (*hour, *minute, *second),
        _ => return false,
    };
    if time.0 > 23 || time.1 > 59 || time.2 > 60 {
        return false;
    }
    parts.time = Some(time);
    if !zone.is_empty() {
        parts.zone = Some(zone);
    }
    true
}

/// Returns the number of a month by its first three letters, for names of up to nine.
fn month(word: &str) -> Option<u32> {
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    let is_name =
        (3..=9).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let full = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let at = MONTHS.iter().zip(full).position(|(short, long)| {
        is_name && word.starts_with(short) && (long.starts_with(&word) || word == "sept")
    })?;
    u32::try_from(at + 1).ok()
}

/// Reads a year: of two digits as POSIX does, of three digits as RFC 5322 section 4.3 does.
fn year(word: &str) -> Option<i32> {
    let year: i32 = word.parse().ok()?;
    Some(match year {
        0..=68 if word.len() <= 2 => year + 2000,
        69..=99 if word.len() <= 2 => year + 1900,
        100..=199 if word.len() == 3 => year + 1900,
        1000..=9999 => year,
        _ => return None,
    })
}

fn is_numeric_zone(word: &str) -> bool {
    word.strip_prefix(['+', '-'])
        .is_some_and(|digits| digits.starts_with(|char: char| char.is_ascii_digit()))
}

/// Returns the seconds to the east of UTC. `-600`, without a leading zero, is minus six hours.
fn offset_seconds(zone: &str) -> i64 {
    let zone = zone.trim().to_ascii_lowercase();
    // `GMT+0100`.
    let zone = match zone.find(['+', '-']) {
        Some(at) => zone.split_at(at).1,
        None => &zone,
    };
    let named = ZONES
        .iter()
        .find(|(name, _)| *name == zone)
        .map(|(_, offset)| *offset);
    let written = || {
        let digits: String = zone.chars().filter(|char| *char != ':').collect();
        // `+1` means an hour.
        let unit = if digits.len() <= 3 { 100 } else { 1 };
        digits.parse::<i32>().ok().map(|offset| offset * unit)
    };
    let offset = i64::from(named.or_else(written).unwrap_or_default());
    let seconds = offset / 100 * 3600 + offset % 100 * 60;
    // No zone is a day from UTC.
    if seconds.abs() <= 86_400 { seconds } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn dates_of_all_forms_are_read() {
        for text in [
            "Wed, 11 Feb 1998 17:51:00 +0000",
            "Wed, 11 Feb 1998 17:51:00 UT",
            "Wed, 11 Feb 1998 17:51:00 Z",
            "Wed, 11 Feb 1998 17:51:00 GMT",
            "Wed, 11 Feb 1998 17:51:00 A",
            "Wed, 11 Feb 1998 17:51:00 -0000",
            "Wed, 11 Feb 1998 17:51:00",
            "Wed, 11 Feb 1998 17:51",
            "Wed,11 Feb 1998 17:51:00 +0000",
            "Wed 11 Feb 1998 17:51:00 +0000",
            "11 Feb 98 11:51 CST",
            "Wed, 11 Feb 98 11:51:00 -600",
            "Wed, 11 Feb 98 11:51:00 -0600 (CST)",
            "Wed, 11 Feb 1998 12:51:00 EST (Eastern (standard) time)",
            "Wed Feb 11 17:51:00 1998",
            "Wed Feb 11 12:51:00 EST 1998",
            "Wed Feb 11 11:51:00 -0600 1998",
            "Wed Feb 11 11:51:00 1998 -0600",
            "Wed, 11-Feb-1998 17:51:00 +0000",
            "Wednesday, 11-Feb-98 17:51:00 GMT",
            "Wednesday, 11 February 1998 17:51:00 +0000",
            "Wed, Feb 11, 1998 17:51:00 +0000",
            "11 Feb 1998 17.51.00 +0000",
            "11 Feb 1998 17(comment):  51  :  00 +0000",
            "11 Feb 1998 18:51:00 MET",
            "11 Feb 1998 19:51:00 MET DST +0200",
            "11 Feb 1998 18:51:00 GMT+0100",
            "11 Feb 1998 18:51:00 UTC+1",
            "11 Feb 1998 23:21:00 +05:30",
            "1998-02-11T17:51:00Z",
            "1998-02-11T18:51:00.5+01:00",
            "1998-02-11 17:51:00",
            "1998 Feb 11 17:51:00",
            "(at home) 11 Feb 1998 (winter) 17:51:00",
        ] {
            let time = read(text).map(|time| time.to_rfc3339());
            assert_eq!(time.as_deref(), Some("1998-02-11T17:51:00+00:00"), "{text}");
        }
    }

    #[test]
    fn years_of_two_and_three_digits_have_a_century() {
        for (text, year) in [
            ("1 Jan 69 00:00:00", "1969"),
            ("1 Jan 99 00:00:00", "1999"),
            ("1 Jan 00 00:00:00", "2000"),
            ("1 Jan 68 00:00:00", "2068"),
            ("1 Jan 100 00:00:00", "2000"),
            ("1 Jan 107 00:00:00", "2007"),
            ("1 Jan 1904 00:00:00", "1904"),
        ] {
            assert_eq!(
                read(text)
                    .map(|time| time.format("%Y").to_string())
                    .as_deref(),
                Some(year)
            );
        }
    }

    #[test]
    fn a_leap_second_is_the_next_minute() {
        let time = read("Thu, 31 Dec 1998 23:59:60 +0000").map(|time| time.to_rfc3339());
        assert_eq!(time.as_deref(), Some("1999-01-01T00:00:00+00:00"));
    }

    #[test]
    fn other_text_is_no_date() {
        for text in [
            "",
            "yesterday",
            "31 Feb 1998 17:51:00",
            "11 Foo 1998 17:51:00",
            "0 Jan 0 00:00",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+0-9A-Za-z:.,/() ]{0,40}|\\PC{0,40}") {
            let _ = read(&text);
        }
    }
}
