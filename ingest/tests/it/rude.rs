//! Peers that do not keep to the protocol, or to the bounds.

use std::time::Duration;

use levada_ingest::rtmp::session::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::peer::Peer;
use crate::stage::{PATIENCE, Setting, Stage, eventually};

/// Until the server closes.
async fn rest(socket: &mut TcpStream) -> usize {
    let mut bytes = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, socket.read_to_end(&mut bytes)).await.expect("the server closes");
    bytes.len()
}

#[tokio::test]
async fn garbage_is_closed_and_counted_and_others_do_not_notice() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    let mut socket = TcpStream::connect(stage.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: levada\r\n\r\n").await.unwrap();
    assert_eq!(rest(&mut socket).await, 0);
    assert_eq!(stage.stats.protocol_errors.count(), 1);
    encoder.announce().await;
    encoder.media("K0").await;
    assert!(stage.broadcast("match").await.subscribe().next().await.is_some());
}

#[tokio::test]
async fn half_a_handshake_is_closed_in_time() {
    let limits = Limits { setup: Duration::from_millis(200), ..Limits::default() };
    let stage = Stage::open(Setting { limits, ..Setting::default() }).await;
    let mut socket = TcpStream::connect(stage.address).await.unwrap();
    socket.write_all(&[3; 700]).await.unwrap();
    rest(&mut socket).await;
    assert_eq!(stage.stats.timeouts.count(), 1);
}

#[tokio::test]
async fn a_silent_encoder_is_given_up_and_its_name_is_free() {
    let limits = Limits { silence: Duration::from_millis(300), ..Limits::default() };
    let stage = Stage::open(Setting { limits, ..Setting::default() }).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    assert_eq!(encoder.status().await, "closed");
    assert_eq!((stage.stats.timeouts.count(), stage.stats.publishers.count()), (1, 0));
}

#[tokio::test]
async fn connections_beyond_the_bound_are_turned_away() {
    let stage = Stage::open(Setting { max_connections: 2, ..Setting::default() }).await;
    let _first = Peer::publish(stage.address, "one").await;
    let second = Peer::publish(stage.address, "two").await;
    let mut third = TcpStream::connect(stage.address).await.unwrap();
    assert_eq!(rest(&mut third).await, 0);
    assert_eq!(stage.stats.turned_away.count(), 1);
    drop(second);
    eventually(|| (stage.stats.connections.count() == 1).then_some(())).await;
    Peer::publish(stage.address, "three").await;
}
