//! Collects the texts of a mail that are meant to be displayed, in their order, and counts the attachments.

use super::{
    charset,
    content_type::ContentType,
    fields::Fields,
    html::{enriched_to_text, html_to_text},
    transfer,
};

/// The maximum depth of parts in parts. Deeper parts are shown as they are written.
const MAX_DEPTH: usize = 12;

/// The fields of a forwarded mail that are shown above its text.
const SHOWN_FIELDS: &[(&str, &str)] = &[("from", "From"), ("date", "Date"), ("subject", "Subject")];

/// What a mail or a part of it contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// The texts to display.
    pub texts: Vec<String>,
    /// The number of other parts.
    pub attachments: usize,
}

/// Returns the character set that a mail declares, in its header or in the first part that declares one.
#[must_use]
pub fn charset(fields: &Fields, body: &[u8]) -> Option<String> {
    declared_charset(fields, body, MAX_DEPTH)
}

fn declared_charset(fields: &Fields, body: &[u8], depth: usize) -> Option<String> {
    let kind = ContentType::of(fields, "text/plain");
    let own = kind
        .parameter("charset")
        .filter(|name| charset::is_known(name));
    if own.is_some() || depth == 0 {
        return own.map(str::to_owned);
    }
    let parts = parts(&kind, body)?;
    parts.into_iter().find_map(|part| {
        let (fields, body) = Fields::read(part);
        declared_charset(&fields, body, depth - 1)
    })
}

/// Reads the body of a mail with these fields. `charset` is the one of the mail, for texts that declare none.
#[must_use]
pub fn read(fields: &Fields, body: &[u8], charset: Option<&str>) -> Body {
    let reader = Reader { charset };
    let mut read = reader.part(fields, body, "text/plain", MAX_DEPTH);
    // A mail that is nothing but an attached text, or a text of another type.
    if read.texts.is_empty() && is_nameless_text(fields, body) {
        read.texts.extend(reader.text(fields, body));
        read.attachments = 0;
    }
    read
}

/// Whether the only part of a mail is a text, also if its type does not state that and it is not a file with a name.
fn is_nameless_text(fields: &Fields, body: &[u8]) -> bool {
    let kind = ContentType::of(fields, "text/plain");
    let encoding = fields.text("content-transfer-encoding", None);
    let is_application = kind.value.starts_with("application/")
        && kind.parameter("name").is_none()
        && ContentType::disposition(fields).value.is_empty();
    let is_readable = std::str::from_utf8(body).is_ok() && !body.contains(&0);
    let is_encoded = encoding.is_some_and(|encoding| encoding.to_lowercase().contains("base64"));
    kind.value.starts_with("text/") || is_application && is_readable && !is_encoded
}

struct Reader<'a> {
    charset: Option<&'a str>,
}

impl Reader<'_> {
    fn part(&self, fields: &Fields, body: &[u8], default: &str, depth: usize) -> Body {
        let kind = ContentType::of(fields, default);
        let attachment = Body {
            texts: vec![],
            attachments: 1,
        };
        if kind.value.starts_with("multipart/") {
            let parts = if depth == 0 { None } else { parts(&kind, body) };
            return match parts {
                Some(parts) => self.parts(&kind, &parts, depth),
                // Without a boundary, the body is one text.
                None => self.shown(fields, body),
            };
        }
        if ContentType::disposition(fields).value == "attachment" {
            return attachment;
        }
        match kind.value.as_str() {
            "message/rfc822" | "message/global" if depth > 0 => self.forwarded(fields, body, depth),
            kind if is_text(kind) => self.shown(fields, body),
            _ => attachment,
        }
    }

    fn shown(&self, fields: &Fields, body: &[u8]) -> Body {
        Body {
            texts: self.text(fields, body).into_iter().collect(),
            attachments: 0,
        }
    }

    fn parts(&self, kind: &ContentType, parts: &[&[u8]], depth: usize) -> Body {
        let default = if kind.value == "multipart/digest" {
            "message/rfc822"
        } else {
            "text/plain"
        };
        let read = parts.iter().map(|part| {
            let (fields, body) = Fields::read(part);
            let kind = ContentType::of(&fields, default).value;
            (kind, self.part(&fields, body, default, depth - 1))
        });
        match kind.value.as_str() {
            // The alternatives contain the same text: the plain one, or the first that is not blank.
            "multipart/alternative" => {
                let read: Vec<_> = read.filter(|(_, part)| !part.texts.is_empty()).collect();
                let plain = read.iter().position(|(kind, _)| kind == "text/plain");
                let chosen = read.into_iter().nth(plain.unwrap_or_default());
                chosen.map(|(_, part)| part).unwrap_or_default()
            }
            // The first part is the text, and the others are what it refers to.
            "multipart/related" => {
                let mut read = read.map(|(_, part)| part);
                let mut first = read.next().unwrap_or_default();
                let others: Vec<Body> = read.collect();
                if first.texts.is_empty() {
                    return joined(std::iter::once(first).chain(others));
                }
                first.attachments += others.len();
                first
            }
            _ => joined(read.map(|(_, part)| part)),
        }
    }

    /// Reads a mail inside a mail.
    fn forwarded(&self, fields: &Fields, body: &[u8], depth: usize) -> Body {
        let encoding = fields
            .text("content-transfer-encoding", None)
            .unwrap_or_default();
        let mail = transfer::decode(body, &encoding);
        let (inner, inner_body) = Fields::read_mail(&mail);
        let charset = charset(&inner, inner_body);
        let charset = charset.as_deref().or(self.charset);
        let reader = Reader { charset };
        let mut read = reader.part(&inner, inner_body, "text/plain", depth - 1);
        let shown = SHOWN_FIELDS
            .iter()
            .filter_map(|(name, label)| Some(format!("{label}: {}", inner.text(name, charset)?)));
        let header: Vec<String> = shown.collect();
        if !header.is_empty() {
            read.texts.insert(0, header.join("\n"));
        }
        read
    }

    /// Returns the text of a part, unless it is blank.
    fn text(&self, fields: &Fields, body: &[u8]) -> Option<String> {
        let kind = ContentType::of(fields, "text/plain");
        let encoding = fields
            .text("content-transfer-encoding", None)
            .unwrap_or_default();
        let bytes = transfer::decode(body, &encoding);
        let text = charset::decode(&bytes, kind.parameter("charset"), self.charset);
        let text = match kind.value.as_str() {
            "text/html" | "application/xhtml+xml" => html_to_text(&text),
            "text/enriched" | "text/richtext" => enriched_to_text(&text),
            _ => text,
        };
        Some(normalized(&text)).filter(|text| !text.trim().is_empty())
    }
}

