//! What holds for the MPDs of a broadcast, each after the one before: what was once said of a segment or a period is said
//! of it for as long as it is listed.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::Hash;

use crate::dash::{Mpd, Period, Segments, Type};
use crate::isobmff::fragment::tests::read_back;
use crate::live::example::Studio;
use crate::live::tracks::Tracks;
use crate::live::window::TrackWindow;
use crate::media::{CodecConfig, TrackKind};
use crate::segmenter::Fill;

/// ISO 23009-1 5.3.1.2, 5.3.2 and 5.3.9.6, and that players need not wonder which of two values is true.
pub(super) fn check(studio: &Studio) {
    let (mut said, mut before): (Said, Option<Mpd>) = Default::default();
    for (_, window) in &studio.windows {
        let Some(manifest) = &window.manifest else { continue };
        let mpd = &manifest.mpd;
        let Type::Dynamic(live) = &mpd.kind else { panic!("a live MPD is dynamic") };
        let Type::Dynamic(older) = &before.as_ref().unwrap_or(mpd).kind else { unreachable!() };
        if older.availability_start != live.availability_start {
            // Another broadcast of the same name.
            said = Said::default();
        } else if let Some(before) = before.filter(|it| it != mpd) {
            let Type::Dynamic(older) = before.kind else { unreachable!() };
            let (now, then) = (live.published, older.published);
            assert!(now > then, "an MPD changed, and its publishTime went from {then:?} to {now:?}");
        }
        for (period, next) in mpd.periods.iter().zip(mpd.periods.iter().skip(1).map(Some).chain([None])) {
            said.period(period, next);
            for set in &period.sets {
                let segments = set.segments.as_ref().expect("all of a live set's segments have one place");
                said.timeline(period, set.kind, segments);
                agrees_with_boxes(&window.tracks, set.kind, segments);
            }
        }
        before = Some(mpd.clone());
    }
}

#[derive(Default)]
struct Said {
    periods: HashMap<String, std::time::Duration>,
    ends: HashMap<String, std::time::Duration>,
    offsets: HashMap<(String, TrackKind), u64>,
    segments: HashMap<(String, TrackKind, u64), crate::dash::Segment>,
}

impl Said {
    fn period(&mut self, it: &Period, next: Option<&Period>) {
        same(&mut self.periods, it.id.clone(), it.start);
        if let Some(duration) = it.duration {
            same(&mut self.ends, it.id.clone(), duration);
        }
        if let Some(next) = next {
            let duration = it.duration.expect("only the last period may grow");
            assert!(it.start + duration <= next.start, "{it:?} reaches into {next:?}");
        }
    }

    fn timeline(&mut self, period: &Period, kind: TrackKind, segments: &Segments) {
        same(&mut self.offsets, (period.id.clone(), kind), segments.presentation_offset);
        for (number, it) in (segments.start_number..).zip(&segments.timeline) {
            assert!(it.duration > 0);
            assert!(it.start > segments.presentation_offset, "nothing is where a period begins");
            same(&mut self.segments, (period.id.clone(), kind, number), *it);
        }
        for pair in segments.timeline.windows(2) {
            assert_eq!(pair[0].start + pair[0].duration, pair[1].start, "a hole between {pair:?}");
        }
    }
}

fn same<K: Hash + Eq + Debug, V: PartialEq + Debug + Copy>(said: &mut HashMap<K, V>, of: K, now: V) {
    let text = format!("{of:?}");
    assert_eq!(*said.entry(of).or_insert(now), now, "something else was said of {text}");
}

/// What a segment's first part decodes is at `S@t`, but for what pictures are decoded earlier than they are shown.
fn agrees_with_boxes(tracks: &Tracks<Option<std::sync::Arc<TrackWindow>>>, kind: TrackKind, set: &Segments) {
    let track = tracks[kind].as_ref().expect("what an MPD lists is there");
    let mut delay = None;
    for (number, said) in (set.start_number..).zip(&set.timeline) {
        let segment = track.segments.iter().find(|it| it.closing.media_sequence == number);
        let segment = segment.expect("what an MPD lists is there");
        if segment.closing.fill == Fill::Nothing {
            continue;
        }
        let mut parts = segment.parts().map(|it| read_back(&it.1.concat().into()).unwrap());
        let (base, ..) = parts.find(|it| !it.1.is_empty()).unwrap();
        let early = said.start - base;
        assert_eq!(*delay.get_or_insert(early), early, "one delay for a whole epoch");
        assert!(early == 0 || matches!(segment.epoch.init.config, CodecConfig::Avc(_)));
    }
}
