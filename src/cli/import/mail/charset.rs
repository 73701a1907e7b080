//! Decodes bytes to text: in the declared character set, or in the most likely one. No byte is dropped, and a character
//! is replaced only if no character set explains its bytes.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// Base64 as UTF-7 uses it: without padding.
const UTF_7: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes bytes that declare this character set. `fallback` is that of the whole mail, for bytes that declare none or
/// an unknown one.
#[must_use]
pub fn decode(bytes: &[u8], declared: Option<&str>, fallback: Option<&str>) -> String {
    let text = decode_declared(bytes, declared).unwrap_or_else(|| guess(bytes, fallback));
    match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    }
}

/// Whether a character set of this name is known.
#[must_use]
pub fn is_known(name: &str) -> bool {
    is_utf7(name) || encoding(name).is_some()
}

fn decode_declared(bytes: &[u8], declared: Option<&str>) -> Option<String> {
    let name = declared?;
    if is_utf7(name) {
        return Some(decode_utf7(bytes));
    }
    let declared = encoding(name)?;
    if declared == UTF_16LE || declared == UTF_16BE {
        return Some(declared.decode(bytes).0.into_owned());
    }
    if declared == UTF_8 || is_ascii_label(name) {
        return None;
    }
    let joined;
    let mut bytes = bytes;
    if declared == ISO_2022_JP {
        joined = without_empty_runs(bytes);
        bytes = &joined;
    }
    match declared.decode_without_bom_handling(bytes) {
        (text, false) => Some(text.into_owned()),
        // Mailers declare GB2312 and send UTF-8.
        (text, true) => Some(
            valid_utf8(bytes)
                .filter(|_| !bytes.is_ascii())
                .unwrap_or_else(|| text.into_owned()),
        ),
    }
}

/// Removes the returns to ASCII that another change of the character set follows. Joined words contain them, and the
/// encoding standard regards them as errors.
fn without_empty_runs(bytes: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        if rest.starts_with(b"\x1b(B\x1b") {
            rest = rest.split_at(3).1;
        } else {
            kept.push(*first);
            rest = tail;
        }
    }
    kept
}

/// Decodes bytes of an unknown character set. Text that is not UTF-8 is most likely in the character set of the mail, or
/// else in windows-1252, which is that of western mailers.
fn guess(bytes: &[u8], fallback: Option<&str>) -> String {
    if bytes.is_ascii() {
        let is_japanese = bytes
            .windows(3)
            .any(|part| part == b"\x1b$B" || part == b"\x1b$@");
        if is_japanese && let (text, false) = ISO_2022_JP.decode_without_bom_handling(bytes) {
            return text.into_owned();
        }
    }
    if let Some(text) = valid_utf8(bytes) {
        return text;
    }
    let fallback = fallback.and_then(encoding).filter(|of_mail| {
        ![UTF_8, UTF_16LE, UTF_16BE, ISO_2022_JP].contains(of_mail) && *of_mail != WINDOWS_1252
    });
    if let Some(of_mail) = fallback
        && let (text, false) = of_mail.decode_without_bom_handling(bytes)
    {
        return text.into_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    text
}

fn valid_utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}

fn encoding(name: &str) -> Option<&'static Encoding> {
    let name = name.trim_matches(|char: char| char.is_ascii_whitespace() || "\"'<>".contains(char));
    // Private characters are not text.
    let found = Encoding::for_label_no_replacement(name.as_bytes())
        .filter(|found| *found != X_USER_DEFINED);
    // Names of mailers for code pages: `cp-1252`, `windows1252`, `ansi_1252`.
    found.or_else(|| {
        let digits = name.trim_start_matches(|char: char| !char.is_ascii_digit());
        let prefix = name.get(..name.len() - digits.len())?.to_ascii_lowercase();
        let is_page = [
            "cp-", "cp_", "windows", "windows_", "win-", "win", "ansi_", "x-cp-", "ibm-",
        ];
        if is_page.contains(&prefix.as_str()) {
            return Encoding::for_label_no_replacement(format!("windows-{digits}").as_bytes());
        }
        let is_iso = ["iso", "iso_", "iso-", "latin-", "8859-", "iso8859"];
        let part = digits.strip_prefix("8859").unwrap_or(digits);
        let part = part.trim_start_matches(['-', '_']);
        is_iso
            .contains(&prefix.as_str())
            .then(|| Encoding::for_label_no_replacement(format!("iso-8859-{part}").as_bytes()))?
    })
}

