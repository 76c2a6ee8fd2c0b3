//! The port through which stored files are read; opens nothing itself.
//!
//! Whoever serves viewers implements [`Source`] on files or objects. Everything in this crate that reads media asks
//! for exact ranges and gets them, or learns that what is stored is no longer what it was.

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;

/// Names one version of what is stored: an entity tag, or a file's identity and times. Only ever compared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Arc<str>);

impl Version {
    /// A version by any text that changes when the bytes do.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is known of stored bytes before one of them is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Octets.
    pub length: u64,
    /// Which bytes they are.
    pub version: Version,
}

/// Why stored bytes could not be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Nothing is stored there, or no longer.
    #[error("nothing is stored there")]
    NotFound,
    /// Other bytes are stored there than those asked for.
    #[error("it was replaced while it was read")]
    Changed,
    /// The store failed.
    #[error("it could not be read: {0}")]
    Store(Arc<str>),
}

/// Stored bytes, read by range.
pub trait Source: Send + Sync {
    /// What is stored there now.
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>>;

    /// Exactly the bytes of `range`, which ends within the length, as long as they are those of `if_match`.
    fn read(
        &self,
        range: Range<u64>,
        if_match: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>>;
}
