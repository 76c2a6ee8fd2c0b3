//! Viewers over HTTP/3.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use h3::client::SendRequest;
use h3_quinn::quinn::crypto::rustls::QuicClientConfig;
use h3_quinn::quinn::{ClientConfig, Connection, Endpoint};
use h3_quinn::{Connection as Streams, OpenStreams};
use rustls::ALL_VERSIONS;

use super::http::Answer;
use super::secure::Visitor;
use super::soon;

/// A QUIC connection that trusts the certificate of `directory` alone; an error when the server wants none.
pub(crate) async fn quic(address: SocketAddr, directory: &Path) -> Result<(Endpoint, Connection), String> {
    let trusted = directory.join("certificate.pem");
    let visitor = Visitor {
        name: "localhost",
        trusted: &trusted,
        protocols: &["h3"],
        versions: ALL_VERSIONS,
        scheme: None,
    };
    let crypto = QuicClientConfig::try_from(visitor.config()).expect("it speaks TLS 1.3");
    let endpoint = Endpoint::client((address.ip(), 0).into()).expect("there is a port");
    let connecting = endpoint.connect_with(ClientConfig::new(Arc::new(crypto)), address, "localhost");
    let connection = soon("the QUIC handshake", connecting.expect("it is an address")).await;
    connection.map(|it| (endpoint, it)).map_err(|it| it.to_string())
}

/// An HTTP/3 connection.
pub(crate) struct Http3 {
    pub(crate) connection: Connection,
    sender: SendRequest<OpenStreams, Bytes>,
    _endpoint: Endpoint,
}

impl Http3 {
    pub(crate) async fn to(address: SocketAddr, directory: &Path) -> Self {
        let (endpoint, connection) = quic(address, directory).await.expect("the server speaks QUIC");
        let made = h3::client::new(Streams::new(connection.clone())).await;
        let (mut driver, sender) = made.expect("the server speaks HTTP/3");
        // It ends with the sender, or when the server closes.
        tokio::spawn(async move { std::future::poll_fn(|cx| driver.poll_close(cx)).await });
        Self { connection, sender, _endpoint: endpoint }
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.ask(http::Request::get(url).body(()).expect("it is a request"), None).await.expect("an answer")
    }

    /// Asks, and sends a body behind if there is one; nothing when the server gives the request up.
    pub(crate) async fn ask(&self, request: http::Request<()>, body: Option<&'static str>) -> Option<Answer> {
        let mut sender = self.sender.clone();
        let mut stream = soon("the request's head", sender.send_request(request)).await.ok()?;
        if let Some(body) = body {
            // A server that wants none may have stopped it.
            let _ = stream.send_data(Bytes::from_static(body.as_bytes())).await;
        }
        let _ = stream.finish().await;
        let head = soon("the answer", stream.recv_response()).await.ok()?;
        let mut octets = Vec::new();
        while let Some(mut piece) = soon("the body", stream.recv_data()).await.ok()? {
            octets.extend_from_slice(&piece.copy_to_bytes(piece.remaining()));
        }
        let text = |it: &http::HeaderValue| it.to_str().expect("headers are text").to_owned();
        let headers = head.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        Some(Answer { status: head.status().as_u16(), headers, body: octets })
    }
}
