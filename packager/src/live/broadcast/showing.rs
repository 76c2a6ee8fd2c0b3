//! From shelves to windows: what viewers see of a broadcast, rendered once per change.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::{Event, Packager, Stage};
use crate::live::manifest;
use crate::live::moment::Moment;
use crate::live::settings::Announced;
use crate::live::shelf::{Layout, Tail};
use crate::live::tracks::{KINDS, Tracks};
use crate::live::window::{Document, Manifest, Timing, TrackWindow, Window};
use crate::media::TrackKind;

/// Dates of MPDs are written in milliseconds.
const PUBLISH_STEP: Duration = Duration::from_millis(1);

impl Packager {
    /// Shows what has changed, once.
    pub(super) fn finish_change(&mut self, now: Moment) {
        if KINDS.into_iter().any(|kind| self.changed[kind]) {
            self.show(now);
        }
    }

    pub(super) fn show(&mut self, now: Moment) {
        let Some(announced) = self.announced else { return };
        let changed = std::mem::take(&mut self.changed);
        let before = Arc::clone(&self.window);
        self.revision += 1;
        let etag = format!("\"{}-{}\"", self.numbers.epoch(), self.revision);
        let ended = matches!(self.stage, Stage::Ended(_));
        let layout = self.layout(&announced);
        let mut tracks = before.tracks.clone();
        let mut moved = false;
        for kind in KINDS {
            if changed[kind]
                && let Some(track) = self.track_window(kind, &layout, &etag)
            {
                let listed = |it: &Arc<TrackWindow>| it.listed..it.open;
                moved |= tracks[kind].as_ref().map(listed) != Some(listed(&track));
                tracks[kind] = Some(track);
            }
        }
        let mut window = Window {
            timing: Some(Timing {
                segment: self.settings.segment,
                target: Duration::from_secs(u64::from(announced.target_duration)),
                part_target: announced.part_target,
            }),
            multivariant: before.multivariant.clone(),
            manifest: before.manifest.clone(),
            tracks,
            ended,
        };
        // Rates and the MPD move with segments, not with parts.
        if moved || ended != before.ended {
            self.describe(&mut window, &announced, etag, now);
        }
        self.window = Arc::new(window);
        self.events.push_back(Event::Window(Arc::clone(&self.window)));
    }

    fn describe(&self, window: &mut Window, announced: &Announced, etag: String, now: Moment) {
        // A player that saw one track without the other would go on without it: the second first segment closes a few
        // samples after the first, and until then the description of before stands.
        if KINDS.into_iter().any(|kind| self.carried[kind] && self.shelves[kind].listed().next().is_none()) {
            return;
        }
        let described = Tracks::each(|kind| {
            let shelf = &self.shelves[kind];
            self.carried[kind].then(|| manifest::Described {
                shelf,
                meter: &self.meters[kind],
                promised: self.metadata.as_ref().and_then(|it| match kind {
                    TrackKind::Video => it.video_bit_rate,
                    TrackKind::Audio => it.audio_bit_rate,
                }),
                frame_rate: self.frame_rate.filter(|_| kind == TrackKind::Video),
            })
        });
        let ended = window.ended;
        if let Some(text) = manifest::multivariant(&described)
            && window.multivariant.as_ref().is_none_or(|it| it.text != text)
        {
            window.multivariant = Some(Document { text: text.into(), etag: etag.clone() });
        }
        let mpd = |published| {
            let (segment, window) = (self.settings.segment, self.settings.window);
            manifest::mpd(&described, &manifest::Facts { announced, published, segment, window, ended })
        };
        let before = window.manifest.as_ref();
        if before.is_some_and(|it| mpd(it.published).as_ref() == Some(&it.mpd)) {
            return;
        }
        // Every text has a date of its own, though two come in one millisecond or the clock be set back.
        let published = before.map_or(now.wall, |it| now.wall.max(it.published + PUBLISH_STEP));
        if let Some(mpd) = mpd(published) {
            window.manifest = Some(Arc::new(Manifest { published, mpd, etag, text: OnceLock::new() }));
        }
    }

    /// What viewers see of a track: nothing before its first whole segment, because some players fail on parts alone.
    fn track_window(&self, kind: TrackKind, layout: &Layout, etag: &str) -> Option<Arc<TrackWindow>> {
        let shelf = &self.shelves[kind];
        let (oldest, newest) = (shelf.listed().next()?, shelf.listed().next_back()?);
        let open = shelf.open();
        let hint = match (&self.stage, open) {
            // A hint that stands before the first part of an epoch would be read with the init segment of the one before.
            (Stage::Run(run), Some(open))
                if run.carries(kind) && (!open.parts.is_empty() || newest.epoch.id == open.epoch.id) =>
            {
                run.next_name(kind).map(|name| (open.epoch.id, name))
            }
            _ => None,
        };
        let tail = match (&self.stage, hint) {
            (Stage::Ended(_), _) => Tail::End,
            (_, Some((epoch, name))) => Tail::Hint(epoch, name),
            (Stage::Run(_), None) if open.is_some_and(|it| it.epoch.id == newest.epoch.id) => Tail::Open,
            (_, None) => Tail::Break,
        };
        let text = shelf.render(layout, tail)?;
        Some(Arc::new(TrackWindow {
            playlist: Document { text: text.into(), etag: etag.to_owned() },
            segments: Arc::clone(shelf.segments()),
            listed: oldest.closing.media_sequence,
            open: newest.closing.media_sequence.saturating_add(1),
            open_epoch: open.map_or(0, |it| it.epoch.id),
            open_parts: open.map(|it| it.parts.clone()).unwrap_or_default(),
            hint,
            inits: self.inits[kind].clone().into(),
        }))
    }

    pub(super) fn layout(&self, announced: &Announced) -> Layout {
        Layout {
            target_duration: announced.target_duration,
            part_target: announced.part_target,
            window: self.settings.window,
        }
    }
}
