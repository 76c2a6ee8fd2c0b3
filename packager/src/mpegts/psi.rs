//! Program-specific information (ISO 13818-1 2.4.4): which packets carry what.

use super::packet::{PMT, pid_bytes};
use super::program::{Program, Stream};

/// The section that says where the only program is described.
pub(super) fn pat() -> Vec<u8> {
    let [high, low] = pid_bytes(PMT);
    section(0, &[&[0, 1, 0xe0 | high, low]])
}

/// The section that says which streams the program has.
pub(super) fn pmt(program: &Program) -> Vec<u8> {
    let [high, low] = pid_bytes(program.clock_stream().pid());
    let head = [0xe0 | high, low, 0xf0, 0];
    let streams = program.streams().map(|stream| entry(program, stream)).collect::<Vec<_>>();
    let mut parts: Vec<&[u8]> = vec![&head];
    parts.extend(streams.iter().map(Vec::as_slice));
    section(2, &parts)
}

fn entry(program: &Program, stream: Stream) -> Vec<u8> {
    let (kind, descriptors) = program.stream_type(stream);
    let [high, low] = pid_bytes(stream.pid());
    let length = u8::try_from(descriptors.len()).expect("descriptors are far below 255 bytes");
    [&[kind, 0xe0 | high, low, 0xf0, length], &*descriptors].concat()
}

/// A whole section of table `table`: transport stream or program 1, version 0, current, alone.
fn section(table: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    // What follows the length: five bytes of head, the body, and the check sum.
    let length = u8::try_from(body.len() + 9).expect("two streams and a descriptor are far below 255 bytes");
    let mut section = vec![table, 0xb0, length, 0, 1, 0xc1, 0, 0];
    section.extend_from_slice(&body);
    let check = crc(&section);
    section.extend_from_slice(&check.to_be_bytes());
    section
}

/// CRC-32/MPEG-2 (annex A): not reflected, not inverted at the end.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte) << 24, |crc, _| {
            crc << 1 ^ if crc >> 31 == 1 { 0x04c1_1db7 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::program::tests::{pictures_and_aac, sound_alone};
    use super::*;
    use crate::codec::avc::tests::hex;

    #[test]
    fn the_check_sum_is_that_of_mpeg_2() {
        assert_eq!(crc(b"123456789"), 0x0376_e6e7);
    }

    #[test]
    fn tables_are_those_every_muxer_writes() {
        assert_eq!(pat(), hex("00b00d0001c100000001f0002ab104b2"));
        let expected = hex("02b0170001c10000e100f0001be100f0000fe101f0002f44b99b");
        assert_eq!(pmt(&pictures_and_aac()), expected);
    }

    #[test]
    fn the_clock_of_sound_alone_is_its_own_and_dolby_is_registered() {
        let pmt = pmt(&sound_alone());
        assert_eq!(pmt[8..pmt.len() - 4], hex("e101f000 81e101f006 0504 41432d33"));
    }

    #[test]
    fn encrypted_streams_have_types_of_their_own() {
        let config =
            crate::codec::dolby::Config::parse(crate::codec::dolby::Kind::Ac3, hex("103de0")).unwrap();
        let sealed = sound_alone().sample_aes(Some(&crate::media::CodecConfig::Dolby(config))).unwrap();
        let pmt = pmt(&sealed);
        let apad = "050f 61706164 7a616333 0000 01 03 103de0";
        let descriptors = hex(&format!("0f04 61633364 {apad}"));
        assert_eq!(pmt[12..14], hex("c1e1"));
        assert_eq!(usize::from(pmt[16]), descriptors.len());
        assert_eq!(pmt[17..pmt.len() - 4], descriptors);
    }
}
