//! Playlists as players walk them, down from the multivariant one. `m3u8-rs` says what the tags mean.

use m3u8_rs::{AlternativeMedia, MasterPlaylist, MediaPlaylist, VariantStream};

use crate::titles::Title;

/// One of the two forms of a title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Fragments,
    Transport,
}

/// A multivariant playlist.
pub(crate) struct Multivariant<'a> {
    pub(crate) title: &'a Title,
    pub(crate) text: String,
    read: MasterPlaylist,
}

/// A media playlist and where it is.
pub(crate) struct Media<'a> {
    title: &'a Title,
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) read: MediaPlaylist,
    /// What `EXTINF` says, to the last digit.
    pub(crate) seconds: Vec<f64>,
}

/// The playlist of a title in a form; nothing where it has none in it.
pub(crate) fn multivariant(title: &Title, form: Form) -> Option<Multivariant<'_>> {
    let path = match form {
        Form::Fragments => "index.m3u8",
        Form::Transport => "index-ts.m3u8",
    };
    let text = String::from_utf8(title.get(path)?).expect("it is text");
    let (_, read) = m3u8_rs::parse_master_playlist(text.as_bytes()).expect("a stranger reads it");
    Some(Multivariant { title, text, read })
}

impl<'a> Multivariant<'a> {
    pub(crate) fn variants(&self) -> impl Iterator<Item = &VariantStream> {
        self.read.variants.iter().filter(|it| !it.is_i_frame)
    }

    pub(crate) fn scrubbing(&self) -> impl Iterator<Item = &VariantStream> {
        self.read.variants.iter().filter(|it| it.is_i_frame)
    }

    pub(crate) fn renditions(&self, kind: &str) -> Vec<&AlternativeMedia> {
        self.read.alternatives.iter().filter(|it| it.media_type.to_string() == kind).collect()
    }

    pub(crate) fn is_independent(&self) -> bool {
        self.read.independent_segments
    }

    pub(crate) fn media(&self, uri: &str) -> Media<'a> {
        Media::at(self.title, uri)
    }

    /// The playlists of all variants and all their sound.
    pub(crate) fn all(&self) -> Vec<Media<'a>> {
        let sound = self.renditions("AUDIO").into_iter().filter_map(|it| it.uri.clone());
        self.variants().map(|it| it.uri.clone()).chain(sound).map(|uri| self.media(&uri)).collect()
    }
}

impl<'a> Media<'a> {
    fn at(title: &'a Title, path: &str) -> Self {
        let text = title.text(path);
        let (_, read) = m3u8_rs::parse_media_playlist(text.as_bytes()).expect("a stranger reads it");
        let seconds = text.lines().filter_map(|it| it.strip_prefix("#EXTINF:")?.split(',').next());
        let seconds = seconds.map(|it| it.parse().expect("it is a number")).collect();
        Self { title, path: path.to_owned(), text, read, seconds }
    }

    /// What the playlist calls something.
    pub(crate) fn get(&self, uri: &str) -> Vec<u8> {
        let directory = self.path.rsplit_once('/').map_or("", |it| it.0);
        self.title.bytes(&format!("{directory}/{uri}"))
    }

    pub(crate) fn init(&self) -> Vec<u8> {
        self.get(&self.read.segments[0].map.as_ref().expect("it has a map").uri)
    }

    pub(crate) fn segments(&self) -> Vec<Vec<u8>> {
        self.read.segments.iter().map(|it| self.get(&it.uri)).collect()
    }

    pub(crate) fn total(&self) -> f64 {
        self.seconds.iter().sum()
    }

    /// Bits per second: the worst of all runs that last half to one and a half target durations, and all together.
    pub(crate) fn rates(&self) -> (f64, f64) {
        let bits: Vec<f64> = self.segments().iter().map(|it| it.len() as f64 * 8.0).collect();
        let target = self.read.target_duration as f64;
        let mut peak: f64 = 0.0;
        for first in 0..bits.len() {
            for last in first..bits.len() {
                let seconds: f64 = self.seconds[first..=last].iter().sum();
                if (0.5 * target..=1.5 * target).contains(&seconds) {
                    peak = peak.max(bits[first..=last].iter().sum::<f64>() / seconds);
                }
            }
        }
        (peak, bits.iter().sum::<f64>() / self.total())
    }
}
