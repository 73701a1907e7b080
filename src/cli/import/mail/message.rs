//! Puts together what the import needs of a mail.

use std::ops::RangeInclusive;

use aws_lc_rs::digest;
use chrono::{DateTime, Utc};

use super::{address, body, date, fields::Fields};
use crate::domain::text::{self, MAX_SOURCE_BYTES};

/// Maximum length of a stored text, in bytes.
const MAX_TEXT_BYTES: usize = 2 * MAX_SOURCE_BYTES;

/// What mailers write before the subject of a reply or of a forwarded mail, in several languages.
const REPLY_PREFIXES: &[&str] = &[
    "re", "fwd", "fw", "aw", "antw", "wg", "sv", "vs", "vl", "ref", "rif", "r", "tr", "res", "enc",
    "odp", "ynt",
];

/// Tags of one word that authors write themselves.
const SUBJECT_TAGS: &[&str] = &["announce", "patch", "resend", "rfc", "solved"];

/// Maximum length of a name, in characters, as for accounts.
const MAX_NAME_CHARS: usize = 80;

/// Maximum length of an email address, in bytes (RFC 5321).
const MAX_ADDRESS_BYTES: usize = 254;

/// Maximum references of one mail; the nearest are kept.
const MAX_REFERENCES: usize = 200;

/// The sender of a mail. Both parts are missing if the mail does not name one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Sender {
    /// The display name, if any.
    pub name: Option<String>,
    /// The email address, in lower case, if any.
    pub address: Option<String>,
}

impl Sender {
    /// Returns what identifies the sender in an archive: the address, or else the name.
    #[must_use]
    pub fn identity(&self) -> Self {
        match &self.address {
            Some(address) => Self {
                name: None,
                address: Some(address.clone()),
            },
            None => self.clone(),
        }
    }
}

/// A parsed mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedMail {
    /// The Message-ID, or one that is derived from the content.
    pub message_id: String,
    /// A digest of the sender, date, subject and text: two mails with the same Message-ID but different ones are not the same.
    pub fingerprint: String,
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
    /// What the import changed, for the report.
    pub notes: Vec<&'static str>,
}

impl ImportedMail {
    /// Returns the subject without what replies and mailing lists add, in lower case. Mails of a thread have it in common.
    #[must_use]
    pub fn topic(&self) -> String {
        let subject = self.subject.as_deref().unwrap_or_default().to_lowercase();
        let mut rest = subject.trim();
        let mut tags = Vec::new();
        loop {
            let tag = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
            let reply = REPLY_PREFIXES.iter().find_map(|prefix| {
                let rest = rest.strip_prefix(prefix)?;
                // `Re[2]:` counts the replies.
                let counted = rest.strip_prefix('[').and_then(|rest| rest.split_once(']'));
                let (_, rest) = counted.unwrap_or(("", rest));
                rest.trim_start().strip_prefix(':')
            });
            match (reply, tag) {
                (Some(shorter), _) => rest = shorter.trim_start(),
                (None, Some((tag, shorter))) => {
                    if !is_list_tag(tag) {
                        tags.push(format!("[{tag}]"));
                    }
                    rest = shorter.trim_start();
                }
                (None, None) => break,
            }
        }
        let tags = tags.iter().map(String::as_str);
        let words: Vec<&str> = tags.chain([rest]).flat_map(str::split_whitespace).collect();
        words.join(" ")
    }

    /// Returns the message body, which is Markdown that shows the text, below the subject if that is wanted. A text that
    /// is too long to be rendered is stored as it is, and cut at twice that length.
    #[must_use]
    pub fn body(&self, with_subject: bool) -> String {
        let subject = self
            .subject
            .as_deref()
            .filter(|_| with_subject || self.text.is_empty());
        let text = match (subject, self.text.is_empty()) {
            (Some(subject), false) => format!("{subject}\n\n{}", self.text),
            (Some(subject), true) => subject.to_owned(),
            (None, true) => "(empty mail)".to_owned(),
            (None, false) => self.text.clone(),
        };
        let escaped = text::escape_markdown(&text);
        if escaped.len() <= MAX_SOURCE_BYTES {
            return escaped;
        }
        if text.len() <= MAX_SOURCE_BYTES {
            return text::code_block(&text);
        }
        shortened(text)
    }
}

