//! Who may publish, and the limits of RTMP connections.

use std::path::PathBuf;
use std::time::Duration;

use crate::names::{Names, unique};
use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, Stands, between};
use crate::units::{ByteSize, Secret};

/// One RTMP application, such as `live`.
#[derive(Clone, Debug, PartialEq)]
pub struct App {
    /// Its name in URLs.
    pub name: String,
    /// Who may publish to it.
    pub publish: Publish,
    /// What happens when a name is already live.
    pub on_conflict: OnConflict,
    /// Key group ids whose signatures a `play` over RTMP must carry (cloudfront.md 1.13); empty: anyone may play.
    pub play_key_groups: Vec<String>,
}

/// Who may publish.
#[derive(Clone, Debug, PartialEq)]
pub enum Publish {
    /// Anyone; the key is the name.
    Open,
    /// Who holds a key of this file (`key = "name"` lines of TOML). Read again at reload.
    KeysFile(PathBuf),
    /// Whom this URL answers 2xx; the answer's JSON may carry `{"name": "…"}`.
    Webhook {
        /// Where to POST.
        url: Secret,
        /// How long it may take.
        timeout: Duration,
        /// Whether the key is the public name where the answer gives none; else the publisher is refused.
        key_is_name: bool,
    },
}

/// What happens when a name is already live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The newer encoder wins, at most once in `Rtmp::replace_interval`.
    Replace,
    /// The older encoder stays.
    Refuse,
}

/// Limits of RTMP connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Rtmp {
    /// Most connections at once.
    pub max_connections: u32,
    /// Most connections at once from one address; loopback and trusted clients are exempt.
    pub max_connections_per_client: u32,
    /// Handshake, connect and publish or play must have come by then.
    pub handshake_timeout: Duration,
    /// A publisher that sends no media for so long is disconnected.
    pub silence_timeout: Duration,
    /// Most bytes of unfinished messages a connection may hold.
    pub max_partial: ByteSize,
    /// The shortest time between two takeovers of one name.
    pub replace_interval: Duration,
    /// How many bytes of a broadcast's newest samples are kept for RTMP players.
    pub ring: ByteSize,
}

pub(crate) const APP: &[Setting] = &[
    Setting::new("name", Kind::Name, Required, "The first segment of the path, as in rtmp://host/live and /live/….")
        .example("live"),
    Setting::new(
        "publish",
        Kind::WordOrTable(&["open"], PUBLISH),
        Required,
        "Who may publish: a table that names a file of stream keys or a webhook; `open` lets everyone who reaches the \
         port, under the name they give.",
    )
    .example("open"),
    Setting::new(
        "on_conflict",
        Kind::Word(&["replace", "refuse"]),
        Value("replace", "an encoder that comes back before its old connection is known to be dead wins"),
        "Set it to refuse when a running broadcast must never be taken over.",
    )
    .example("refuse"),
    Setting::new(
        "play_key_groups",
        Kind::Texts,
        Value("", "anyone may play over RTMP"),
        "Set it when RTMP players must bring a signature too.",
    )
    .example("viewers"),
];

const PUBLISH: &[Setting] = &[
    Setting::new(
        "keys_file",
        Kind::Path(Stands::File),
        Absent("no file of keys"),
        "A TOML file of `\"secret stream key\" = \"public-name\"` lines; it is read again at reload.",
    )
    .example("stream-keys.toml"),
    Setting::new(
        "webhook",
        Kind::Secret,
        Absent("no webhook"),
        "A URL that is asked for each publisher; 2xx admits, and the answer's JSON gives the public name, as in \
         `{\"name\": \"match\"}`.",
    )
    .example("https://example.com/publish"),
    Setting::new(
        "timeout",
        Kind::Duration(between("100ms", "30s", "the encoder waits for the answer, and gives up by itself")),
        Value("5s", "encoders wait about ten"),
        "Set it when the webhook is slow for a reason.",
    )
    .example("2s"),
    Setting::new(
        "key_is_name",
        Kind::Flag,
        Value("false", "a key that became a name would be in every link"),
        "Set it when your keys are no secrets and the webhook's answer gives no name: what the encoder sends is the name \
         then.",
    )
    .example("true"),
];

