//! Viewers over HTTP/3, who ask as fast as they are answered; a program of their own, so that it can be pinned.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Buf;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

/// As many as over HTTP/2.
const CONNECTIONS: usize = 8;
const STREAMS: usize = 8;

/// Octets that a stream may be ahead of its reader, and a connection: as over HTTP/2.
const WINDOW: u32 = 16 << 20;

/// Asks for so long; prints how many answers came, as wrk does.
pub(crate) fn run(url: &str, certificate: &str, seconds: u64) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (done, began) = (Arc::new(AtomicU64::new(0)), Instant::now());
    runtime.block_on(ask(url, certificate, began + Duration::from_secs(seconds), &done))?;
    let (done, took) = (done.load(Ordering::Relaxed), began.elapsed().as_secs_f64());
    println!("  {done} requests in {took:.2}s");
    Ok(())
}

async fn ask(url: &str, certificate: &str, until: Instant, done: &Arc<AtomicU64>) -> anyhow::Result<()> {
    let address: SocketAddr = url
        .strip_prefix("https://")
        .and_then(|it| it.split('/').next())
        .context("no host in the URL")?
        .parse()?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h3".to_vec()];
    let mut transport = TransportConfig::default();
    transport.stream_receive_window(WINDOW.into()).receive_window(VarInt::from_u32(WINDOW));
    let mut config = ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    config.transport_config(Arc::new(transport));
    let mut endpoint = Endpoint::client((address.ip(), 0).into())?;
    endpoint.set_default_client_config(config);
    let viewers =
        (0..CONNECTIONS).map(|_| visit(endpoint.clone(), address, url.to_owned(), until, Arc::clone(done)));
    let viewers: Vec<_> = viewers.map(tokio::spawn).collect();
    for viewer in viewers {
        viewer.await??;
    }
    Ok(())
}

/// One connection.
async fn visit(
    endpoint: Endpoint,
    address: SocketAddr,
    url: String,
    until: Instant,
    done: Arc<AtomicU64>,
) -> anyhow::Result<()> {
    let connection = endpoint.connect(address, "localhost")?.await?;
    let (mut driver, sender) = h3::client::new(h3_quinn::Connection::new(connection)).await?;
    tokio::spawn(async move { poll_fn(|cx| driver.poll_close(cx)).await });
    let streams = (0..STREAMS).map(|_| {
        let (mut sender, url, done) = (sender.clone(), url.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            while Instant::now() < until {
                let mut stream = sender.send_request(http::Request::get(&url).body(())?).await?;
                stream.finish().await?;
                let head = stream.recv_response().await?;
                ensure!(head.status() == 200, "{} came", head.status());
                while let Some(mut piece) = stream.recv_data().await? {
                    piece.advance(piece.remaining());
                }
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    });
    let streams: Vec<_> = streams.collect();
    for stream in streams {
        stream.await??;
    }
    Ok(())
}
