//! What can be wrong with a file, each with the box and its offset in the file.

use super::reader::FourCc;
use crate::codec::{aac, avc, record};

/// A fact about a file that cannot be played, or about a track of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A size that is smaller than its own header, or reaches beyond what the box stands in.
    #[error("the box {kind} at byte {offset} has the impossible size {size}")]
    Size {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it says.
        size: u64,
    },
    /// A body that ends inside a field.
    #[error("the box {kind} at byte {offset} ends inside a field")]
    Truncated {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// A count of entries for which the body has no room.
    #[error("the box {kind} at byte {offset} announces {count} entries, which it cannot hold")]
    Count {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// What it announces.
        count: u32,
    },
    /// More boxes inside one than any writer makes.
    #[error("the box {kind} at byte {offset} holds too many boxes")]
    TooManyBoxes {
        /// The box around them.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// Boxes inside boxes beyond any real depth.
    #[error("the box {kind} at byte {offset} is nested too deep")]
    TooDeep {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
    },
    /// A box that must be there and is not.
    #[error("the box {parent} at byte {offset} has no {kind}")]
    Missing {
        /// The box that is not there.
        kind: FourCc,
        /// The box it belongs in.
        parent: FourCc,
        /// Where that begins.
        offset: u64,
    },
    /// A field whose value breaks what everything after relies on.
    #[error("the box {kind} at byte {offset} says {field} = {value}")]
    Value {
        /// The box.
        kind: FourCc,
        /// Where it begins.
        offset: u64,
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
    },
    /// No `moov` where one could be.
    #[error("no movie header was found up to byte {0}")]
    NoMovie(u64),
    /// The file ended before bytes that its own boxes announce.
    #[error("the file ends before byte {0}")]
    EndOfFile(u64),
    /// A `moov` beyond the caller's limit.
    #[error("the movie header has {size} bytes, more than the limit of {limit}")]
    MovieTooLarge {
        /// Its size.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The samples stand in fragments, and there is none of this track whose media is whole.
    #[error("the movie is fragmented, and no fragment of the track is whole")]
    NoFragment,
    /// The movie header is compressed (`cmov`), a form of QuickTime.
    #[error("the movie header is compressed")]
    Compressed,
    /// No track is of a kind and codec that can be played.
    #[error("the movie has no track that can be played")]
    NoTrack,
    /// A track of another kind than pictures or sound.
    #[error("a track of kind {0} is neither video nor audio")]
    Handler(FourCc),
    /// A codec without a home in this crate.
    #[error("the codec {0} is not supported")]
    Codec(FourCc),
    /// An `mp4a` track that is no AAC, by its `objectTypeIndication`.
    #[error("audio of object type indication {0:#04x} is not supported")]
    AudioObject(u8),
    /// The samples are encrypted.
    #[error("the track is encrypted ({0})")]
    Encrypted(FourCc),
    /// The samples stand in another file. A path or URL named by a media file is never opened.
    #[error("the track's samples stand in another file")]
    External,
    /// The track changes its decoder configuration midway.
    #[error("the track has {0} decoder configurations")]
    Configurations(usize),
    /// An edit list that cuts the media into several pieces.
    #[error("the edit list cuts the track into {0} pieces")]
    Cuts(usize),
    /// More tracks than any player offers.
    #[error("the movie has more tracks than are read")]
    TooManyTracks,
    /// The H.264 configuration is broken.
    #[error("avcC: {0}")]
    Avc(#[from] avc::Error),
    /// The configuration of another codec is broken.
    #[error("the box {kind} in the sample entry at byte {offset}: {error}")]
    Record {
        /// The box.
        kind: FourCc,
        /// Where the sample entry begins.
        offset: u64,
        /// What is wrong with it.
        error: record::Error,
    },
    /// The AAC configuration is broken.
    #[error("esds: {0}")]
    Aac(#[from] aac::Error),
}
