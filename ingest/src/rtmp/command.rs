//! Commands: a name, a transaction, a command object and arguments, in AMF0.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bytes::{Bytes, BytesMut};

use super::amf::{Error, Reader, Text, Value};

/// Most arguments that are kept; no command has more than four.
const MAX_ARGUMENTS: usize = 16;

/// A command as it came.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub(super) name: Text,
    /// What an answer repeats; 0 if none is expected.
    pub(super) transaction: f64,
    pub(super) object: Value,
    arguments: Vec<Value>,
}

impl Command {
    /// Reads a command; what has no name is none and gives nothing.
    pub(super) fn read(payload: Bytes) -> Result<Option<Self>, Error> {
        let mut reader = Reader::new(payload);
        let Some(Value::String(name)) = reader.next_value()? else { return Ok(None) };
        let transaction = reader.next_value()?.and_then(|it| it.as_number()).unwrap_or(0.0);
        let object = reader.next_value()?.unwrap_or(Value::Null);
        let mut arguments = Vec::new();
        while arguments.len() < MAX_ARGUMENTS {
            match reader.next_value() {
                Ok(Some(argument)) => arguments.push(argument),
                // Some encoders pad commands with bytes that are no values.
                Ok(None) | Err(Error::Truncated { .. } | Error::Marker { .. }) => break,
                Err(bomb) => return Err(bomb),
            }
        }
        Ok(Some(Self { name, transaction, object, arguments }))
    }

    /// An argument after the command object; undefined if it is missing.
    pub(super) fn argument(&self, index: usize) -> &Value {
        self.arguments.get(index).unwrap_or(&Value::Undefined)
    }

    /// A text argument; empty if it is missing or no text.
    pub(super) fn text(&self, index: usize) -> Text {
        self.argument(index).as_text().cloned().unwrap_or_default()
    }
}

/// A command's payload.
pub(super) fn write(name: &'static str, transaction: f64, values: &[Value]) -> Bytes {
    let mut out = BytesMut::new();
    Value::text(name).write(&mut out);
    Value::Number(transaction).write(&mut out);
    values.iter().for_each(|value| value.write(&mut out));
    out.freeze()
}

/// A status object, as `onStatus`, `_result` and `_error` carry it (live.md 4).
pub(super) fn status(level: Level, code: &'static str, description: &str) -> Value {
    Value::object([
        ("level", Value::text(level.as_str())),
        ("code", Value::text(code)),
        ("description", Value::text(description.to_owned())),
    ])
}

/// How bad a status is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Status,
    Error,
}

impl Level {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Error => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(payload: &[u8], expected: Result<Option<(&str, f64, usize)>, Error>) {
        let command = Command::read(Bytes::copy_from_slice(payload));
        let facts = command.as_ref().map(|it| {
            let it = it.as_ref()?;
            Some((std::str::from_utf8(it.name.as_bytes()).unwrap(), it.transaction, it.arguments.len()))
        });
        assert_eq!(facts, expected.as_ref().copied(), "{payload:02x?}");
    }

    #[test]
    fn a_command_may_lack_all_but_its_name() {
        check(b"\x02\0\x07connect", Ok(Some(("connect", 0.0, 0))));
        check(b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0", Ok(Some(("connect", 1.0, 0))));
        check(b"\x05", Ok(None));
        check(b"", Ok(None));
    }

    #[test]
    fn bytes_after_the_arguments_are_ignored_but_a_bomb_is_not() {
        check(b"\x02\0\x01a\0\0\0\0\0\0\0\0\0\x05\x01\x01\0\0", Ok(Some(("a", 0.0, 1))));
        check(b"\x02\0\x01a\0\0\0\0\0\0\0\0\0\x05\x01\x01\xff\xff", Ok(Some(("a", 0.0, 1))));
        let mut bomb = b"\x02\0\x01a\0\0\0\0\0\0\0\0\0\x05".to_vec();
        bomb.extend([3, 0, 0].repeat(20));
        check(&bomb, Err(Error::TooDeep { at: 62 }));
    }
}
