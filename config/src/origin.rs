//! Where answers come from.

use std::path::PathBuf;

/// An origin by id.
#[derive(Clone, Debug)]
pub struct Origin {
    /// What behaviors name.
    pub id: String,
    /// What it is.
    pub kind: OriginKind,
}

/// What an origin is.
#[derive(Clone, Debug)]
pub enum OriginKind {
    /// The broadcasts of this server.
    Live {
        /// Dropped from the front of the path; none when empty.
        strip_prefix: String,
    },
    /// Files below a directory, packaged at request time.
    Vod {
        /// The directory, absolute.
        root: PathBuf,
        /// Dropped from the front of the path. None: the behavior's literal prefix up to its first wildcard.
        strip_prefix: Option<String>,
    },
}
