//! Reads the sender from a field such as From, in all forms that mailers and public archives write.

use super::encoded_word;

/// The author of a mail as a field names it. At least one of the two is present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name.
    pub name: Option<String>,
    /// The email address.
    pub address: Option<String>,
}

/// A part of a field.
#[derive(Debug, PartialEq)]
enum Token {
    Text(String),
    Quoted(String),
    Comment(String),
    Angle(String),
    /// `,`, `;` or `:`.
    Separator(char),
}

/// Reads the first mailbox of a field: the first that has an address, or else the first that has a name.
#[must_use]
pub fn read(field: &str, charset: Option<&str>) -> Option<Mailbox> {
    let field = if field.contains('@') {
        field.to_owned()
    } else {
        clarified(field)
    };
    let tokens = tokens(&field);
    let mut without_address: Option<Mailbox> = None;
    let mut start = 0;
    for end in 0..=tokens.len() {
        let separator = match tokens.get(end) {
            Some(Token::Separator(separator)) => Some(*separator),
            Some(_) => continue,
            None => None,
        };
        let group = tokens.get(start..end).unwrap_or_default();
        start = end + 1;
        // The name of a group, such as `undisclosed-recipients:;`.
        if separator == Some(':') {
            continue;
        }
        match mailbox(group, charset) {
            Some(found) if found.address.is_some() => {
                // An unquoted name with a comma: `Lee, Ann <ann@example.com>`.
                let above = without_address.and_then(|mailbox| mailbox.name);
                let name = above
                    .into_iter()
                    .chain(found.name)
                    .collect::<Vec<_>>()
                    .join(", ");
                return Some(Mailbox {
                    name: present(&name),
                    ..found
                });
            }
            found => without_address = without_address.or(found),
        }
    }
    without_address
}

/// Replaces the brackets with which archives obscure an address: `ann (at) example [dot] com`.
fn clarified(field: &str) -> String {
    let mut text = field.to_owned();
    for (open, close) in [("(", ")"), ("[", "]"), ("{", "}"), ("<", ">")] {
        for word in ["at", "AT", "dot", "DOT"] {
            text = text.replace(
                &format!("{open}{word}{close}"),
                &format!(" {} ", word.to_lowercase()),
            );
        }
    }
    text
}

fn mailbox(tokens: &[Token], charset: Option<&str>) -> Option<Mailbox> {
    let decoded = |text: &str| encoded_word::decode(text.as_bytes(), charset);
    let mut words = String::new();
    let mut comments = Vec::new();
    let mut angles = Vec::new();
    for token in tokens {
        match token {
            Token::Text(text) | Token::Quoted(text) => {
                if !(words.is_empty() || text.is_empty()) {
                    words.push(' ');
                }
                words.push_str(text);
            }
            Token::Comment(text) => comments.push(text.as_str()),
            Token::Angle(text) => angles.push(text.as_str()),
            Token::Separator(_) => {}
        }
    }
    let comment = present(&decoded(&comments.join(" ")));
    let in_angles = angles
        .iter()
        .rev()
        .find_map(|text| address(text).or_else(|| Some(bare_address(text)?.0)));
    if in_angles.is_some() || !angles.is_empty() {
        let name = present(&decoded(&words)).or(comment);
        let bare = in_angles.is_none().then(|| bare_address(&words)).flatten();
        let address = in_angles.or(bare.map(|(address, _)| address));
        return (name.is_some() || address.is_some()).then_some(Mailbox { name, address });
    }
    if let Some((address, rest)) = bare_address(&words) {
        return Some(Mailbox {
            name: present(&decoded(&rest)).or(comment),
            address: Some(address),
        });
    }
    let name = comment.or_else(|| present(&decoded(&words)))?;
    Some(Mailbox {
        name: Some(name),
        address: None,
    })
}

