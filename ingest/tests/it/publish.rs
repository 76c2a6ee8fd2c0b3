//! Encoders: from the socket to the broadcast, and what they are told.

use bytes::Bytes;
use levada_ingest::publish::{Failure, OnLoss, Options, Passes, publish};
use levada_ingest::rtmp::client::Target;
use packager::isobmff::demux::demux;
use packager::live::OnConflict;
use tokio_util::sync::CancellationToken;

use crate::peer::{Peer, Told};
use crate::stage::{Setting, Stage, eventually, heard};

#[tokio::test]
async fn what_an_encoder_sends_reaches_its_broadcast() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    let mut subscriber = stage.broadcast("match").await.subscribe();
    encoder.announce().await;
    encoder.media("K0 a0 a21 p40").await;
    assert_eq!(heard(&mut subscriber, 4).await, "metadata video audio v:7 a:4 a:4 v:6");
    assert_eq!(stage.stats.publishers.count(), 1);
    assert_eq!(stage.stats.malformed_messages.count(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_denied_and_the_connection_closes() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::ask_to_publish(stage.address, "wrong").await;
    assert_eq!(encoder.told().await, Told::Status("NetStream.Publish.Denied".into()));
    assert_eq!(encoder.told().await, Told::Closed);
    assert_eq!(stage.stats.denied.count(), 1);
}

#[tokio::test]
async fn the_older_encoder_stays_where_that_is_the_rule() {
    let stage = Stage::open(Setting { on_conflict: OnConflict::Refuse, ..Setting::default() }).await;
    let mut older = Peer::publish(stage.address, "match").await;
    let mut newer = Peer::ask_to_publish(stage.address, "match").await;
    assert_eq!(newer.told().await, Told::Status("NetStream.Publish.BadName".into()));
    older.announce().await;
    older.media("K0").await;
    let mut subscriber = stage.broadcast("match").await.subscribe();
    assert_eq!(heard(&mut subscriber, 1).await, "metadata video audio v:7");
}

#[tokio::test]
async fn the_newer_encoder_wins_and_the_older_is_told() {
    let stage = Stage::open(Setting::default()).await;
    let mut older = Peer::publish(stage.address, "match").await;
    let mut newer = Peer::publish(stage.address, "match").await;
    assert_eq!(older.told().await, Told::Status("NetStream.Publish.BadName".into()));
    assert_eq!(older.told().await, Told::Closed);
    newer.announce().await;
    newer.media("K0").await;
    let mut subscriber = stage.broadcast("match").await.subscribe();
    assert_eq!(heard(&mut subscriber, 1).await, "metadata video audio v:7");
}

#[tokio::test]
async fn a_codec_that_is_not_taken_ends_the_publication_with_a_status() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.video(0, b"\x90hvc1\x01").await;
    assert_eq!(encoder.told().await, Told::Status("NetStream.Publish.Denied".into()));
    assert_eq!(encoder.told().await, Told::Closed);
    assert_eq!(stage.stats.unsupported.count(), 1);
}

#[tokio::test]
async fn an_encoder_that_takes_all_memory_is_told_and_others_go_on() {
    let stage = Stage::open(Setting { memory: 1 << 20, ..Setting::default() }).await;
    let mut modest = Peer::publish(stage.address, "modest").await;
    modest.announce().await;
    modest.media("K0").await;
    let mut greedy = Peer::publish(stage.address, "greedy").await;
    greedy.announce().await;
    let mut picture = b"\x17\x01\0\0\0\0\x03\0\0\x65".to_vec();
    picture.resize(9 + 0x3_0000, 0x55);
    for ms in 0..6 {
        greedy.video_bytes(ms, picture.clone().into()).await;
    }
    assert_eq!(greedy.told().await, Told::Status("NetStream.Failed".into()));
    assert_eq!(greedy.told().await, Told::Closed);
    assert_eq!(stage.stats.unavailable.count(), 1);
    let mut subscriber = stage.broadcast("modest").await.subscribe();
    modest.media("p40").await;
    assert_eq!(heard(&mut subscriber, 2).await, "metadata video audio v:7 v:6");
}

