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
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use super::http::Answer;
use super::secure::Visitor;
use super::soon;

/// A QUIC connection that trusts the certificate of `directory` alone; an error when the server wants none.
pub(crate) async fn quic(address: SocketAddr, directory: &Path) -> Result<(Endpoint, Connection), String> {
    let endpoint = Endpoint::client((address.ip(), 0).into()).expect("there is a port");
    let connecting = endpoint.connect_with(trusting(directory), address, "localhost");
    let connection = soon("the QUIC handshake", connecting.expect("it is an address")).await;
    connection.map(|it| (endpoint, it)).map_err(|it| it.to_string())
}

/// How a client connects that trusts the certificate of `directory` alone.
pub(crate) fn trusting(directory: &Path) -> ClientConfig {
    let trusted = directory.join("certificate.pem");
    let visitor = Visitor {
        name: "localhost",
        trusted: &trusted,
        protocols: &["h3"],
        versions: ALL_VERSIONS,
        scheme: None,
    };
    let crypto = QuicClientConfig::try_from(visitor.config()).expect("it speaks TLS 1.3");
    ClientConfig::new(Arc::new(crypto))
}

/// Who passes datagrams on to a server, and its own back to one client, or to nobody. Gives its address, and the first
/// octet of the first datagram that the server sent.
pub(crate) async fn between(server: SocketAddr, is_heard: bool) -> (SocketAddr, oneshot::Receiver<u8>) {
    let bind = async || UdpSocket::bind((server.ip(), 0)).await.expect("there is a port");
    let (near, far) = (bind().await, bind().await);
    let address = near.local_addr().expect("it has a port");
    let (first, told) = oneshot::channel();
    tokio::spawn(async move {
        let (mut first, mut client) = (Some(first), None);
        let (mut asked, mut said) = ([0; 2048], [0; 2048]);
        loop {
            tokio::select! {
                Ok((length, from)) = near.recv_from(&mut asked) => {
                    client = Some(from);
                    let _ = far.send_to(&asked[..length], server).await;
                }
                Ok((length, _)) = far.recv_from(&mut said) => {
                    if let Some(first) = first.take() {
                        let _ = first.send(said[0]);
                    }
                    if let Some(client) = client.filter(|_| is_heard) {
                        let _ = near.send_to(&said[..length], client).await;
                    }
                }
                else => return,
            }
        }
    });
    (address, told)
}

/// Methods by their numbers in QPACK's table.
pub(crate) const GET: u8 = 17;
pub(crate) const POST: u8 = 20;

/// A frame with a request's head, and lines of fields behind, as QPACK writes them without remembering anything.
pub(crate) fn head(method: u8, authority: &str, path: &str, fields: &[u8]) -> Vec<u8> {
    let mut octets = vec![0, 0, 0xc0 | method, 0xc0 | 23];
    for (name, value) in [(0x50, authority), (0x51, path)] {
        octets.extend_from_slice(&[name, value.len() as u8]);
        octets.extend_from_slice(value.as_bytes());
    }
    octets.extend_from_slice(fields);
    assert!(octets.len() < 64, "its length takes one octet");
    [&[1, octets.len() as u8], &*octets].concat()
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
