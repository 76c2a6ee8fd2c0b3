use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::rtmp::message::render;

const BUDGET: usize = 1 << 20;

/// Bytes from hex, blanks and line ends aside.
fn hex(text: &str) -> Bytes {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|it| u8::from_str_radix(std::str::from_utf8(it).unwrap(), 16).unwrap()).collect()
}

fn message(kind: u8, timestamp: u32, stream: u32, payload: impl Into<Bytes>) -> Message {
    let header = MessageHeader { kind: Kind::from_id(kind), timestamp, stream };
    Message { header, payload: payload.into() }
}

/// All messages in the bytes, given in pieces of the given sizes (the last for what is left).
fn read(bytes: &Bytes, sizes: &[usize]) -> Result<Vec<Message>, Fault> {
    let mut reader = ChunkReader::new(BUDGET);
    let mut messages = Vec::new();
    let mut rest = bytes.clone();
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let mut piece = rest.split_to(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        while let Some(message) = reader.read(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty(), "all input is consumed");
    }
    assert_eq!(reader.position(), bytes.len() as u64);
    Ok(messages)
}

/// Whole, byte by byte and in odd pieces, the bytes must mean the same.
#[track_caller]
fn check(bytes: &str, expected: Result<&[Message], Fault>) {
    let bytes = hex(bytes);
    for sizes in [&[usize::MAX][..], &[1], &[3, 1, 7]] {
        assert_eq!(read(&bytes, sizes).as_deref(), expected.as_ref().copied(), "in pieces of {sizes:?}");
    }
}

#[test]
fn each_form_of_header_is_read() {
    check("03 000000 000005 14 01000000 0102030405", Ok(&[message(20, 0, 1, hex("0102030405"))]));
    // Types 1 and 2 add a delta, and repeat what they leave out.
    check(
        "04 000064 000002 09 01000000 aabb  44 000028 000001 08 cc  84 000014 dd",
        Ok(&[message(9, 100, 1, hex("aabb")), message(8, 140, 1, hex("cc")), message(8, 160, 1, hex("dd"))]),
    );
}

#[test]
fn chunk_stream_ids_of_one_two_and_three_bytes_are_told_apart() {
    check(
        "00 00 000000 000001 08 01000000 aa  00 ff 000000 000001 08 01000000 bb  01 0001 000000 000001 08 01000000 cc
         c0 00 dd  c0 ff ee  c1 0001 99",
        Ok(&[
            message(8, 0, 1, hex("aa")),
            message(8, 0, 1, hex("bb")),
            message(8, 0, 1, hex("cc")),
            message(8, 0, 1, hex("dd")),
            message(8, 0, 1, hex("ee")),
            message(8, 0, 1, hex("99")),
        ]),
    );
    assert_eq!(Basic::parse(&hex("c000")), Some(Basic { form: 3, stream: 64, length: 2 }));
    assert_eq!(Basic::parse(&hex("c0ff")), Some(Basic { form: 3, stream: 319, length: 2 }));
    assert_eq!(Basic::parse(&hex("c10001")), Some(Basic { form: 3, stream: 320, length: 3 }));
}

#[test]
fn one_id_may_be_written_in_any_of_its_forms() {
    check(
        "00 00 000000 000001 08 01000000 aa  c1 0000 bb",
        Ok(&[message(8, 0, 1, hex("aa")), message(8, 0, 1, hex("bb"))]),
    );
}

#[test]
fn a_type_3_chunk_that_begins_a_message_repeats_the_delta() {
    check(
        "04 000000 000001 08 01000000 aa  44 000014 000001 08 bb  c4 cc  c4 dd",
        Ok(&[
            message(8, 0, 1, hex("aa")),
            message(8, 20, 1, hex("bb")),
            message(8, 40, 1, hex("cc")),
            message(8, 60, 1, hex("dd")),
        ]),
    );
}

