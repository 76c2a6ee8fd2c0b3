//! A whole film into files of segments, by the library alone and by ffmpeg.

use std::fs::{self, File};
use std::future::Future;
use std::io::Write as _;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::pin::Pin;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};
use bytes::Bytes;
use packager::asset::{ReadError, Source, Stored, Version};
use packager::media::TrackKind;
use packager::vod::{Asset, Header, TARGET, TrackName};
use tokio::process::Command;

use crate::edge::median;
use crate::figure::Figure;
use crate::{Setup, process};

/// How often the film is packaged before the clock is looked at, which counts in hundredths of a second.
const PASSES: u32 = 8;

/// Octets that are read at once.
const READ: u64 = 512 * 1024;

/// What segments are made of.
const TRACKS: [TrackName; 2] =
    [TrackName { kind: TrackKind::Video, index: 0 }, TrackName { kind: TrackKind::Audio, index: 0 }];

/// The library runs in this process, in which nothing else happens meanwhile.
pub(super) async fn measure(setup: &Setup) -> anyhow::Result<Vec<Figure>> {
    let film = setup.media.join("2mbit.mp4");
    let octets = f64::from(PASSES) * fs::metadata(&film)?.len() as f64;
    let (mut ours, mut peer) = (Vec::new(), Vec::new());
    for _ in 0..setup.rounds {
        let before = process::cpu(std::process::id());
        for _ in 0..PASSES {
            package(&film).await?;
        }
        ours.push((process::cpu(std::process::id()) - before).as_secs_f64());
        let mut spent = Duration::ZERO;
        for _ in 0..PASSES {
            spent += ffmpeg(&film).await?;
        }
        peer.push(spent.as_secs_f64());
    }
    let rate = |seconds: Vec<f64>| format!("{:.0} MB", octets / median(seconds) / 1e6);
    Ok(vec![Figure::beside(
        "Film into CMAF segments on disk, by the library: per processor second",
        rate(ours),
        format!("ffmpeg -c copy {}", rate(peer)),
        "350 MB",
    )])
}

/// Writes all init segments, segments and playlists of a film into a directory that goes with them.
async fn package(film: &Path) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let film = Film::open(film)?;
    let asset = Asset::new(vec![Header::read(&film).await?], TARGET)?;
    for track in TRACKS {
        let at = directory.path().join(track.to_string());
        fs::create_dir(&at)?;
        fs::write(at.join("init.mp4"), asset.init(track).context("it has both tracks")?)?;
        fs::write(at.join("index.m3u8"), asset.media_playlist(track).context("it has both tracks")?)?;
        for (n, segment) in (0..).map_while(|n| Some((n, asset.segment(track, n)?.stored()?))) {
            let mut file = File::create(at.join(format!("{n}.m4s")))?;
            file.write_all(&segment.body.head)?;
            for read in segment.body.reads(READ) {
                let mut octets = vec![0; usize::try_from(read.range.end - read.range.start)?];
                film.file.read_exact_at(&mut octets, read.range.start)?;
                file.write_all(&read.keep(octets.into()))?;
            }
        }
    }
    Ok(())
}

/// The same by ffmpeg; gives the processor time that it took.
async fn ffmpeg(film: &Path) -> anyhow::Result<Duration> {
    let directory = tempfile::tempdir()?;
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "info", "-nostats", "-benchmark", "-i"]).arg(film);
    for stream in ["0:v", "0:a"] {
        let name = stream.replace(':', "");
        command.args(["-map", stream, "-c", "copy", "-f", "hls", "-hls_time", "6", "-hls_list_size", "0"]);
        command.args(["-hls_segment_type", "fmp4", "-hls_fmp4_init_filename", &format!("{name}.mp4")]);
        command.arg(directory.path().join(format!("{name}.m3u8")));
    }
    let done = command.current_dir(directory.path()).stdin(Stdio::null()).output().await?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    ensure!(done.status.success(), "ffmpeg failed: {said}");
    let line = said.lines().find(|it| it.starts_with("bench: utime=")).context("ffmpeg told no time")?;
    let seconds = |name: &str| -> anyhow::Result<f64> {
        let field = line.split(' ').find_map(|it| it.strip_prefix(name)).context("ffmpeg told no time")?;
        Ok(field.trim_end_matches('s').parse()?)
    };
    Ok(Duration::from_secs_f64(seconds("utime=")? + seconds("stime=")?))
}

/// A file as the library wants it.
struct Film {
    file: File,
    stored: Stored,
}

impl Film {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let stored = Stored { length: file.metadata()?.len(), version: Version::new("1") };
        Ok(Self { file, stored })
    }
}

impl Source for Film {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        Box::pin(async { Ok(self.stored.clone()) })
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        Box::pin(async move {
            let mut octets = vec![0; (range.end - range.start) as usize];
            let read = self.file.read_exact_at(&mut octets, range.start);
            read.map(|()| octets.into()).map_err(|it| ReadError::Store(it.to_string().into()))
        })
    }
}
