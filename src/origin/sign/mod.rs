//! What a bucket wants of a request before it answers: a signature (cloudfront.md 8.7).
//!
//! Signing is the last step of a finished request, made anew for each attempt. It reads no clock. Keys that are lent expire,
//! and whoever renews them writes their file anew: it is looked into again while requests come.

mod azure;
mod credentials;
mod sigv4;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use aws_lc_rs::digest::{self, Digest};
use config::origin::{BucketOrigin, Credentials, Signing};
use http::{HeaderName, HeaderValue, Request};

use self::azure::Azure;
use self::credentials::Lines;
use self::sigv4::SigV4;
use crate::passage::Failure;

/// How often a file of keys is looked into at most.
const AGAIN: Duration = Duration::from_secs(1);

/// Who signs the requests to one bucket.
pub(super) struct Signer {
    signing: Signing,
    source: Option<Credentials>,
    held: Mutex<Held>,
}

/// What was found where the keys are.
struct Held {
    key: Result<Arc<Key>, String>,
    /// Of the text that the key was made of.
    digest: Option<Digest>,
    /// What was wrong when it was last looked for, and was logged.
    complaint: Option<String>,
    /// When the file was last looked into for a request, or since when somebody does.
    looked: Option<Instant>,
    looking: bool,
}

/// What signs.
pub(super) enum Key {
    /// Anyone may read the bucket.
    Nobody,
    S3(SigV4),
    Azure(Azure),
}

impl Signer {
    /// Reads the secrets; where they are not there, requests fail until they are.
    pub(super) fn open(bucket: &BucketOrigin) -> Self {
        let (signing, source) = (bucket.signing.clone(), bucket.credentials.clone());
        let found = found(&signing, source.as_ref());
        let (digest, key) = match found {
            Ok((digest, key)) => (digest, Ok(Arc::new(key))),
            Err(error) => (None, Err(error)),
        };
        let complaint = key.as_ref().err().cloned();
        if let Some(error) = &complaint {
            tracing::warn!(origin = %bucket.server.domain_name, "{error}");
        }
        let held = Mutex::new(Held { key, digest, complaint, looked: None, looking: false });
        Self { signing, source, held }
    }

    /// What signs now. Once in a while who asks looks first whether there is a new key; nobody waits for that beside it.
    ///
    /// # Errors
    /// [`Failure::Unreachable`] while there is no key.
    pub(super) async fn key(self: &Arc<Self>) -> Result<Arc<Key>, Failure> {
        if self.begins_to_look(Instant::now()) {
            let signer = Arc::clone(self);
            // A task that panics or is not begun leaves the key that was.
            let _ = tokio::task::spawn_blocking(move || signer.look()).await;
        }
        self.held().key.clone().map_err(Failure::Unreachable)
    }

    fn begins_to_look(&self, now: Instant) -> bool {
        // The environment of a process stays as it is.
        if !matches!(self.source, Some(Credentials::File { .. })) {
            return false;
        }
        let mut held = self.held();
        let is_due = held.looked.is_none_or(|it| now.saturating_duration_since(it) >= AGAIN);
        // A disk that hangs holds one request, not one a second.
        let begins = is_due && !held.looking;
        if begins {
            (held.looked, held.looking) = (Some(now), true);
        }
        begins
    }

    /// Looks for a new key. What is there already stays where there is none.
    pub(super) fn look(&self) {
        let found = found(&self.signing, self.source.as_ref());
        let mut held = self.held();
        held.looking = false;
        match found {
            Ok((digest, key)) => {
                held.complaint = None;
                let is_same = held.digest.as_ref().map(Digest::as_ref) == digest.as_ref().map(Digest::as_ref);
                if held.key.is_err() || !is_same {
                    (held.key, held.digest) = (Ok(Arc::new(key)), digest);
                    tracing::info!("a bucket's credentials were renewed");
                }
            }
            Err(error) if held.complaint.as_ref() != Some(&error) => {
                tracing::warn!("{error}");
                held.complaint = Some(error);
            }
            Err(_) => {}
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("nothing panics while it is held")
    }
}

/// Reads the key, or says what is missing.
fn found(signing: &Signing, source: Option<&Credentials>) -> Result<(Option<Digest>, Key), String> {
    let Some(source) = source else { return Ok((None, Key::Nobody)) };
    let (digest, lines) = match source {
        Credentials::Environment => (None, credentials::of_environment(|name| std::env::var(name).ok())),
        Credentials::File { file, profile } => {
            let text = std::fs::read_to_string(file)
                .map_err(|error| format!("the credentials in {} cannot be read: {error}", file.display()))?;
            let digest = digest::digest(&digest::SHA256, text.as_bytes());
            (Some(digest), credentials::of_file(&text, profile))
        }
    };
    Key::of(signing, &lines).map(|key| (digest, key)).map_err(|missing| match source {
        Credentials::Environment => format!("the environment has no {missing}"),
        Credentials::File { file, profile } => format!("[{profile}] of {} has no {missing}", file.display()),
    })
}

impl Key {
    fn of(signing: &Signing, lines: &Lines) -> Result<Self, &'static str> {
        match signing {
            Signing::S3 { region } => lines.s3().map(|keys| Self::S3(SigV4::new(keys, region))),
            Signing::Azure { account } => {
                lines.azure().and_then(|key| Azure::new(account, key).map(Self::Azure))
            }
        }
    }

