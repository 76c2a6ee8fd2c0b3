//! AMF0, as encoders really write it.

use bytes::Bytes;

use super::amf3::{self, Tables};
use super::cursor::Cursor;
use super::{Error, Text, Value};

/// Ends an object: an empty key and the marker 09.
const OBJECT_END: [u8; 3] = [0, 0, 9];

/// Reads the values of one message, one after another.
#[derive(Clone, Debug)]
pub struct Reader {
    cursor: Cursor,
    tables: Tables,
}

impl Reader {
    /// Begins at the start of a message.
    pub fn new(message: Bytes) -> Self {
        Self { cursor: Cursor::new(message), tables: Tables::default() }
    }

    /// The next value, or nothing at the end of the message.
    ///
    /// # Errors
    /// What is wrong with it; nothing can be read after it.
    pub fn next_value(&mut self) -> Result<Option<Value>, Error> {
        if self.cursor.left() == 0 { Ok(None) } else { self.value(1).map(Some) }
    }

    fn value(&mut self, depth: u8) -> Result<Value, Error> {
        self.cursor.admit(depth)?;
        let at = self.cursor.at();
        let cursor = &mut self.cursor;
        Ok(match cursor.u8()? {
            0x00 => Value::Number(cursor.f64()?),
            0x01 => Value::Boolean(cursor.u8()? != 0),
            0x02 => Value::String(short_text(cursor)?),
            0x03 => Value::Object(self.properties(depth)?),
            0x05 => Value::Null,
            0x06 => Value::Undefined,
            0x07 => Value::Reference(cursor.u16()?),
            0x08 => {
                // The count is a hint that OBS and others get wrong; only the end marker counts.
                cursor.u32()?;
                Value::EcmaArray(self.properties(depth)?)
            }
            0x0A => Value::StrictArray(self.elements(depth)?),
            0x0B => Value::Date { millis: cursor.f64()?, zone: cursor.i16()? },
            0x0C => Value::String(long_text(cursor)?),
            0x0D => Value::Unsupported,
            0x0F => Value::Xml(long_text(cursor)?),
            0x10 => Value::TypedObject { class: short_text(cursor)?, properties: self.properties(depth)? },
            0x11 => amf3::value(cursor, &mut self.tables, depth)?,
            marker => return Err(Error::Marker { marker, at }),
        })
    }

    /// Reads up to the end marker, or to the end of the message, where some encoders leave it out.
    fn properties(&mut self, depth: u8) -> Result<Vec<(Text, Value)>, Error> {
        let mut properties = Vec::new();
        while self.cursor.left() > 0 {
            if self.cursor.looks_at(&OBJECT_END) {
                self.cursor.skip(OBJECT_END.len());
                break;
            }
            properties.push((short_text(&mut self.cursor)?, self.value(depth.saturating_add(1))?));
        }
        Ok(properties)
    }

    fn elements(&mut self, depth: u8) -> Result<Vec<Value>, Error> {
        let at = self.cursor.at();
        let count = self.cursor.u32()?;
        // Every value has at least its marker.
        if count as usize > self.cursor.left() {
            return Err(Error::Truncated { at });
        }
        (0..count).map(|_| self.value(depth.saturating_add(1))).collect()
    }
}

fn short_text(cursor: &mut Cursor) -> Result<Text, Error> {
    let length = cursor.u16()?;
    cursor.bytes(length.into()).map(Text::from)
}

fn long_text(cursor: &mut Cursor) -> Result<Text, Error> {
    let length = cursor.u32()?;
    cursor.bytes(length as usize).map(Text::from)
}
