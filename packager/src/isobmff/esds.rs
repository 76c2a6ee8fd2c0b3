//! Reading `esds` (ISO 14496-1 7.2.6.5), down to the AudioSpecificConfig.

use bytes::{Buf, Bytes};

use super::Error;
use super::reader::Boxed;
use crate::codec::{aac, mp3};

/// What an `esds` box describes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Described {
    /// AAC, with its configuration.
    Aac(aac::Config),
    /// MPEG audio of this object type, which needs none.
    Mpeg(u8),
}

/// Reads an `esds` box.
pub(super) fn read(esds: &Boxed) -> Result<Described, Error> {
    let truncated = Error::Truncated { kind: esds.kind(), offset: esds.offset() };
    let mut fields = esds.fields();
    fields.version_and_flags()?;

    let stream = descriptor(&mut fields.rest(), 0x03).ok_or(truncated)?;
    let mut stream = skip_stream_head(stream).ok_or(truncated)?;
    let mut decoder = descriptor(&mut stream, 0x04).ok_or(truncated)?;
    let object = decoder.try_get_u8().map_err(|_| truncated)?;
    match object {
        // MPEG-4 audio, and MPEG-2 AAC main, low complexity and scalable.
        0x40 | 0x66..=0x68 => {}
        mp3::MPEG_1 | mp3::MPEG_2 => return Ok(Described::Mpeg(object)),
        _ => return Err(Error::AudioObject(object)),
    }
    // Stream type, buffer size and two bit rates.
    if decoder.len() < 12 {
        return Err(truncated);
    }
    decoder.advance(12);
    let asc = descriptor(&mut decoder, 0x05).ok_or(truncated)?;
    Ok(Described::Aac(aac::Config::parse(asc)?))
}

/// The body of the first descriptor of a tag; others before it are passed over.
fn descriptor(bytes: &mut Bytes, wanted: u8) -> Option<Bytes> {
    loop {
        let tag = bytes.try_get_u8().ok()?;
        let mut length = 0_usize;
        // At most four digits of base 128.
        for _ in 0..4 {
            let digit = bytes.try_get_u8().ok()?;
            length = length << 7 | usize::from(digit & 0x7f);
            if digit & 0x80 == 0 {
                break;
            }
        }
        // Writers have announced more than they wrote in the outer descriptors; what is there is taken.
        let body = bytes.split_to(length.min(bytes.len()));
        if tag == wanted {
            return Some(body);
        }
    }
}

fn skip_stream_head(mut stream: Bytes) -> Option<Bytes> {
    stream.try_get_u16().ok()?;
    let flags = stream.try_get_u8().ok()?;
    let mut skip = 0_usize;
    if flags & 0x80 != 0 {
        skip = 2;
    }
    if flags & 0x40 != 0 {
        let url = stream.get(skip).copied()?;
        skip = skip.saturating_add(1).saturating_add(url.into());
    }
    if flags & 0x20 != 0 {
        skip = skip.saturating_add(2);
    }
    if skip > stream.len() {
        return None;
    }
    stream.advance(skip);
    Some(stream)
}

#[cfg(test)]
mod tests {
    use super::super::reader::FourCc;
    use super::*;

    fn read(body: &[u8]) -> Result<Bytes, Error> {
        let bytes = [&(body.len() as u32 + 12).to_be_bytes()[..], b"esds\0\0\0\0", body].concat();
        super::read(&Boxed::first(&bytes.into(), 0).unwrap()).map(|it| match it {
            Described::Aac(it) => it.asc,
            Described::Mpeg(object) => Bytes::copy_from_slice(&[object]),
        })
    }

    const DECODER: [u8; 13] = [0x40, 0x15, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    #[test]
    fn lengths_of_one_and_of_four_digits_are_read() {
        let short =
            [&[0x03, 25, 0, 1, 0, 0x04, 17][..], &DECODER, &[0x05, 2, 0x11, 0x90, 0x06, 1, 2]].concat();
        assert_eq!(read(&short), Ok(Bytes::from_static(&[0x11, 0x90])));
        let long = [
            &[0x03, 0x80, 0x80, 0x80, 34, 0, 1, 0, 0x04, 0x80, 0x80, 0x80, 20][..],
            &DECODER,
            &[0x05, 0x80, 0x80, 0x80, 2, 0x11, 0x90, 0x06, 0x80, 0x80, 0x80, 1, 2],
        ];
        assert_eq!(read(&long.concat()), Ok(Bytes::from_static(&[0x11, 0x90])));
    }

    #[test]
    fn optional_fields_of_the_stream_are_passed_over() {
        let head = [0x03, 32, 0, 1, 0xe0, 9, 9, 3, b'u', b'r', b'l', 9, 9, 0x04, 17];
        let body = [&head[..], &DECODER, &[0x05, 2, 0x11, 0x90]].concat();
        assert_eq!(read(&body), Ok(Bytes::from_static(&[0x11, 0x90])));
    }

    #[test]
    fn other_audio_and_broken_lengths_are_named() {
        let mp3 = [&[0x03, 20, 0, 1, 0, 0x04, 13, 0x6b][..], &DECODER[1..]].concat();
        assert_eq!(read(&mp3), Ok(Bytes::from_static(&[0x6b])));
        let vorbis = [&[0x03, 20, 0, 1, 0, 0x04, 13, 0xdd][..], &DECODER[1..]].concat();
        assert_eq!(read(&vorbis), Err(Error::AudioObject(0xdd)));
        let truncated = Err(Error::Truncated { kind: FourCc(*b"esds"), offset: 0 });
        assert_eq!(read(&[]), truncated);
        assert_eq!(read(&[0x03, 0xff, 0xff, 0xff, 0x7f]), truncated);
        assert_eq!(read(&[0x03, 20, 0, 1, 0x40, 200, 0]), truncated);
        let cut = [&[0x03, 20, 0, 1, 0, 0x04, 13][..], &DECODER].concat();
        assert_eq!(read(&cut), truncated);
    }
}
