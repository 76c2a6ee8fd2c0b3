//! One thing for video and one for audio.

use std::ops::{Index, IndexMut};

use crate::media::TrackKind;

/// One `T` for each kind of track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tracks<T> {
    pub(super) video: T,
    pub(super) audio: T,
}

/// In the order in which playlists, manifests and facts name them.
pub(super) const KINDS: [TrackKind; 2] = [TrackKind::Video, TrackKind::Audio];

impl<T> Tracks<T> {
    /// What `make` makes for each kind.
    pub(super) fn each(mut make: impl FnMut(TrackKind) -> T) -> Self {
        Self { video: make(TrackKind::Video), audio: make(TrackKind::Audio) }
    }

    /// Both, with their kinds.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TrackKind, &T)> {
        KINDS.into_iter().map(|kind| (kind, &self[kind]))
    }
}

impl<T> Tracks<Option<T>> {
    /// Those that exist, with their kinds.
    pub(super) fn existing(&self) -> impl Iterator<Item = (TrackKind, &T)> {
        self.iter().filter_map(|(kind, it)| it.as_ref().map(|it| (kind, it)))
    }
}

impl<T> Index<TrackKind> for Tracks<T> {
    type Output = T;

    fn index(&self, kind: TrackKind) -> &T {
        match kind {
            TrackKind::Video => &self.video,
            TrackKind::Audio => &self.audio,
        }
    }
}

impl<T> IndexMut<TrackKind> for Tracks<T> {
    fn index_mut(&mut self, kind: TrackKind) -> &mut T {
        match kind {
            TrackKind::Video => &mut self.video,
            TrackKind::Audio => &mut self.audio,
        }
    }
}
