//! Any bytes as a stored title, all the way to what viewers get: refused, or played without an empty or endless segment.
#![no_main]

use std::collections::HashMap;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use levada_packager::asset::{ReadError, Source, Stored, Version};
use levada_packager::media::TrackKind;
use levada_packager::protect::{ContentKey, KeyId, Method, System, TitleKeys};
use levada_packager::vod::{
    Asset, Extent, Header, MadeSegment, Protection, Segment, TitleSegment, TrackName,
};
use libfuzzer_sys::fuzz_target;

/// A title may list a hundred thousand segments; some at the beginning and the last show what there is to see.
const SEGMENTS: usize = 8;

/// More than this is not put together: sizes may be of anything up to the bounds.
const LARGEST: u64 = 1 << 20;

struct Memory(Bytes);

impl Source for Memory {
    fn stored(&self) -> Pin<Box<dyn Future<Output = Result<Stored, ReadError>> + Send + '_>> {
        let stored = Stored { length: self.0.len() as u64, version: Version::new("1") };
        Box::pin(async { Ok(stored) })
    }

    fn read(
        &self,
        range: Range<u64>,
        _: &Version,
    ) -> Pin<Box<dyn Future<Output = Result<Bytes, ReadError>> + Send + '_>> {
        Box::pin(async move { Ok(self.0.slice(range.start as usize..range.end as usize)) })
    }
}

fuzz_target!(|file: &[u8]| {
    let file = Memory(Bytes::copy_from_slice(file));
    let Poll::Ready(header) = pin!(Header::read(&file)).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("memory is always ready")
    };
    let Ok(header) = header else { return };
    let stored = vec![header.stored.clone()];
    let Ok(asset) = Asset::new(vec![header], Duration::from_secs(1)) else { return };
    let texts = |it: &Asset| (it.multivariant(), it.mpd(), it.trick_mpd(), it.transport_multivariant());
    let said = texts(&asset);
    assert!(said.0.starts_with("#EXTM3U\n") && said.1.ends_with("</MPD>"));
    if let Some(record) = asset.record() {
        let read = Asset::of_record(&record, stored, Duration::from_secs(1)).expect("what was written is read");
        assert_eq!(texts(&read), said);
        // The method is chosen by what came, so that a run of the same file does the same.
        sealed(read, record.len() % 3, &file.0);
    }
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let track = TrackName { kind, index: 0 };
        let Some(list) = asset.media_playlist(track) else { continue };
        assert!(asset.init(track).is_some());
        let count = list.matches("#EXTINF:").count();
        assert!(count > 0 && asset.segment(track, count).is_none());
        for n in (0..count.min(SEGMENTS)).chain([count - 1]) {
            let Some(Segment::Stored(TitleSegment { body, .. })) = asset.segment(track, n) else {
                panic!("what is listed is there")
            };
            let length = body.length();
            let head = body.head.len() as u64;
            let kept: usize = body.reads(512 * 1024).flat_map(|it| it.kept).map(|it| it.len()).sum();
            assert_eq!(head + kept as u64, length);
            if let Some(made) = asset.transport_segment(track, n) {
                make(made, &file.0);
            }
        }
        let _ = asset.key_frames_playlist(track);
        let _ = asset.key_frame(track, 0);
    }
});

/// The same title encrypted: nothing of it is sent as it is stored.
fn sealed(asset: Asset, method: usize, file: &Bytes) {
    let key = ContentKey::new(KeyId([7; 16]), [9; 16], None);
    let protection = Protection {
        method: [Method::Aes128, Method::Cenc, Method::Cbcs][method],
        keys: TitleKeys::rotating(vec![[key.clone(), key.clone()]; 2], 1).expect("it has a period and a segment"),
        systems: vec![System::ClearKey, System::Widevine, System::PlayReady, System::FairPlay],
        data: HashMap::new(),
        license_uri: None,
        fairplay_uri: "skd://{kid}".into(),
    };
    let Ok(asset) = asset.with_protection(protection) else { return };
    let _ = (asset.multivariant(), asset.mpd(), asset.trick_mpd(), asset.transport_multivariant());
    for kind in [TrackKind::Video, TrackKind::Audio] {
        let track = TrackName { kind, index: 0 };
        let Some(init) = asset.init(track) else { continue };
        assert!(init.starts_with(b"\0\0\0\x24ftyp"));
        for segment in [asset.segment(track, 0), asset.key_frame(track, 0)].into_iter().flatten() {
            let Segment::Made(made) = segment else { panic!("it is not encrypted") };
            put_together(made, file);
        }
        if let Some(made) = asset.transport_segment(track, 0) {
            put_together(made, file);
        }
    }
}

/// Puts a segment together where all of it is in the file: it is packets, or is refused.
fn make(segment: MadeSegment, file: &Bytes) {
    let Some(packets) = put_together(segment, file) else { return };
    assert!(packets.chunks(188).all(|it| it.len() == 188 && it[0] == 0x47));
}

fn put_together(segment: MadeSegment, file: &Bytes) -> Option<Vec<u8>> {
    if segment.frame_octets() > LARGEST {
        return None;
    }
    let octets = |it: Extent| {
        let range = usize::try_from(it.range.start).ok()?..usize::try_from(it.range.end).ok()?;
        Some((it, file.slice_ref(file.get(range)?)))
    };
    let read = segment.reads(1 << 20).into_iter().map(octets).collect::<Option<Vec<_>>>()?;
    Some(segment.make(&read).ok()?.concat())
}
