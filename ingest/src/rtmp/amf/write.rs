//! Writing AMF0.

use bytes::{BufMut, BytesMut};

use super::{Text, Value};

impl Value {
    /// Appends the value as AMF0.
    pub fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Number(number) => {
                out.put_u8(0x00);
                out.put_f64(*number);
            }
            Self::Boolean(truth) => out.put_slice(&[0x01, u8::from(*truth)]),
            Self::String(text) => match u16::try_from(text.as_bytes().len()) {
                Ok(length) => {
                    out.put_u8(0x02);
                    out.put_u16(length);
                    out.put_slice(text.as_bytes());
                }
                Err(_) => long_text(0x0C, text, out),
            },
            Self::Object(it) => {
                out.put_u8(0x03);
                properties(it, out);
            }
            Self::Null => out.put_u8(0x05),
            Self::Undefined => out.put_u8(0x06),
            Self::Reference(number) => {
                out.put_u8(0x07);
                out.put_u16(*number);
            }
            Self::EcmaArray(it) => {
                out.put_u8(0x08);
                out.put_u32(it.len() as u32);
                properties(it, out);
            }
            Self::StrictArray(it) => {
                out.put_u8(0x0A);
                out.put_u32(it.len() as u32);
                it.iter().for_each(|value| value.write(out));
            }
            Self::Date { millis, zone } => {
                out.put_u8(0x0B);
                out.put_f64(*millis);
                out.put_i16(*zone);
            }
            Self::Unsupported => out.put_u8(0x0D),
            Self::Xml(text) => long_text(0x0F, text, out),
            Self::TypedObject { class, properties: it } => {
                out.put_u8(0x10);
                short_text(class, out);
                properties(it, out);
            }
        }
    }
}

fn properties(properties: &[(Text, Value)], out: &mut BytesMut) {
    for (name, value) in properties {
        short_text(name, out);
        value.write(out);
    }
    out.put_slice(&[0, 0, 9]);
}

/// A name, which AMF0 cannot write longer than 65,535 bytes: what exceeds that is left out.
fn short_text(text: &Text, out: &mut BytesMut) {
    let length = u16::try_from(text.as_bytes().len()).unwrap_or(u16::MAX);
    out.put_u16(length);
    out.put_slice(text.as_bytes().get(..length.into()).unwrap_or_default());
}

fn long_text(marker: u8, text: &Text, out: &mut BytesMut) {
    out.put_u8(marker);
    out.put_u32(text.as_bytes().len() as u32);
    out.put_slice(text.as_bytes());
}