/// Finds an address among words: `ann@example.com`, or as public archives obscure it, `ann at example.com`. Also returns
/// the other words.
fn bare_address(words: &str) -> Option<(String, String)> {
    let all: Vec<&str> = words.split_whitespace().collect();
    let rest = |from: usize, to: usize| {
        let kept = all
            .iter()
            .enumerate()
            .filter(|(at, _)| !(from..to).contains(at));
        kept.map(|(_, word)| *word).collect::<Vec<_>>().join(" ")
    };
    for (at, word) in all.iter().enumerate() {
        if let Some(address) = address(word) {
            return Some((address, rest(at, at + 1)));
        }
    }
    let joint = all
        .iter()
        .position(|word| ["at", "_at_", "@"].contains(word))?;
    let user = all.get(joint.checked_sub(1)?)?;
    let mut end = joint + 2;
    let mut host = (*all.get(joint + 1)?).to_owned();
    while let (Some(dot), Some(label)) = (all.get(end), all.get(end + 1)) {
        if !["dot", "."].contains(dot) {
            break;
        }
        host = format!("{host}.{label}");
        end += 2;
    }
    let address = address(&format!("{user}@{host}"))?;
    Some((address, rest(joint - 1, end)))
}

/// Returns the address in a text if it has both parts. Removes a route (`@relay:ann@example.com`) and space.
fn address(text: &str) -> Option<String> {
    let text = match text.trim().rsplit_once(':') {
        Some((_, address)) => address,
        None => text,
    };
    let text: String = text
        .chars()
        .filter(|char| !char.is_whitespace() && !char.is_control() && !matches!(char, '<' | '>'))
        .collect();
    let text = text.trim_matches(|char| matches!(char, '"' | '\'' | ',' | ';' | '.'));
    let (user, host) = text.rsplit_once('@')?;
    (!user.is_empty() && !host.is_empty()).then(|| format!("{user}@{host}").to_lowercase())
}

