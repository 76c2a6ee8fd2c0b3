//! Invalidations as text that outlives the server: a line each, appended.
//!
//! `MOMENT hard|soft path|below|tag LENGTH:DISTRIBUTION LENGTH:TEXT CHECKSUM`, or `MOMENT floor|mark CHECKSUM`.
//!
//! Nothing of a text is read as anything but itself: what an item may look like is not decided here a second time.

use xxhash_rust::xxh3::xxh3_64;

use crate::cache::invalidation::{Manner, Moment, Target};

/// Octets of all lines; beyond them all that was kept before is given no more, which is one line.
pub(super) const LONGEST: u64 = 8 * 1024 * 1024;

/// What stands there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Noted {
    /// What was fetched before it is given no more, whatever it is.
    pub(super) floor: Moment,
    /// The newest moment of all: those of later runs begin behind it, wherever the clock stands then.
    pub(super) newest: Moment,
    pub(super) entries: Vec<Entry>,
}

/// One item of an invalidation.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cache) struct Entry {
    pub(in crate::cache) moment: Moment,
    pub(in crate::cache) manner: Manner,
    pub(in crate::cache) distribution: String,
    pub(in crate::cache) target: Target,
}

/// Lines for items that were invalidated at a moment.
pub(super) fn lines(moment: Moment, manner: Manner, distribution: &str, targets: &[Target]) -> String {
    let manner = match manner {
        Manner::Hard => "hard",
        Manner::Soft => "soft",
    };
    let line = |target: &Target| {
        let (kind, text) = match target {
            Target::Path(it) => ("path", it),
            Target::Below(it) => ("below", it),
            Target::Tag(it) => ("tag", it),
        };
        let (of, long) = (distribution.len(), text.len());
        signed(&format!("{moment} {manner} {kind} {of}:{distribution} {long}:{text}"))
    };
    targets.iter().map(line).collect()
}

/// A line that says that nothing from before a moment is given.
pub(super) fn floor(moment: Moment) -> String {
    signed(&format!("{moment} floor"))
}

/// A line that says that there was a moment.
pub(super) fn mark(moment: Moment) -> String {
    signed(&format!("{moment} mark"))
}

fn signed(line: &str) -> String {
    format!("{line} {:016x}\n", xxh3_64(line.as_bytes()))
}

/// Reads what was noted. What cannot be read may have been anything, so that nothing from before what stands behind it,
/// or else before `now`, is given. The last line has no end where the process was killed as it wrote it: nobody was
/// told then that it holds.
pub(super) fn read(text: &str, now: Moment) -> Noted {
    let mut noted = Noted::default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut broken = false;
    for line in whole.lines().filter(|it| !it.is_empty()) {
        match parse(line) {
            Some(Line::Floor(moment)) => {
                // It was put behind what could not be read.
                broken = false;
                noted.floor = noted.floor.max(moment);
            }
            Some(Line::Mark(moment)) => noted.newest = noted.newest.max(moment),
            Some(Line::Entry(entry)) => {
                noted.newest = noted.newest.max(entry.moment);
                if std::mem::take(&mut broken) {
                    noted.floor = noted.floor.max(entry.moment);
                }
                noted.entries.push(entry);
            }
            None => broken = true,
        }
    }
    if broken {
        noted.floor = noted.floor.max(now);
    }
    noted.newest = noted.newest.max(noted.floor);
    noted
}

enum Line {
    Floor(Moment),
    Mark(Moment),
    Entry(Entry),
}

fn parse(line: &str) -> Option<Line> {
    let (line, checksum) = line.rsplit_once(' ')?;
    if checksum != format!("{:016x}", xxh3_64(line.as_bytes())) {
        return None;
    }
    let (moment, rest) = line.split_once(' ')?;
    let moment = moment.parse().ok()?;
    let (manner, rest) = match rest.split_once(' ') {
        None if rest == "floor" => return Some(Line::Floor(moment)),
        None if rest == "mark" => return Some(Line::Mark(moment)),
        Some(("hard", rest)) => (Manner::Hard, rest),
        Some(("soft", rest)) => (Manner::Soft, rest),
        _ => return None,
    };
    let (kind, rest) = rest.split_once(' ')?;
    let (distribution, rest) = measured(rest)?;
    let (text, "") = measured(rest.strip_prefix(' ')?)? else { return None };
    let target = match kind {
        "path" => Target::Path(text.to_owned()),
        "below" => Target::Below(text.to_owned()),
        "tag" => Target::Tag(text.to_owned()),
        _ => return None,
    };
    Some(Line::Entry(Entry { moment, manner, distribution: distribution.to_owned(), target }))
}

/// A text behind its length, and what stands behind that.
fn measured(text: &str) -> Option<(&str, &str)> {
    let (length, rest) = text.split_once(':')?;
    rest.split_at_checked(length.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Target {
        Target::parse(text).expect("it is legible")
    }

    fn entry(moment: Moment, manner: Manner, distribution: &str, item: &str) -> Entry {
        Entry { moment, manner, distribution: distribution.into(), target: target(item) }
    }

    #[test]
    fn what_was_noted_is_read() {
        let text = lines(7, Manner::Hard, "my tv: one", &[target("/a?b=1"), target("/c/*"), target("#d")])
            + &lines(8, Manner::Soft, "radio", &[target("/*")]);
        let all = ["/a?b=1", "/c/*", "#d"].map(|it| entry(7, Manner::Hard, "my tv: one", it));
        let entries = all.into_iter().chain([entry(8, Manner::Soft, "radio", "/*")]).collect();
        assert_eq!(read(&text, 100), Noted { floor: 0, newest: 8, entries });
    }

    #[test]
    fn a_text_is_noted_as_it_is_whatever_it_looks_like() {
        let long = format!("/{}", "a".repeat(10_000));
        for text in ["/a*b", "/*", "#", "", "/a 3:b hard", &long] {
            for target in [Target::Path, Target::Below, Target::Tag].map(|it| it(text.to_owned())) {
                let noted = read(&lines(7, Manner::Hard, "tv", std::slice::from_ref(&target)), 100);
                assert_eq!((noted.floor, noted.entries.len()), (0, 1), "{target:?}");
                assert_eq!(noted.entries[0].target, target);
            }
        }
    }

    #[test]
    fn a_line_without_end_was_never_confirmed() {
        let text = lines(7, Manner::Hard, "tv", &[target("/a")]) + "9 hard 2:tv /b";
        let entries = vec![entry(7, Manner::Hard, "tv", "/a")];
        assert_eq!(read(&text, 100), Noted { floor: 0, newest: 7, entries });
        assert_eq!(read("", 100), Noted::default());
    }

    #[test]
    fn what_cannot_be_read_may_have_been_anything() {
        let (first, last) =
            (lines(7, Manner::Hard, "tv", &[target("/a")]), lines(9, Manner::Hard, "tv", &[target("/c")]));
        let middle = lines(8, Manner::Hard, "tv", &[target("/b")]).replace("/b", "/x");
        assert_eq!(read(&format!("{first}{middle}{last}"), 100).floor, 9);
        assert_eq!(read(&format!("{first}{middle}"), 100).floor, 100);
        assert_eq!(read("garbage\n", 100).floor, 100);
        assert_eq!(read(&(floor(12) + &first), 100).floor, 12);
        assert_eq!(read(&format!("{first}{middle}{}{}", floor(12), mark(15)), 100).floor, 12);
        assert_eq!(read(&format!("{first}{}", mark(15)), 100).newest, 15);
    }
}
