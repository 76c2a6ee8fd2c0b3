//! A media playlist as a player reads it; and m3u8-rs, a stranger, must be able to read it too.

/// What a media playlist says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Playlist {
    pub(crate) target: u64,
    pub(crate) part_target: Option<f64>,
    pub(crate) media_sequence: u64,
    pub(crate) discontinuity_sequence: u64,
    pub(crate) segments: Vec<Segment>,
    /// Parts of the segment that is not closed yet.
    pub(crate) open: Vec<Part>,
    pub(crate) hint: Option<String>,
    pub(crate) ended: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Segment {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) discontinuity: bool,
    pub(crate) init: String,
    pub(crate) parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    pub(crate) uri: String,
    pub(crate) duration: f64,
    pub(crate) independent: bool,
}

impl Playlist {
    pub(crate) fn read(text: &str) -> Self {
        m3u8_rs::parse_media_playlist_res(text.as_bytes()).expect("a stranger can read it");
        let mut list = Self::default();
        let (mut init, mut next) = (String::new(), Segment::default());
        for line in text.lines() {
            let (tag, value) = line.split_once(':').unwrap_or((line, ""));
            match tag {
                "#EXT-X-TARGETDURATION" => list.target = number(value),
                "#EXT-X-MEDIA-SEQUENCE" => list.media_sequence = number(value),
                "#EXT-X-DISCONTINUITY-SEQUENCE" => list.discontinuity_sequence = number(value),
                "#EXT-X-PART-INF" => list.part_target = attribute(value, "PART-TARGET").map(|it| number(&it)),
                "#EXT-X-MAP" => init = attribute(value, "URI").expect("a map has a URI"),
                "#EXT-X-DISCONTINUITY" => next.discontinuity = true,
                "#EXT-X-PART" => list.open.push(Part {
                    uri: attribute(value, "URI").expect("a part has a URI"),
                    duration: number(&attribute(value, "DURATION").expect("a part lasts")),
                    independent: attribute(value, "INDEPENDENT").is_some(),
                }),
                "#EXTINF" => next.duration = number(value.trim_end_matches(',')),
                "#EXT-X-PRELOAD-HINT" => list.hint = attribute(value, "URI"),
                "#EXT-X-ENDLIST" => list.ended = true,
                _ if tag.starts_with('#') || line.is_empty() => {}
                _ => {
                    next.uri = line.to_owned();
                    next.init.clone_from(&init);
                    next.parts = std::mem::take(&mut list.open);
                    list.segments.push(std::mem::take(&mut next));
                }
            }
        }
        list
    }

    /// The number of the segment that is not closed yet.
    pub(crate) fn open_sequence(&self) -> u64 {
        self.media_sequence + self.segments.len() as u64
    }

    /// How much it shows.
    pub(crate) fn seconds(&self) -> f64 {
        let segments: f64 = self.segments.iter().map(|it| it.duration).sum();
        segments + self.open.iter().map(|it| it.duration).sum::<f64>()
    }

    /// The names of all segments and parts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let parts = self.segments.iter().flat_map(|it| &it.parts).chain(&self.open);
        self.segments.iter().map(|it| it.uri.as_str()).chain(parts.map(|it| it.uri.as_str()))
    }

    pub(crate) fn discontinuities(&self) -> usize {
        self.segments.iter().filter(|it| it.discontinuity).count()
    }
}

fn number<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a number")
}

/// `URI="a",BYTERANGE=…` → the value of one name, quotes taken off. No value of ours has a comma.
pub(crate) fn attribute(list: &str, name: &str) -> Option<String> {
    let found = list.split(',').find_map(|it| it.strip_prefix(name)?.strip_prefix('='));
    found.map(|it| it.trim_matches('"').to_owned())
}