/// Whether a type is a text to display. RFC 2046 section 4.1.4: a text of an unknown subtype is plain text. Reports and
/// other messages consist of fields and text.
fn is_text(kind: &str) -> bool {
    let is_message = kind.starts_with("message/") && kind != "message/external-body";
    let is_style = kind == "text/css";
    let is_application = [
        "application/pgp",
        "application/text",
        "application/xhtml+xml",
    ];
    is_message || kind.starts_with("text/") && !is_style || is_application.contains(&kind)
}

fn joined(parts: impl Iterator<Item = Body>) -> Body {
    parts.fold(Body::default(), |mut all, part| {
        all.texts.extend(part.texts);
        all.attachments += part.attachments;
        all
    })
}

/// Normalises line ends, and removes blank lines above and space below.
fn normalized(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let text = text.trim_end();
    let blank_lines = text.len() - text.trim_start_matches('\n').len();
    text.split_at(blank_lines).1.to_owned()
}

/// Splits the body of a multipart at its boundary (RFC 2046 section 5.1). None if there is none.
fn parts<'a>(kind: &ContentType, body: &'a [u8]) -> Option<Vec<&'a [u8]>> {
    if !kind.value.starts_with("multipart/") {
        return None;
    }
    let boundary = kind.parameter("boundary")?.trim_end();
    let mut parts = Vec::new();
    let mut start = None;
    let mut at = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line_start = at;
        at += line.len();
        let Some(is_last) = is_boundary(line, boundary) else {
            continue;
        };
        if let Some(start) = start {
            parts.push(without_line_end(
                body.get(start..line_start).unwrap_or_default(),
            ));
        }
        start = Some(at);
        if is_last {
            return Some(parts);
        }
    }
    // Without a closing boundary, the last part extends to the end.
    parts.push(body.get(start?..).unwrap_or_default());
    Some(parts)
}

/// Whether a line is the boundary, and then whether it is the last.
fn is_boundary(line: &[u8], boundary: &str) -> Option<bool> {
    let rest = line
        .strip_prefix(b"--")?
        .strip_prefix(boundary.as_bytes())?;
    match rest.trim_ascii_end() {
        b"" => Some(false),
        b"--" => Some(true),
        _ => None,
    }
}

