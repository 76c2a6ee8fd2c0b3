//! Files of subtitles: those beside a title, and those its set names.

use std::time::SystemTime;

use futures_util::StreamExt as _;
use futures_util::stream;
use packager::asset::{ReadError, Source as _};
use packager::text::{About, Format, MAX_FILE, Subtitles, Track, beside};

use super::files::Files;
use super::shelf::{AT_ONCE, Witness};

/// More languages than any film has.
const MAX_TRACKS: usize = 64;

/// All of a title's files together: they stay in memory, and a film in ten languages has one of these.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// In a directory with more entries nothing is looked for: it would be read at each change to it.
pub(super) const MAX_ENTRIES: usize = 16_384;

/// A file of subtitles that belongs to a title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) path: String,
    pub(super) about: About,
    pub(super) format: Format,
}

/// What stood beside a title when its directory was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beside {
    /// The title they stand beside, as a file.
    pub(super) title: String,
    /// Changes when a file comes or goes.
    pub(super) directory: Witness,
    pub(super) wanted: Vec<Wanted>,
}

impl Beside {
    /// Looks beside the title at `path`. Nothing where its directory cannot be read, which is no reason not to play it.
    pub(super) async fn look(library: &Files, path: &str) -> Option<Self> {
        let (directory, title) = path.rsplit_once('/').unwrap_or(("", path));
        let listed = library.list(directory, MAX_ENTRIES).await;
        let listed = listed.map_err(|error| tracing::warn!(path, "no subtitles are looked for: {error}"));
        let (version, names) = listed.ok()??;
        let mut wanted = Vec::new();
        match names {
            Some(names) => {
                for name in names {
                    if let Some((about, format)) = beside(title, &name) {
                        wanted.push(Wanted { path: below(directory, &name), about, format });
                    }
                }
            }
            None => {
                tracing::debug!(
                    path,
                    "no subtitles are looked for among more than {MAX_ENTRIES} names; a set file may name some"
                );
            }
        }
        // Menus have languages together, the general before the particular.
        wanted.sort_by(|a, b| {
            let key = |it: &Wanted| (it.about.language.tag().to_owned(), it.about.purpose, it.path.clone());
            key(a).cmp(&key(b))
        });
        wanted.truncate(MAX_TRACKS);
        Some(Self { title: path.to_owned(), directory: (directory.to_owned(), Some(version)), wanted })
    }
}

/// A file of subtitles as it was read.
#[derive(Debug)]
pub(super) struct Read {
    wanted: Wanted,
    bytes: bytes::Bytes,
}

/// What came of those that were wanted.
#[derive(Debug)]
pub(super) struct Words {
    /// Those that could be had, in order.
    pub(super) read: Vec<Read>,
    /// Where was looked, and what was there.
    pub(super) witnesses: Vec<Witness>,
    /// When the latest of them was changed.
    pub(super) modified: SystemTime,
}

/// Reads what is wanted. A file that cannot be had leaves a title without its words, not without its pictures.
pub(super) async fn read(library: &Files, wanted: Vec<Wanted>) -> Words {
    let mut words = Words { read: Vec::new(), witnesses: Vec::new(), modified: SystemTime::UNIX_EPOCH };
    let opened = wanted.into_iter().take(MAX_TRACKS).map(|wanted| async move {
        let file = library.open(&wanted.path).await;
        (wanted, file)
    });
    let opened = stream::iter(opened).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let (mut fitting, mut room) = (Vec::new(), MAX_BYTES);
    for (wanted, file) in opened {
        let path = wanted.path.clone();
        match file {
            Ok(file) => {
                words.witnesses.push((path.clone(), Some(file.version().clone())));
                match room.checked_sub(file.length()).filter(|_| file.length() <= MAX_FILE) {
                    Some(rest) => {
                        room = rest;
                        fitting.push((wanted, file));
                    }
                    None => tracing::warn!(path, "the subtitles are left out: they have too many bytes"),
                }
            }
            Err(error) => {
                tracing::warn!(path, "the subtitles are left out: {error}");
                // It may come. A server would be asked for it again and again.
                if error == ReadError::NotFound && !library.are_far() {
                    words.witnesses.push((path, None));
                }
            }
        }
    }
    let read = fitting.into_iter().map(|(wanted, file)| async move {
        let bytes = file.read(0..file.length(), file.version()).await;
        (wanted, file.modified(), bytes)
    });
    for (wanted, modified, bytes) in stream::iter(read).buffered(AT_ONCE).collect::<Vec<_>>().await {
        match bytes {
            Ok(bytes) => {
                words.modified = words.modified.max(modified);
                words.read.push(Read { wanted, bytes });
            }
            Err(error) => tracing::warn!(wanted.path, "the subtitles are left out: {error}"),
        }
    }
    words
}

/// Understands what was read; a file that holds no subtitles is left out.
pub(super) fn tracks(read: Vec<Read>) -> Vec<Track> {
    let track = |it: Read| {
        let path = &it.wanted.path;
        let subtitles = Subtitles::parse(&it.bytes, it.wanted.format);
        let subtitles =
            subtitles.map_err(|error| tracing::warn!(path, "the subtitles are left out: {error}")).ok()?;
        Some(Track { about: it.wanted.about, subtitles })
    };
    read.into_iter().filter_map(track).collect()
}

/// The path of what is at `file` from `directory`.
pub(super) fn below(directory: &str, file: &str) -> String {
    if directory.is_empty() { file.to_owned() } else { format!("{directory}/{file}") }
}
