//! Files of subtitles: those beside a title, and those its set names.

use std::time::SystemTime;

use packager::asset::{ReadError, Source, Version};
use packager::text::{About, Format, MAX_FILE, Subtitles, Track, beside};

use super::files::Files;
use super::shelf::Witness;

/// More languages than any film has.
const MAX_TRACKS: usize = 64;

/// All of a title's files together: they stay in memory, and a film in ten languages has one of these.
const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// In a directory with more entries nothing is looked for: it would be read at each change to it.
const MAX_ENTRIES: usize = 16_384;

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
        Some(Self { directory: (directory.to_owned(), Some(version)), wanted })
    }
}

/// A file of subtitles as it was read.
#[derive(Debug)]
pub(super) struct Read {
    wanted: Wanted,
    bytes: bytes::Bytes,
    pub(super) modified: SystemTime,
}

/// Reads what is wanted. A file that cannot be had leaves a title without its words, not without its pictures.
pub(super) async fn read(library: &Files, wanted: Vec<Wanted>, witnesses: &mut Vec<Witness>) -> Vec<Read> {
    let (mut read, mut room) = (Vec::new(), MAX_BYTES);
    for wanted in wanted.into_iter().take(MAX_TRACKS) {
        let path = wanted.path.clone();
        match read_one(library, wanted, room, witnesses).await {
            Ok(Some(it)) => {
                room = room.saturating_sub(it.bytes.len() as u64);
                read.push(it);
            }
            Ok(None) => tracing::warn!(path, "the subtitles are left out: they have too many bytes"),
            Err(error) => tracing::warn!(path, "the subtitles are left out: {error}"),
        }
    }
    read
}

async fn read_one(
    library: &Files,
    wanted: Wanted,
    room: u64,
    witnesses: &mut Vec<Witness>,
) -> Result<Option<Read>, ReadError> {
    let file = match library.open(&wanted.path).await {
        Ok(file) => file,
        Err(error) => {
            // It may come. A server would be asked for it again and again.
            if error == ReadError::NotFound && matches!(library, Files::Disk(_)) {
                witnesses.push((wanted.path, None));
            }
            return Err(error);
        }
    };
    let version: &Version = file.version();
    witnesses.push((wanted.path.clone(), Some(version.clone())));
    if file.length() > MAX_FILE.min(room) {
        return Ok(None);
    }
    let bytes = file.read(0..file.length(), version).await?;
    let modified = file.modified();
    Ok(Some(Read { wanted, bytes, modified }))
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
