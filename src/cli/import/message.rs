//! What one mail says: who wrote it, when, in answer to what, and its text. Pure.

use std::ops::RangeInclusive;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};
use mail_parser::{Address, HeaderValue, Message, MessageParser};

/// Characters of a name or an address that are kept.
const MAX_NAME_CHARS: usize = 100;

/// Characters of a subject that are kept.
const MAX_SUBJECT_CHARS: usize = 300;

/// Earlier mails that one mail can name as its forebears; the nearest are kept.
const MAX_REFERENCES: usize = 200;

/// Who sent a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The name they go by, if any.
    pub name: Option<String>,
    /// Their address, in lower case.
    pub address: String,
}

/// One mail, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedMail {
    /// The name it can be referred to by: its Message-ID, or one made from its content.
    pub message_id: String,
    /// Mails it may be an answer to, the likeliest first.
    pub forebears: Vec<String>,
    /// Who sent it.
    pub sender: Sender,
    /// When it was written, if it says so believably.
    pub written_at: Option<DateTime<Utc>>,
    /// Its subject, on one line.
    pub subject: Option<String>,
    /// Its text.
    pub text: String,
    /// Files that came with it.
    pub attachments: usize,
}

impl ImportedMail {
    /// The text to show: a mail that opens a thread starts with its subject.
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

/// Reads a mail. Times outside `believable` are passed over.
pub fn read(
    raw: &[u8],
    believable: &RangeInclusive<DateTime<Utc>>,
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
        .find_map(sender)
        .or_else(|| mail.header_raw("From").and_then(hidden_sender))
        .ok_or("no sender")?;
    Ok(ImportedMail {
        message_id: mail
            .message_id()
            .map(clean_id)
            .filter(|id| !id.is_empty())
            .unwrap_or_else(|| content_id(raw)),
        forebears: forebears(&mail),
        sender,
        written_at: written_at(&mail, believable),
        subject: mail
            .subject()
            .map(|subject| one_line(subject, MAX_SUBJECT_CHARS))
            .filter(|subject| !subject.is_empty()),
        text: text(&mail),
        attachments: mail.attachment_count(),
    })
}

/// In-Reply-To names the mail that was answered, when it is there; References, read from its end,
/// lead there by way of the mails between.
fn forebears(mail: &Message<'_>) -> Vec<String> {
    let answered = ids(mail.in_reply_to());
    let named = ids(mail.references());
    let mut found: Vec<String> = Vec::new();
    for id in answered
        .into_iter()
        .chain(named.into_iter().rev())
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

/// A name for a mail without one, the same at every reading.
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

fn sender(addresses: &Address<'_>) -> Option<Sender> {
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

/// Public archives hide addresses: `ann at example.com (Ann Lee)`.
fn hidden_sender(from: &str) -> Option<Sender> {
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
    believable: &RangeInclusive<DateTime<Utc>>,
) -> Option<DateTime<Utc>> {
    let received = mail.received().and_then(|received| received.date.as_ref());
    [mail.date(), received]
        .into_iter()
        .flatten()
        .filter(|date| date.is_valid())
        .filter_map(|date| DateTime::from_timestamp(date.to_timestamp(), 0))
        .find(|time| believable.contains(time))
}

fn text(mail: &Message<'_>) -> String {
    let parts: Vec<String> = (0..mail.text_body_count())
        .filter_map(|part| mail.body_text(part))
        .map(|part| tidy(&part))
        .filter(|part| !part.is_empty())
        .collect();
    parts.join("\n\n")
}

/// Line ends of one kind, and nothing that a database or a terminal would choke on.
fn tidy(text: &str) -> String {
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

    fn believable() -> RangeInclusive<DateTime<Utc>> {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        time("1970-01-01T00:00:00Z")..=time("2027-01-01T00:00:00Z")
    }

    fn letter(raw: &str) -> ImportedMail {
        read(raw.as_bytes(), &believable()).expect("a letter")
    }

    const HEAD: &str = "From: Ann Lee <Ann@Example.com>\nDate: Fri, 20 Nov 2009 22:28:40 +0100\n";

    #[test]
    fn an_ordinary_mail_is_understood() {
        let letter = letter(&format!(
            "{HEAD}Message-ID: <1@x>\nSubject: Hello\n\tthere\nIn-Reply-To: <c@x>\n\
             References: <a@x> <b@x>\n <c@x>\n\nDear all,\r\nhi\n\n"
        ));
        assert_eq!(letter.message_id, "1@x");
        assert_eq!(letter.forebears, ["c@x", "b@x", "a@x"]);
        assert_eq!(letter.sender.name.as_deref(), Some("Ann Lee"));
        assert_eq!(letter.sender.address, "ann@example.com");
        assert_eq!(
            letter.written_at.map(|at| at.timestamp()),
            Some(1_258_752_520)
        );
        assert_eq!(letter.text, "Dear all,\nhi");
        assert_eq!(letter.body(true), "Hello there\n\nDear all,\nhi");
        assert_eq!(letter.body(false), "Dear all,\nhi");
    }

    #[test]
    fn odd_encodings_become_text() {
        let encoded = letter(
            "From: =?gb2312?B?zfXQocP3?= <wang@example.com>\nSubject: =?iso-8859-1?Q?Gr=FC=DFe?=\n\
             MIME-Version: 1.0\nContent-Type: text/plain; charset=iso-8859-15\n\
             Content-Transfer-Encoding: quoted-printable\n\n5 =A4 f=FCr dich=\n!\n",
        );
        assert_eq!(encoded.sender.name.as_deref(), Some("王小明"));
        assert_eq!(encoded.body(true), "Grüße\n\n5 € für dich!");
        let base64 = letter(&format!(
            "{HEAD}MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: base64\n\nw6TDtsO8\n"
        ));
        assert_eq!(base64.text, "äöü");
    }

    #[test]
    fn html_and_multipart_give_plain_text() {
        let html = letter(&format!(
            "{HEAD}MIME-Version: 1.0\nContent-Type: text/html; charset=utf-8\n\n\
             <html><body><p>Hello <b>you</b></p><script>x()</script></body></html>\n"
        ));
        assert_eq!(html.text, "Hello you");
        let multipart = letter(&format!(
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
    fn unbelievable_times_fall_back_to_delivery() {
        let future = letter(
            "Received: from a by b; Fri, 20 Nov 2009 22:28:40 +0000\nFrom: a@x\n\
             Date: Fri, 20 Nov 2099 22:28:40 +0000\n\nx\n",
        );
        assert_eq!(
            future.written_at.map(|at| at.timestamp()),
            Some(1_258_756_120)
        );
        assert_eq!(letter("From: a@x\nDate: yesterday\n\nx\n").written_at, None);
    }

    #[test]
    fn what_is_missing_is_made_up_or_refused() {
        let first = letter("From: a@x\n\none\n");
        assert_eq!(first.message_id, letter("From: a@x\n\none\n").message_id);
        assert_ne!(first.message_id, letter("From: a@x\n\ntwo\n").message_id);
        assert_eq!(letter("From: a@x\nSubject: only\n\n").body(false), "only");
        assert_eq!(letter("From: a@x\n\n").body(true), "(empty mail)");
        assert_eq!(read(b"Subject: x\n\nx\n", &believable()), Err("no sender"));
        assert_eq!(read(b"", &believable()), Err("no mail headers"));
        assert_eq!(
            letter("From: ann at example.com (Ann)\n\nx\n")
                .sender
                .address,
            "ann@example.com"
        );
        assert_eq!(
            letter("From: a@x\n\na\0b\x1b[0m\n").text,
            "a\u{fffd}b\u{fffd}[0m"
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes, &believable());
            let head = b"From: a@x\nContent-Type: text/html\n\n".to_vec();
            if let Ok(letter) = read(&[head, bytes].concat(), &believable()) {
                prop_assert!(!letter.body(true).contains('\0'));
            }
        }
    }
}