#[test]
fn after_a_type_0_header_the_delta_is_that_headers_time() {
    check(
        "04 000014 000001 08 01000000 aa  c4 bb",
        Ok(&[message(8, 20, 1, hex("aa")), message(8, 40, 1, hex("bb"))]),
    );
}

#[test]
fn a_full_timestamp_field_means_four_more_bytes() {
    let payload = Bytes::from(vec![5; 200]);
    let body = |range: std::ops::Range<usize>| "05".repeat(range.len());
    let start = "03 FFFFFF 0000C8 14 01000000 01000000".to_owned();
    let expected = [message(20, 0x0100_0000, 1, payload)];
    // Continuations repeat the field, or by old encoders do not.
    check(&format!("{start} {} C3 01000000 {}", body(0..128), body(128..200)), Ok(&expected));
    check(&format!("{start} {} C3 {}", body(0..128), body(128..200)), Ok(&expected));
}

#[test]
fn whether_continuations_repeat_the_time_is_decided_once() {
    let body = "05".repeat(128);
    // The second continuation's payload looks like a repeated timestamp, but this peer omits it.
    let bytes = format!(
        "03 FFFFFF 000084 14 01000000 01000000 {body} C3 05050505
         03 FFFFFF 000084 14 01000000 01000000 {body} C3 01000000"
    );
    let mut second = vec![5; 128];
    second.extend([1, 0, 0, 0]);
    check(&bytes, Ok(&[message(20, 0x0100_0000, 1, vec![5; 132]), message(20, 0x0100_0000, 1, second)]));
}

#[test]
fn a_repeated_time_may_be_the_delta_the_sum_or_31_bits_of_either() {
    let body = "05".repeat(128);
    for repeated in ["01000000", "91000000", "11000000"] {
        let bytes = format!(
            "03 FFFFFF 000001 14 01000000 90000000 05
             43 FFFFFF 000084 14 01000000 {body} C3 {repeated} 05050505"
        );
        let expected = [message(20, 0x9000_0000, 1, vec![5; 1]), message(20, 0x9100_0000, 1, vec![5; 132])];
        check(&bytes, Ok(&expected));
    }
    let bytes = format!("03 FFFFFF 000084 14 01000000 80000001 {body} C3 00000001 05050505");
    check(&bytes, Ok(&[message(20, 0x8000_0001, 1, vec![5; 132])]));
}

#[test]
fn a_new_message_of_type_3_also_repeats_an_extended_delta() {
    check(
        "03 FFFFFF 000001 14 01000000 01000000 aa  C3 01000000 bb",
        Ok(&[message(20, 0x0100_0000, 1, hex("aa")), message(20, 0x0200_0000, 1, hex("bb"))]),
    );
}

#[test]
fn times_wrap_at_32_bits() {
    check(
        "04 FFFFFF 000001 08 01000000 FFFFFFF0 aa  44 000020 000001 08 bb",
        Ok(&[message(8, 0xFFFF_FFF0, 1, hex("aa")), message(8, 0x10, 1, hex("bb"))]),
    );
}

#[test]
fn a_chunk_stream_that_opens_with_type_1_is_tolerated_and_with_less_is_not() {
    // librtmp's ping.
    check("46 000005 000001 08 aa", Ok(&[message(8, 5, 0, hex("aa"))]));
    check("86 000005", Err(Fault::NothingToRepeat { form: 2, stream: 6 }));
    check("C6", Err(Fault::NothingToRepeat { form: 3, stream: 6 }));
}

#[test]
fn chunk_streams_interleave_and_the_chunk_size_changes_between() {
    let half = "aa".repeat(128);
    check(
        &format!(
            "04 000000 000101 09 01000000 {half}
             02 000000 000004 01 00000000 00000081
             05 000001 000001 08 01000000 bb
             c4 {half} aa"
        ),
        Ok(&[message(8, 1, 1, hex("bb")), message(9, 0, 1, vec![0xaa; 257])]),
    );
}

