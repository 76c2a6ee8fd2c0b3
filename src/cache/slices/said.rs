//! Whether an origin sends the part that a viewer asked for (http-edge.md 7).

use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};

use crate::passage::{ContentRange, Fetched, RangeSpec, SaidRange};

/// Whether an answer to a viewer's own words may be what he asked for, as far as it can be known. Its length is then known
/// where its bounds are, so that a cut is seen.
pub(super) fn agrees(fetched: &mut Fetched, said: &SaidRange) -> bool {
    if fetched.status != StatusCode::PARTIAL_CONTENT {
        return true;
    }
    let value = said.range.to_str().unwrap_or_default();
    let unit = value.split('=').next().unwrap_or_default();
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        // What other units mean is known to the two of them alone.
        return true;
    }
    let Some(specs) = RangeSpec::parse(value) else { return false };
    if is_multipart(&fetched.headers) {
        // Each part says its own bounds; who asked for one range is sent no such thing (RFC 9110 15.3.7.2).
        return specs.len() > 1;
    }
    let Some(part) = ContentRange::of(&fetched.headers) else { return false };
    let length = part.octets.end - part.octets.start;
    if fetched.length.is_some_and(|it| it != length) {
        return false;
    }
    fetched.length = Some(length);
    // Several that are near may come as one.
    specs.len() > 1 || specs.iter().all(|it| is_within(&part, *it))
}

/// Whether `part` lies within what `spec` asks for.
fn is_within(part: &ContentRange, spec: RangeSpec) -> bool {
    // How much the last octets of nobody knows what are cannot be judged.
    let asked = match (spec, part.total) {
        (RangeSpec::Last(_), None) => Some(part.octets.clone()),
        (spec, total) => spec.within(total.unwrap_or(u64::MAX)),
    };
    asked.is_some_and(|it| it.start <= part.octets.start && part.octets.end <= it.end)
}

fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).map(|it| it.as_bytes().to_ascii_lowercase()).unwrap_or_default();
    kind.starts_with(b"multipart/byteranges")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;
    use crate::passage::FetchedBody;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let field = |&(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value));
        fields.iter().map(field).collect()
    }

    #[test]
    fn section_7_a_part_is_held_against_what_was_asked_for() {
        let check = |range: &'static str, part: &[(&'static str, &'static str)], length, expected| {
            let mut fetched = Fetched {
                status: StatusCode::PARTIAL_CONTENT,
                headers: headers(part),
                length,
                body: FetchedBody::Whole(vec![Bytes::new()]),
                lifetime: None,
            };
            let said = SaidRange { range: HeaderValue::from_static(range), if_range: None };
            let agreed = agrees(&mut fetched, &said).then_some(fetched.length);
            assert_eq!(agreed, expected, "{range} {part:?}");
        };
        let part = |value| [("content-range", value)];
        let five = Some(Some(5));
        check("bytes=5-9", &part("bytes 5-9/100"), None, five);
        check("bytes=5-9", &part("bytes 5-9/*"), Some(5), five);
        check("bytes=5-50", &part("bytes 5-9/10"), Some(5), five);
        check("bytes=5-", &part("bytes 5-9/10"), None, five);
        check("bytes=-5", &part("bytes 5-9/10"), None, five);
        check("bytes=-50", &part("bytes 0-4/5"), None, five);
        check("bytes=-5", &part("bytes 5-9/*"), None, five);
        // Less than was asked for is no lie.
        check("bytes=0-50", &part("bytes 5-9/100"), None, five);
        check("bytes=5-9", &part("bytes 5-9/100"), Some(4), None);
        check("bytes=5-9", &part("bytes 4-8/100"), None, None);
        check("bytes=5-9", &part("bytes 5-10/100"), None, None);
        check("bytes=-5", &part("bytes 5-9/11"), None, None);
        check("bytes=5-9", &part("bytes 5-9/7"), None, None);
        check("bytes=5-9", &part("items 5-9/10"), None, None);
        check("bytes=5-9", &[], Some(5), None);
        check("bytes=9-5", &part("bytes 5-9/10"), Some(5), None);
        let parts = [("content-type", "Multipart/ByteRanges; boundary=x")];
        check("bytes=5-9", &parts, Some(5), None);
        check("bytes=5-9,50-60", &parts, Some(5), five);
        check("bytes=5-6,8-9", &part("bytes 5-9/10"), None, five);
        check("bytes=5-6,8-9", &[], None, None);
        check("seconds=5-9", &[], None, Some(None));
    }
}
