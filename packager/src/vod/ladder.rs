//! Which renditions of a ladder are cut at the same moments, so that players may switch between them at each.

use super::TrackName;
use super::rendition::Rendition;
use crate::media::{Timestamp, TrackKind};

/// So many moments at which two renditions differ are named; who mends the first mends all.
const NAMED: usize = 5;

/// The renditions by number, those that are cut alike together. The first group is that of the first rendition.
pub(super) fn groups(video: &[Rendition]) -> Vec<Vec<usize>> {
    let mut groups: Vec<(&Rendition, Vec<usize>)> = Vec::new();
    for (index, it) in video.iter().enumerate() {
        match groups.iter_mut().find(|(first, _)| differences(first, it).next().is_none()) {
            Some((_, group)) => group.push(index),
            None => groups.push((it, vec![index])),
        }
    }
    groups.into_iter().map(|it| it.1).collect()
}

/// A sentence for each rendition that is cut elsewhere than the first.
pub(super) fn remarks(video: &[Rendition]) -> Vec<String> {
    let Some((first, rest)) = video.split_first() else { return Vec::new() };
    let name = |index| TrackName { kind: TrackKind::Video, index };
    let remark = |(index, it): (usize, &Rendition)| {
        let moments: Vec<String> =
            differences(first, it).take(NAMED).map(|at| format!("{:.3}", at.seconds())).collect();
        let more = differences(first, it).count().saturating_sub(moments.len());
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        (!moments.is_empty()).then(|| {
            format!(
                "{}: it has too few key frames where {} has them, so its segments begin elsewhere (at {} s{more}), and \
                 players may stall as they switch; encode both with key frames at the same times, as with ffmpeg's \
                 -force_key_frames 'expr:gte(t,n_forced*2)' -sc_threshold 0",
                name(index),
                name(0),
                moments.join(", ")
            )
        })
    };
    (1..).zip(rest).filter_map(remark).collect()
}

/// Where segments of `b` begin and none of `a` does. What a rendition begins with counts as the beginning, and a rest at
/// its end may be a segment in one and not in the other.
fn differences<'a>(a: &'a Rendition, b: &'a Rendition) -> impl Iterator<Item = Timestamp> + 'a {
    let mut others = starts(a).peekable();
    let tolerance = a.index.half_a_sample().saturating_mul(2);
    let own_end = a.end();
    starts(b).filter(move |at| {
        let near = |other: &Timestamp| other.since(*at).max(at.since(*other)).to_duration() <= tolerance;
        while others.next_if(|other| *other < *at && !near(other)).is_some() {}
        !others.peek().is_some_and(near) && *at < own_end
    })
}

fn starts(it: &Rendition) -> impl Iterator<Item = Timestamp> + '_ {
    it.spans().skip(1).map(|span| it.index.at(span.start))
}
