//! The URIs of an MPD (ISO 23009-1 5.3, 5.6).

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::escape::unescape;
use quick_xml::events::{BytesStart, Event};

use super::target::Target;

/// Attributes that hold URIs or templates of them.
const ATTRIBUTES: &[&str] = &["media", "initialization", "index", "sourceURL"];

/// Elements deeper than this are no MPD.
const DEEPEST: usize = 32;

/// One URI, and what it is relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Where it stands, escaped as it is.
    pub(super) uri: Range<usize>,
    /// Where it leads.
    pub(super) target: Target,
}

/// Finds what a signature is added to; what cannot be read to its end has nothing.
///
/// A `BaseURL` that ends in a slash gets none, since a query is not inherited from it; what it says counts for the
/// URIs below it.
pub(super) fn find(text: &str, own: &Target) -> Vec<Found> {
    let mut found = Vec::new();
    let mut reader = Reader::from_str(text);
    // The base of each open element; a BaseURL changes that of the element around it.
    let mut bases = vec![own.clone()];
    let mut base_url = None;
    loop {
        let before = position(&reader);
        match reader.read_event() {
            Ok(Event::Start(it)) => {
                let base = bases.last().cloned().unwrap_or(Target::Foreign);
                attributes(text, &it, &base, &mut found);
                if matches!(it.local_name().as_ref(), "BaseURL" | "Location" | "PatchLocation" | "Laurl") {
                    base_url = Some(position(&reader));
                }
                if bases.len() == DEEPEST {
                    return Vec::new();
                }
                bases.push(base);
            }
            Ok(Event::Empty(it)) => {
                attributes(text, &it, bases.last().unwrap_or(&Target::Foreign), &mut found);
            }
            Ok(Event::End(it)) => {
                bases.pop();
                if let Some(start) = base_url.take() {
                    let is_base = it.local_name().as_ref() == "BaseURL";
                    element(text, start..before, is_base, &mut bases, &mut found);
                }
            }
            Ok(Event::Eof) => return found,
            Ok(_) => {}
            Err(_) => return Vec::new(),
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn attributes(text: &str, element: &BytesStart<'_>, base: &Target, found: &mut Vec<Found>) {
    for attribute in element.attributes().flatten() {
        if !ATTRIBUTES.contains(&attribute.key.local_name().as_ref()) {
            continue;
        }
        // The value is a slice of the text, so its place there is the distance of the two.
        let start = (attribute.value.as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
        let uri = start..start.wrapping_add(attribute.value.len());
        if text.get(uri.clone()) == Some(&*attribute.value) {
            push(text, uri, base, found);
        }
    }
}

/// What stands inside `BaseURL`, `Location`, `PatchLocation`, or where licenses are had.
fn element(text: &str, inner: Range<usize>, is_base: bool, bases: &mut [Target], found: &mut Vec<Found>) {
    let Some(raw) = text.get(inner.clone()) else { return };
    let trimmed = raw.trim();
    let start = inner.start + raw.len() - raw.trim_start().len();
    let uri = start..start + trimmed.len();
    let Some(base) = bases.last_mut() else { return };
    let is_directory = trimmed.ends_with('/');
    if !(is_base && is_directory) {
        push(text, uri, base, found);
    }
    if is_base {
        *base = unescape(trimmed).map_or(Target::Foreign, |it| base.resolve(&it));
    }
}

fn push(text: &str, uri: Range<usize>, base: &Target, found: &mut Vec<Found>) {
    let Some(raw) = text.get(uri.clone()) else { return };
    // A numeric reference may hide a `#` or a `?`: nobody writes one there who means well.
    if raw.contains("&#") {
        return;
    }
    if let Ok(written) = unescape(raw) {
        found.push(Found { uri, target: base.resolve(&written) });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(mpd: &str, expected: &[(&str, Option<&str>)]) {
        let found: Vec<_> = find(mpd, &Target::own("/live/match/manifest.mpd"))
            .into_iter()
            .map(|it| {
                let path = match it.target {
                    Target::Path { path, .. } => Some(path),
                    Target::Foreign => None,
                };
                (&mpd[it.uri], path)
            })
            .collect();
        let expected: Vec<_> = expected.iter().map(|&(uri, path)| (uri, path.map(str::to_owned))).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn where_licenses_are_had_is_a_uri_too() {
        check(
            "<MPD><Period><ContentProtection><dashif:Laurl licenseType=\"EME-1.0\">/vod/a/license</dashif:Laurl>\
             <ms:Laurl>https://keys.example/</ms:Laurl></ContentProtection></Period></MPD>",
            &[("/vod/a/license", Some("/vod/a/license")), ("https://keys.example/", Some("/"))],
        );
    }

    #[test]
    fn templates_are_uris_relative_to_the_manifest() {
        check(
            "<?xml version=\"1.0\"?><!-- media=\"no\" -->\n\
             <MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" mediaPresentationDuration=\"PT1S\"><Period>\n\
             <AdaptationSet bitstreamSwitching=\"true\">\n\
             <SegmentTemplate initialization='$RepresentationID$/init.mp4' media=\"a.m4s?b=c&amp;d=$Number$\"/>\n\
             </AdaptationSet></Period><UTCTiming value=\"/.levada/time\"/></MPD>",
            &[
                ("$RepresentationID$/init.mp4", Some("/live/match/$RepresentationID$/init.mp4")),
                ("a.m4s?b=c&amp;d=$Number$", Some("/live/match/a.m4s")),
            ],
        );
    }

    #[test]
    fn a_base_counts_for_what_is_below_it() {
        check(
            "<MPD><BaseURL>https://cdn.example/x/</BaseURL><Period><BaseURL> sub/ </BaseURL>\n\
             <SegmentTemplate media=\"a.m4s\"/></Period><Period><SegmentTemplate media=\"b.m4s\"/></Period></MPD>",
            &[("a.m4s", Some("/x/sub/a.m4s")), ("b.m4s", Some("/x/b.m4s"))],
        );
        check(
            "<MPD><Representation><BaseURL>film.mp4</BaseURL></Representation><BaseURL>skd://x</BaseURL>\n\
             <Period><SegmentURL media=\"c.m4s\"/></Period></MPD>",
            &[("film.mp4", Some("/live/match/film.mp4")), ("skd://x", None), ("c.m4s", None)],
        );
    }

    #[test]
    fn a_document_that_breaks_off_has_nothing() {
        check("<MPD><SegmentTemplate media=\"a.m4s\"", &[]);
        check("<MPD><SegmentTemplate media=\"a.m4s\"/></Period>", &[]);
        check(&"<a>".repeat(40), &[]);
    }

    #[test]
    fn a_numeric_reference_is_left_alone() {
        check("<MPD><SegmentTemplate media=\"a.m4s&#35;b\"/></MPD>", &[]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(pieces in prop::collection::vec(
            prop::sample::select(vec!["<", ">", "/", "BaseURL", "media", "=", "\"", "'", "&amp;", "&", "é", "a", " ", "<BaseURL>", "</BaseURL>", "<!--", "<![CDATA["]),
            0..40,
        )) {
            let text = pieces.concat();
            for it in find(&text, &Target::own("/a")) {
                prop_assert!(text.get(it.uri).is_some());
            }
        }
    }
}
