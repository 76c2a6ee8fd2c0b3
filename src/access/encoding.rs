//! CF-base64 (cloudfront.md 1.3): base64 whose `+`, `=` and `/` became `-`, `_` and `~`.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::Alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is read and written here, since the engine knows only `=`. Bits behind the last octet must be zero, so that
/// a text and its octets belong to each other alone.
const ENGINE: GeneralPurpose = {
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-~";
    let config = GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false);
    match Alphabet::new(letters) {
        Ok(alphabet) => GeneralPurpose::new(&alphabet, config),
        Err(_) => panic!("64 letters, each once"),
    }
};

/// Encodes with padding, as every signer does.
pub(super) fn encode(octets: &[u8]) -> String {
    let mut text = ENGINE.encode(octets);
    while !text.len().is_multiple_of(4) {
        text.push('_');
    }
    text
}

/// Decodes a parameter's value to at most `limit` octets. Padding may be missing, and any character may be
/// percent-encoded: some clients do that to `~`.
pub(super) fn decode(text: &str, limit: usize) -> Option<Vec<u8>> {
    // Four characters for three octets, three times as many if each is a triplet, and padding.
    if text.len() > limit.saturating_mul(4).saturating_add(12) {
        return None;
    }
    let text = percent_decode(text)?;
    let bare = text.trim_end_matches('_');
    let padding = text.len().checked_sub(bare.len())?;
    if padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return None;
    }
    ENGINE.decode(bare).ok().filter(|it| it.len() <= limit)
}

/// None when a triplet is broken, or stands for what CF-base64 has not.
fn percent_decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    decoded.push_str(pieces.next()?);
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        // `from_str_radix` takes a sign, too.
        if !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
            return None;
        }
        let octet = u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii_graphic)?;
        decoded.push(char::from(octet));
        decoded.push_str(rest);
    }
    Some(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: Option<&[u8]>) {
        assert_eq!(decode(text, 16).as_deref(), expected, "{text}");
    }

    #[test]
    fn the_three_letters_are_replaced_and_padding_may_be_missing() {
        check("-~-~", Some(&[0xfb, 0xff, 0xbf]));
        check("YWI_", Some(b"ab"));
        check("YWI", Some(b"ab"));
        check("YQ__", Some(b"a"));
        check("YQ", Some(b"a"));
        check("", Some(b""));
    }

    #[test]
    fn a_triplet_counts_as_its_character() {
        check("%2D%7E%2d%7e", Some(&[0xfb, 0xff, 0xbf]));
        check("YQ%5F%5F", Some(b"a"));
        check("%59%51%5F%5F", Some(b"a"));
        check("YQ%5", None);
        check("YQ%+5", None);
        check("YQ%C3%A9", None);
    }

    #[test]
    fn what_is_not_cf_base64_is_nothing() {
        check("+/+/", None);
        check("YQ==", None);
        check("YQ_", None);
        check("Y___", None);
        check("Y", None);
        check("____", None);
        check("YWJj____", None);
        check("YW_I", None);
        check("YR__", None);
        check("YQ é", None);
        check(&"AAAA".repeat(6), None);
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(octets in proptest::collection::vec(any::<u8>(), 0..80)) {
            prop_assert_eq!(decode(&encode(&octets), 80), Some(octets));
        }
    }
}