fn present(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Splits a field (RFC 5322 section 3.4). A quote, bracket or parenthesis that is never closed is an ordinary character.
fn tokens(field: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut text = String::new();
    let mut rest = field;
    while let Some(first) = rest.chars().next() {
        let (_, tail) = rest.split_at(first.len_utf8());
        let delimited = match first {
            '"' => enclosed(tail, None, '"').map(|(inner, tail)| (Token::Quoted(inner), tail)),
            '(' => {
                enclosed(tail, Some('('), ')').map(|(inner, tail)| (Token::Comment(inner), tail))
            }
            '<' => match tail.split_once('>') {
                Some((inner, tail)) => {
                    let tail = tail.trim_start_matches('>');
                    Some((Token::Angle(without_comments(inner)), tail))
                }
                None => address(tail).map(|address| (Token::Angle(address), "")),
            },
            ',' | ';' => Some((Token::Separator(first), tail)),
            // Only a group has a colon after words.
            ':' if !text.contains('@') => Some((Token::Separator(first), tail)),
            _ => None,
        };
        // A quoted user name: `"ann lee"@example.com`.
        let delimited = match delimited {
            Some((Token::Quoted(inner), tail)) if tail.starts_with('@') => {
                text.push_str(&inner.replace(char::is_whitespace, ""));
                rest = tail;
                continue;
            }
            other => other,
        };
        if let Some((token, tail)) = delimited {
            push_words(&mut tokens, &mut text);
            tokens.push(token);
            rest = tail;
        } else {
            text.push(first);
            rest = tail;
        }
    }
    push_words(&mut tokens, &mut text);
    tokens
}

fn without_comments(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('(') {
        kept.push_str(before);
        match enclosed(after, Some('('), ')') {
            Some((_, tail)) => rest = tail,
            None => return format!("{kept}({after}"),
        }
    }
    kept + rest
}

fn push_words(tokens: &mut Vec<Token>, text: &mut String) {
    let words: Vec<&str> = text.split_whitespace().collect();
    if !words.is_empty() {
        tokens.push(Token::Text(words.join(" ")));
    }
    text.clear();
}

/// Returns the text up to the closing character, without backslashes, and what follows it.
fn enclosed(text: &str, open: Option<char>, close: char) -> Option<(String, &str)> {
    let mut inner = String::new();
    let mut depth = 1_usize;
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '\\' => inner.extend(chars.next().map(|(_, escaped)| escaped)),
            _ if char == close => {
                depth -= 1;
                if depth == 0 {
                    return Some((inner, text.split_at(at + char.len_utf8()).1));
                }
                inner.push(char);
            }
            _ => {
                depth += usize::from(Some(char) == open);
                inner.push(char);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn mailboxes_of_all_forms_are_read() {
        for (field, name, address) in [
            ("Ann Lee <ann@example.com>", "Ann Lee", "ann@example.com"),
            ("ann@example.com", "", "ann@example.com"),
            ("<ann@example.com>", "", "ann@example.com"),
            ("Ann@Example.COM (Ann Lee)", "Ann Lee", "ann@example.com"),
            ("Ann Lee<ann@example.com>", "Ann Lee", "ann@example.com"),
            (
                "\"Lee, Ann\" <ann@example.com>",
                "Lee, Ann",
                "ann@example.com",
            ),
            (
                "\"Ann \\\"A\\\" Lee\" <ann@example.com>",
                "Ann \"A\" Lee",
                "ann@example.com",
            ),
            (
                "\"Ann\" Lee <ann@example.com>",
                "Ann Lee",
                "ann@example.com",
            ),
            (
                "Ann Lee (at home) <ann@example.com>",
                "Ann Lee",
                "ann@example.com",
            ),
            (
                "<ann@example.com> (Ann (A) Lee)",
                "Ann (A) Lee",
                "ann@example.com",
            ),
            (
                "John Doe john.doe@EXAMPLE.COM",
                "John Doe",
                "john.doe@example.com",
            ),
            (
                "john at example.com (John Doe)",
                "John Doe",
                "john@example.com",
            ),
            (
                "John Doe <john at example.com>",
                "John Doe",
                "john@example.com",
            ),
            ("john (at) example [dot] com", "", "john@example.com"),
            (
                "Ann <@relay,@other:ann@example.com>",
                "Ann",
                "ann@example.com",
            ),
            ("ann@example.com, bob@example.com", "", "ann@example.com"),
            ("Lee, Ann <ann@example.com>", "Lee, Ann", "ann@example.com"),
            (
                "Friends: Ann <ann@example.com>, bob@example.com;",
                "Ann",
                "ann@example.com",
            ),
            (
                "Ann <ann(at home)@example.com (work)>",
                "Ann",
                "ann@example.com",
            ),
            ("Ann <ann@example.com", "Ann", "ann@example.com"),
            ("Ann <<ann@example.com>>", "Ann", "ann@example.com"),
            (
                "Ann \" Lee <ann@example.com>",
                "Ann \" Lee",
                "ann@example.com",
            ),
            ("\"ann lee\"@example.com", "", "annlee@example.com"),
            ("mailto:ann@example.com", "", "ann@example.com"),
            (
                "=?utf-8?Q?J=C3=BCrgen=2C_?= =?utf-8?Q?M=C3?= =?utf-8?Q?=BCller?= <j@example.com>",
                "Jürgen, Müller",
                "j@example.com",
            ),
            (
                "\"=?utf-8?Q?J=C3=BCrgen?=\" <j@example.com>",
                "Jürgen",
                "j@example.com",
            ),
            (
                "j@example.com (=?utf-8?Q?J=C3=BCrgen?=)",
                "Jürgen",
                "j@example.com",
            ),
            ("root", "root", ""),
            ("root (Cron Daemon)", "Cron Daemon", ""),
            ("John Doe", "John Doe", ""),
            ("John Doe <>", "John Doe", ""),
            ("John Doe <john>", "John Doe", ""),
        ] {
            let found = read(field, None).unwrap_or_default();
            assert_eq!(found.name.unwrap_or_default(), name, "{field}");
            assert_eq!(found.address.unwrap_or_default(), address, "{field}");
        }
    }

    #[test]
    fn fields_without_a_sender_are_empty() {
        for field in ["", " ", "<>", ",", "undisclosed-recipients:;", "()", "\"\""] {
            assert_eq!(read(field, None), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn any_field_is_read(field in "[a-c@<>():;,\"\\\\ .]{0,40}|\\PC{0,40}") {
            if let Some(found) = read(&field, None) {
                prop_assert!(found.name.is_some() || found.address.is_some());
            }
        }
    }
}