/// The line end before a boundary belongs to the boundary.
fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn body(mail: &str) -> Body {
        let (fields, rest) = Fields::read(mail.as_bytes());
        let charset = charset(&fields, rest);
        read(&fields, rest, charset.as_deref())
    }

    #[track_caller]
    fn reads(mail: &str, texts: &[&str], attachments: usize) {
        let read = body(mail);
        assert_eq!(read.texts, texts, "{mail}");
        assert_eq!(read.attachments, attachments, "{mail}");
    }

    #[test]
    fn texts_of_any_subtype_are_shown() {
        for kind in [
            "text/plain",
            "text",
            "plain",
            "text/x-patch",
            "text/x-unknown; charset=x",
            "",
            "application/pgp",
        ] {
            reads(
                &format!("Content-Type: {kind}\n\nthe text\n"),
                &["the text"],
                0,
            );
        }
        reads(
            "Content-Type: text/html\n\n<p>a</p><p>b</p>",
            &["a\n\nb"],
            0,
        );
        reads("Content-Type: text/enriched\n\n<bold>a</bold>", &["a"], 0);
        reads("Content-Type: image/png\n\nx", &[], 1);
        reads("Content-Type: application/x-unknown\n\nx", &["x"], 0);
        reads("Content-Type: application/x-unknown; name=a\n\nx", &[], 1);
        reads(
            "Content-Type: text/x-diff\nContent-Disposition: attachment\n\nall",
            &["all"],
            0,
        );
    }

    #[test]
    fn parts_are_shown_in_their_order() {
        let mail = |parts: &str| {
            format!(
                "Content-Type: multipart/mixed; boundary=b\n\npreamble\n{parts}--b--\nepilogue\n"
            )
        };
        reads(
            &mail(
                "--b\n\none\n--b\nContent-Type: text/x-patch; name=a\nContent-Disposition: inline; filename=a\n\ntwo --b\n--bc\n",
            ),
            &["one", "two --b\n--bc"],
            0,
        );
        reads(
            &mail(
                "--b\n\none\n--b\nContent-Disposition: attachment\n\ntwo\n--b\nContent-Type: image/png\n\nx\n",
            ),
            &["one"],
            2,
        );
        reads(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b \n\ntwo",
            &["one", "two"],
            0,
        );
        reads(
            "Content-Type: multipart/mixed; boundary=b\n\nno boundary",
            &["no boundary"],
            0,
        );
        reads(
            "Content-Type: multipart/mixed\n\n--b\n\none\n--b--",
            &["--b\n\none\n--b--"],
            0,
        );
    }

    #[test]
    fn an_outer_boundary_ends_inner_parts() {
        reads(
            "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: multipart/mixed; boundary=bc\n\n\
             --bc\n\none\n--b\n\ntwo\n--b--\n",
            &["one", "two"],
            0,
        );
    }

    #[test]
    fn one_alternative_is_shown() {
        let mail = |plain: &str, html: &str| {
            format!(
                "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/html\n\n{html}\n\
                 --b\nContent-Type: text/plain\n\n{plain}\n--b--\n"
            )
        };
        reads(&mail("plain", "<p>html"), &["plain"], 0);
        reads(&mail(" \n", "<p>html"), &["html"], 0);
        reads(&mail("", "<p>"), &[], 0);
    }

    #[test]
    fn mails_inside_mails_are_shown() {
        reads(
            "Content-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: bob@x\nSubject: =?utf-8?Q?=C3=BC?=\n\ninner\n\
             --b\nContent-Type: text/plain\n\nnote\n--b--\n",
            &["From: bob@x\nSubject: ü", "inner", "note"],
            0,
        );
        reads(
            "Content-Type: message/rfc822\n\nFrom: b@x\nContent-Type: text/plain; charset=koi8-r\n\
             Content-Transfer-Encoding: quoted-printable\n\n=F0\n",
            &["From: b@x", "П"],
            0,
        );
        reads(
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nRnJvbTogYkB4CgppbgoK\n",
            &["From: b@x", "in"],
            0,
        );
    }

    #[test]
    fn a_text_without_a_character_set_has_that_of_the_mail() {
        let mail = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=koi8-r\n\n\xf0\n\
                     --b\n\n\xf0\n--b--";
        let (fields, rest) = Fields::read(mail);
        let of_mail = charset(&fields, rest);
        assert_eq!(of_mail.as_deref(), Some("koi8-r"));
        assert_eq!(read(&fields, rest, of_mail.as_deref()).texts, ["П", "П"]);
    }

    #[test]
    fn deep_nesting_is_read_to_a_limit() {
        let mut mail = String::new();
        for _ in 0..1000 {
            mail.push_str("Content-Type: multipart/mixed; boundary=b\n\n--b\n");
        }
        mail.push_str("\ndeep\n");
        assert!(body(&mail).texts.concat().contains("deep"));
    }

    proptest! {
        #[test]
        fn any_mail_is_read(pieces in prop::collection::vec(prop::sample::select(&[
            "Content-Type: multipart/mixed; boundary=b\n", "Content-Type: multipart/alternative; boundary=c\n",
            "Content-Type: message/rfc822\n", "Content-Type: text/html\n", "Content-Transfer-Encoding: base64\n",
            "--b\n", "--b--\n", "--c\n", "\n", "From: a@x\n", "text\n", "YQ==\n", "\0", "<p>",
        ]), 0..40)) {
            let _ = body(&pieces.concat());
        }
    }
}
