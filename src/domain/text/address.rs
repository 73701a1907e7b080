//! Email addresses.

use icu_casemap::CaseMapper;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use unicode_normalization::UnicodeNormalization;

use super::character::is_visible;

/// The maximum length of an address and of its part before the `@`, in bytes (RFC 5321).
const ADDRESS_BYTES: usize = 254;
const LOCAL_BYTES: usize = 64;

/// Returns an address in the form in which it is stored, or nothing if it is not one: the part before the `@` in NFC,
/// and the domain in its ASCII form (RFC 5891, UTS 46). Quoted names, comments and addresses of hosts by number are not
/// accepted.
#[must_use]
pub fn email_address(text: &str) -> Option<String> {
    let text: String = text.trim().nfc().collect();
    let (local, domain) = text.rsplit_once('@')?;
    let is_local = (1..=LOCAL_BYTES).contains(&local.len()) && local.chars().all(is_local);
    if !is_local || !domain.chars().all(is_visible) {
        return None;
    }
    let domain = Uts46::new()
        .to_ascii(
            domain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .ok()?;
    let address = format!("{local}@{domain}");
    (domain.contains('.') && address.len() <= ADDRESS_BYTES).then_some(address)
}

/// Returns the form in which addresses are compared. Unlike the form of names, it distinguishes letters that only look
/// the same, because they may belong to different mailboxes.
#[must_use]
pub fn email_key(text: &str) -> String {
    let fold = |text: &str| -> String {
        let text: String = text.nfc().collect();
        let folded = CaseMapper::new()
            .fold_string(&text)
            .nfc()
            .collect::<String>();
        folded.replace('\0', "\u{fffd}")
    };
    let Some((local, domain)) = text.rsplit_once('@') else {
        return fold(text);
    };
    let ascii = Uts46::new().to_ascii(
        domain.as_bytes(),
        AsciiDenyList::URL,
        Hyphens::Allow,
        DnsLength::Ignore,
    );
    match ascii {
        Ok(domain) => format!("{}@{domain}", fold(local)),
        Err(_) => format!("{}@{}", fold(local), fold(domain)),
    }
}

/// Whether a character may occur before the `@`: `atext` and the dot of RFC 5322, and visible characters (RFC 6531).
fn is_local(char: char) -> bool {
    char.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(char)
        || !char.is_ascii() && is_visible(char)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (text, address) in [
            ("ann@example.org", "ann@example.org"),
            (" Ann+list@Example.ORG ", "Ann+list@example.org"),
            ("ü@bücher.example", "ü@xn--bcher-kva.example"),
            ("u\u{308}@BU\u{308}CHER.example", "ü@xn--bcher-kva.example"),
            ("ann@XN--BCHER-KVA.example", "ann@xn--bcher-kva.example"),
            ("ann@例え。テスト", "ann@xn--r8jz45g.xn--zckzah"),
            ("ann@ｅｘａｍｐｌｅ.org", "ann@example.org"),
            ("ann@faß.example", "ann@xn--fa-hia.example"),
            ("अन्न@example.org", "अन्न@example.org"),
            ("a.b-c_d'e@x-y.example", "a.b-c_d'e@x-y.example"),
        ] {
            assert_eq!(email_address(text).as_deref(), Some(address), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused() {
        let long = format!("{}@example.org", "a".repeat(65));
        let long_domain = format!("ann@{}.org", "ä".repeat(60));
        for text in [
            "",
            "ann",
            "@example.org",
            "ann@",
            "ann@example",
            "ann@.org",
            "ann@example..org",
            "ann@example.org.",
            "a@b@example.org",
            "ann smith@example.org",
            "ann@-x.org",
            "ann@x_y.org",
            "<ann@example.org>",
            "Ann <ann@example.org>",
            "\"ann\"@example.org",
            "mailto:ann@example.org",
            "MAILTO:ann@example.org",
            "ann@[192.0.2.1]",
            "ann\u{200b}@example.org",
            "ann\u{ad}@example.org",
            "ann\u{2060}@example.org",
            "ann\u{200f}@example.org",
            "ann\u{feff}@example.org",
            "ann\u{3164}@example.org",
            "ann\u{fe0f}@example.org",
            "ann\u{e0061}@example.org",
            "ann\u{a0}@example.org",
            "ann@exam\u{200b}ple.org",
            "ann@exam\u{ad}ple.org",
            "\u{202e}ann@example.org",
            "ann\0@example.org",
            "ann@xn--a.example",
            &long,
            &long_domain,
        ] {
            assert_eq!(email_address(text), None, "{text:?}");
        }
    }

    #[test]
    fn equal_addresses_have_equal_keys() {
        for same in [
            &[
                "ann@bücher.example",
                "ANN@BÜCHER.example",
                "Ann@xn--bcher-kva.example",
                "ann@XN--BCHER-KVA.EXAMPLE",
            ][..],
            &["ΟΔΟΣ@example.org", "οδος@example.org", "οδοσ@example.org"],
            &["straße@example.org", "STRASSE@example.org"],
            &["é@example.org", "E\u{301}@example.org"],
        ] {
            for text in same {
                assert_eq!(
                    email_key(text),
                    email_key(same.first().unwrap_or(&"")),
                    "{text}"
                );
            }
        }
        for (one, other) in [
            ("mıke@x.org", "mike@x.org"),
            ("ａ@x.org", "a@x.org"),
            ("а@x.org", "a@x.org"),
        ] {
            assert_ne!(email_key(one), email_key(other));
        }
        assert!(!email_key("a\0b@x.org").contains('\0'));
        assert!(!email_key("a@x\0.org").contains('\0'));
        assert_eq!(email_key("Ann Lee@cnv_1.invalid"), "ann lee@cnv_1.invalid");
    }
}
