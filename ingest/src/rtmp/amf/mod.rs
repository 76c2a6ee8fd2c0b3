//! Action Message Format: the values in commands and data messages (live.md 6).
//!
//! [`Reader`] reads AMF0, and AMF3 where AMF0 switches to it; [`Value::write`] writes AMF0. A message is hostile until
//! read: depth and number of values are bounded, and no number in it decides how much is allocated.

#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod amf3;
mod cursor;
mod read;
mod text;
mod write;

pub use read::Reader;
pub use text::Text;

/// Deepest nesting that is read. Real messages nest four deep.
const MAX_DEPTH: u8 = 16;

/// Most values in one message. The richest `onMetaData` (a key frame index) has some thousands.
const MAX_VALUES: u32 = 10_000;

/// What is wrong with a message's values, and at which byte of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message ends within a value.
    #[error("the message ends within a value, at byte {at}")]
    Truncated {
        /// Where more was needed.
        at: usize,
    },
    /// No value begins with this marker.
    #[error("no value begins with marker {marker:#04x}, at byte {at}")]
    Marker {
        /// The marker.
        marker: u8,
        /// Where it stands.
        at: usize,
    },
    /// Values are nested too deeply.
    #[error("values are nested deeper than {MAX_DEPTH}, at byte {at}")]
    TooDeep {
        /// Where the one too deep begins.
        at: usize,
    },
    /// There are too many values.
    #[error("there are more than {MAX_VALUES} values, at byte {at}")]
    TooMany {
        /// Where the one too many begins.
        at: usize,
    },
    /// AMF3 refers to a string or to traits that did not come before.
    #[error("reference {index} points at nothing, at byte {at}")]
    Reference {
        /// Its number.
        index: u32,
        /// Where it stands.
        at: usize,
    },
    /// AMF3 holds an object that only its class can read.
    #[error("an object writes itself in a way only its class knows, at byte {at}")]
    Externalizable {
        /// Where its traits stand.
        at: usize,
    },
}

/// An AMF value, in the vocabulary of AMF0. What AMF3 says beyond it is read as the nearest of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; AMF0 knows only doubles.
    Number(f64),
    /// True or false.
    Boolean(bool),
    /// Text, long or short.
    String(Text),
    /// Named values, in the order written.
    Object(Vec<(Text, Self)>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// An earlier object of the same message, by number. Never followed: no peer needs it, and it could be a loop.
    Reference(u16),
    /// Named values with a count in front, which nobody believes.
    EcmaArray(Vec<(Text, Self)>),
    /// Values in order.
    StrictArray(Vec<Self>),
    /// A time.
    Date {
        /// Milliseconds since 1970.
        millis: f64,
        /// A time zone in minutes, which should be 0.
        zone: i16,
    },
    /// What the sender could not say.
    Unsupported,
    /// An XML document.
    Xml(Text),
    /// An object with a class name.
    TypedObject {
        /// The class.
        class: Text,
        /// Its named values.
        properties: Vec<(Text, Self)>,
    },
}

impl Value {
    /// Text from text.
    pub fn text(text: impl Into<Text>) -> Self {
        Self::String(text.into())
    }

    /// An object from its named values.
    pub fn object<const N: usize>(properties: [(&'static str, Self); N]) -> Self {
        Self::Object(properties.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }

    /// The text, if it is text.
    pub const fn as_text(&self) -> Option<&Text> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, also where an encoder wrote it as text or as a truth.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Boolean(truth) => Some(f64::from(u8::from(*truth))),
            Self::String(text) => text.lossy().trim().parse().ok(),
            _ => None,
        }
    }

    /// The truth, also where an encoder wrote it as a number.
    pub fn as_boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(truth) => Some(*truth),
            Self::Number(number) => Some(*number != 0.0),
            _ => None,
        }
    }

    /// The named values of any kind of object.
    pub fn properties(&self) -> &[(Text, Self)] {
        match self {
            Self::Object(properties) | Self::EcmaArray(properties) | Self::TypedObject { properties, .. } => {
                properties
            }
            _ => &[],
        }
    }

    /// The value of that name in any kind of object.
    pub fn property(&self, name: &str) -> Option<&Self> {
        self.properties().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "a test may panic")]
mod tests;