/// Whether a tag in a subject, in lower case, is the name of a mailing list, and no part of the subject.
fn is_list_tag(tag: &str) -> bool {
    let is_word = !tag.contains(|char: char| char.is_whitespace() || char.is_ascii_digit());
    is_word && !SUBJECT_TAGS.contains(&tag)
}

/// Cuts a text that is too long.
fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT_BYTES {
        text.truncate(text.floor_char_boundary(MAX_TEXT_BYTES));
        text.push_str("\n\n(the rest was left out)");
    }
    text
}

/// Parses a mail. Ignores times outside `plausible`. The error is a reason for the report.
pub fn read(
    raw: &[u8],
    plausible: &RangeInclusive<DateTime<Utc>>,
) -> Result<ImportedMail, &'static str> {
    let (fields, rest) = Fields::read_mail(raw);
    if fields.is_empty() && rest.trim_ascii().is_empty() {
        return Err("empty");
    }
    let charset = body::charset(&fields, rest);
    let charset = charset.as_deref();
    let body = body::read(&fields, rest, charset);
    let mut notes = Vec::new();
    let sender = sender(&fields, charset, &mut notes);
    let subject = fields.text("subject", charset).unwrap_or_default();
    let subject = words(&subject);
    let mut text = body.texts.join("\n\n");
    if text.contains('\0') || subject.contains('\0') {
        notes.push("NUL characters are replaced");
        text = text.replace('\0', "\u{fffd}");
    }
    if text.len() > MAX_TEXT_BYTES {
        notes.push("longer than 512 KiB: the rest of the text is left out");
    }
    Ok(ImportedMail {
        message_id: fields
            .raw("message-id")
            .map(|id| ids(id).into_iter().next().unwrap_or_else(|| clean_id(id)))
            .filter(|id| !matches!(id.as_str(), "" | "<>"))
            .unwrap_or_else(|| format!("{}@content.invalid", hex(digest(&[raw]).as_ref()))),
        fingerprint: fingerprint(&fields, rest),
        references: references(&fields),
        sender,
        written_at: written_at(&fields, plausible),
        subject: Some(subject.replace('\0', "\u{fffd}")).filter(|subject| !subject.is_empty()),
        text,
        attachments: body.attachments,
        notes,
    })
}

