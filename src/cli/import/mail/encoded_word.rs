//! Decodes header fields: encoded words (RFC 2047), and bytes that are not encoded.

use super::{charset, transfer};

/// A part of a field.
enum Piece<'a> {
    Plain(&'a [u8]),
    Word(Word<'a>),
}

/// An encoded word: `=?charset?encoding?text?=`.
struct Word<'a> {
    charset: &'a [u8],
    is_base64: bool,
    text: &'a [u8],
}

/// Decodes a field. `fallback` is the character set of the mail, for bytes that are not encoded.
///
/// Adjacent words with the same character set are joined before they are decoded, because mailers split them in the
/// middle of a character, which RFC 2047 forbids.
#[must_use]
pub fn decode(field: &[u8], fallback: Option<&str>) -> String {
    let mut decoded = String::with_capacity(field.len());
    let mut pieces = pieces(field).into_iter().peekable();
    while let Some(piece) = pieces.next() {
        match piece {
            Piece::Plain(bytes) => decoded.push_str(&charset::decode(bytes, None, fallback)),
            Piece::Word(first) => {
                let mut words = vec![first];
                let charset = |word: &Word<'_>| word.charset.to_ascii_lowercase();
                while let Some(Piece::Word(word)) =
                    pieces.next_if(|next| match (next, words.last()) {
                        (Piece::Word(word), Some(last)) => charset(word) == charset(last),
                        _ => false,
                    })
                {
                    words.push(word);
                }
                decoded.push_str(&decode_words(&words, fallback));
            }
        }
    }
    decoded
}

/// Splits a field into its parts. Space between two words belongs to neither.
fn pieces(field: &[u8]) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(start) = find(field, b"=?", at) {
        let Some((word, end)) = word_at(field, start) else {
            at = start + 2;
            continue;
        };
        let before = field.get(plain..start).unwrap_or_default();
        let follows_word = matches!(pieces.last(), Some(Piece::Word(_)));
        if !(before.is_empty() || follows_word && before.trim_ascii().is_empty()) {
            pieces.push(Piece::Plain(before));
        }
        pieces.push(Piece::Word(word));
        plain = end;
        at = end;
    }
    let rest = field.get(plain..).unwrap_or_default();
    if !rest.is_empty() {
        pieces.push(Piece::Plain(rest));
    }
    pieces
}

fn word_at(field: &[u8], start: usize) -> Option<(Word<'_>, usize)> {
    let charset_end = find(field, b"?", start + 2)?;
    let charset = field.get(start + 2..charset_end)?;
    let is_base64 = match field.get(charset_end + 1)? {
        b'b' | b'B' => true,
        b'q' | b'Q' => false,
        _ => return None,
    };
    if field.get(charset_end + 2)? != &b'?' || !charset.iter().all(u8::is_ascii_graphic) {
        return None;
    }
    let end = find(field, b"?=", charset_end + 3)?;
    // RFC 2231 allows a language after the character set.
    let charset = charset.split(|byte| *byte == b'*').next()?;
    let text = field.get(charset_end + 3..end)?;
    let word = Word {
        charset,
        is_base64,
        text,
    };
    Some((word, end + 2))
}

