//! Aggregates: media messages laid one after another as FLV tags (live.md 1.5).

use bytes::{Buf, Bytes};

use crate::rtmp::message::{Kind, Message, MessageHeader};

/// An aggregate that is being taken apart.
#[derive(Debug)]
pub(super) struct Aggregate {
    header: MessageHeader,
    rest: Bytes,
    /// The time of the first tag, from which the others are counted.
    first: Option<u32>,
}

/// The aggregate ends within a tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BrokenOff;

impl Aggregate {
    pub(super) fn new(message: Message) -> Self {
        Self { header: message.header, rest: message.payload, first: None }
    }

    pub(super) fn next_message(&mut self) -> Result<Option<Message>, BrokenOff> {
        while self.rest.has_remaining() {
            let kind = Kind::from_id(self.rest.try_get_u8().map_err(|_| BrokenOff)? & 0x1F);
            let length = self.number24()? as usize;
            let low = self.number24()?;
            let high = self.rest.try_get_u8().map_err(|_| BrokenOff)?;
            self.number24()?;
            if self.rest.len() < length {
                return Err(BrokenOff);
            }
            let payload = self.rest.split_to(length);
            // The back pointer says nothing new, and the last is left out by some.
            self.rest.advance(self.rest.len().min(4));
            let tag = u32::from(high) << 24 | low;
            let first = *self.first.get_or_insert(tag);
            let timestamp = self.header.timestamp.wrapping_add(tag.wrapping_sub(first));
            if matches!(kind, Kind::Audio | Kind::Video | Kind::Data) {
                return Ok(Some(Message {
                    header: MessageHeader { kind, timestamp, ..self.header },
                    payload,
                }));
            }
        }
        Ok(None)
    }

    fn number24(&mut self) -> Result<u32, BrokenOff> {
        self.rest.try_get_uint(3).map(|it| it as u32).map_err(|_| BrokenOff)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &[u8], expected: &[(Kind, u32, &[u8])], end: Result<(), BrokenOff>) {
        let header = MessageHeader { kind: Kind::Aggregate, timestamp: 1000, stream: 1 };
        let mut aggregate = Aggregate::new(Message { header, payload: Bytes::copy_from_slice(payload) });
        for &(kind, timestamp, payload) in expected {
            let header = MessageHeader { kind, timestamp, stream: 1 };
            let message = Message { header, payload: Bytes::copy_from_slice(payload) };
            assert_eq!(aggregate.next_message(), Ok(Some(message)));
        }
        assert_eq!(aggregate.next_message().map(|it| assert_eq!(it, None)), end);
    }

    #[test]
    fn times_count_from_the_first_tag_whatever_its_own_time() {
        let tags = b"\x08\0\0\x02\0\0\x05\0\0\0\0ab\0\0\0\x0d\x09\0\0\x01\0\0\x07\0\0\0\0c\0\0\0\0";
        check(tags, &[(Kind::Audio, 1000, b"ab"), (Kind::Video, 1002, b"c")], Ok(()));
        let extended = b"\x08\0\0\0\xff\xff\xff\x00\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";
        check(extended, &[(Kind::Audio, 1000, b""), (Kind::Audio, 1001, b"")], Ok(()));
    }

    #[test]
    fn other_tags_are_skipped_and_the_last_back_pointer_may_lack() {
        check(
            b"\x0b\0\0\0\0\0\x05\0\0\0\0\0\0\0\0\x12\0\0\x01\0\0\x06\0\0\0\0d",
            &[(Kind::Data, 1001, b"d")],
            Ok(()),
        );
    }

    #[test]
    fn an_aggregate_that_breaks_off_is_an_error() {
        check(b"\x08\0\0\x02\0\0\x05\0\0\0\0a", &[], Err(BrokenOff));
        check(b"\x08\0\0", &[], Err(BrokenOff));
    }
}