pub(crate) const RTMP: &[Setting] = &[
    Setting::new(
        "max_connections",
        Kind::Count(between("1", "1000000", "each may take a file descriptor and max_partial")),
        Value("1000", "a hundred publishers and hundreds of players"),
        "Set it to how many publishers and RTMP players you expect, with room.",
    )
    .example("50")
    .needs_restart(),
    Setting::new(
        "max_connections_per_client",
        Kind::Count(between("1", "1000000", "one encoder needs one")),
        Value("32", "a studio behind one address"),
        "Set it higher when many encoders or RTMP players share an address.",
    )
    .example("4")
    .needs_restart(),
    Setting::new(
        "handshake_timeout",
        Kind::Duration(between(
            "1s",
            "5m",
            "encoders need some round trips, and some wait for their user in between",
        )),
        Value("10s", "five round trips over the slowest link"),
        "Set it when encoders come over links with extreme delay.",
    )
    .example("20s")
    .needs_restart(),
    Setting::new(
        "silence_timeout",
        Kind::Duration(between("1s", "1h", "a live encoder sends several times a second")),
        Value("10s", "a dead link is noticed before viewers have played what they hold"),
        "Set it higher for encoders that pause.",
    )
    .example("30s")
    .needs_restart(),
    Setting::new(
        "max_partial",
        Kind::Size(between(
            "1 MiB",
            "64 MiB",
            "a key frame of high quality takes about 1 MiB, and each connection may use it whole",
        )),
        Value("16 MiB", "the largest message RTMP can say"),
        "Set it lower when strangers may connect and memory is short.",
    )
    .example("4 MiB")
    .needs_restart(),
    Setting::new(
        "replace_interval",
        Kind::Duration(between(
            "0s",
            "1h",
            "two encoders with one key would take over from each other for ever",
        )),
        Value("3s", "an encoder that reconnects waits about so long anyway"),
        "Set it higher when two encoders fight over a name.",
    )
    .example("10s")
    .needs_restart(),
    Setting::new(
        "ring",
        Kind::Size(between("1 MiB", "1 GiB", "each broadcast may use it whole")),
        Value("16 MiB", "a key frame and what follows it for 10 s at 12 Mbit/s"),
        "Set it higher for broadcasts of very high bit rate or very rare key frames.",
    )
    .example("64 MiB")
    .needs_restart(),
];

impl App {
    pub(crate) fn read_all(root: &Section<'_>, key_groups: &Names<'_>) -> Vec<Self> {
        let sections = root.tables("app");
        unique(&sections, "name");
        sections.iter().map(|it| Self::read(it, key_groups)).collect()
    }

    fn read(section: &Section<'_>, key_groups: &Names<'_>) -> Self {
        let name = section.text("name");
        if name == "watch" {
            section.report("name", "/watch/ is where the watch pages are", "write another name");
        }
        let play_key_groups = section.texts("play_key_groups");
        key_groups.check(section, "play_key_groups", &play_key_groups);
        let on_conflict = match section.word("on_conflict") {
            Some("refuse") => OnConflict::Refuse,
            _ => OnConflict::Replace,
        };
        Self { name, publish: Publish::read(section), on_conflict, play_key_groups }
    }
}

impl Publish {
    fn read(app: &Section<'_>) -> Self {
        if !app.is_table("publish") {
            // `open` is the only word there is; without one the problem is reported.
            let _ = app.word("publish");
            return Self::Open;
        }
        let section = app.table("publish");
        let timeout = section.duration("timeout");
        let key_is_name = section.flag("key_is_name");
        match (section.optional_path("keys_file"), section.secret("webhook")) {
            (Some(file), None) => Self::KeysFile(file),
            (None, Some(url)) => {
                if !["http://", "https://"].iter().any(|it| url.reveal().starts_with(it)) {
                    section.report("webhook", "this is no URL of http or https", "write \"https://…\"");
                }
                Self::Webhook { url, timeout, key_is_name }
            }
            (Some(_), Some(_)) => {
                app.report("publish", "this names a file of keys and a webhook", "keep one of them");
                Self::Open
            }
            // A keys_file or webhook that was written and has a problem is reported already.
            (None, None) if section.has("keys_file") || section.has("webhook") => Self::Open,
            (None, None) => {
                app.report(
                    "publish",
                    "this says nobody",
                    "write { keys_file = \"stream-keys.toml\" } or \"open\"",
                );
                Self::Open
            }
        }
    }
}

impl Rtmp {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        Self {
            max_connections: section.count("max_connections"),
            max_connections_per_client: section.count("max_connections_per_client"),
            handshake_timeout: section.duration("handshake_timeout"),
            silence_timeout: section.duration("silence_timeout"),
            max_partial: section.size("max_partial"),
            replace_interval: section.duration("replace_interval"),
            ring: section.size("ring"),
        }
    }
}
