//! Content negotiation: the media type of a response, whether it is an event stream, and whether a request body is
//! JSON. Pure.

use encoding_rs::{Encoding, UTF_8};
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};

use super::field_list::{Member, members};

/// The media types of a GraphQL response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MediaType {
    /// `application/json`: the status of a well-formed request is always 200.
    Json,
    /// `application/graphql-response+json`: the status shows whether the operation ran.
    GraphqlResponse,
}

impl MediaType {
    /// Returns the value of `Content-Type`.
    #[must_use]
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json; charset=utf-8",
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
        }
    }

    /// Returns the type that the client prefers by its `Accept` headers; `None` if it accepts neither.
    ///
    /// Without the header or with an empty one, and for wildcards, that is `application/json`: clients that support the
    /// newer type name it.
    #[must_use]
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        let ranges = ranges(headers);
        if ranges.is_empty() {
            return Some(Self::Json);
        }
        let response = best_match(&ranges, "application/graphql-response+json");
        let json = best_match(&ranges, "application/json");
        match (response, json) {
            (None, None) => None,
            (Some((precedence, quality)), Some((_, json))) => {
                let is_preferred = quality > json || (quality == json && precedence.0 == EXACT);
                Some(if is_preferred {
                    Self::GraphqlResponse
                } else {
                    Self::Json
                })
            }
            (Some(_), None) => Some(Self::GraphqlResponse),
            (None, Some(_)) => Some(Self::Json),
        }
    }
}

/// When a response is an event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streaming {
    /// The client does not name `text/event-stream`.
    Never,
    /// Only for subscriptions: the client accepts JSON with the same or a higher quality.
    Subscriptions,
    Always,
}

impl Streaming {
    /// Returns what the client accepts by its `Accept` headers. A wildcard does not match event streams.
    #[must_use]
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let ranges = ranges(headers);
        let streams = ranges
            .iter()
            .filter(|range| range.is("text/event-stream") && is_utf8(range));
        let Some(stream) = streams.map(Member::quality).max() else {
            return Self::Never;
        };
        let json = ["application/json", "application/graphql-response+json"]
            .into_iter()
            .filter_map(|name| best_match(&ranges, name))
            .map(|(_, quality)| quality)
            .max();
        match stream {
            0 => Self::Never,
            stream if json.is_some_and(|json| json >= stream) => Self::Subscriptions,
            _ => Self::Always,
        }
    }
}

/// Whether the request declares a JSON body in UTF-8. Other bodies are rejected, because a page of another site can
/// send plain text or a form without a preflight request, but not JSON.
#[must_use]
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let mut types = members(headers, CONTENT_TYPE).peekable();
    types.peek().is_some() && types.all(|found| found.is("application/json") && is_utf8(&found))
}

/// Whether the body is not encoded, for example not compressed.
#[must_use]
pub(super) fn is_identity(headers: &HeaderMap) -> bool {
    members(headers, CONTENT_ENCODING).all(|coding| coding.is("identity"))
}

/// Whether the charset, if there is one, is UTF-8 under one of its names
/// ([WHATWG Encoding](https://encoding.spec.whatwg.org/#names-and-labels)): many clients write `utf8`.
fn is_utf8(found: &Member<'_>) -> bool {
    let mut charsets = found.parameters("charset");
    charsets.all(|label| Encoding::for_label(label.as_bytes()) == Some(UTF_8))
}

fn ranges(headers: &HeaderMap) -> Vec<Member<'_>> {
    members(headers, ACCEPT).collect()
}

/// The first part of the precedence of an exact name in [`best_match`].
const EXACT: usize = 2;

