//! Parses one mail: sender, time, references, subject and text. Pure functions.

use std::ops::RangeInclusive;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use mail_parser::{Address, HeaderValue, Message, MessageParser};

/// Maximum length of a name or an address, in characters.
const MAX_NAME_CHARS: usize = 100;

/// Maximum length of a subject, in characters.
const MAX_SUBJECT_CHARS: usize = 300;

/// Maximum references of one mail; the nearest are kept.
const MAX_REFERENCES: usize = 200;

/// The sender of a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The display name, if any.
    pub name: Option<String>,
    /// The email address, in lower case.
    pub address: String,
}

/// A parsed mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedMail {
    /// The Message-ID, or one that is derived from the content.
    pub message_id: String,
    /// Message-IDs of possible parents, the most likely first.
    pub references: Vec<String>,
    /// The sender.
    pub sender: Sender,
    /// The time at which it was written, if that is plausible.
    pub written_at: Option<DateTime<Utc>>,
    /// The subject, on one line.
    pub subject: Option<String>,
    /// The plain text.
    pub text: String,
    /// The number of attachments.
    pub attachments: usize,
}

impl ImportedMail {
    /// Returns the message body. The first mail of a thread starts with its subject.
    #[must_use]
    pub fn body(&self, opens_thread: bool) -> String {
        match (&self.subject, self.text.is_empty()) {
            (Some(subject), false) if opens_thread => format!("{subject}\n\n{}", self.text),
            (Some(subject), true) => subject.clone(),
            (None, true) => "(empty mail)".to_owned(),
            (_, false) => self.text.clone(),
        }
    }
}

/// Parses a mail. Ignores times outside `plausible`. The error is a reason for the report.
pub fn read(
    raw: &[u8],
    plausible: &RangeInclusive<DateTime<Utc>>,
) -> Result<ImportedMail, &'static str> {
    let mail = MessageParser::default()
        .parse(raw)
        .filter(|mail| {
            mail.headers()
                .iter()
                .any(|header| !header.name().trim().is_empty())
        })
        .ok_or("no mail headers")?;
    let sender = [mail.from(), mail.sender(), mail.reply_to()]
        .into_iter()
        .flatten()
        .find_map(sender_of)
        .or_else(|| mail.header_raw("From").and_then(obscured_sender))
        .ok_or("no sender")?;
    Ok(ImportedMail {
        message_id: mail
            .message_id()
            .map(clean_id)
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| content_id(raw)),
        references: references(&mail),
        sender,
        written_at: written_at(&mail, plausible),
        subject: mail
            .subject()
            .map(|subject| one_line(subject, MAX_SUBJECT_CHARS))
            .filter(|subject| !subject.is_empty()),
        text: text(&mail),
        attachments: mail.attachment_count(),
    })
}

