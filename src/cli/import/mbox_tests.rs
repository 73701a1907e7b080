//! Tests of the splitter.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Vec<(u64, u64, Result<String, &'static str>)> {
    Mbox::new(Cursor::new(text), 0)
        .map(|entry| entry.expect("reading from memory"))
        .map(|entry| {
            let content = entry
                .content
                .map(|mail| String::from_utf8_lossy(&mail).into_owned());
            (entry.ordinal, entry.offset, content)
        })
        .collect()
}

#[track_caller]
fn splits(text: &str, mails: &[&str]) {
    let found: Vec<String> = read(text)
        .into_iter()
        .map(|(_, _, mail)| mail.expect("a mail"))
        .collect();
    assert_eq!(found, mails, "{text}");
}

const FROM: &str = "From a@example.com Fri Nov 20 22:28:40 2026\n";

#[test]
fn mails_are_split_at_from_lines_after_a_blank_line() {
    let text = format!("{FROM}A: 1\n\nhello\nFrom here on 12:30 in 2026\n\n{FROM}B: 2\n\n");
    assert_eq!(
        read(&text),
        [
            (
                1,
                0,
                Ok("A: 1\n\nhello\nFrom here on 12:30 in 2026\n".to_owned())
            ),
            (2, 84, Ok("B: 2\n".to_owned())),
        ]
    );
}

#[test]
fn separators_of_all_forms_start_mails() {
    for from in [
        "From - ",
        "From -",
        "From 1001@xxx",
        "From MAILER-DAEMON",
        "From ann@example.com",
        "From ann at example.com",
        "From ann@example.com remote from example",
        "From - Fri Nov 20 22:28:40 2026",
        "From ???@??? Fri Nov 20 22:28:40 2026",
        "From \"ann lee\"@example.com Fri Nov 20 22:28:40 2026",
        "From ann at example.com  Fri Nov 20 22:28:40 2026",
        "From ann Fri Nov 20 22:28 2026",
        "From ann Fri Nov 20 22:28:40 EST 2026",
        "From ann Fri Nov 20 22:28:40 2026 +0100",
        "From ann Fri, 20 Nov 2026 22:28:40 +0100",
        "From ann 2026-11-20 22:28:40",
        "From ann 2026-11-20T22:28:40Z",
        "From ann Fri Nov 20 22:28:40 98",
    ] {
        let mail = "From: a@x\n\none\n";
        splits(&format!("{from}\n{mail}\n{from}\n{mail}"), &[mail, mail]);
        splits(
            &format!("{from}\r\n{mail}\r\n{from}\r\n{mail}"),
            &[mail, mail],
        );
        splits(&format!("{FROM}{mail}\n{from}\n{mail}"), &[mail, mail]);
        splits(
            &format!("{FROM}{from}\n{mail}"),
            &[&format!("{from}\n{mail}")],
        );
        splits(
            &format!("\u{feff}{from}\n{mail}\n\u{feff}{from}\n{mail}"),
            &[mail, mail],
        );
    }
}

#[test]
fn mails_that_are_joined_without_a_blank_line_are_split() {
    let mail = "From: a@x\n\none\n";
    splits(&format!("{FROM}{mail}{FROM}{mail}"), &[mail, mail]);
    splits(&format!("{FROM}{mail}From - \n{mail}"), &[mail, mail]);
    splits(
        &format!("{FROM}From: a@x\n\none{FROM}{mail}"),
        &["From: a@x\n\none", mail],
    );
    let mails = read(&format!("{FROM}From: a@x\n\none{FROM}{mail}"));
    assert_eq!(mails[1].1, 58);
}

#[test]
fn text_that_looks_like_a_separator_stays_text() {
    for text in [
        "From here on 12 people\n\nFrom me to you\n\nFrom - that is the sign\n",
        "x\n\nFrom -\nno header\n",
        "x\n\nFrom Bob\nDear all: hello\n",
        "x\n\nFrom Monday to Friday at 10:30 in May\nNote: closed\n",
        "x\nFrom ann@example.com\nSubject: quoted\n\ny\n",
        "x\nFrom a@example.com Fri Nov 20 22:28:40 2026\nNote: no header\n",
        "see: From a@example.com Fri Nov 20 22:28:40 2026\nSubject: x\n",
        "> From a@example.com Fri Nov 20 22:28:40 2026\nSubject: x\n",
    ] {
        let mail = format!("From: a@x\n\n{text}");
        splits(&format!("{FROM}{mail}"), &[&mail]);
    }
}

#[test]
fn a_content_length_that_fits_ends_the_mail() {
    let body = format!("one\n\n{FROM}Subject: quoted\n\n>From two\n");
    let mail = format!("From: a@x\nContent-Length: {}\n\n{body}", body.len());
    splits(
        &format!("{FROM}{mail}\n{FROM}From: b@x\n\nthree\n"),
        &[&mail, "From: b@x\n\nthree\n"],
    );
    splits(&format!("{FROM}{mail}"), &[&mail]);
    let wrong = "From: a@x\nContent-Length: 900\n\none\n";
    splits(&format!("{FROM}{wrong}\n{FROM}{wrong}"), &[wrong, wrong]);
}

