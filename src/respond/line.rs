//! A field's value, written where it costs no allocation of its own: several stand on every response.

use http::HeaderValue;

/// No value of ours is longer.
const LONGEST: usize = 96;

/// Text of our own that becomes a field's value.
pub(super) struct Line {
    octets: [u8; LONGEST],
    length: usize,
}

impl Line {
    pub(super) const fn new() -> Self {
        Self { octets: [0; LONGEST], length: 0 }
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        let end = self.length + text.len();
        self.octets[self.length..end].copy_from_slice(text.as_bytes());
        self.length = end;
        self
    }

    pub(super) fn number(self, number: u64) -> Self {
        self.text(itoa::Buffer::new().format(number))
    }

    pub(super) fn value(self) -> HeaderValue {
        HeaderValue::from_bytes(&self.octets[..self.length]).expect("our own texts are printable")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_all_their_digits() {
        for number in [0, 7, 10, 99, 1_000, u64::MAX] {
            assert_eq!(Line::new().text("ttl=").number(number).value(), format!("ttl={number}").as_str());
        }
    }
}