/// Returns In-Reply-To, which names the parent, and then References from the last to the first, which name its
/// ancestors.
fn references(mail: &Message<'_>) -> Vec<String> {
    let parents = ids(mail.in_reply_to());
    let ancestors = ids(mail.references());
    let mut found: Vec<String> = Vec::new();
    for id in parents
        .into_iter()
        .chain(ancestors.into_iter().rev())
        .take(MAX_REFERENCES)
    {
        if !id.is_empty() && !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

fn ids(value: &HeaderValue<'_>) -> Vec<String> {
    match value {
        HeaderValue::Text(id) => vec![clean_id(id)],
        HeaderValue::TextList(ids) => ids.iter().map(|id| clean_id(id)).collect(),
        _ => Vec::new(),
    }
}

fn clean_id(id: &str) -> String {
    id.chars()
        .filter(|char| !char.is_whitespace() && !char.is_control())
        .collect()
}

/// Derives a stable Message-ID for a mail without one.
fn content_id(raw: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, raw);
    let hex: Vec<String> = digest
        .as_ref()
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("{}@content.invalid", hex.concat())
}

fn sender_of(addresses: &Address<'_>) -> Option<Sender> {
    addresses.iter().find_map(|address| {
        let short = |text| one_line(text, MAX_NAME_CHARS);
        let name = address
            .name
            .as_deref()
            .map(short)
            .filter(|name| !name.is_empty());
        let address = address.address.as_deref().map(short).unwrap_or_default();
        let address = address.to_lowercase();
        (!address.is_empty()).then_some(Sender { name, address })
    })
}

/// Parses an address as public archives obscure it: `ann at example.com (Ann Lee)`.
fn obscured_sender(from: &str) -> Option<Sender> {
    let (address, name) = from.split_once('(').unwrap_or((from, ""));
    let (user, host) = address.split_once(" at ")?;
    let address = one_line(&format!("{}@{}", user.trim(), host.trim()), MAX_NAME_CHARS);
    let name = one_line(name.trim().trim_end_matches(')'), MAX_NAME_CHARS);
    Some(Sender {
        name: (!name.is_empty()).then_some(name),
        address: address.to_lowercase(),
    })
}

fn one_line(text: &str, max_chars: usize) -> String {
    let words: Vec<&str> = text
        .split(|char: char| char.is_whitespace() || char.is_control())
        .collect();
    let kept: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    kept.join(" ").chars().take(max_chars).collect()
}

fn written_at(
    mail: &Message<'_>,
    plausible: &RangeInclusive<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let received = mail.received().and_then(|received| received.date.as_ref());
    [mail.date(), received]
        .into_iter()
        .flatten()
        .filter(|date| date.is_valid())
        .filter_map(|date| DateTime::from_timestamp(date.to_timestamp(), 0))
        .find(|time| plausible.contains(time))
}

fn text(mail: &Message<'_>) -> String {
    let parts: Vec<String> = (0..mail.text_body_count())
        .filter_map(|part| mail.body_text(part))
        .map(|part| normalize(&part))
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

/// Normalises line ends and replaces control characters, which a database or a terminal cannot handle.
fn normalize(text: &str) -> String {
    let text: String = text
        .replace("\r\n", "\n")
        .chars()
        .map(|char| match char {
            '\r' => '\n',
            '\n' | '\t' => char,
            _ if char.is_control() => '\u{fffd}',
            _ => char,
        })
        .collect();
    let text = text.trim_end();
    let blank_lines = text.len() - text.trim_start_matches('\n').len();
    text.split_at(blank_lines).1.to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plausible() -> RangeInclusive<DateTime<Utc>> {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        time("1970-01-01T00:00:00Z")..=time("2027-01-01T00:00:00Z")
    }

    fn mail(raw: &str) -> ImportedMail {
        read(raw.as_bytes(), &plausible()).expect("a mail")
    }

    const HEAD: &str = "From: Ann Lee <Ann@Example.com>\nDate: Fri, 20 Nov 2009 22:28:40 +0100\n";

    #[test]
    fn a_common_mail_is_parsed() {
        let parsed = mail(&format!(
            "{HEAD}Message-ID: <1@x>\nSubject: Hello\n\tthere\nIn-Reply-To: <c@x>\n\
             References: <a@x> <b@x>\n <c@x>\n\nDear all,\r\nhi\n\n"
        ));
        assert_eq!(parsed.message_id, "1@x");
        assert_eq!(parsed.references, ["c@x", "b@x", "a@x"]);
        assert_eq!(parsed.sender.name.as_deref(), Some("Ann Lee"));
        assert_eq!(parsed.sender.address, "ann@example.com");
        assert_eq!(
            parsed.written_at.map(|at| at.timestamp()),
            Some(1_258_752_520)
        );
        assert_eq!(parsed.text, "Dear all,\nhi");
        assert_eq!(parsed.body(true), "Hello there\n\nDear all,\nhi");
        assert_eq!(parsed.body(false), "Dear all,\nhi");
    }

    #[test]
    fn unusual_encodings_are_decoded() {
        let encoded = mail(
            "From: =?gb2312?B?zfXQocP3?= <wang@example.com>\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-15\n\
             Content-Transfer-Encoding: quoted-printable\n\n5 =A4 f=FCr dich=\n!\n",
        );
        assert_eq!(encoded.sender.name.as_deref(), Some("王小明"));
        assert_eq!(encoded.body(true), "Grüße\n\n5 € für dich!");
        let base64 = mail(&format!(
            "{HEAD}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: base64\n\nw6TDtsO8\n"
        ));
        assert_eq!(base64.text, "äöü");
    }

    #[test]
    fn html_and_multipart_give_plain_text() {
        let html = mail(&format!(
            "{HEAD}MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n\
             <html><body><p>Hello <b>you</b></p><script>x()</script></body></html>\n"
        ));
        assert_eq!(html.text, "Hello you");
        let multipart = mail(&format!(
            "{HEAD}MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nplain\n--b\nContent-Type: application/pdf; name=a.pdf\n\
             Content-Disposition: attachment; filename=a.pdf\n\nPDF\n--b--\n"
        ));
        assert_eq!(
            (multipart.text.as_str(), multipart.attachments),
            ("plain", 1)
        );
    }

    #[test]
    fn implausible_times_fall_back_to_delivery() {
        let future = mail(
            "Received: from a by b; Fri, 20 Nov 2009 22:28:40 +0000\nFrom: a@x\n\
             Date: Fri, 20 Nov 2099 22:28:40 +0000\n\nx\n",
        );
        assert_eq!(
            future.written_at.map(|at| at.timestamp()),
            Some(1_258_756_120)
        );
        assert_eq!(mail("From: a@x\nDate: yesterday\n\nx\n").written_at, None);
    }

    #[test]
    fn missing_headers_are_derived_or_rejected() {
        let first = mail("From: a@x\n\none\n");
        assert_eq!(first.message_id, mail("From: a@x\n\none\n").message_id);
        assert_ne!(first.message_id, mail("From: a@x\n\ntwo\n").message_id);
        assert_eq!(mail("From: a@x\nSubject: only\n\n").body(false), "only");
        assert_eq!(mail("From: a@x\n\n").body(true), "(empty mail)");
        assert_eq!(read(b"Subject: x\n\nx\n", &plausible()), Err("no sender"));
        assert_eq!(read(b"", &plausible()), Err("no mail headers"));
        assert_eq!(
            mail("From: ann at example.com (Ann)\n\nx\n").sender.address,
            "ann@example.com"
        );
        assert_eq!(
            mail("From: a@x\n\na\0b\x1b[0m\n").text,
            "a\u{fffd}b\u{fffd}[0m"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_parsed_or_rejected(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, &plausible());
            let head = b"From: a@x\nContent-Type: text/html\n\n".to_vec();
            if let Ok(mail) = read(&[head, bytes].concat(), &plausible()) {
                prop_assert!(!mail.body(true).contains('\0'));
            }
        }
    }
}