/// Whether the name means bytes below 128. The encoding standard reads it as windows-1252, but the bytes above may be
/// UTF-8.
fn is_ascii_label(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    ["us-ascii", "ascii", "ansi_x3.4-1968", "iso-ir-6"].contains(&name.as_str())
}

fn is_utf7(name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    ["utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7"].contains(&name.as_str())
}

/// Decodes UTF-7 (RFC 2152), which the encoding standard lacks.
fn decode_utf7(bytes: &[u8]) -> String {
    let text = guess(bytes, None);
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once('+') {
        decoded.push_str(before);
        let is_base64 = |char: char| char.is_ascii_alphanumeric() || matches!(char, '+' | '/');
        let end = after.find(|char| !is_base64(char)).unwrap_or(after.len());
        let (encoded, tail) = after.split_at(end);
        rest = tail.strip_prefix('-').unwrap_or(tail);
        match UTF_7.decode(encoded) {
            _ if encoded.is_empty() => decoded.push('+'),
            Ok(units) => decoded.push_str(&UTF_16BE.decode_without_bom_handling(&units).0),
            Err(_) => {
                decoded.push('+');
                decoded.push_str(encoded);
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declared_character_sets_are_used() {
        for (bytes, name, text) in [
            (b"5 \xa4".as_slice(), "iso-8859-15", "5 €"),
            (b"\xcd\xf5", "gb2312", "王"),
            (b"\x1b$B$\"\x1b(B", "ISO-2022-JP", "あ"),
            (b"\x1b$B$\"\x1b(B\x1b$B$\"\x1b(B", "ISO-2022-JP", "ああ"),
            (b"\xf0\xd2\xc9", "koi8-r", "При"),
            (b"Gr\xfc\xdfe", "\"ISO-8859-1\"", "Grüße"),
            (b"Gr\xfc\xdfe", "cp-1252", "Grüße"),
            (b"Gr\xfc\xdfe", "iso_8859-1:1987", "Grüße"),
            (b"Gr\xfc\xdfe", "latin-1", "Grüße"),
            (b"\xb1", "iso8859-2", "ą"),
            (b"Gr\xc3\xbc\xc3\x9fe", "utf8", "Grüße"),
            (b"Gr+APwA3w-e +- 1", "utf-7", "Grüße + 1"),
            (b"G\0r\0\xfc\0", "utf-16le", "Grü"),
        ] {
            assert_eq!(decode(bytes, Some(name), None), text, "{name}");
        }
    }

    #[test]
    fn bytes_without_a_character_set_are_in_the_most_likely_one() {
        for (bytes, fallback, text) in [
            (b"Gr\xfc\xdfe".as_slice(), None, "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", None, "Grüße"),
            (b"Gr\xc3\xbc\xc3\x9fe", Some("koi8-r"), "Grüße"),
            (b"\xf0\xd2\xc9", Some("koi8-r"), "При"),
            (b"\x1b$B$\"\x1b(B", None, "あ"),
            (b"\xc3\xbc and \xfc", None, "ü and ü"),
            (b"\x93quoted\x94", Some("us-ascii"), "“quoted”"),
        ] {
            for declared in [
                None,
                Some("x-unknown"),
                Some("us-ascii"),
                Some("x-user-defined"),
                Some("iso-2022-kr"),
            ] {
                assert_eq!(
                    decode(bytes, declared, fallback),
                    text,
                    "{declared:?} {fallback:?}"
                );
            }
        }
    }

    #[test]
    fn a_wrong_declaration_loses_nothing() {
        assert_eq!(decode(b"Gr\xfc\xdfe", Some("utf-8"), None), "Grüße");
        assert_eq!(
            decode(b"Gr\xfc\xdfe", Some("utf-8"), Some("koi8-r")),
            "GrЭъe"
        );
        assert_eq!(
            decode("Grüße 王".as_bytes(), Some("gb2312"), None)
                .chars()
                .next(),
            Some('G')
        );
        assert_eq!(decode("\u{feff}text".as_bytes(), None, None), "text");
    }
}
