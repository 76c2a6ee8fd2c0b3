//! Why a stored title cannot be played.

use crate::isobmff;

/// A title that cannot be played, and the file that is in the way.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unplayable {
    /// Which of the title's files, in their order.
    pub file: usize,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// Its header, or the only track that could have been played.
    #[error(transparent)]
    Movie(#[from] isobmff::Error),
    /// Pictures that never begin.
    #[error("the video track has no key frame")]
    NoKeyFrame,
    /// An edit list that shows nothing, or samples that last no time.
    #[error("nothing of the track is shown")]
    NothingShown,
    /// Times beyond ten days.
    #[error("the track lasts longer than ten days, or begins so far away")]
    TooLong,
    /// More work than any film is.
    #[error("the tracks of the title have {0} samples together")]
    TooManySamples(u64),
    /// More than any playlist should list.
    #[error("the track has {0} segments")]
    TooManySegments(usize),
    /// A size that no picture has.
    #[error("sample {number} has {size} bytes")]
    LargeSample {
        /// Which sample, from 0.
        number: u32,
        /// Its size.
        size: u32,
    },
    /// Too much between two key frames.
    #[error(
        "from second {at} on, {samples} samples with {bytes} bytes follow without a key frame; \
         encode it with a key frame every two seconds"
    )]
    LargeSegment {
        /// Seconds from the beginning.
        at: u64,
        /// How many samples.
        samples: usize,
        /// How many bytes.
        bytes: u64,
    },
    /// Its set wants its pictures.
    #[error("its set takes the pictures of it, and it has none")]
    NoVideo,
    /// Its set wants its sound.
    #[error("its set takes the sound of it, and it has none")]
    NoAudio,
    /// A rendition of another film, or of a part of it.
    #[error("it lasts {seconds} s, the best rendition of its set {expected} s")]
    OtherLength {
        /// How long it lasts.
        seconds: u64,
        /// How long it should last.
        expected: u64,
    },
    /// Pictures of a codec whose samples cannot be encrypted here.
    #[error(
        "samples of AV1 and VP9 pictures cannot be encrypted; encrypt whole segments (method = \"aes-128\"), or encode it \
         as H.264 or H.265"
    )]
    Unencryptable,
}

impl Reason {
    /// Whether the file is sound, but of a kind that is not served.
    pub const fn is_unsupported(&self) -> bool {
        use isobmff::Error;
        matches!(
            self,
            Self::Movie(
                Error::Compressed
                    | Error::NoTrack
                    | Error::Handler(_)
                    | Error::Codec(_)
                    | Error::AudioObject(_)
                    | Error::Encrypted(_)
                    | Error::External
                    | Error::Configurations(_)
                    | Error::Cuts(_)
            ) | Self::Unencryptable
        )
    }
}
