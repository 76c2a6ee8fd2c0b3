//! Action Message Format: the values in commands and data messages (live.md 6).

mod text;

pub use text::Text;

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
    Object(Vec<(Text, Value)>),
    /// Null.
    Null,
    /// Undefined.
    Undefined,
    /// An earlier object of the same message, by number. Never followed: no peer needs it, and it could be a loop.
    Reference(u16),
    /// Named values with a count in front, which nobody believes.
    EcmaArray(Vec<(Text, Value)>),
    /// Values in order.
    StrictArray(Vec<Value>),
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
        properties: Vec<(Text, Value)>,
    },
}
