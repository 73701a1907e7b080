//! Content negotiation: the media type of a response, whether it is an event stream, and whether a request body is
//! JSON. Pure.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

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
    /// Without the header, and for wildcards, that is `application/json`: clients that support the newer type name it.
    #[must_use]
    pub(super) fn accepted(headers: &HeaderMap) -> Option<Self> {
        if !headers.contains_key(ACCEPT) {
            return Some(Self::Json);
        }
        let ranges = ranges(headers);
        let response = best_match(&ranges, "application/graphql-response+json");
        let json = best_match(&ranges, "application/json");
        match (response, json) {
            (None, None) => None,
            (Some((precedence, quality)), Some((_, json))) => {
                let is_preferred = quality > json || (quality == json && precedence == EXACT);
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
            .filter(|range| range.name.eq_ignore_ascii_case("text/event-stream"));
        let Some(stream) = streams.map(|range| range.quality).max() else {
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
    let Some(text) = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
    else {
        return false;
    };
    let mut parts = text.split(';').map(str::trim);
    parts
        .next()
        .is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"))
        && parts.all(is_utf8_if_charset)
}

fn is_utf8_if_charset(parameter: &str) -> bool {
    match parameter.split_once('=') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("charset") => {
            value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        }
        _ => true,
    }
}

/// One media range of an `Accept` header.
struct Range<'a> {
    name: &'a str,
    /// The quality in thousandths.
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next()?;
        let mut quality = 1000;
        for parameter in parts {
            if !is_utf8_if_charset(parameter) {
                return None;
            }
            if let Some((name, value)) = parameter.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                quality = thousandths(value.trim())?;
            }
        }
        Some(Self { name, quality })
    }
}

/// Parses a quality: `0.875` is 875. `None` if it is invalid; the range is then ignored.
fn thousandths(text: &str) -> Option<u16> {
    let (integer, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{fraction:0<3}").parse().ok()?;
    match integer {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

fn ranges(headers: &HeaderMap) -> Vec<Range<'_>> {
    headers
        .get_all(ACCEPT)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or_default().split(','))
        .filter_map(Range::parse)
        .collect()
}

/// The precedence of an exact name in [`best_match`].
const EXACT: usize = 2;

/// Returns the precedence and the quality of the range that applies to an `application` type: an exact name takes
/// precedence over `application/*`, and that over `*/*`. `None` if the type is not accepted.
fn best_match(ranges: &[Range<'_>], name: &str) -> Option<(usize, u16)> {
    let by_precedence = ["*/*", "application/*", name];
    ranges
        .iter()
        .filter_map(|range| {
            let precedence = by_precedence
                .iter()
                .position(|name| range.name.eq_ignore_ascii_case(name))?;
            Some((precedence, range.quality))
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
            ("application/json;q=2", None),
            ("nonsense", None),
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
    fn only_json_in_utf8_is_accepted() {
        let cases = [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("application/JSON;charset=\"UTF-8\"", true),
            ("application/json; charset=utf-16", false),
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