#[test]
fn a_full_header_amid_a_message_gives_the_message_up() {
    let half = "aa".repeat(128);
    check(
        &format!("04 000000 000100 09 01000000 {half} 04 000005 000001 08 01000000 bb"),
        Ok(&[message(8, 5, 1, hex("bb"))]),
    );
}

#[test]
fn an_abort_gives_a_message_up_and_one_for_nothing_is_ignored() {
    let half = "aa".repeat(128);
    check(
        &format!(
            "04 000000 000100 09 01000000 {half}
             02 000000 000004 02 00000000 00000004  02 000000 000004 02 00000000 00000007
             c4 {half} c4 {half}"
        ),
        Ok(&[message(9, 0, 1, vec![0xaa; 256])]),
    );
}

#[test]
fn a_short_header_amid_a_message_goes_on_with_it_unless_it_changes_it() {
    let half = "aa".repeat(128);
    check(
        &format!("04 000005 000100 09 01000000 {half} 44 000007 000100 09 {half}"),
        Ok(&[message(9, 5, 1, vec![0xaa; 256])]),
    );
    check(
        &format!("04 000005 000100 09 01000000 {half} 44 000007 000101 09"),
        Err(Fault::Changed { stream: 4, before: 256, after: 257 }),
    );
}

#[test]
fn empty_messages_are_messages() {
    check(
        "04 000000 000000 08 01000000 c4",
        Ok(&[message(8, 0, 1, Bytes::new()), message(8, 0, 1, Bytes::new())]),
    );
}

#[test]
fn a_chunk_size_is_at_least_1_and_its_top_bit_is_ignored() {
    check("02 000000 000004 01 00000000 00000000", Err(Fault::NoChunkSize));
    check(
        "02 000000 000004 01 00000000 80000001 04 000000 000002 08 01000000 aa c4 bb",
        Ok(&[message(8, 0, 1, hex("aabb"))]),
    );
    let body = "aa".repeat(200);
    check(
        &format!("02 000000 000004 01 00000000 7fffffff 04 000000 0000c8 08 01000000 {body}"),
        Ok(&[message(8, 0, 1, vec![0xaa; 200])]),
    );
    check("02 000000 000003 01 00000000 000000", Err(Fault::ShortControl { kind: 1, length: 3 }));
}

#[test]
fn a_message_longer_than_its_kind_may_be_is_refused_at_its_header() {
    let too_long = |kind, length| {
        let kind = Kind::from_id(kind);
        Err(Fault::TooLong { kind: kind.id(), length, longest: kind.longest() })
    };
    check("04 000000 800001 09 01000000", too_long(9, 0x80_0001));
    check("04 000000 100001 08 01000000", too_long(8, 0x10_0001));
    check("04 000000 040001 14 01000000", too_long(20, 0x4_0001));
    check("04 000000 000041 01 01000000", too_long(1, 0x41));
}

#[test]
fn the_65th_chunk_stream_is_refused() {
    let streams: String = (0..65).map(|id| format!("00 {id:02x} 000000 000000 08 01000000")).collect();
    check(&streams, Err(Fault::TooManyStreams(64 + 64)));
}

#[test]
fn unfinished_messages_on_many_streams_share_one_budget() {
    let mut reader = ChunkReader::new(BUDGET);
    let mut fault = None;
    // Every stream announces 8 MiB and sends one chunk of it after another.
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&hex("02 000000 000004 01 00000000 00008000"));
    for round in 0..64 {
        for id in 0..60_u8 {
            let header = if round == 0 {
                hex(&format!("00 {id:02x} 000000 800000 09 01000000"))
            } else {
                hex(&format!("c0 {id:02x}"))
            };
            bytes.extend_from_slice(&header);
            bytes.extend_from_slice(&[0; 0x8000]);
        }
    }
    let mut input = bytes.freeze();
    while !input.is_empty() && fault.is_none() {
        let mut piece = input.split_to(input.len().min(1000));
        fault = reader.read(&mut piece).err();
        assert!(reader.held() <= BUDGET, "{}", reader.held());
        let allocated: usize =
            reader.streams.iter().filter_map(|it| it.partial.as_ref()).map(Partial::capacity).sum();
        assert_eq!(allocated, reader.held());
    }
    assert!(matches!(fault, Some(Fault::OverBudget { budget: BUDGET, .. })), "{fault:?}");
    assert!(reader.position() > BUDGET as u64 / 2, "{}", reader.position());
}

