//! Subtitles that are not as they should be.

use levada_packager::text::{Format, Subtitles};

fn told(bytes: &[u8], format: Format) -> String {
    Subtitles::parse(bytes, format).map_or_else(|it| it.to_string(), |it| it.whole())
}

const CUE: &str = "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nHello\n\n";

#[test]
fn subtitles_are_read_as_far_as_they_can_be() {
    let utf16 = |text: &str| {
        let units = text.encode_utf16().flat_map(u16::to_be_bytes);
        [0xfe, 0xff].into_iter().chain(units).collect::<Vec<u8>>()
    };
    let srt = "1\r00:00:01,000 --> 00:00:02,000\rHello\r\r";
    assert_eq!(told(srt.as_bytes(), Format::SubRip), CUE, "lines that end with CR alone");
    assert_eq!(told(&utf16(srt), Format::SubRip), CUE);
    assert_eq!(told(&utf16(CUE), Format::WebVtt), CUE);
    assert_eq!(told(b"00:01.000 --> 00:02.000\nHello\n", Format::WebVtt), "it does not begin with WEBVTT");
    assert_eq!(told(b"WEBVTT\n\n00:02.000 --> 00:01.000\nHello\n", Format::WebVtt), "WEBVTT\n\n");
    assert_eq!(told(b"WEBVTT\n\n99999999999999:00:01.000 --> x\nHello\n", Format::WebVtt), "WEBVTT\n\n");
    assert_eq!(told(&[0xff; 64], Format::SubRip), "no line in it says from when to when a text is shown");
    assert_eq!(told(b"", Format::WebVtt), "it does not begin with WEBVTT");
}
