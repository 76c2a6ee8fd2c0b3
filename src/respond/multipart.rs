//! Several ranges in one body (RFC 9110 14.6).

use std::ops::Range;

use http::HeaderValue;

use super::body::{Body, Piece};
use crate::passage::RequestId;

/// A `multipart/byteranges` body whose length is known before it is sent.
#[derive(Debug)]
pub(super) struct Multipart {
    pub(super) body: Body,
    pub(super) length: u64,
    pub(super) content_type: HeaderValue,
}

impl Multipart {
    /// The parts of a body of `length` octets, each read by `read`. The request's id is the boundary: its 128 random
    /// bits stand in no body.
    pub(super) fn new(
        ranges: Vec<Range<u64>>,
        length: u64,
        content_type: Option<&HeaderValue>,
        id: RequestId,
        read: impl Fn(Range<u64>) -> Piece,
    ) -> Self {
        let mut octets = 0;
        let mut pieces = Vec::with_capacity(2 * ranges.len() + 1);
        let mut before = "";
        for range in ranges {
            let mut head = format!("{before}--{id}\r\n").into_bytes();
            if let Some(content_type) = content_type {
                head.extend_from_slice(b"Content-Type: ");
                head.extend_from_slice(content_type.as_bytes());
                head.extend_from_slice(b"\r\n");
            }
            head.extend_from_slice(
                format!("Content-Range: {}\r\n\r\n", content_range(&range, length)).as_bytes(),
            );
            octets += head.len() as u64 + range.end - range.start;
            pieces.push(Piece::Text(head.into()));
            pieces.push(read(range));
            before = "\r\n";
        }
        let end = format!("\r\n--{id}--\r\n");
        octets += end.len() as u64;
        pieces.push(Piece::Text(end.into()));
        let content_type = format!("multipart/byteranges; boundary={id}");
        Self {
            body: Body::pieces(pieces),
            length: octets,
            content_type: HeaderValue::try_from(content_type).expect("hexadecimal digits are legal"),
        }
    }
}

/// `bytes 0-99/200`
pub(super) fn content_range(range: &Range<u64>, length: u64) -> String {
    format!("bytes {}-{}/{length}", range.start, range.end - 1)
}