#[test]
fn a_mail_in_a_part_may_have_a_from_line() {
    let mail = format!(
        "From: a@x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n{FROM}From: b@x\n\ntwo\n--b--\n"
    );
    splits(&format!("{FROM}{mail}"), &[&mail]);
    splits(&mail, &[&mail]);
}

#[test]
fn mmdf_separates_with_control_characters() {
    let mail = "From: a@x\n\none\n";
    let line = "\x01\x01\x01\x01\n";
    splits(
        &format!("{line}{mail}{line}{line}{mail}{line}"),
        &[mail, mail],
    );
}

#[test]
fn a_file_may_be_or_begin_with_a_mail_without_a_from_line() {
    splits("From: a@x\n\none\n", &["From: a@x\n\none\n"]);
    splits("\u{feff}From: a@x\n\none\n", &["From: a@x\n\none\n"]);
    splits(
        &format!("Subject: x\n\none\n\n{FROM}A: 1\n\n"),
        &["Subject: x\n\none\n", "A: 1\n"],
    );
}

#[test]
fn a_mail_without_a_header_is_a_mail() {
    splits(
        &format!("{FROM}\none\n\n{FROM}A: 1\n\n"),
        &["\none\n", "A: 1\n"],
    );
}

#[test]
fn quoted_from_lines_lose_one_mark() {
    let text = format!("{FROM}A: 1\n\n>From me\n>>From you\n> From them\n>Fromage\n");
    splits(
        &text,
        &["A: 1\n\nFrom me\n>From you\n> From them\n>Fromage\n"],
    );
}

#[test]
fn windows_line_ends_split_too() {
    let text = "From a Fri Nov 20 22:28:40 2026\r\nA: 1\r\n\r\nx\r\n\r\nFrom b Fri Nov 20 22:28:40 2026\r\nB: 2\r\n\r\n";
    splits(text, &["A: 1\r\n\r\nx\r\n", "B: 2\r\n"]);
}

#[test]
fn text_before_the_first_mail_is_reported_and_skipped() {
    let mails = read(&format!("no mail\n\n{FROM}A: 1\n\n"));
    assert_eq!(mails[0], (0, 0, Err("text before the first mail")));
    assert_eq!(mails[1].0, 1);
    assert_eq!(read(&format!("\n\n{FROM}A: 1\n\n")).len(), 1);
    assert_eq!(read(""), []);
    assert_eq!(read("\n\n"), []);
}

#[test]
fn the_end_of_a_huge_mail_is_skipped() {
    let line = "x".repeat(200_000);
    let text = format!("{FROM}A: 1\n\n{}\n\n{FROM}B: 2\n\n", line.repeat(170));
    let mails: Vec<MboxEntry> = Mbox::new(Cursor::new(text), 0)
        .map(Result::unwrap)
        .collect();
    assert!(mails[0].is_cut);
    assert!(mails[0].content.as_ref().unwrap().len() <= MAX_MAIL_BYTES);
    assert_eq!(mails[1].content, Ok(b"B: 2\n".to_vec()));
}

#[test]
fn reading_can_start_at_any_mail() {
    let text = format!("{FROM}A: 1\n\nx\n\n{FROM}B: 2\n\n");
    let offset = read(&text)[1].1;
    let mut tail = Cursor::new(&text);
    tail.set_position(offset);
    let entry = Mbox::new(tail, offset).next().unwrap().unwrap();
    assert_eq!(
        (entry.offset, entry.content),
        (offset, Ok(b"B: 2\n".to_vec()))
    );
}

proptest! {
    #[test]
    fn any_bytes_are_read_to_the_end(pieces in prop::collection::vec(
        prop_oneof![
            Just(FROM.as_bytes().to_vec()), Just(b"\n".to_vec()), Just(b"From: a@x\n".to_vec()),
            Just(b"From -\n".to_vec()), Just(b"Content-Length: 20\n".to_vec()), Just(b"\x01\x01\x01\x01\n".to_vec()),
            Just(FROM.as_bytes().strip_suffix(b"\n").unwrap().to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ],
        0..30,
    )) {
        let bytes = pieces.concat();
        let mut mbox = Mbox::new(Cursor::new(&bytes), 0);
        let mut entries = vec![];
        for entry in mbox.by_ref() {
            let entry = entry.unwrap();
            prop_assert!(entries.last().is_none_or(|last: &MboxEntry| last.offset < entry.offset));
            entries.push(entry);
        }
        prop_assert_eq!(mbox.position(), u64::try_from(bytes.len()).unwrap());
        // Each mail is the same when it is read on its own.
        for entry in entries.iter().filter(|entry| entry.ordinal > 0) {
            let mut tail = Cursor::new(&bytes);
            tail.set_position(entry.offset);
            let alone = Mbox::new(tail, entry.offset).next().unwrap().unwrap();
            prop_assert_eq!(&alone.content, &entry.content);
        }
    }
}