/// Returns the precedence and the quality of the range that applies to an `application` type: an exact name takes
/// precedence over `application/*`, and that over `*/*`; of two equal names, the one with a charset (RFC 9110, section
/// 12.5.1). `None` if the type is not accepted. Java's HTTP client sends `*` for `*/*`.
fn best_match(ranges: &[Member<'_>], name: &str) -> Option<((usize, bool), u16)> {
    let by_precedence: [&[&str]; 3] = [&["*/*", "*"], &["application/*"], &[name]];
    ranges
        .iter()
        .filter(|range| is_utf8(range))
        .filter_map(|range| {
            let is_it = |names: &&[&str]| names.iter().any(|name| range.is(name));
            let precedence = by_precedence.iter().position(is_it)?;
            let has_charset = range.parameters("charset").next().is_some();
            Some(((precedence, has_charset), range.quality()))
        })
        .max()
        .filter(|(_, quality)| *quality > 0)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn accepted(text: &str) -> Option<MediaType> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_str(text).unwrap());
        MediaType::accepted(&headers)
    }

    #[test]
    fn the_type_with_the_best_quality_is_selected() {
        let cases = [
            ("application/json", Some(MediaType::Json)),
            (
                "application/graphql-response+json",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/json, application/graphql-response+json",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/json;q=0.9, application/graphql-response+json;q=0.8",
                Some(MediaType::Json),
            ),
            ("Application/JSON; charset=UTF-8", Some(MediaType::Json)),
            ("*/*", Some(MediaType::Json)),
            ("application/*", Some(MediaType::Json)),
            (
                "application/graphql-response+json;q=0.5, */*;q=0.1",
                Some(MediaType::GraphqlResponse),
            ),
            (
                "application/json;q=0, */*",
                Some(MediaType::GraphqlResponse),
            ),
            ("text/html, */*;q=0.1", Some(MediaType::Json)),
            ("text/event-stream", None),
            ("application/json;q=0", None),
            ("application/json; charset=latin1", None),
            ("application/json;q=2", Some(MediaType::Json)),
            ("nonsense", None),
            // Java's default.
            (
                "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
                Some(MediaType::Json),
            ),
            ("text/html, */*; q=.2", Some(MediaType::Json)),
            ("", Some(MediaType::Json)),
            (" , ", Some(MediaType::Json)),
            ("*", Some(MediaType::Json)),
            ("application/json; charset=utf8", Some(MediaType::Json)),
            (
                "application/json; profile=\"a, b;q=0\"",
                Some(MediaType::Json),
            ),
            ("text/html, application/xhtml+xml", None),
            ("*/*;q=0", None),
            ("*;q=.0", None),
            // The more specific range applies.
            (
                "application/json;q=0, application/json;charset=utf-8",
                Some(MediaType::Json),
            ),
            ("application/*;q=0, */*", None),
        ];
        for (text, expected) in cases {
            assert_eq!(accepted(text), expected, "{text}");
        }
        assert_eq!(
            MediaType::accepted(&HeaderMap::new()),
            Some(MediaType::Json)
        );
    }

    #[test]
    fn only_a_named_event_stream_is_accepted() {
        let cases = [
            ("text/event-stream", Streaming::Always),
            ("Text/Event-Stream; charset=utf-8", Streaming::Always),
            (
                "text/event-stream, application/json;q=0.9",
                Streaming::Always,
            ),
            (
                "application/graphql-response+json, application/json, text/event-stream, multipart/mixed",
                Streaming::Subscriptions,
            ),
            (
                "application/json, text/event-stream;q=0.5",
                Streaming::Subscriptions,
            ),
            ("text/event-stream, */*", Streaming::Subscriptions),
            ("text/event-stream; charset=utf8", Streaming::Always),
            ("text/event-stream; charset=utf-16", Streaming::Never),
            ("text/event-stream;q=.5", Streaming::Always),
            ("text/event-stream;q=0", Streaming::Never),
            ("text/*", Streaming::Never),
            ("*/*", Streaming::Never),
            ("application/event-stream", Streaming::Never),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(text).unwrap());
            assert_eq!(Streaming::accepted(&headers), expected, "{text}");
        }
        assert_eq!(Streaming::accepted(&HeaderMap::new()), Streaming::Never);
    }

    #[test]
    fn several_lines_are_one_list() {
        let mut headers = HeaderMap::new();
        for line in ["text/html", "application/json;q=.4", "*/*;q=0"] {
            headers.append(ACCEPT, HeaderValue::from_static(line));
        }
        assert_eq!(MediaType::accepted(&headers), Some(MediaType::Json));
    }

    #[test]
    fn only_bodies_without_a_coding_are_read() {
        let cases = [
            ("", true),
            ("identity", true),
            ("Identity, identity", true),
            ("gzip", false),
            ("identity, br", false),
            ("unknown", false),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(text));
            assert_eq!(is_identity(&headers), expected, "{text}");
        }
        assert!(is_identity(&HeaderMap::new()));
    }

    #[test]
    fn only_json_in_utf8_is_accepted() {
        let cases = [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/JSON;charset=\"UTF-8\"", true),
            ("application/json; charset=utf8", true),
            ("application/json;charset=UTF8", true),
            ("application/json; charset=\"utf8\"", true),
            ("application/json; charset=unicode-1-1-utf-8", true),
            ("application/json;", true),
            ("APPLICATION/JSON ; Charset = utf-8 ;", true),
            ("application/json; note=\"; charset=latin1\"", true),
            ("application/json, application/json", true),
            ("application/json, text/plain", false),
            ("text/plain; x=\", application/json\"", false),
            ("application/json; charset=utf-16", false),
            ("application/json; charset=iso-8859-1", false),
            ("application/json; charset=us-ascii", false),
            ("application/json; charset=", false),
            ("application/json; charset=utf-8; charset=utf-16", false),
            ("", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("multipart/form-data; boundary=x", false),
        ];
        for (text, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(text).unwrap());
            assert_eq!(is_json(&headers), expected, "{text}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
