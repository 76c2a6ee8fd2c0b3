//! License systems: what is said to each so that it finds a key.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use super::{KeyId, Scheme};
use crate::isobmff::protection::system_box;

/// A license system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum System {
    /// Keys in the clear, by the license request that every browser knows (Encrypted Media Extensions 9.1).
    ClearKey,
    /// Google's.
    Widevine,
    /// Microsoft's.
    PlayReady,
    /// Apple's, which HLS alone knows.
    FairPlay,
}

impl System {
    /// Its UUID as a `pssh` box has it.
    pub const fn id(self) -> KeyId {
        KeyId(match self {
            // That of the W3C's common system, whose data names keys and nothing more.
            Self::ClearKey => *b"\x10\x77\xef\xec\xc0\xb2\x4d\x02\xac\xe3\x3c\x1e\x52\xe2\xfb\x4b",
            Self::Widevine => *b"\xed\xef\x8b\xa9\x79\xd6\x4a\xce\xa3\xc8\x27\xdc\xd5\x1d\x21\xed",
            Self::PlayReady => *b"\x9a\x04\xf0\x79\x98\x40\x42\x86\xab\x92\xe6\x5b\xe0\x88\x5f\x95",
            Self::FairPlay => *b"\x94\xce\x86\xfb\x07\xff\x4f\x43\xad\xb8\x93\xd2\xfa\x96\x8c\xa2",
        })
    }

    /// The system with that UUID.
    pub fn of(id: KeyId) -> Option<Self> {
        [Self::ClearKey, Self::Widevine, Self::PlayReady, Self::FairPlay].into_iter().find(|it| it.id() == id)
    }

    /// What it is told where no key service said it: the names of the keys. FairPlay has no such data.
    pub(crate) fn initialization(self, scheme: Scheme, keys: &[KeyId]) -> Option<Bytes> {
        match self {
            Self::ClearKey => Some(system_box(self.id().0, Some(keys), &[])),
            Self::Widevine => Some(system_box(self.id().0, None, &widevine(scheme, keys))),
            Self::PlayReady => Some(system_box(self.id().0, None, &playready(scheme, keys))),
            Self::FairPlay => None,
        }
    }
}

/// What a key service says of a key for a system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemData {
    /// A whole `pssh` box, for init segments and manifests.
    pub pssh: Option<Bytes>,
    /// The URI of `EXT-X-KEY`.
    pub uri: Option<String>,
}

/// `WidevinePsshData`: names of keys, and the scheme, as protocol buffers.
fn widevine(scheme: Scheme, keys: &[KeyId]) -> Vec<u8> {
    let mut out = Vec::new();
    for key in keys {
        out.extend_from_slice(&[2 << 3 | 2, 16]);
        out.extend_from_slice(&key.0);
    }
    let word = match scheme {
        Scheme::Cenc => u32::from_be_bytes(*b"cenc"),
        Scheme::Cbcs => u32::from_be_bytes(*b"cbcs"),
    };
    out.push(9 << 3);
    varint(word, &mut out);
    out
}

fn varint(mut value: u32, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A PlayReady object with one record: a header of version 4.3 that names the keys ("PlayReady Header Specification").
pub(crate) fn playready(scheme: Scheme, keys: &[KeyId]) -> Vec<u8> {
    let algorithm = match scheme {
        Scheme::Cenc => "AESCTR",
        Scheme::Cbcs => "AESCBC",
    };
    let mut header = String::from(
        "<WRMHEADER xmlns=\"http://schemas.microsoft.com/DRM/2007/03/PlayReadyHeader\" version=\"4.3.0.0\"><DATA>\
         <PROTECTINFO><KIDS>",
    );
    for key in keys {
        let _ = write!(header, "<KID ALGID=\"{algorithm}\" VALUE=\"{}\"></KID>", STANDARD.encode(guid(*key)));
    }
    header.push_str("</KIDS></PROTECTINFO></DATA></WRMHEADER>");
    let text: Vec<u8> = header.encode_utf16().flat_map(u16::to_le_bytes).collect();
    // Lengths of the object, of its records (one), and of the record of type 1.
    let record = text.len() as u16;
    let object = u32::from(record).saturating_add(10);
    [&object.to_le_bytes()[..], &1_u16.to_le_bytes(), &1_u16.to_le_bytes(), &record.to_le_bytes(), &text]
        .concat()
}

/// The name as a GUID of little-endian fields.
fn guid(key: KeyId) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = key.0;
    let [i, j, k, l, m, n, o, p] = rest;
    [d, c, b, a, f, e, h, g, i, j, k, l, m, n, o, p]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::avc::tests::hex;

    const KEY: KeyId = KeyId(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");

    #[test]
    fn the_common_system_lists_keys() {
        let expected = "00000034 70737368 01000000 1077efecc0b24d02ace33c1e52e2fb4b \
                        00000001 00112233445566778899aabbccddeeff 00000000";
        assert_eq!(System::ClearKey.initialization(Scheme::Cenc, &[KEY]), Some(hex(expected)));
        assert_eq!(System::of(System::Widevine.id()), Some(System::Widevine));
        assert_eq!(System::Widevine.id().to_string(), "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed");
    }

    #[test]
    fn widevine_is_told_in_protocol_buffers() {
        let expected = hex("1210 00112233445566778899aabbccddeeff 48 f3c6899b06");
        assert_eq!(widevine(Scheme::Cbcs, &[KEY]), expected);
        assert_eq!(widevine(Scheme::Cenc, &[]), hex("48 e3dc959b06"));
    }

    #[test]
    fn playready_is_told_in_an_object_of_its_own() {
        let object = playready(Scheme::Cbcs, &[KEY]);
        assert_eq!(object[..4], (object.len() as u32).to_le_bytes());
        assert_eq!(object[4..8], [1, 0, 1, 0]);
        assert_eq!(object[8..10], (object.len() as u16 - 10).to_le_bytes());
        let text = object[10..].chunks(2).map(|it| u16::from_le_bytes([it[0], it[1]]));
        let text = String::from_utf16(&text.collect::<Vec<_>>()).unwrap();
        // The fields before the eighth octet in the order of Intel.
        assert!(text.contains("<KID ALGID=\"AESCBC\" VALUE=\"MyIRAFVEd2aImaq7zN3u/w==\"></KID>"), "{text}");
    }
}
