//! How the titles of a vod origin are encrypted, and where the keys come from.

use std::path::PathBuf;
use std::time::Duration;

use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, Stands, between};
use crate::units::Secret;

/// How titles are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encryption {
    /// How.
    pub method: EncryptionMethod,
    /// Where keys come from.
    pub keys: KeySource,
    /// Whether sound has keys of its own.
    pub separate_keys: bool,
    /// How long a key lasts; none: as long as the title.
    pub rotation: Option<Duration>,
    /// The license systems that manifests name.
    pub systems: Vec<LicenseSystem>,
    /// Where licenses in the clear are had, for MPDs; `{title}` is the title's path.
    pub license_url: Option<String>,
    /// What FairPlay is given, with `{kid}` for the key's name.
    pub fairplay_uri: String,
}

/// How titles are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptionMethod {
    /// Whole segments, for HLS alone.
    Aes128,
    /// Samples, in CTR mode.
    Cenc,
    /// Samples, in CBC mode with a pattern.
    Cbcs,
}

/// Where keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// They follow from a secret and the title's path.
    Secret(Secret),
    /// A file lists them.
    File(PathBuf),
    /// A key server is asked (SPEKE version 2).
    Service {
        /// Where.
        url: Secret,
        /// Fields of each request, such as `Authorization`.
        headers: Vec<(String, String)>,
    },
}

/// A license system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LicenseSystem {
    /// Keys in the clear, from this server.
    ClearKey,
    /// Google's.
    Widevine,
    /// Microsoft's.
    PlayReady,
    /// Apple's.
    FairPlay,
}

const SYSTEMS: [(&str, LicenseSystem); 4] = [
    ("clearkey", LicenseSystem::ClearKey),
    ("widevine", LicenseSystem::Widevine),
    ("playready", LicenseSystem::PlayReady),
    ("fairplay", LicenseSystem::FairPlay),
];

/// Secrets that may be guessed open every title.
const SHORTEST_SECRET: usize = 16;

pub(super) const ENCRYPTION: Setting = Setting::new(
    "encryption",
    Kind::Table(SETTINGS),
    Absent("titles are sent as they are"),
    "How titles are encrypted, for `vod`; needs method, and one of secret, keys_file and key_service.",
);

const SETTINGS: &[Setting] = &[
    Setting::new(
        "method",
        Kind::Word(&["aes-128", "cbcs", "cenc"]),
        Required,
        "`cbcs` encrypts samples as all license systems of today know them (in transport streams it is SAMPLE-AES), `cenc` as \
         old ones do; `aes-128` encrypts whole segments, for HLS alone, and needs no license system.",
    )
    .example("cbcs"),
    Setting::new(
        "secret",
        Kind::Secret,
        Absent("no secret"),
        "Keys and their names follow from this text, of 16 characters at least, and the title's path: the same on every server.",
    )
    .example("a long and random text"),
    Setting::new(
        "keys_file",
        Kind::Path(Stands::File),
        Absent("no file of keys"),
        "A TOML file of `[[key]]` tables with `title` (a path pattern), `kid` and `key` (32 hexadecimal digits each), and \
         where needed `iv`, `track` (\"video\" or \"audio\") and `period` (from 0); of several the first holds. It is read again when it \
         changes.",
    )
    .example("content-keys.toml"),
    Setting::new(
        "key_service",
        Kind::Secret,
        Absent("no key service"),
        "The URL of a key server that speaks SPEKE version 2: it is sent a CPIX document for each title and gives its keys, and \
         what license systems are told.",
    )
    .example("https://keys.example.com/speke"),
    Setting::new(
        "key_service_headers",
        Kind::Headers,
        Absent("none, for servers that know this one by its address"),
        "Fields that the key server wants with each request.",
    )
    .example("{ \"Authorization\" = \"Bearer 0123\" }"),
    Setting::new(
        "separate_keys",
        Kind::Flag,
        Value("false", "one license opens a title"),
        "Set it when pictures and sound are to have keys of their own.",
    )
    .example("true"),
    Setting::new(
        "rotation",
        Kind::Duration(between("1m", "10d", "a title has 256 keys at most, and players fetch each")),
        Absent("one key for the whole title"),
        "Set it to how much of a title, about, a key opens.",
    )
    .example("10m"),
    Setting::new(
        "systems",
        Kind::Texts,
        Value("clearkey", "every browser knows it, and it needs no contract"),
        "License systems that manifests name: `clearkey`, whose licenses this server gives (POST to license below the title, \
         so allow that method there), `widevine`, `playready`, `fairplay`, whose licenses others give. `aes-128` needs none.",
    )
    .example("widevine, playready, fairplay"),
    Setting::new(
        "license_url",
        Kind::Text,
        Absent("players are told where by whoever made them"),
        "Where players ask for licenses of `clearkey`, for MPDs; `{title}` stands for the title's path.",
    )
    .example("https://video.example.com/vod/{title}/license"),
    Setting::new(
        "fairplay_uri",
        Kind::Text,
        Value("skd://{kid}", "what most license servers of FairPlay take"),
        "Set it to the URI that your license server of FairPlay wants; `{kid}` stands for the key's name.",
    )
    .example("skd://license.example.com/{kid}"),
];

