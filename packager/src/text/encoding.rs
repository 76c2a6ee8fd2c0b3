//! From bytes to text with one kind of line end, whatever wrote them.

use std::borrow::Cow;

/// What Windows-1252 has where Latin-1 has control characters; the five holes stay what they are.
const FROM_80: &[char; 32] = &[
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

/// The text: of what its byte order mark says, else UTF-8, else Windows-1252, in which every byte is something. Lines
/// end with a line feed, and there is no NUL in them.
pub(super) fn decoded(bytes: &[u8]) -> String {
    let text: Cow<'_, str> = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes).into(),
        plain => match std::str::from_utf8(plain) {
            Ok(text) => text.into(),
            Err(_) => plain.iter().map(|it| windows_1252(*it)).collect::<String>().into(),
        },
    };
    if !text.contains(['\r', '\0']) {
        return text.into_owned();
    }
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "\u{fffd}")
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks().0.iter().map(|it| unit(*it));
    char::decode_utf16(units).map(|it| it.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn windows_1252(byte: u8) -> char {
    match byte {
        0x80..=0x9f => FROM_80.get(usize::from(byte) - 0x80).copied().unwrap_or(char::REPLACEMENT_CHARACTER),
        it => char::from(it),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_says_what_follows() {
        assert_eq!(decoded(b"\xef\xbb\xbfgr\xc3\xbcn"), "grün");
        assert_eq!(decoded(b"\xff\xfeg\0r\0\xfc\0n\0"), "grün");
        assert_eq!(decoded(b"\xfe\xff\0g\0r\0\xfc\0n"), "grün");
    }

    #[test]
    fn without_one_it_is_utf_8_or_else_windows_1252() {
        assert_eq!(decoded(b"gr\xc3\xbcn"), "grün");
        assert_eq!(decoded(b"gr\xfcn \x84ja\x93 5 \x80"), "grün „ja“ 5 €");
    }

    #[test]
    fn half_a_character_is_the_sign_for_none() {
        assert_eq!(decoded(b"\xef\xbb\xbfa\xc3"), "a\u{fffd}");
        assert_eq!(decoded(b"\xff\xfe\x00\xd8a\0b"), "\u{fffd}a");
    }

    #[test]
    fn every_line_end_is_a_line_feed_and_no_nul_remains() {
        assert_eq!(decoded(b"a\rb\r\nc\nd\r\r\n\0"), "a\nb\nc\nd\n\n\u{fffd}");
    }
}
