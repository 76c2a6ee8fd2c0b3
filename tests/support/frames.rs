//! What a viewer of HTTP/2 says who does not keep to what players do: octets of frames (RFC 9113 4.1).

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const HEADERS: u8 = 1;
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// The first request's stream is ended from the viewer's side: RST_STREAM with CANCEL.
pub(crate) const CANCEL: &[u8] = b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08";

/// The preface, and settings that change nothing.
pub(crate) fn opening() -> Vec<u8> {
    [PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat()
}

/// The preface, and SETTINGS_INITIAL_WINDOW_SIZE 0: no octet of a response is let in.
pub(crate) fn opening_with_no_window() -> Vec<u8> {
    [PREFACE, b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0"].concat()
}

/// HEADERS of the first request: GET over http, `:path` and `:authority` as literals.
pub(crate) fn get(path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, length(path)];
    block.extend(path.as_bytes());
    let host = "localhost";
    block.extend([0x41, length(host)]);
    block.extend(host.as_bytes());
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
}

/// HEADERS of the first request, of just these fields in this order.
pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        // A literal under a literal name that nobody is to remember.
        block.extend([0, length(name)]);
        block.extend(name.as_bytes());
        block.push(length(value));
        block.extend(value.as_bytes());
    }
    frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)
}

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).expect("it is short").to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn length(text: &str) -> u8 {
    u8::try_from(text.len()).ok().filter(|it| *it < 127).expect("it is short")
}