fn decode_words(words: &[Word<'_>], fallback: Option<&str>) -> String {
    let mut bytes = Vec::new();
    let mut base64: Vec<u8> = Vec::new();
    for word in words {
        if word.is_base64 {
            base64.extend(word.text.iter().filter(|byte| !byte.is_ascii_whitespace()));
            // Some mailers even split a group of four digits.
            if base64.len().is_multiple_of(4) || base64.ends_with(b"=") {
                bytes.extend(transfer::base64(&base64));
                base64.clear();
            }
            continue;
        }
        bytes.extend(transfer::base64(&base64));
        base64.clear();
        let spaced: Vec<u8> = word
            .text
            .iter()
            .map(|byte| if *byte == b'_' { b' ' } else { *byte })
            .collect();
        bytes.extend(transfer::quoted_printable(&spaced));
    }
    bytes.extend(transfer::base64(&base64));
    let charset = words
        .first()
        .and_then(|word| std::str::from_utf8(word.charset).ok());
    charset::decode(&bytes, charset, fallback)
}

fn find(bytes: &[u8], text: &[u8], from: usize) -> Option<usize> {
    let found = bytes
        .get(from..)?
        .windows(text.len())
        .position(|part| part == text)?;
    Some(from + found)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn decodes(field: &str, text: &str) {
        assert_eq!(decode(field.as_bytes(), None), text, "{field}");
    }

    #[test]
    fn words_are_decoded_and_joined() {
        decodes(
            "=?iso-8859-1?Q?Gr=FC=DFe?= from =?utf-8?b?S8O2bG4=?=",
            "Grüße from Köln",
        );
        decodes("=?utf-8?B?4oKs?= =?utf-8?B?4oKs?= x", "€€ x");
        decodes("=?utf-8?Q?a_b?=\t =?iso-8859-1?Q?_=FC?=", "a b ü");
        decodes("=?utf-8*de?Q?=C3=BC?=", "ü");
        decodes("a=?utf-8?Q?=C3=BC?=b", "aüb");
        decodes("=?utf-8?Q??=", "");
        decodes("=?utf-8?Q?two words?=", "two words");
    }

    #[test]
    fn characters_that_are_cut_in_two_are_joined() {
        decodes(
            "=?UTF-8?Q?gelebt_f=C3?= =?utf-8?Q?=BCr_alle?=",
            "gelebt für alle",
        );
        decodes("=?UTF-8?B?4oI=?= =?UTF-8?B?rCA1?=", "€ 5");
        decodes("=?UTF-8?B?4oI=?= =?UTF-8?Q?=AC?=", "€");
        decodes("=?UTF-8?B?4o?= =?UTF-8?B?Ks?=", "€");
        decodes("=?gb2312?Q?=CD?= =?GB2312?Q?=F5?=", "王");
    }

    #[test]
    fn what_is_no_word_stays() {
        for field in [
            "=?",
            "=?utf-8?",
            "=?utf-8?X?a?=",
            "=?utf-8?Q?a",
            "1 =? 2",
            "a =?= b",
        ] {
            decodes(field, field);
        }
    }

    #[test]
    fn bytes_that_are_not_encoded_are_in_the_character_set_of_the_mail() {
        assert_eq!(
            decode(b"\xf0\xd2\xc9 =?utf-8?Q?=C3=BC?=", Some("koi8-r")),
            "При ü"
        );
        assert_eq!(decode(b"=?x-unknown?Q?=FC?=", None), "ü");
        assert_eq!(decode(b"=?x-unknown?Q?=F0=D2=C9?=", Some("koi8-r")), "При");
    }

    proptest! {
        #[test]
        fn a_text_that_is_split_anywhere_is_decoded(text in "\\PC{0,20}", cuts in prop::collection::vec(0..60_usize, 0..4), base64: bool) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let words: Vec<String> = cuts.windows(2).map(|pair| {
                let part = &bytes[pair[0]..pair[1]];
                if base64 {
                    use base64::{Engine, engine::general_purpose::STANDARD};
                    format!("=?utf-8?B?{}?=", STANDARD.encode(part))
                } else {
                    let digits: Vec<String> = part.iter().map(|byte| format!("={byte:02X}")).collect();
                    format!("=?utf-8?Q?{}?=", digits.concat())
                }
            }).collect();
            prop_assert_eq!(decode(words.join(" ").as_bytes(), None), text);
        }

        #[test]
        fn any_field_is_decoded(field in prop::collection::vec(prop_oneof![Just(b'='), Just(b'?'), Just(b'Q'), any::<u8>()], 0..60)) {
            let _ = decode(&field, Some("koi8-r"));
        }
    }
}
