//! The syntax of header fields that are lists, whose members may have parameters and a weight (RFC 9110, sections 5.6
//! and 12.4.2). Pure.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// The highest weight, and that of a member without one.
const FULL_QUALITY: u16 = 1000;

/// A member of a list: `text/html; charset=utf-8; q=0.5`.
pub(super) struct Member<'a> {
    /// The value without its parameters.
    pub(super) name: &'a str,
    parameters: &'a str,
}

/// Returns the members of all fields with this name, in order. Empty members, which the syntax allows, are left out, and
/// so are those that are not UTF-8.
pub(super) fn members(headers: &HeaderMap, name: HeaderName) -> impl Iterator<Item = Member<'_>> {
    let lines = headers.get_all(name).into_iter();
    lines
        .flat_map(|line| split(line.as_bytes(), b','))
        .filter_map(|member| Member::parse(str::from_utf8(member).ok()?))
}

impl<'a> Member<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        // A name contains no quotes.
        let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
        let name = name.trim();
        (!name.is_empty()).then_some(Self { name, parameters })
    }

    /// Whether the value is this one. Case is ignored.
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// Returns the values of the parameters with this name, without their quotes.
    pub(super) fn parameters(&self, name: &str) -> impl Iterator<Item = Cow<'a, str>> {
        split(self.parameters.as_bytes(), b';').filter_map(move |parameter| {
            let (found, value) = str::from_utf8(parameter).ok()?.split_once('=')?;
            let is_it = found.trim().eq_ignore_ascii_case(name);
            is_it.then(|| unquote(value.trim()))
        })
    }

    /// Returns the weight in thousandths. As clients write weights in many forms, `.2` is 0.2, more than three decimals
    /// are accepted, a number above 1 is 1, and a weight that is no number has no effect.
    pub(super) fn quality(&self) -> u16 {
        let weight = self.parameters("q").next();
        weight
            .and_then(|weight| thousandths(&weight))
            .unwrap_or(FULL_QUALITY)
    }
}

/// Splits a field outside of quoted strings.
fn split(field: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    field.split(move |&byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' => is_escaped = is_quoted,
            _ => {}
        }
        byte == separator && !is_quoted
    })
}

/// Returns the content of a quoted string, or a token as it is.
fn unquote(value: &str) -> Cow<'_, str> {
    let Some(quoted) = value.strip_prefix('"') else {
        return value.into();
    };
    let quoted = quoted.strip_suffix('"').unwrap_or(quoted);
    if !quoted.contains('\\') {
        return quoted.into();
    }
    let mut content = String::with_capacity(quoted.len());
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        content.extend(match character {
            '\\' => characters.next(),
            character => Some(character),
        });
    }
    content.into()
}

/// Parses a weight: `0.875` is 875. A weight above zero is at least 1.
fn thousandths(text: &str) -> Option<u16> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut digits = integer.bytes().chain(fraction.bytes());
    let is_number = !(integer.is_empty() && fraction.is_empty());
    if !is_number || !digits.all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    if integer.bytes().any(|digit| digit != b'0') {
        return Some(FULL_QUALITY);
    }
    let decimals = fraction.bytes().chain(*b"000").take(3);
    let found = decimals.fold(0, |number, digit| number * 10 + u16::from(digit - b'0'));
    let is_positive = fraction.bytes().any(|digit| digit != b'0');
    Some(found.max(is_positive.into()))
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::ACCEPT};

    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(ACCEPT, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    #[test]
    fn members_are_separated_outside_of_quotes_and_across_lines() {
        let cases: [(&[&str], &[&str]); 6] = [
            (&[], &[]),
            (&["", " , ,"], &[]),
            (&["a/b;q=1 , c/d", "e/f"], &["a/b", "c/d", "e/f"]),
            (&[r#"a/b; x="1, 2; 3"; q=.5, c/d"#], &["a/b", "c/d"]),
            (&[r#"a/b; x="\", "; y=1, c/d"#], &["a/b", "c/d"]),
            (&["a/ü, *"], &["a/ü", "*"]),
        ];
        for (lines, names) in cases {
            let headers = headers(lines);
            let found: Vec<_> = members(&headers, ACCEPT)
                .map(|member| member.name)
                .collect();
            assert_eq!(found, names, "{lines:?}");
        }
        let mut invalid = HeaderMap::new();
        invalid.append(ACCEPT, HeaderValue::from_bytes(b"a/\xff, c/d").unwrap());
        assert_eq!(members(&invalid, ACCEPT).count(), 1);
    }

    #[test]
    fn parameters_lose_their_quotes() {
        let member = Member::parse(r#"a/b; Charset="UTF\-8" ;x=";q=0"; charset = latin1; q=0.5"#);
        let member = member.unwrap();
        let charsets: Vec<_> = member.parameters("charset").collect();
        assert_eq!(charsets, ["UTF-8", "latin1"]);
        assert_eq!(member.quality(), 500);
    }

    #[test]
    fn weights_have_many_forms() {
        let cases = [
            ("", 1000),
            (";q=1", 1000),
            (";q=1.000", 1000),
            ("; Q = 0.5", 500),
            (";q=.2", 200),
            (";q=0.", 0),
            (";q=0", 0),
            (";q=0.000", 0),
            (";q=\"0.3\"", 300),
            (";q=0.33333", 333),
            (";q=0.0001", 1),
            (";q=2", 1000),
            (";q=01.5", 1000),
            (";q=", 1000),
            (";q=.", 1000),
            (";q=-1", 1000),
            (";q=high", 1000),
            (";level=1;q=0.4;q=0.9", 400),
        ];
        for (parameters, quality) in cases {
            let text = format!("a/b{parameters}");
            assert_eq!(Member::parse(&text).unwrap().quality(), quality, "{text}");
        }
    }
}
