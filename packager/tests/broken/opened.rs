//! What becomes of a file, in a sentence.

use std::future::Future;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use levada_packager as packager;
use packager::asset::{ReadError, Source, Stored, Version};
use packager::media::TrackKind;
use packager::vod::{Asset, Header, HeaderError, Segment, TitleSegment, TrackName};

/// More than any header of these films: what is read of a file is never much more than it has.
const MOST_READ: u64 = 1024 * 1024;

/// What a title of a second and a half may take in memory, however it is broken.
const MOST_MEMORY: usize = 256 * 1024;

/// A file in memory, which may say that it is longer than it is: what is not there is zero.
pub(crate) struct File {
    octets: Bytes,
    length: u64,
    read: AtomicU64,
}

impl File {
    pub(crate) fn of(octets: &[u8]) -> Self {
        Self::as_long_as(octets, octets.len() as u64)
    }

    pub(crate) fn as_long_as(octets: &[u8], length: u64) -> Self {
        Self { octets: Bytes::copy_from_slice(octets), length, read: AtomicU64::new(0) }
    }

    fn range(&self, range: Range<u64>) -> Option<Bytes> {
        (range.end <= self.length).then_some(())?;
        let at = |it: u64| usize::try_from(it).map_or(self.octets.len(), |it| it.min(self.octets.len()));
        let mut octets = self.octets[at(range.start)..at(range.end)].to_vec();
        octets.resize((range.end - range.start) as usize, 0);
        Some(octets.into())
    }
}

impl Source for File {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        let stored = Stored { length: self.length, version: Version::new("1") };
        Box::pin(async { Ok(stored) })
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        let all = self.read.fetch_add(range.end - range.start, Ordering::Relaxed) + range.end - range.start;
        assert!(all <= MOST_READ, "{all} octets are read of a broken film");
        let octets = self.range(range).expect("nobody reads behind the end");
        Box::pin(async { Ok(octets) })
    }
}

/// Why a file is not played, or what of it is.
pub(crate) fn told(film: &[u8]) -> String {
    told_of(&File::of(film))
}

pub(crate) fn told_of(file: &File) -> String {
    let header = match pin!(Header::read(file)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(header)) => header,
        Poll::Ready(Err(HeaderError::Movie(reason))) => return reason.to_string(),
        Poll::Ready(Err(HeaderError::Read(error))) => panic!("memory is read without error: {error}"),
        Poll::Pending => panic!("memory is always ready"),
    };
    let asset = match Asset::new(vec![header], Duration::from_secs(1)) {
        Ok(asset) => asset,
        Err(it) => return it.reason.to_string(),
    };
    assert!(asset.weight() <= MOST_MEMORY, "{} octets of memory", asset.weight());
    let served = serve(&asset, file);
    let left_out = asset.left_out().iter().map(|it| format!(" but not: {}", it.reason));
    format!("plays {}{}", served.join(", "), left_out.collect::<String>())
}

/// Serves all of a title; gives what of each track there is. No segment is empty.
fn serve(asset: &Asset, file: &File) -> Vec<String> {
    for text in [asset.multivariant(), asset.mpd(), asset.trick_mpd()] {
        assert!(!text.is_empty());
    }
    let _ = asset.transport_multivariant();
    let mut served = Vec::new();
    for (kind, index) in [(TrackKind::Video, 0), (TrackKind::Audio, 0)] {
        let track = TrackName { kind, index };
        let Some(playlist) = asset.media_playlist(track) else { continue };
        assert!(asset.init(track).is_some());
        let listed = playlist.matches("#EXTINF").count();
        let (mut whole, mut cut) = (0, 0);
        for n in 0..listed {
            let Some(Segment::Stored(TitleSegment { body, .. })) = asset.segment(track, n) else {
                panic!("what is listed is there")
            };
            let length = body.length();
            assert!(length > body.head.len() as u64, "{track} {n} is empty");
            let read = body.reads(512 * 1024).map(|it| Some(it.keep(file.range(it.range.clone())?)));
            match read.collect::<Option<Vec<Bytes>>>() {
                Some(read) => {
                    assert!(read.iter().map(|it| it.len() as u64).sum::<u64>() < length);
                    whole += 1;
                }
                None => cut += 1,
            }
            if let Some(segment) = asset.transport_segment(track, n) {
                let reads = segment.reads(1 << 20).into_iter();
                let read = reads.map(|it| Some((it.clone(), file.range(it.range)?)));
                if let Some(read) = read.collect::<Option<Vec<_>>>() {
                    // Media may be other than its header says; then that is said, and nothing is sent.
                    let _ = segment.make(&read);
                }
            }
        }
        assert!(asset.segment(track, listed).is_none());
        let cut = if cut == 0 { String::new() } else { format!(" and {cut} that is cut off") };
        served.push(format!("{track} in {whole}{cut}"));
    }
    served
}

/// Tries all files of a list.
pub(crate) fn check(list: &[(&str, Vec<u8>, &str)]) {
    let wrong: Vec<_> = list
        .iter()
        .map(|(name, film, expected)| (name, told(film), expected))
        .filter(|(_, told, expected)| told != *expected)
        .map(|(name, told, expected)| format!("{name}\n   is {told:?}\n not {expected:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