    /// Signs a request; its `Host` and all that is asked are there.
    pub(super) fn sign<B>(&self, request: &mut Request<B>, now: SystemTime) -> Result<(), Failure> {
        match self {
            Self::Nobody => Ok(()),
            Self::S3(it) => it.sign(request, now),
            Self::Azure(it) => it.sign(request, now),
        }
        .map_err(|error| Failure::Unreadable(format!("the request cannot be signed: {error}")))
    }
}

fn put<B>(request: &mut Request<B>, name: &'static str, value: &str) -> Result<(), http::Error> {
    request.headers_mut().insert(HeaderName::from_static(name), HeaderValue::try_from(value)?);
    Ok(())
}

/// Puts on what is secret: it is shown nowhere.
fn put_secret<B>(request: &mut Request<B>, name: &'static str, value: &str) -> Result<(), http::Error> {
    let mut value = HeaderValue::try_from(value)?;
    value.set_sensitive(true);
    request.headers_mut().insert(HeaderName::from_static(name), value);
    Ok(())
}

/// The fields that begin so, by name, with their values in one line.
fn fields<'a, B>(request: &'a Request<B>, wanted: impl Fn(&str) -> bool + 'a) -> Vec<(&'a str, String)> {
    let headers = request.headers();
    let mut fields: Vec<_> = headers
        .keys()
        .map(HeaderName::as_str)
        .filter(|it| wanted(it))
        .map(|name| {
            let values = headers.get_all(name).iter().map(|it| String::from_utf8_lossy(it.as_bytes()));
            // Runs of spaces count as one in a signature.
            let values = values.map(|it| it.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            (name, values.collect::<Vec<_>>().join(","))
        })
        .collect();
    fields.sort_unstable();
    fields
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn write(file: &Path, id: &str) {
        let text = format!("[default]\naws_access_key_id = {id}\naws_secret_access_key = secret\n");
        std::fs::write(file, text).unwrap();
    }

    fn signer(file: &Path) -> Signer {
        let source = Credentials::File { file: file.to_owned(), profile: "default".into() };
        let held = Held {
            key: Err("nothing was read".into()),
            digest: None,
            complaint: None,
            looked: None,
            looking: false,
        };
        let signing = Signing::S3 { region: "us-east-1".into() };
        Signer { signing, source: Some(source), held: Mutex::new(held) }
    }

    fn credential(signer: &Signer) -> Option<String> {
        let key = signer.held().key.clone().ok()?;
        let mut request = Request::get("https://b.example/a").header("host", "b.example").body(()).unwrap();
        key.sign(&mut request, SystemTime::UNIX_EPOCH).unwrap();
        let field = request.headers()["authorization"].to_str().unwrap().to_owned();
        field.split_once("Credential=")?.1.split_once('/').map(|(id, _)| id.to_owned())
    }

    #[test]
    fn a_file_that_is_written_anew_gives_another_key_and_one_that_is_broken_leaves_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("keys");
        let signer = signer(&file);
        signer.look();
        assert_eq!(credential(&signer), None);
        for id in ["first", "second"] {
            write(&file, id);
            signer.look();
            assert_eq!(credential(&signer).as_deref(), Some(id));
        }
        let before = signer.held().key.clone().unwrap();
        signer.look();
        std::fs::remove_file(&file).unwrap();
        signer.look();
        assert!(Arc::ptr_eq(&before, signer.held().key.as_ref().unwrap()));
    }

    #[test]
    fn a_file_is_looked_into_once_a_second_and_by_one_at_a_time() {
        let signer = signer(Path::new("/nowhere"));
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        assert!(signer.begins_to_look(at(0)));
        assert!(!signer.begins_to_look(at(5_000)), "somebody does still");
        signer.look();
        assert!(!signer.begins_to_look(at(999)));
        assert!(signer.begins_to_look(at(1_000)));
    }
}
