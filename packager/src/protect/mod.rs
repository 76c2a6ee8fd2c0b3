//! Encryption of stored titles: whole segments (RFC 8216bis 4.4.4.4), samples of fragments (ISO 23001-7), samples of
//! transport streams (Apple's SAMPLE-AES).
//!
//! ```text
//! ContentKey ─▶ TrackCipher (which octets, by codec; one pass in place) ─▶ Auxiliary ─▶ isobmff::protection (boxes)
//!           ├─▶ sample_aes (frames of transport streams)
//!           ├─▶ whole (padded segments)
//!           └─▶ system (what players and license servers are told)
//! ```
//! It makes no key and keeps none: whoever serves viewers knows where keys come from.

#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod cipher;
mod key;
pub(crate) mod sample_aes;
mod subsamples;
pub(crate) mod system;
mod track;
pub(crate) mod whole;

pub use key::{ContentKey, KeyId, TitleKeys};
pub use system::{System, SystemData};
pub(crate) use track::{Auxiliary, TrackCipher};

/// How a title is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Whole segments, by AES in CBC mode: HLS only, and of every codec.
    Aes128,
    /// Samples of fragments in CTR mode, which old license systems want.
    Cenc,
    /// Samples of fragments in CBC mode with a pattern, which all systems of today know.
    Cbcs,
}

impl Method {
    /// How samples of fragments are encrypted; none where segments are encrypted whole.
    pub const fn scheme(self) -> Option<Scheme> {
        match self {
            Self::Aes128 => None,
            Self::Cenc => Some(Scheme::Cenc),
            Self::Cbcs => Some(Scheme::Cbcs),
        }
    }
}

/// How samples are encrypted (ISO 23001-7 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// CTR mode; each sample has its own initialization vector.
    Cenc,
    /// CBC mode; of pictures one block of ten.
    Cbcs,
}

impl Scheme {
    /// `scheme_type`, which is also what manifests call it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Cenc => "cenc",
            Self::Cbcs => "cbcs",
        }
    }
}
