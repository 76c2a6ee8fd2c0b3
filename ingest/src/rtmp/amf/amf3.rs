//! AMF3, read as the nearest values of AMF0: integers are numbers, byte arrays text, vectors strict arrays,
//! dictionaries and arrays with names ECMA arrays.

use bytes::Bytes;

use super::cursor::Cursor;
use super::{Error, Text, Value};

/// Reads one value that AMF0 handed over with its marker 11.
pub(super) fn value(cursor: &mut Cursor, tables: &mut Tables, depth: u8) -> Result<Value, Error> {
    Reader { cursor, tables }.content(depth)
}

/// What later values of a message may refer to. Objects are not kept: references to them are not followed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    texts: Vec<Text>,
    traits: Vec<Traits>,
}

struct Reader<'a> {
    cursor: &'a mut Cursor,
    tables: &'a mut Tables,
}

/// How objects of one class are written.
#[derive(Clone, Debug)]
struct Traits {
    class: Text,
    sealed: Vec<Text>,
    dynamic: bool,
    external: bool,
}

/// A U29 that is either a reference or a count, told apart by its lowest bit.
enum Header {
    Reference(u32),
    Inline(u32),
}

impl Reader<'_> {
    fn value(&mut self, depth: u8) -> Result<Value, Error> {
        self.cursor.admit(depth)?;
        self.content(depth)
    }

    fn content(&mut self, depth: u8) -> Result<Value, Error> {
        let at = self.cursor.at();
        Ok(match self.cursor.u8()? {
            0x00 => Value::Undefined,
            0x01 => Value::Null,
            0x02 => Value::Boolean(false),
            0x03 => Value::Boolean(true),
            // Signed 29 bits.
            0x04 => Value::Number(f64::from((self.u29()? << 3).cast_signed() >> 3)),
            0x05 => Value::Number(self.cursor.f64()?),
            0x06 => Value::String(self.text()?),
            0x07 | 0x0B => self.inline(|it, length| Ok(Value::Xml(it.cursor.bytes(length)?.into())))?,
            0x08 => self.inline(|it, _| Ok(Value::Date { millis: it.cursor.f64()?, zone: 0 }))?,
            0x09 => self.inline(|it, count| it.array(count, depth))?,
            0x0A => self.object(depth)?,
            0x0C => self.inline(|it, length| Ok(Value::String(it.cursor.bytes(length)?.into())))?,
            0x0D => self.numbers(4, depth, |cursor| cursor.i32().map(f64::from))?,
            0x0E => self.numbers(4, depth, |cursor| cursor.u32().map(f64::from))?,
            0x0F => self.numbers(8, depth, Cursor::f64)?,
            0x10 => self.inline(|it, count| {
                it.cursor.u8()?;
                it.text()?;
                it.elements(count, depth).map(Value::StrictArray)
            })?,
            0x11 => self.inline(|it, count| it.dictionary(count, depth))?,
            marker => return Err(Error::Marker { marker, at }),
        })
    }

    /// Reads what is written out here; what only refers to an earlier object stays a reference.
    fn inline(
        &mut self,
        read: impl FnOnce(&mut Self, usize) -> Result<Value, Error>,
    ) -> Result<Value, Error> {
        match self.header()? {
            Header::Reference(index) => Ok(reference(index)),
            Header::Inline(count) => read(self, count as usize),
        }
    }

    fn array(&mut self, count: usize, depth: u8) -> Result<Value, Error> {
        let mut named = self.named(depth)?;
        let dense = self.elements(count, depth)?;
        if named.is_empty() {
            return Ok(Value::StrictArray(dense));
        }
        named.extend(dense.into_iter().enumerate().map(|(at, value)| (at.to_string().into(), value)));
        Ok(Value::EcmaArray(named))
    }

    fn object(&mut self, depth: u8) -> Result<Value, Error> {
        let at = self.cursor.at();
        let bits = match self.header()? {
            Header::Reference(index) => return Ok(reference(index)),
            Header::Inline(bits) => bits,
        };
        let traits = self.traits(bits)?;
        if traits.external {
            // The two collections of Flex only wrap another value; any other class writes what it likes.
            return match traits.class.as_bytes() {
                b"flex.messaging.io.ArrayCollection" | b"flex.messaging.io.ObjectProxy" => {
                    self.value(depth.saturating_add(1))
                }
                _ => Err(Error::Externalizable { at }),
            };
        }
        let mut properties = Vec::new();
        for name in traits.sealed {
            properties.push((name, self.value(depth.saturating_add(1))?));
        }
        if traits.dynamic {
            properties.append(&mut self.named(depth)?);
        }
        Ok(if traits.class.as_bytes().is_empty() {
            Value::Object(properties)
        } else {
            Value::TypedObject { class: traits.class, properties }
        })
    }

    /// The traits that an object's header, without its lowest bit, refers to or announces.
    fn traits(&mut self, bits: u32) -> Result<Traits, Error> {
        let at = self.cursor.at();
        if bits & 1 == 0 {
            let index = bits >> 1;
            return self.tables.traits.get(index as usize).cloned().ok_or(Error::Reference { index, at });
        }
        let mut traits = Traits {
            class: self.text()?,
            sealed: Vec::new(),
            dynamic: bits & 4 != 0,
            external: bits & 2 != 0,
        };
        for _ in 0..bits >> 3 {
            // A name costs as much as a value: a reference to one takes a single byte.
            self.cursor.admit(0)?;
            traits.sealed.push(self.text()?);
        }
        self.tables.traits.push(traits.clone());
        Ok(traits)
    }

    /// Named values up to the empty name.
    fn named(&mut self, depth: u8) -> Result<Vec<(Text, Value)>, Error> {
        let mut named = Vec::new();
        loop {
            let name = self.text()?;
            if name.as_bytes().is_empty() {
                return Ok(named);
            }
            named.push((name, self.value(depth.saturating_add(1))?));
        }
    }

    fn elements(&mut self, count: usize, depth: u8) -> Result<Vec<Value>, Error> {
        self.check_room(count, 1)?;
        (0..count).map(|_| self.value(depth.saturating_add(1))).collect()
    }

    fn numbers(
        &mut self,
        size: usize,
        depth: u8,
        read: impl Fn(&mut Cursor) -> Result<f64, Error>,
    ) -> Result<Value, Error> {
        self.inline(|it, count| {
            it.cursor.u8()?;
            it.check_room(count, size)?;
            let number = |_| {
                it.cursor.admit(depth.saturating_add(1))?;
                read(it.cursor).map(Value::Number)
            };
            (0..count).map(number).collect::<Result<_, _>>().map(Value::StrictArray)
        })
    }

    fn dictionary(&mut self, count: usize, depth: u8) -> Result<Value, Error> {
        self.cursor.u8()?;
        self.check_room(count, 2)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            let key = self.value(depth.saturating_add(1))?;
            entries.push((name(&key), self.value(depth.saturating_add(1))?));
        }
        Ok(Value::EcmaArray(entries))
    }

    /// A count must leave room for so many values in what is left of the message.
    fn check_room(&self, count: usize, size: usize) -> Result<(), Error> {
        if count.saturating_mul(size) > self.cursor.left() {
            return Err(Error::Truncated { at: self.cursor.at() });
        }
        Ok(())
    }

    fn text(&mut self) -> Result<Text, Error> {
        let at = self.cursor.at();
        match self.header()? {
            Header::Reference(index) => {
                self.tables.texts.get(index as usize).cloned().ok_or(Error::Reference { index, at })
            }
            Header::Inline(0) => Ok(Text::from(Bytes::new())),
            Header::Inline(length) => {
                let text = Text::from(self.cursor.bytes(length as usize)?);
                self.tables.texts.push(text.clone());
                Ok(text)
            }
        }
    }

    fn header(&mut self) -> Result<Header, Error> {
        let number = self.u29()?;
        Ok(if number & 1 == 0 { Header::Reference(number >> 1) } else { Header::Inline(number >> 1) })
    }

    /// Seven bits a byte while the high bit is set, and eight of the fourth.
    fn u29(&mut self) -> Result<u32, Error> {
        let mut number = 0;
        for _ in 0..3 {
            let byte = self.cursor.u8()?;
            number = number << 7 | u32::from(byte & 0x7F);
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Ok(number << 8 | u32::from(self.cursor.u8()?))
    }
}

fn reference(index: u32) -> Value {
    Value::Reference(u16::try_from(index).unwrap_or(u16::MAX))
}

/// The name under which a dictionary's entry is kept.
fn name(key: &Value) -> Text {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string().into(),
        // Nothing we read has such a key, and printing one could make much of little.
        _ => Text::default(),
    }
}