impl Encryption {
    /// Whether players ask this server for licenses.
    pub(super) fn gives_licenses(&self) -> bool {
        self.method != EncryptionMethod::Aes128 && self.systems.contains(&LicenseSystem::ClearKey)
    }

    pub(super) fn read(origin: &Section<'_>) -> Option<Self> {
        if !origin.has("encryption") {
            return None;
        }
        let section = origin.table("encryption");
        let method = match section.word("method") {
            Some("aes-128") => EncryptionMethod::Aes128,
            Some("cenc") => EncryptionMethod::Cenc,
            _ => EncryptionMethod::Cbcs,
        };
        let systems = read_systems(&section);
        for (key, uri) in ["license_url", "fairplay_uri"].map(|it| (it, section.optional_text(it))) {
            if uri.is_some_and(|it| it.contains(['"', '\n', '\r', '<', '>'])) {
                section.report(
                    key,
                    "it stands in manifests as it is",
                    "leave out quotes, brackets and line ends",
                );
            }
        }
        if method == EncryptionMethod::Cenc && systems.contains(&LicenseSystem::FairPlay) {
            section.report(
                "systems",
                "FairPlay knows `cbcs` alone",
                "write method = \"cbcs\", or leave fairplay out",
            );
        }
        Some(Self {
            method,
            keys: KeySource::read(&section),
            separate_keys: section.flag("separate_keys"),
            rotation: section.optional_duration("rotation"),
            systems,
            license_url: section.optional_text("license_url"),
            fairplay_uri: section.text("fairplay_uri"),
        })
    }
}

fn read_systems(section: &Section<'_>) -> Vec<LicenseSystem> {
    let mut systems = Vec::new();
    for name in section.texts("systems") {
        match SYSTEMS.iter().find(|it| it.0 == name) {
            Some((_, it)) if !systems.contains(it) => systems.push(*it),
            Some(_) => {}
            None => section.report(
                "systems",
                format!("{name:?} is no license system"),
                "write some of clearkey, widevine, playready, fairplay",
            ),
        }
    }
    systems
}

impl KeySource {
    fn read(section: &Section<'_>) -> Self {
        let secret = section.secret("secret");
        if secret.as_ref().is_some_and(|it| it.reveal().len() < SHORTEST_SECRET) {
            section.report(
                "secret",
                "so short a text may be guessed",
                "write 16 characters or more, at random",
            );
        }
        let url = section.secret("key_service");
        if url
            .as_ref()
            .is_some_and(|it| !["http://", "https://"].iter().any(|begin| it.reveal().starts_with(begin)))
        {
            section.report("key_service", "it is no URL", "begin it with https:// or http://");
        }
        let headers = section.pairs("key_service_headers");
        match (secret, section.optional_path("keys_file"), url) {
            (Some(secret), None, None) => Self::Secret(secret),
            (None, Some(file), None) => Self::File(file),
            (None, None, Some(url)) => Self::Service { url, headers },
            (None, None, None) => {
                section.report("secret", "there are no keys", "write secret, keys_file or key_service");
                Self::Secret(Secret::new(""))
            }
            _ => {
                section.report(
                    "secret",
                    "keys come from one place",
                    "leave one of secret, keys_file and key_service",
                );
                Self::Secret(Secret::new(""))
            }
        }
    }
}
