//! How a certificate authority is asked: over TLS, patiently, and for no more than fits.

use std::error::Error;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Limited;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// Authorities answer within seconds, and say to ask again where it takes longer.
const LONGEST: Duration = Duration::from_secs(30);
/// Octets of one answer; a chain of certificates has some thousands.
const MAX_ANSWER: usize = 256 * 1024;

/// Asks an authority.
pub(super) struct Asking(Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>);

impl Asking {
    /// Trusts the public authorities, and those of a PEM file.
    pub(super) fn trusting(authority: Option<&Path>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        if let Some(file) = authority {
            let named = |error: &dyn Error| format!("{} cannot be read: {error}", file.display());
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| named(&error))? {
                roots.add(certificate.map_err(|error| named(&error))?).map_err(|error| named(&error))?;
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_only()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }
}

impl HttpClient for Asking {
    fn request(
        &self,
        request: http::Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let answer = self.0.request(request);
        Box::pin(async move {
            let other = |error: Box<dyn Error + Send + Sync>| instant_acme::Error::Other(error);
            let answer = tokio::time::timeout(LONGEST, answer).await.map_err(|error| other(error.into()))?;
            let answer = answer.map_err(|error| other(with_cause(&error).into()))?;
            Ok(answer.map(|body| Limited::new(body, MAX_ANSWER)).into())
        })
    }
}

/// What hyper's client says is only that it failed; why stands behind.
fn with_cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}