#[tokio::test]
async fn an_encoder_may_stop_and_publish_again() {
    let stage = Stage::open(Setting::default()).await;
    let mut first = Peer::publish(stage.address, "match").await;
    first.announce().await;
    first.media("K0 p40").await;
    let mut subscriber = stage.broadcast("match").await.subscribe();
    assert_eq!(heard(&mut subscriber, 2).await, "metadata video audio v:7 v:6");
    first.stop_publishing().await;
    eventually(|| (stage.stats.publishers.count() == 0).then_some(())).await;

    let mut second = Peer::publish(stage.address, "match").await;
    second.announce().await;
    second.media("K0").await;
    assert_eq!(heard(&mut subscriber, 1).await, "gone came metadata video audio v:7");
}

#[tokio::test]
async fn stopping_tells_encoders_and_lets_them_go() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    stage.stop.cancel();
    assert_eq!(encoder.status().await, "NetConnection.Connect.AppShutdown");
    assert_eq!(encoder.told().await, Told::Closed);
    stage.server.await.unwrap();
    assert_eq!(stage.stats.connections.count(), 0);
}

const SAMPLE: &[u8] = include_bytes!("../../../samples/media/sample.mp4");
const ONCE: Options = Options { passes: Passes::Endless, on_loss: OnLoss::Fail };

#[tokio::test]
async fn our_own_publisher_publishes_a_file() {
    let stage = Stage::open(Setting::default()).await;
    let file = demux(Bytes::from_static(SAMPLE)).unwrap();
    let target = Target::parse(&format!("rtmp://{}/live/film", stage.address)).unwrap();
    let stop = CancellationToken::new();
    let watch = async {
        let mut subscriber = stage.broadcast("film").await.subscribe();
        let words = heard(&mut subscriber, 20).await;
        assert!(words.starts_with("metadata video audio v:"), "{words}");
        stop.cancel();
    };
    let (published, ()) = tokio::join!(publish(&file, &target, ONCE, &stop), watch);
    assert!(published.is_ok(), "{published:?}");
    eventually(|| (stage.stats.publishers.count() == 0).then_some(())).await;
}

#[tokio::test]
async fn our_own_publisher_comes_back_when_the_server_does() {
    let first = Stage::open(Setting::default()).await;
    let file = demux(Bytes::from_static(SAMPLE)).unwrap();
    let target = Target::parse(&format!("rtmp://{}/live/film", first.address)).unwrap();
    let stop = CancellationToken::new();
    let watch = async {
        first.broadcast("film").await;
        first.stop.cancel();
        first.server.await.unwrap();
        let second = Stage::open_at(first.address, Setting::default()).await;
        second.broadcast("film").await;
        stop.cancel();
    };
    let options = Options { passes: Passes::Endless, on_loss: OnLoss::Reconnect };
    let (published, ()) = tokio::join!(publish(&file, &target, options, &stop), watch);
    assert!(published.is_ok(), "{published:?}");
}

#[tokio::test]
async fn our_own_publisher_says_that_the_server_is_shutting_down() {
    let stage = Stage::open(Setting::default()).await;
    let file = demux(Bytes::from_static(SAMPLE)).unwrap();
    let target = Target::parse(&format!("rtmp://{}/live/film", stage.address)).unwrap();
    let watch = async {
        stage.broadcast("film").await;
        stage.stop.cancel();
    };
    let never = CancellationToken::new();
    let (published, ()) = tokio::join!(publish(&file, &target, ONCE, &never), watch);
    let Err(failure @ Failure::Stopped { .. }) = published else { panic!("{published:?}") };
    assert_eq!(failure.to_string(), "the server ended the publication: The server is shutting down.");
}

#[tokio::test]
async fn our_own_publisher_says_why_it_was_refused() {
    let stage = Stage::open(Setting::default()).await;
    let file = demux(Bytes::from_static(SAMPLE)).unwrap();
    let target = Target::parse(&format!("rtmp://{}/live/wrong", stage.address)).unwrap();
    let published = publish(&file, &target, ONCE, &CancellationToken::new()).await;
    let Err(Failure::Refused { code, description }) = published else { panic!("{published:?}") };
    assert_eq!(code, "NetStream.Publish.Denied");
    assert_eq!(description, "this stream key is not known here");
}
