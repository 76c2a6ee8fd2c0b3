//! Azure's Shared Key for its Blob service, and shared access signatures.

use std::fmt::Write as _;
use std::time::SystemTime;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::units::Secret;
use http::{Request, Uri};

use super::credentials::AzureKey;
use super::{fields, put, put_secret};

/// The version of the service that is spoken to.
const VERSION: &str = "2021-08-06";

/// The fields that are signed by their place in a list, after the method.
const LISTED: [&str; 11] = [
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
];

/// Who may read from one storage account.
pub(in crate::origin) enum Azure {
    Key { account: String, key: Box<hmac::Key> },
    SharedAccess(Secret),
}

impl Azure {
    /// # Errors
    /// What is missing.
    pub(super) fn new(account: &str, key: AzureKey) -> Result<Self, &'static str> {
        Ok(match key {
            AzureKey::Account(key) => {
                let key = STANDARD.decode(key.reveal()).map_err(|_| "AZURE_STORAGE_KEY in base64")?;
                let key = Box::new(hmac::Key::new(hmac::HMAC_SHA256, &key));
                Self::Key { account: account.to_owned(), key }
            }
            AzureKey::SharedAccess(query) => Self::SharedAccess(query),
        })
    }

    pub(super) fn sign<B>(&self, request: &mut Request<B>, now: SystemTime) -> Result<(), http::Error> {
        put(request, "x-ms-version", VERSION)?;
        match self {
            Self::SharedAccess(query) => {
                let uri = format!("{}?{}", request.uri(), query.reveal().trim_start_matches('?'));
                *request.uri_mut() = Uri::try_from(uri)?;
                Ok(())
            }
            Self::Key { account, key } => {
                put(request, "x-ms-date", &httpdate::fmt_http_date(now))?;
                let signature = STANDARD.encode(hmac::sign(key, to_sign(request, account).as_bytes()));
                put_secret(request, "authorization", &format!("SharedKey {account}:{signature}"))
            }
        }
    }
}

/// What the signature is made of; our requests have no query.
fn to_sign<B>(request: &Request<B>, account: &str) -> String {
    let mut text = format!("{}\n", request.method());
    for name in LISTED {
        let value = request.headers().get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let _ = writeln!(text, "{value}");
    }
    for (name, value) in fields(request, |it| it.starts_with("x-ms-")) {
        let _ = writeln!(text, "{name}:{value}");
    }
    let _ = write!(text, "/{account}{}", request.uri().path());
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn request() -> Request<()> {
        Request::get("https://acme.blob.core.windows.net/films/a%20b.mp4")
            .header("host", "acme.blob.core.windows.net")
            .header("range", "bytes=0-9")
            .header("if-range", "\"a\"")
            .body(())
            .unwrap()
    }

    #[test]
    fn a_key_signs_what_the_service_reads() {
        let key = AzureKey::Account(Secret::new(STANDARD.encode("secret")));
        let mut request = request();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_750_000_000);
        Azure::new("acme", key).unwrap().sign(&mut request, now).unwrap();
        let expected = "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-9\nx-ms-date:Sun, 15 Jun 2025 15:06:40 GMT\n\
                        x-ms-version:2021-08-06\n/acme/films/a%20b.mp4";
        assert_eq!(to_sign(&request, "acme"), expected);
        let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"secret"), expected.as_bytes());
        assert_eq!(
            request.headers()["authorization"],
            format!("SharedKey acme:{}", STANDARD.encode(signature)).as_str()
        );
    }

    #[test]
    fn a_shared_access_signature_is_the_query() {
        for token in ["?sv=2021&sig=a%2Bb", "sv=2021&sig=a%2Bb"] {
            let mut request = request();
            let azure = Azure::new("acme", AzureKey::SharedAccess(Secret::new(token))).ok().unwrap();
            azure.sign(&mut request, SystemTime::UNIX_EPOCH).unwrap();
            assert_eq!(request.uri().query(), Some("sv=2021&sig=a%2Bb"));
            assert!(!request.headers().contains_key("authorization"));
        }
    }

    #[test]
    fn a_key_that_is_no_key_is_said_to_be() {
        assert!(Azure::new("acme", AzureKey::Account(Secret::new("ä"))).is_err());
    }
}
