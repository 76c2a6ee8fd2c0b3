//! Which keys a title is encrypted with.
//!
//! They follow from a secret, stand in a file, or are asked of a key server. Wherever they come from, a title without a
//! key is refused: nothing is sent in the clear that is meant to be encrypted.

mod cpix;
mod file;
mod secret;
mod service;

use std::collections::HashMap;

use config::origin::{Encryption, EncryptionMethod, KeySource, LicenseSystem};
use http::StatusCode;
use packager::protect::{ContentKey, KeyId, Method, System, SystemData, TitleKeys};
use packager::vod::{Asset, Protection, TARGET};

use super::shelf::{Failed, Refused};
use file::KeysFile;
use secret::Secret;
use service::KeyService;

/// More keys would be more license requests than any player makes, and more to say than manifests have room for.
const MAX_PERIODS: usize = 256;

/// How the titles of an origin are encrypted.
pub(super) struct Keys {
    settings: Encryption,
    source: Source,
}

enum Source {
    Secret(Box<Secret>),
    File(KeysFile),
    Service(Box<KeyService>),
}

/// The keys of a title, pictures first, one pair for each period; and what license systems are told of them.
#[derive(Debug, Default)]
struct Found {
    periods: Vec<[ContentKey; 2]>,
    data: HashMap<(KeyId, System), SystemData>,
}

/// For which title keys are wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    /// Its path.
    title: &'a str,
    /// Periods it has.
    periods: usize,
    /// Whether its sound has keys of its own.
    separate: bool,
}

/// What keys depend on beside the title, where that may change while the server runs.
pub(super) type Edition = Option<std::time::SystemTime>;

impl Keys {
    pub(super) fn new(settings: Encryption) -> Self {
        let source = match &settings.keys {
            KeySource::Secret(it) => Source::Secret(Box::new(Secret::new(it))),
            KeySource::File(path) => Source::File(KeysFile::new(path.clone())),
            KeySource::Service { url, headers } => Source::Service(Box::new(KeyService::new(url, headers))),
        };
        Self { settings, source }
    }

    pub(super) const fn settings(&self) -> &Encryption {
        &self.settings
    }

    /// Changes when titles must be encrypted anew.
    pub(super) async fn edition(&self) -> Edition {
        match &self.source {
            Source::File(file) => file.edition().await,
            Source::Secret(_) | Source::Service(_) => None,
        }
    }

    /// The title, encrypted.
    pub(super) async fn protect(&self, title: &str, asset: Asset) -> Result<Asset, Failed> {
        let segments = self.segments_of_a_period();
        let periods = segments.map_or(1, |it| asset.segments().div_ceil(it).max(1));
        if periods > MAX_PERIODS {
            let sentence =
                format!("it would have {periods} keys, more than {MAX_PERIODS}; make rotation longer");
            return Err(refused(StatusCode::UNPROCESSABLE_ENTITY, sentence).into());
        }
        let wanted = Wanted { title, periods, separate: self.settings.separate_keys };
        let found = match &self.source {
            Source::Secret(secret) => secret.keys(wanted),
            Source::File(file) => file.keys(wanted).await.map_err(unavailable)?,
            Source::Service(service) => {
                service.keys(wanted, self.settings.method, &self.systems()).await.map_err(unavailable)?
            }
        };
        let keys = match (segments, found.periods.as_slice()) {
            (None, [[pictures, sound]]) => Some(TitleKeys::constant(pictures.clone(), sound.clone())),
            (None, _) => None,
            (Some(segments), _) => TitleKeys::rotating(found.periods, segments),
        };
        let keys = keys.ok_or_else(|| unavailable("it has no key".to_owned()))?;
        let license = |it: &String| it.replace("{title}", &spelled(title));
        let protection = Protection {
            method: match self.settings.method {
                EncryptionMethod::Aes128 => Method::Aes128,
                EncryptionMethod::Cenc => Method::Cenc,
                EncryptionMethod::Cbcs => Method::Cbcs,
            },
            keys,
            systems: self.systems(),
            data: found.data,
            license_uri: self.settings.license_url.as_ref().map(license),
            fairplay_uri: self.settings.fairplay_uri.clone(),
        };
        asset
            .with_protection(protection)
            .map_err(|it| refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, it.to_string()).into())
    }

    fn systems(&self) -> Vec<System> {
        let system = |it: &LicenseSystem| match it {
            LicenseSystem::ClearKey => System::ClearKey,
            LicenseSystem::Widevine => System::Widevine,
            LicenseSystem::PlayReady => System::PlayReady,
            LicenseSystem::FairPlay => System::FairPlay,
        };
        self.settings.systems.iter().map(system).collect()
    }

    /// How many segments a key opens, where keys change.
    fn segments_of_a_period(&self) -> Option<usize> {
        let rotation = self.settings.rotation?;
        let segments = rotation.as_nanos() / TARGET.as_nanos();
        Some(usize::try_from(segments).unwrap_or(usize::MAX).max(1))
    }
}

fn refused(status: StatusCode, sentence: String) -> Refused {
    Refused { status, sentence }
}

/// There are no keys just now: an operator has to look, and viewers may come again.
fn unavailable(reason: String) -> Failed {
    tracing::error!("a title cannot be encrypted: {reason}");
    refused(StatusCode::SERVICE_UNAVAILABLE, "the title cannot be encrypted just now".into()).into()
}

/// A path as it stands in a URL: all but unreserved characters and slashes as triplets (RFC 3986 2.3).
fn spelled(path: &str) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}