/// Returns In-Reply-To, which names the parent, and then References from the last to the first, which name its
/// ancestors.
fn references(fields: &Fields) -> Vec<String> {
    let parents = fields.all("in-reply-to").flat_map(ids);
    let ancestors: Vec<String> = fields.all("references").flat_map(ids).collect();
    let mut found: Vec<String> = Vec::new();
    for id in parents.chain(ancestors.into_iter().rev()) {
        if found.len() == MAX_REFERENCES {
            break;
        }
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Returns the ids in a field: those in angle brackets, or else the words with an `@`.
fn ids(field: &[u8]) -> Vec<String> {
    let in_brackets = field
        .split(|byte| *byte == b'<')
        .skip(1)
        .filter_map(|part| part.split(|byte| *byte == b'>').next());
    let bracketed: Vec<String> = in_brackets
        .map(clean_id)
        .filter(|id| !id.is_empty())
        .collect();
    if !bracketed.is_empty() || field.contains(&b'<') {
        return bracketed;
    }
    let words = field
        .split(u8::is_ascii_whitespace)
        .filter(|word| word.contains(&b'@'));
    words.map(clean_id).collect()
}

fn clean_id(id: &[u8]) -> String {
    String::from_utf8_lossy(id)
        .chars()
        .filter(|char| !char.is_whitespace() && !char.is_control())
        .collect()
}

/// Returns the author: From, or else Sender or Reply-To. A sender without an address keeps the name.
fn sender(fields: &Fields, charset: Option<&str>, notes: &mut Vec<&'static str>) -> Sender {
    let found = ["from", "sender", "reply-to"]
        .iter()
        .flat_map(|name| fields.all(name))
        .find_map(|field| {
            // Bytes that are not encoded are decoded first: they may contain the bytes of delimiters.
            let field = super::charset::decode(field, None, charset);
            let found = address::read(&field, charset)?;
            let name = found.name.as_deref();
            let cleaned = name.and_then(|name| text::visible_line(name, MAX_NAME_CHARS));
            if name.map(words) != cleaned {
                notes.push("the name of the sender is changed to one that an account may have");
            }
            let address = found
                .address
                .filter(|address| address.len() <= MAX_ADDRESS_BYTES)
                .filter(|address| {
                    text::visible_line(address, MAX_ADDRESS_BYTES).as_ref() == Some(address)
                });
            let sender = Sender {
                name: cleaned,
                address,
            };
            (sender != Sender::default()).then_some(sender)
        });
    if found.is_none() {
        notes.push("no sender");
    }
    found.unwrap_or_default()
}

fn words(text: &str) -> String {
    let words = text.split(|char: char| char.is_whitespace() || char.is_control() && char != '\0');
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// Returns the time of Date, or else of the delivery.
fn written_at(fields: &Fields, plausible: &RangeInclusive<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let received = fields
        .all("received")
        .filter_map(|field| field.rsplit(|byte| *byte == b';').next());
    fields
        .all("date")
        .chain(received)
        .filter_map(|field| date::read(&String::from_utf8_lossy(field)))
        .find(|time| plausible.contains(time))
}

/// Computes the fingerprint from undecoded bytes, so that it stays the same when this program learns to decode them
/// better. It ignores space, and what mailing lists add: a tag in the subject, and a footer below a line of underscores.
fn fingerprint(fields: &Fields, body: &[u8]) -> String {
    let from = fields.raw("from").unwrap_or_default().to_ascii_lowercase();
    let date = fields.raw("date").unwrap_or_default();
    let mut in_tag = false;
    let untagged = fields.raw("subject").unwrap_or_default().iter();
    let untagged: Vec<u8> = untagged
        .copied()
        .filter(|byte| {
            in_tag = (in_tag || *byte == b'[') && *byte != b']';
            !(in_tag || *byte == b']' || byte.is_ascii_whitespace())
        })
        .collect();
    let is_rule = |line: &&[u8]| {
        let line = line.trim_ascii();
        line.len() >= 20 && line.iter().all(|byte| *byte == b'_')
    };
    let text = body
        .split(|byte| *byte == b'\n')
        .take_while(|line| !is_rule(line));
    let text: Vec<u8> = text
        .flatten()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    hex(digest(&[&from, b"\0", date, b"\0", &untagged, b"\0", &text]).as_ref())
}

fn digest(parts: &[&[u8]]) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish()
}

/// Returns the first half of a digest.
fn hex(digest: &[u8]) -> String {
    text::hex(digest.iter().take(16))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plausible() -> RangeInclusive<DateTime<Utc>> {
        let time = |text: &str| text.parse::<DateTime<Utc>>().expect("a time");
        time("1900-01-01T00:00:00Z")..=time("2027-01-01T00:00:00Z")
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
        assert_eq!(parsed.sender.address.as_deref(), Some("ann@example.com"));
        assert_eq!(
            parsed.written_at.map(|at| at.timestamp()),
            Some(1_258_752_520)
        );
        assert_eq!(parsed.text, "Dear all,\nhi");
        assert_eq!(parsed.body(true), "Hello there\n\nDear all,\nhi");
        assert_eq!(parsed.body(false), "Dear all,\nhi");
    }

    #[test]
    fn replies_have_the_topic_of_their_thread() {
        for subject in [
            "Reeds and heddles",
            "Re: Reeds and heddles",
            "RE: [list] Re[2]: AW: reeds  and Heddles",
            "[list] Fwd: Reeds and heddles",
        ] {
            let parsed = mail(&format!("From: a@x\nSubject: {subject}\n\nx"));
            assert_eq!(parsed.topic(), "reeds and heddles", "{subject}");
        }
        for (subject, topic) in [
            ("Re: [list] [PATCH v2 1/3] x", "[patch v2 1/3] x"),
            ("[RFC]  x", "[rfc] x"),
            ("[Lists-Dev] AW: [solved] Reeds", "[solved] reeds"),
        ] {
            let parsed = mail(&format!("From: a@x\nSubject: {subject}\n\nx"));
            assert_eq!(parsed.topic(), topic, "{subject}");
        }
        assert_eq!(
            mail("From: a@x\nSubject: Reeds: two\n\nx").topic(),
            "reeds: two"
        );
        assert_eq!(mail("From: a@x\nSubject: Re: [\n\nx").topic(), "[");
        assert_eq!(mail("From: a@x\n\nx").topic(), "");
    }

    #[test]
    fn ids_of_all_forms_are_read() {
        for (field, found) in [
            ("<a@x> (Ann's message of Monday)", vec!["a@x"]),
            ("Your message of \"Mon, 1 Jan\" <a@x>", vec!["a@x"]),
            ("a@x b@x", vec!["a@x", "b@x"]),
            ("<a @x>", vec!["a@x"]),
            ("<>", vec![]),
            ("message of Monday", vec![]),
        ] {
            assert_eq!(ids(field.as_bytes()), found, "{field}");
        }
        assert_eq!(
            mail("Message-ID: 12345\nFrom: a@x\n\nx").message_id,
            "12345"
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
    fn missing_fields_are_derived() {
        let first = mail("From: a@x\n\none\n");
        assert_eq!(first.message_id, mail("From: a@x\n\none\n").message_id);
        assert_ne!(first.message_id, mail("From: a@x\n\ntwo\n").message_id);
        assert_eq!(mail("From: a@x\nSubject: only\n\n").body(false), "only");
        assert_eq!(mail("From: a@x\n\n").body(true), "(empty mail)");
        let without_id = mail("From: a@x\nMessage-ID: <>\n\none\n").message_id;
        assert!(without_id.ends_with("@content.invalid"), "{without_id}");
        assert_eq!(mail("Subject: x\n\nx\n").sender, Sender::default());
        assert_eq!(mail("Subject: x\n\nx\n").notes, ["no sender"]);
        assert_eq!(read(b"\n", &plausible()), Err("empty"));
        let sender = mail("From: \nSender: Bob <b@x>\n\nx").sender;
        assert_eq!(sender.address.as_deref(), Some("b@x"));
    }

    #[test]
    fn equal_mails_have_equal_fingerprints() {
        let first = mail("From: a@x\nSubject: s\n\none\n").fingerprint;
        for same in [
            "Received: from a\nFrom: a@x\nSubject: [list] s\n\none\r\n",
            "From: a@x\nSubject: s [list]\n\none\n",
            "From: a@x\nSubject: s\n\none\n____________________\nfooter\n",
        ] {
            assert_eq!(mail(same).fingerprint, first, "{same}");
        }
        for other in [
            "From: b@x\nSubject: s\n\none\n",
            "From: a@x\nSubject: t\n\none\n",
            "From: a@x\nSubject: s\n\ntwo\n",
            "From: a@x\nDate: 1 Jan 2001 00:00\nSubject: s\n\none\n",
        ] {
            assert_ne!(mail(other).fingerprint, first, "{other}");
        }
    }

    #[test]
    fn a_long_text_is_shown_verbatim_or_cut() {
        let body = |text: &str| mail(&format!("From: a@x\n\n{text}")).body(true);
        let markup = body(&"*a* ".repeat(MAX_SOURCE_BYTES / 5));
        assert!(markup.starts_with("```\n*a* *a*"));
        let long = body(&"*a* ".repeat(MAX_SOURCE_BYTES / 3));
        assert!(long.starts_with("*a* *a*") && long.len() > MAX_SOURCE_BYTES);
        let cut = mail(&format!("From: a@x\n\n{}", "a ".repeat(MAX_TEXT_BYTES)));
        assert!(cut.body(true).ends_with("(the rest was left out)"));
        assert_eq!(cut.notes.len(), 1);
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
