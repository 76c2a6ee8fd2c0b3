//! Reading the header of a stored file: with few small reads, wherever it stands.

use crate::asset::{ReadError, Source, Stored};
use crate::isobmff::locate::{Locator, Moov};
use crate::isobmff::{self, Walk};

/// Eight hours of four tracks at 60 pictures a second have about 30 MiB.
const MAX_HEADER: u64 = 128 * 1024 * 1024;

/// What must be known of a file to play it.
#[derive(Clone, Debug)]
pub struct Header {
    /// Which bytes it was read from.
    pub stored: Stored,
    /// The movie header.
    pub moov: Moov,
    /// The fragments behind it, of a movie that has any.
    pub fragments: Vec<Moov>,
}

/// Why a file has no header to be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// It could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has none, or a broken one.
    #[error(transparent)]
    Movie(#[from] isobmff::Error),
}

impl Header {
    /// Reads the header of what `source` has now.
    ///
    /// # Errors
    /// [`HeaderError`] when there is none within the bounds.
    pub async fn read(source: &dyn Source) -> Result<Self, HeaderError> {
        let stored = source.stored().await?;
        let mut locator = Locator::new(stored.length, MAX_HEADER);
        let moov = loop {
            let bytes = source.read(locator.wanted(), &stored.version).await?;
            if let Some(moov) = locator.push(bytes)? {
                break moov;
            }
        };
        if !moov.is_fragmented()? {
            return Ok(Self { stored, moov, fragments: Vec::new() });
        }
        let mut walk = Walk::new(stored.length, moov.end(), MAX_HEADER);
        while !walk.wanted().is_empty() {
            walk.push(&source.read(walk.wanted(), &stored.version).await?)?;
        }
        Ok(Self { stored, moov, fragments: walk.into_found() })
    }
}
