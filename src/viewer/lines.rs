//! How the lines of an HTTP/1 head end (http-edge.md 15).
//!
//! The engine takes a bare LF for the end of a line. A proxy in front that does not sees other fields, or another request,
//! so whoever sends one is refused before the engine sees it. Here the octets of heads are told from those of
//! bodies, and nothing else of them is judged.

/// Octets of a name that frames a body, and of the longest length that can be one.
const ENOUGH: usize = 48;

const CONTENT_LENGTH: &[u8] = b"content-length";
const TRANSFER_ENCODING: &[u8] = b"transfer-encoding";

/// The lines of one connection.
#[derive(Debug)]
pub(super) struct Lines {
    at: At,
    /// The beginning of the line.
    line: [u8; ENOUGH],
    /// Octets of the line so far.
    length: usize,
    ends_in_cr: bool,
}

/// What the next octet is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// What stands before a request: this many empty lines have come.
    Before(u8),
    /// A head, behind which comes a body of so many octets.
    Head(u64),
    /// A body with so many octets left.
    Body(u64),
    /// What is never read as another request: the connection ends with the answer to this one.
    Last,
}

impl Lines {
    pub(super) const fn new() -> Self {
        Self { at: At::Before(0), line: [0; ENOUGH], length: 0, ends_in_cr: false }
    }

    /// Octets came; false when a line among them does not end as it must.
    pub(super) fn heard(&mut self, octets: &[u8]) -> bool {
        let mut rest = octets;
        while !rest.is_empty() {
            match self.at {
                At::Last => return true,
                At::Body(left) => {
                    let passed = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    rest = &rest[passed..];
                    self.at = match left - passed as u64 {
                        0 => At::Before(0),
                        left => At::Body(left),
                    };
                }
                At::Before(_) | At::Head(_) => match rest.iter().position(|it| *it == b'\n') {
                    None => {
                        self.keep(rest);
                        return true;
                    }
                    Some(end) => {
                        self.keep(&rest[..end]);
                        rest = &rest[end + 1..];
                        if !self.ends() {
                            return false;
                        }
                    }
                },
            }
        }
        true
    }

    /// More of a line.
    fn keep(&mut self, octets: &[u8]) {
        let Some(last) = octets.last() else { return };
        self.ends_in_cr = *last == b'\r';
        let kept = self.length.min(ENOUGH);
        let taken = octets.len().min(ENOUGH - kept);
        self.line[kept..kept + taken].copy_from_slice(&octets[..taken]);
        self.length = self.length.saturating_add(octets.len());
    }

    /// The line has ended; false when it should have done so in another way, or not at all.
    fn ends(&mut self) -> bool {
        if !self.ends_in_cr {
            return false;
        }
        let is_empty = self.length == 1;
        self.at = match self.at {
            // One is left behind a body by some old clients.
            At::Before(1..) if is_empty => return false,
            At::Before(_) if is_empty => At::Before(1),
            At::Before(_) => At::Head(0),
            At::Head(0) if is_empty => At::Before(0),
            At::Head(body) if is_empty => At::Body(body),
            At::Head(body) => self.field(body),
            at @ (At::Body(_) | At::Last) => at,
        };
        (self.length, self.ends_in_cr) = (0, false);
        true
    }

    /// Where a field leads that stands in a head whose body is known to have so many octets.
    fn field(&self, body: u64) -> At {
        let line = &self.line[..self.length.min(ENOUGH)];
        let Some(colon) = line.iter().position(|it| *it == b':') else { return At::Head(body) };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(TRANSFER_ENCODING) {
            return At::Last;
        }
        if !name.eq_ignore_ascii_case(CONTENT_LENGTH) {
            return At::Head(body);
        }
        // A length that is none is refused by the engine, and the connection ends.
        let length = str::from_utf8(value).ok().and_then(|it| it.parse().ok());
        length.filter(|_| self.length <= ENOUGH).map_or(At::Last, At::Head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether these octets are taken, however they are cut.
    fn check(octets: &str, expected: bool) {
        for piece in 1..=octets.len() {
            let mut lines = Lines::new();
            let taken = octets.as_bytes().chunks(piece).all(|it| lines.heard(it));
            assert_eq!(taken, expected, "{octets:?} by {piece}");
        }
    }

    #[test]
    fn each_line_of_a_head_ends_with_cr_and_lf() {
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", true);
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", false);
        check("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", false);
        check("GET / HTTP/1.1\r\nHost: a\r\n\n", false);
        check("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
        check(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(100)), true);
    }

    #[test]
    fn one_empty_line_may_stand_before_a_request() {
        check("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\n", true);
        check("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
    }

    #[test]
    fn a_body_is_nobodys_lines_and_the_head_behind_it_is() {
        let post = |body: &str| format!("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\n{body}");
        check(&post("\n\n\nGET / HTTP/1.1\r\n\r\n"), true);
        check(&post("\n\n\nGET / HTTP/1.1\n\r\n"), false);
        check(&post("\n\n\n\n"), false);
        check("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\nGET / HTTP/1.1\n", false);
        // Behind these the engine reads no other request.
        check("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n\n\r\n0\r\n\r\n", true);
        check("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n\n", true);
    }
}
