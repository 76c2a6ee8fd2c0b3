//! What can be wrong with a configuration record, whatever its codec.

use super::bits::End;

/// More than any encoder writes; the bound keeps init segments small.
const MAX_RECORD: usize = 64 * 1024;

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It ends inside a field.
    #[error("the record ends inside a field")]
    Truncated,
    /// More bytes than a record can have.
    #[error("the record has {0} bytes, more than {MAX_RECORD}")]
    TooLong(usize),
    /// A field says what cannot be.
    #[error("the record says {field} = {value}")]
    Value {
        /// The field's name in its specification.
        field: &'static str,
        /// What it says.
        value: u32,
    },
    /// A decoder needs a parameter set that is not there.
    #[error("the record has no NAL unit of type {0}")]
    NoParameterSet(u8),
}

impl From<End> for Error {
    fn from(_: End) -> Self {
        Self::Truncated
    }
}

/// Refuses a record that no encoder writes.
pub(super) const fn checked_length(record: &[u8]) -> Result<(), Error> {
    if record.len() > MAX_RECORD { Err(Error::TooLong(record.len())) } else { Ok(()) }
}

/// The value, where it is not above `most`.
pub(super) const fn limited(field: &'static str, value: u32, most: u32) -> Result<u32, Error> {
    if value > most { Err(Error::Value { field, value }) } else { Ok(value) }
}
