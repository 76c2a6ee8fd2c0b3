//! The URIs of an HLS playlist (RFC 8216bis 4.1).

use std::ops::Range;

/// Attributes that hold URIs, whatever their tag.
const ATTRIBUTES: &[&[u8]] = &[b"URI", b"SERVER-URI", b"X-ASSET-URI", b"X-ASSET-LIST"];

/// What is found in a playlist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Where each URI stands.
    pub(super) uris: Vec<Range<usize>>,
    /// Behind the first line, where definitions belong; none when this is no playlist.
    pub(super) body: Option<usize>,
    /// Where the number of `EXT-X-VERSION` stands.
    pub(super) version: Option<Range<usize>>,
}

/// Finds what a signature is added to: the lines that are URIs, and the attributes that are.
pub(super) fn find(text: &[u8]) -> Found {
    let mut found = Found::default();
    let mut start = 0;
    for line in text.split_inclusive(|&it| it == b'\n') {
        let end = start + line.len();
        let content = line.trim_ascii_end();
        if start == 0 && content.strip_prefix("\u{feff}".as_bytes()).unwrap_or(content) == b"#EXTM3U" {
            found.body = Some(end);
        } else if content.starts_with(b"#EXT") {
            tag(content, start, &mut found);
        } else if !content.is_empty() && !content.starts_with(b"#") {
            found.uris.push(start..start + content.len());
        }
        start = end;
    }
    found
}

/// Looks through the attribute list of the tag that begins at `start`.
fn tag(line: &[u8], start: usize, found: &mut Found) {
    let Some(colon) = line.iter().position(|&it| it == b':') else { return };
    let (name, mut at) = (&line[..colon], colon + 1);
    if name == b"#EXT-X-VERSION" {
        found.version = Some(start + at..start + line.len());
        return;
    }
    // The title of a segment is free text.
    if name == b"#EXTINF" {
        return;
    }
    while let Some(sign) = memchr::memchr(b'=', &line[at..]) {
        let name = line[at..at + sign].trim_ascii();
        let value = at + sign + 1;
        if line.get(value) != Some(&b'"') {
            let Some(comma) = memchr::memchr(b',', &line[value..]) else { return };
            at = value + comma + 1;
            continue;
        }
        let Some(quote) = memchr::memchr(b'"', &line[value + 1..]) else { return };
        let inner = value + 1..value + 1 + quote;
        if ATTRIBUTES.contains(&name) {
            found.uris.push(start + inner.start..start + inner.end);
        }
        let Some(comma) = memchr::memchr(b',', &line[inner.end..]) else { return };
        at = inner.end + comma + 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(playlist: &str, expected: &[&str]) {
        let found = find(playlist.as_bytes());
        let uris: Vec<_> = found.uris.into_iter().map(|it| &playlist[it]).collect();
        assert_eq!(uris, expected);
    }

    #[test]
    fn lines_and_attributes_are_uris() {
        check(
            "#EXTM3U\n\
             #EXT-X-VERSION:9\n\
             # a comment, URI=\"no\"\n\
             #EXT-X-MAP:URI=\"5.mp4\",BYTERANGE=\"4@0\"\n\
             #EXTINF:2.0,a title URI=\"no\"\n\
             5-268.m4s\n\
             \n\
             #EXT-X-PART:DURATION=0.5,URI=\"5-269.0.m4s\",INDEPENDENT=YES\n\
             #EXT-X-KEY:METHOD=AES-128, URI=\"key?a=b,c\" ,IV=0x1\r\n\
             #EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"5-270.0.m4s\"\n\
             #EXT-X-RENDITION-REPORT:URI=\"../a/index.m3u8\",LAST-MSN=4\n\
             #EXT-X-DATERANGE:ID=\"URI=no\",X-ASSET-URI=\"ad.m3u8\"\n\
             last.m4s",
            &[
                "5.mp4",
                "5-268.m4s",
                "5-269.0.m4s",
                "key?a=b,c",
                "5-270.0.m4s",
                "../a/index.m3u8",
                "ad.m3u8",
                "last.m4s",
            ],
        );
    }

    #[test]
    fn a_multivariant_playlist_has_them_too() {
        check(
            "#EXTM3U\r\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"a\",NAME=\"URI=\"\"\",URI=\"audio/index.m3u8\"\r\n\
             #EXT-X-STREAM-INF:BANDWIDTH=1000,CODECS=\"avc1.64001f,mp4a.40.2\"\r\n\
             video/index.m3u8\r\n\
             #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=100,URI=\"video/iframes.m3u8\"\r\n\
             #EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\"\r\n",
            &["audio/index.m3u8", "video/index.m3u8", "video/iframes.m3u8", "skd://key"],
        );
    }

    #[test]
    fn the_place_of_definitions_and_of_the_version_is_known() {
        let playlist = "#EXTM3U\r\n#EXT-X-VERSION:9\r\na.m4s\r\n";
        let found = find(playlist.as_bytes());
        assert_eq!(found.body, Some(9));
        assert_eq!(&playlist[found.version.unwrap()], "9");
        assert_eq!(find(b"<MPD/>").body, None);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in prop::collection::vec(prop::sample::select(b"#EXT-:=\",\nURI a\r".to_vec()), 0..200)) {
            for uri in find(&text).uris {
                prop_assert!(uri.end <= text.len());
            }
        }
    }
}
