//! Structured dictionaries (RFC 9651 3.2), as far as a cache needs them: which keys there are, and of what type their
//! values.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

/// What a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Integer(i64),
    Boolean(bool),
    /// A value that no directive has: a decimal, text, octets, a list.
    Other,
}

/// The members of a field's lines; none where one of them cannot be read, and the whole field does not count.
pub(super) fn parse<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Vec<(&'a [u8], Value)>> {
    let mut members = Vec::new();
    for line in lines {
        let mut rest = Rest(line.trim_ascii());
        while !rest.0.is_empty() {
            let key = rest.key()?;
            let value = if rest.takes(b'=') { rest.value()? } else { Value::Boolean(true) };
            rest.parameters()?;
            members.push((key, value));
            rest.0 = rest.0.trim_ascii_start();
            if !rest.0.is_empty() {
                rest.takes(b',').then_some(())?;
                rest.0 = rest.0.trim_ascii_start();
                // A comma announces another member.
                (!rest.0.is_empty()).then_some(())?;
            }
        }
    }
    Some(members)
}

/// What of a line was not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn next(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Takes the next octet if it is this one.
    fn takes(&mut self, octet: u8) -> bool {
        let after = self.0.strip_prefix(&[octet]);
        self.0 = after.unwrap_or(self.0);
        after.is_some()
    }

    /// Takes all octets up to one that does not fit.
    fn run(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&it| !fits(it)).unwrap_or(self.0.len());
        let (run, rest) = self.0.split_at(end);
        self.0 = rest;
        run
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let begins = |it: u8| it.is_ascii_lowercase() || it == b'*';
        self.next().is_some_and(begins).then_some(())?;
        Some(self.run(|it| begins(it) || it.is_ascii_digit() || b"_-.".contains(&it)))
    }

    fn parameters(&mut self) -> Option<()> {
        while self.takes(b';') {
            self.run(|it| it == b' ');
            self.key()?;
            if self.takes(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    /// An item, or a list of them in parentheses.
    fn value(&mut self) -> Option<Value> {
        if !self.takes(b'(') {
            return self.item();
        }
        loop {
            self.run(|it| it == b' ');
            if self.takes(b')') {
                return Some(Value::Other);
            }
            self.item()?;
            self.parameters()?;
            matches!(self.next(), Some(b' ' | b')')).then_some(())?;
        }
    }

    fn item(&mut self) -> Option<Value> {
        match self.next()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'?' => {
                self.takes(b'?');
                let is_true = self.takes(b'1');
                (is_true || self.takes(b'0')).then_some(Value::Boolean(is_true))
            }
            b'@' => {
                self.takes(b'@');
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'"' => self.text(),
            b':' => {
                self.takes(b':');
                self.run(|it| it.is_ascii_alphanumeric() || b"+/=".contains(&it));
                self.takes(b':').then_some(Value::Other)
            }
            it if it.is_ascii_alphabetic() || it == b'*' => {
                self.run(|it| it.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&it));
                Some(Value::Other)
            }
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_negative = self.takes(b'-');
        let whole = self.run(|it| it.is_ascii_digit());
        if self.takes(b'.') {
            let part = self.run(|it| it.is_ascii_digit());
            let is_decimal = (1..=12).contains(&whole.len()) && (1..=3).contains(&part.len());
            return is_decimal.then_some(Value::Other);
        }
        let value: i64 = (whole.len() <= 15).then(|| std::str::from_utf8(whole).ok()?.parse().ok())??;
        Some(Value::Integer(if is_negative { value.saturating_neg() } else { value }))
    }

    fn text(&mut self) -> Option<Value> {
        self.takes(b'"').then_some(())?;
        loop {
            self.run(|it| matches!(it, b' '..=b'~') && it != b'"' && it != b'\\');
            if self.takes(b'"') {
                return Some(Value::Other);
            }
            (self.takes(b'\\') && (self.takes(b'"') || self.takes(b'\\'))).then_some(())?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<&[(&str, Value)]>) {
        let expected = expected.map(|it| it.iter().map(|(key, value)| (key.as_bytes(), *value)).collect());
        assert_eq!(parse([line.as_bytes()].into_iter()), expected, "{line}");
    }

    #[test]
    fn section_10_a_dictionary_is_keys_and_values_of_their_types() {
        check("", Some(&[]));
        check("a", Some(&[("a", Value::Boolean(true))]));
        check("a=1 ,\tb=-20;x;y=z;  w=\"v\"", Some(&[("a", Value::Integer(1)), ("b", Value::Integer(-20))]));
        check("a=?0, b=?1", Some(&[("a", Value::Boolean(false)), ("b", Value::Boolean(true))]));
        for other in ["1.5", "\"a,\\\"b\\\\\"", "token/*", ":YWJj:", "(1 \"b\";q=1  c)", "()", "@1659578233"]
        {
            check(&format!("a={other}"), Some(&[("a", Value::Other)]));
        }
    }

    #[test]
    fn section_10_a_dictionary_with_one_member_that_cannot_be_read_is_none() {
        for line in [
            "A",
            "1",
            "a=",
            "a=&",
            "a =1",
            "a= 1",
            "a,",
            "a,,b",
            ",a",
            "a b",
            "a=1;",
            "a=1;=2",
            "a=1;b=",
            "a=\"b",
            "a=\"\\n\"",
            "a=:b",
            "a=(1",
            "a=(1,2)",
            "a=1.",
            "a=1.2345",
            "a=-",
            "a=?2",
            "a=@1.5",
            "a=1x",
            "a=1234567890123456",
            "a=\"\u{e9}\"",
        ] {
            check(line, None);
        }
    }
}