#[test]
fn announcing_long_messages_costs_nothing() {
    let mut reader = ChunkReader::new(BUDGET);
    for id in 0..64_u8 {
        let mut input = hex(&format!("00 {id:02x} 000000 800000 09 01000000"));
        assert_eq!(reader.read(&mut input), Ok(None));
        // The reader waits for this chunk's payload; a byte of it, and an abort by a full header of no length.
        assert_eq!(reader.held(), 0);
        let mut input = Bytes::from(vec![0; 128]);
        assert_eq!(reader.read(&mut input), Ok(None));
        assert_eq!(reader.held(), 4096);
        let mut input = hex(&format!("00 {id:02x} 000000 000000 09 01000000"));
        assert!(matches!(reader.read(&mut input), Ok(Some(_))));
        assert_eq!(reader.held(), 0);
    }
}

#[test]
fn a_message_keeps_nothing_else_of_what_was_received() {
    let bytes = hex("04 000000 000005 08 01000000 0102030405");
    let mut input = bytes.clone();
    let message = ChunkReader::new(BUDGET).read(&mut input).unwrap().unwrap();
    drop(input);
    assert_eq!(message.payload, bytes[12..]);
    assert!(bytes.is_unique());
}

#[test]
fn what_is_rendered_is_the_vectors() {
    let render = |kind, timestamp, stream, payload: &str| {
        let header = MessageHeader { kind, timestamp, stream };
        render(header, &[hex(payload)], 128).unwrap().concat()
    };
    assert_eq!(render(Kind::Command, 0, 1, "0102030405"), hex("03 000000 000005 14 01000000 0102030405"));
    assert_eq!(
        render(Kind::Command, 0x0100_0000, 1, "0102030405"),
        hex("03 FFFFFF 000005 14 01000000 01000000 0102030405")
    );
    assert_eq!(render(Kind::SetChunkSize, 0, 0, "00001000"), hex("02 000000 000004 01 00000000 00001000"));
    let body = "aa".repeat(128);
    assert_eq!(
        render(Kind::Audio, 0xFF_FFFF, 1, &"aa".repeat(200)),
        hex(&format!("04 FFFFFF 0000C8 08 01000000 00FFFFFF {body} C4 00FFFFFF {}", "aa".repeat(72)))
    );
}

#[test]
fn a_rendered_payload_is_not_copied() {
    let payload = Bytes::from(vec![1; 300]);
    let header = MessageHeader { kind: Kind::Video, timestamp: 0, stream: 1 };
    let pieces = render(header, &[payload.slice(..100), payload.slice(100..)], 128).unwrap();
    let base = payload.as_ptr();
    let offsets: Vec<_> =
        pieces.iter().filter(|it| it.len() > 12).map(|it| it.as_ptr() as usize - base as usize).collect();
    assert_eq!(offsets, [0, 100, 128, 256]);
    assert_eq!(
        render(header, &[Bytes::from(vec![0; MAX_PAYLOAD + 1])], 128),
        Err(crate::rtmp::message::TooLong(MAX_PAYLOAD + 1))
    );
}

fn times() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..200_000_u32,
        0xFF_FFF0..0x100_0010_u32,
        0x7FFF_FFF0..0x8000_0010_u32,
        0xFFFF_FFF0..=u32::MAX,
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    let kind = prop_oneof![Just(8_u8), Just(9), Just(18), Just(20)];
    let payload = proptest::collection::vec(any::<u8>(), 0..700);
    let one = (kind, times(), 0..3_u32, payload)
        .prop_map(|(kind, timestamp, stream, payload)| message(kind, timestamp, stream, payload));
    proptest::collection::vec(one, 0..12)
}

