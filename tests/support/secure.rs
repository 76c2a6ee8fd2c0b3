//! Viewers over TLS, and over HTTP/2.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::http::Answer;
use super::soon;

/// Writes a certificate for `localhost` and its key.
pub(crate) fn write_certificate(directory: &Path) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate is made");
    std::fs::write(directory.join("certificate.pem"), made.cert.pem()).expect("it is written");
    std::fs::write(directory.join("certificate.key.pem"), made.signing_key.serialize_pem())
        .expect("it is written");
}

/// A TLS connection that trusts the certificate of `directory` alone and offers these protocols; `None` when the server
/// shows another.
pub(crate) async fn tls(
    address: SocketAddr,
    directory: &Path,
    protocols: &[&str],
) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let certificate = CertificateDer::from_pem_file(directory.join("certificate.pem")).expect("it is PEM");
    roots.add(certificate).expect("it is a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
    let socket = TcpStream::connect(address).await.expect("the server listens");
    let name = ServerName::try_from("localhost").expect("it is a name");
    soon("the TLS handshake", TlsConnector::from(Arc::new(config)).connect(name, socket)).await.ok()
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
