//! Decodes the transfer encodings of bodies: base64, quoted-printable (RFC 2045) and uuencode. Input that is not valid is
//! kept as it is.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes a body with this value of the field Content-Transfer-Encoding.
#[must_use]
pub fn decode(body: &[u8], encoding: &str) -> Vec<u8> {
    match encoding.trim().to_ascii_lowercase().as_str() {
        "base64" => base64_lines(body),
        "quoted-printable" => quoted_printable(body),
        "x-uuencode" | "uuencode" | "x-uue" | "uue" => {
            uuencoded(body).unwrap_or_else(|| body.to_vec())
        }
        _ => body.to_vec(),
    }
}

/// Decodes base64 without line breaks. Padding may be missing; a single digit at the end is ignored.
#[must_use]
pub fn base64(digits: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(digits.len());
    for group in digits.split(|byte| *byte == b'=') {
        let whole = group.len() - usize::from(group.len() % 4 == 1);
        let (whole, _) = group.split_at(whole);
        match LENIENT.decode(whole) {
            Ok(bytes) => decoded.extend(bytes),
            Err(_) => decoded.extend_from_slice(whole),
        }
    }
    decoded
}

/// Decodes lines of base64. Text below them, which mailing lists append without encoding it, is kept.
fn base64_lines(body: &[u8]) -> Vec<u8> {
    let mut digits = Vec::with_capacity(body.len());
    let mut rest = body;
    while !rest.is_empty() {
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(rest.len(), |at| at + 1);
        let (line, tail) = rest.split_at(end);
        let text = line.trim_ascii();
        let is_digits = text
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        if !is_digits || digits.ends_with(b"=") && !text.is_empty() && !text.ends_with(b"=") {
            break;
        }
        digits.extend_from_slice(text);
        rest = tail;
    }
    let mut decoded = base64(&digits);
    if !rest.trim_ascii().is_empty() {
        if !decoded.is_empty() && !decoded.ends_with(b"\n") {
            decoded.push(b'\n');
        }
        decoded.extend_from_slice(rest);
    }
    decoded
}

/// Decodes quoted-printable. Space at the end of a line is not part of the text.
#[must_use]
pub fn quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let (text, end) = split_line_end(line);
        let trimmed = if end.is_empty() {
            text
        } else {
            text.trim_ascii_end()
        };
        let (text, is_soft) = match trimmed.strip_suffix(b"=") {
            Some(text) if !end.is_empty() => (text, true),
            _ => (trimmed, false),
        };
        let mut rest = text;
        while let Some((first, tail)) = rest.split_first() {
            rest = tail;
            let digits = if *first == b'=' {
                tail.split_at_checked(2)
            } else {
                None
            };
            if let Some((digits, tail)) = digits
                && let Some(byte) = hexadecimal(digits)
            {
                decoded.push(byte);
                rest = tail;
            } else {
                decoded.push(*first);
            }
        }
        if !is_soft {
            decoded.extend_from_slice(end);
        }
    }
    decoded
}

fn split_line_end(line: &[u8]) -> (&[u8], &[u8]) {
    let end = if line.ends_with(b"\r\n") {
        2
    } else {
        usize::from(line.ends_with(b"\n"))
    };
    line.split_at(line.len() - end)
}

/// Reads two hexadecimal digits.
#[must_use]
pub fn hexadecimal(digits: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(digits).ok()?;
    let is_digit = |char: char| char.is_ascii_hexdigit();
    (digits.len() == 2 && digits.chars().all(is_digit))
        .then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Decodes the lines between `begin` and `end`.
fn uuencoded(body: &[u8]) -> Option<Vec<u8>> {
    let mut lines = body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii_end);
    lines.find(|line| line.starts_with(b"begin "))?;
    let mut decoded = Vec::new();
    for line in lines {
        let Some((length, digits)) = line.split_first().filter(|_| line != b"end") else {
            return Some(decoded);
        };
        let value = |byte: u8| byte.wrapping_sub(b' ') & 0x3f;
        let mut bytes = Vec::with_capacity(digits.len());
        for group in digits.chunks(4) {
            let bits = group.iter().chain(&[b' '; 3]).take(4);
            let bits = bits.fold(0_u32, |bits, byte| bits << 6 | u32::from(value(*byte)));
            let [_, bytes_of_group @ ..] = bits.to_be_bytes();
            bytes.extend(bytes_of_group);
        }
        bytes.truncate(usize::from(value(*length)));
        decoded.extend(bytes);
    }
    Some(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_printable_is_decoded() {
        for (body, text) in [
            ("f=FCr=20dich=\n!\n", b"f\xfcr dich!\n".as_slice()),
            ("a=\r\nb\r\n", b"ab\r\n"),
            ("trailing \t \nspace", b"trailing\nspace"),
            ("1=2 =3D= =G1 =", b"1=2 == =G1 ="),
            ("=c3=bc", b"\xc3\xbc"),
        ] {
            assert_eq!(quoted_printable(body.as_bytes()), text, "{body}");
        }
    }

    #[test]
    fn base64_is_decoded_and_other_text_kept() {
        for (body, text) in [
            ("aGVsbG8=\n", "hello"),
            ("aGVs\r\nbG8\r\n", "hello"),
            ("aGVs\n\nbG8=\n\n", "hello"),
            (
                "aGVsbG8=\n____\nA list, www.example.com\n",
                "hello\n____\nA list, www.example.com\n",
            ),
            ("this was never encoded.\n", "this was never encoded.\n"),
            ("", ""),
        ] {
            assert_eq!(
                decode(body.as_bytes(), " BASE64 "),
                text.as_bytes(),
                "{body}"
            );
        }
    }

    #[test]
    fn uuencode_is_decoded() {
        let body = b"see:\nbegin 644 a.txt\n%:&5L;&\\\nend\n";
        assert_eq!(decode(body, "x-uuencode"), b"hello");
        assert_eq!(decode(b"no file", "x-uuencode"), b"no file");
    }

    #[test]
    fn an_unknown_encoding_changes_nothing() {
        assert_eq!(decode(b"a=3D", "8bit"), b"a=3D");
        assert_eq!(decode(b"a=3D", ""), b"a=3D");
    }
}