proptest! {
    #[test]
    fn what_is_written_is_read_at_any_chunk_size_in_any_pieces(
        messages in messages(),
        chunk_size in prop_oneof![Just(1_usize), Just(128), Just(65536), 1..700_usize],
        sizes in proptest::collection::vec(1..400_usize, 1..8),
    ) {
        let set_chunk_size = MessageHeader { kind: Kind::SetChunkSize, timestamp: 0, stream: 0 };
        let size = Bytes::copy_from_slice(&(chunk_size as u32).to_be_bytes());
        let mut bytes = render(set_chunk_size, &[size], INITIAL_CHUNK_SIZE).unwrap().concat();
        for message in &messages {
            let payload = std::slice::from_ref(&message.payload);
            bytes.extend(render(message.header, payload, chunk_size).unwrap().concat());
        }
        prop_assert_eq!(read(&bytes.into(), &sizes), Ok(messages));
    }

    #[test]
    fn chunks_of_different_streams_interleave_freely(
        left in messages(),
        right in messages(),
        order in proptest::collection::vec(any::<bool>(), 0..64),
    ) {
        // Kinds on separate chunk streams, so that each side keeps its own headers.
        let side = |messages: Vec<Message>, kind: Kind| -> Vec<Message> {
            let with_kind = |it: Message| Message { header: MessageHeader { kind, ..it.header }, ..it };
            messages.into_iter().map(with_kind).collect()
        };
        let (left, right) = (side(left, Kind::Audio), side(right, Kind::Video));
        let chunks = |messages: &[Message]| -> std::collections::VecDeque<Vec<u8>> {
            let of_one = |it: &Message| {
                // Of one slice of payload come headers and pieces in turn.
                let pieces = render(it.header, std::slice::from_ref(&it.payload), 128).unwrap();
                pieces.chunks(2).map(<[Bytes]>::concat).collect::<Vec<_>>()
            };
            messages.iter().flat_map(of_one).collect()
        };
        let (mut a, mut b) = (chunks(&left), chunks(&right));
        let mut bytes = Vec::new();
        let mut order = order.into_iter().cycle();
        while !a.is_empty() || !b.is_empty() {
            let from = if order.next().unwrap_or(true) { &mut a } else { &mut b };
            match from.pop_front() {
                Some(chunk) => bytes.extend(chunk),
                None => {
                    bytes.extend(a.drain(..).flatten());
                    bytes.extend(b.drain(..).flatten());
                }
            }
        }
        let found = read(&bytes.into(), &[usize::MAX]).unwrap();
        let of = |kind| found.iter().filter(|it| it.header.kind == kind).cloned().collect::<Vec<_>>();
        prop_assert_eq!(of(Kind::Audio), left);
        prop_assert_eq!(of(Kind::Video), right);
    }

    #[test]
    fn any_bytes_mean_the_same_in_any_pieces(
        bytes in proptest::collection::vec(any::<u8>(), 0..2000),
        sizes in proptest::collection::vec(1..60_usize, 1..8),
    ) {
        let outcome = |sizes: &[usize]| {
            let mut reader = ChunkReader::new(BUDGET);
            let mut messages = Vec::new();
            let mut rest = Bytes::from(bytes.clone());
            let mut sizes = sizes.iter().copied().cycle();
            let mut fault = None;
            while !rest.is_empty() && fault.is_none() {
                let mut piece = rest.split_to(sizes.next().unwrap_or(rest.len()).clamp(1, rest.len()));
                loop {
                    match reader.read(&mut piece) {
                        Ok(Some(message)) => messages.push(message),
                        Ok(None) => break,
                        Err(it) => {
                            fault = Some(it);
                            break;
                        }
                    }
                }
            }
            (messages, fault, fault.map(|_| reader.position()))
        };
        prop_assert_eq!(outcome(&sizes), outcome(&[usize::MAX]));
    }
}
