//! Viewers over TLS, and over HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ALL_VERSIONS, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    SupportedProtocolVersion,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http::Answer;
use super::soon;

/// Writes a certificate for `localhost` and `web.example`, and its key.
pub(crate) fn write_certificate(directory: &Path) {
    let names = ["localhost", "web.example"];
    write_certificate_for(&names, &directory.join("certificate"), &rcgen::PKCS_ECDSA_P256_SHA256);
}

/// Writes a certificate for these names to `file` with `.pem` behind it, and its key with `.key.pem`.
pub(crate) fn write_certificate_for(
    names: &[&str],
    file: &Path,
    algorithm: &'static rcgen::SignatureAlgorithm,
) {
    let key = rcgen::KeyPair::generate_for(algorithm).expect("a key is made");
    let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
    let made =
        rcgen::CertificateParams::new(names).and_then(|it| it.self_signed(&key)).expect("it is signed");
    std::fs::write(file.with_extension("pem"), made.pem()).expect("it is written");
    std::fs::write(file.with_extension("key.pem"), key.serialize_pem()).expect("it is written");
}

/// Who speaks TLS to a server.
pub(crate) struct Visitor<'a> {
    /// The name it asks for.
    pub(crate) name: &'a str,
    /// The only certificate it trusts.
    pub(crate) trusted: &'a Path,
    /// What it offers to speak.
    pub(crate) protocols: &'a [&'a str],
    /// The versions of TLS it knows.
    pub(crate) versions: &'a [&'static SupportedProtocolVersion],
    /// The only kind of signature it knows, if not all.
    pub(crate) scheme: Option<SignatureScheme>,
}

impl Visitor<'_> {
    /// A connection; `None` when the handshake fails.
    pub(crate) async fn connect(&self, address: SocketAddr) -> Option<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(address).await.expect("the server listens");
        let name = ServerName::try_from(self.name.to_owned()).expect("it is a name");
        let connector = TlsConnector::from(Arc::new(self.config()));
        soon("the TLS handshake", connector.connect(name, socket)).await.ok()
    }

    pub(crate) fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_file(self.trusted).expect("it is PEM");
        roots.add(certificate).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let judge = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let judge = Judge { inner: judge.build().expect("there is a root"), scheme: self.scheme };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .expect("the provider knows them")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(judge))
            .with_no_client_auth();
        config.alpn_protocols = self.protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    }
}

/// Judges as browsers do, and may know one kind of signature alone.
#[derive(Debug)]
struct Judge {
    inner: Arc<WebPkiServerVerifier>,
    scheme: Option<SignatureScheme>,
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.inner.verify_server_cert(leaf, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.scheme.map_or_else(|| self.inner.supported_verify_schemes(), |it| vec![it])
    }
}

/// A TLS connection that trusts the certificate of `directory` alone and offers these protocols; `None` when the server
/// shows another.
pub(crate) async fn tls(
    address: SocketAddr,
    directory: &Path,
    protocols: &[&str],
) -> Option<TlsStream<TcpStream>> {
    let trusted = directory.join("certificate.pem");
    Visitor { name: "localhost", trusted: &trusted, protocols, versions: ALL_VERSIONS, scheme: None }
        .connect(address)
        .await
}

/// An HTTP/2 connection.
pub(crate) struct Http2 {
    sender: SendRequest<Empty<Bytes>>,
}

impl Http2 {
    pub(crate) async fn over(wire: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) =
            soon("the HTTP/2 preface", handshake(TokioExecutor::new(), TokioIo::new(wire)))
                .await
                .expect("the server speaks HTTP/2");
        // It ends with the sender, or when the server closes.
        tokio::spawn(async move { drop(connection.await) });
        Self { sender }
    }

    /// Gets a URL; several may be under way.
    pub(crate) async fn get(&self, url: &str) -> Answer {
        let mut sender = self.sender.clone();
        let request = http::Request::get(url).body(Empty::new()).expect("it is a request");
        let response = soon("the answer", sender.send_request(request)).await.expect("the server answers");
        let (head, body) = response.into_parts();
        let body = soon("the body", read(body)).await;
        let text = |it: &http::HeaderValue| it.to_str().expect("headers are text").to_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Answer { status: head.status.as_u16(), headers, body }
    }
}

#[expect(clippy::disallowed_methods, reason = "the server under test is no stranger")]
async fn read(body: hyper::body::Incoming) -> Vec<u8> {
    Limited::new(body, 64 << 20).collect().await.expect("the body comes").to_bytes().to_vec()
}
