//! What a bucket wants of a request before it answers: a signature (cloudfront.md 8.7).
//!
//! Signing is the last step of a finished request, made anew for each attempt. It reads no clock.

mod azure;
mod credentials;
mod sigv4;

use std::time::SystemTime;

use config::origin::{BucketOrigin, Credentials, Signing};
use http::{HeaderName, HeaderValue, Request};

use self::azure::Azure;
use self::sigv4::SigV4;
use crate::passage::Failure;

/// Who signs the requests to one bucket.
pub(super) enum Signer {
    /// Nobody: anyone may read it.
    Nobody,
    S3(SigV4),
    Azure(Azure),
}

impl Signer {
    /// Reads the secrets.
    ///
    /// # Errors
    /// A sentence when they are not there.
    pub(super) fn open(bucket: &BucketOrigin) -> Result<Self, String> {
        let Some(source) = &bucket.credentials else { return Ok(Self::Nobody) };
        let lines = match source {
            Credentials::Environment => credentials::of_environment(|name| std::env::var(name).ok()),
            Credentials::File { file, profile } => {
                let text = std::fs::read_to_string(file).map_err(|error| {
                    format!("the credentials in {} cannot be read: {error}", file.display())
                })?;
                credentials::of_file(&text, profile)
            }
        };
        match &bucket.signing {
            Signing::S3 { region } => lines.s3().map(|keys| Self::S3(SigV4::new(keys, region))),
            Signing::Azure { account } => {
                lines.azure().and_then(|key| Azure::new(account, key).map(Self::Azure))
            }
        }
        .map_err(|missing| match source {
            Credentials::Environment => format!("the environment has no {missing}"),
            Credentials::File { file, profile } => {
                format!("[{profile}] of {} has no {missing}", file.display())
            }
        })
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
