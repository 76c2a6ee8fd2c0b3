//! Players: what they are sent, and in which order.

use std::time::Duration;

use bytes::Bytes;

use crate::peer::{Peer, Told};
use crate::stage::{Setting, Stage, eventually, heard};

#[tokio::test]
async fn a_player_is_set_up_and_begins_at_the_newest_key_frame() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    let mut subscriber = stage.broadcast("match").await.subscribe();
    encoder.media("K0 a0 p40").await;
    heard(&mut subscriber, 3).await;
    encoder.media("K2000 a2000 p2040").await;
    heard(&mut subscriber, 3).await;
    let mut player = Peer::play(stage.address, "match").await;
    assert_eq!(player.watched(3).await, "M V A K0 a0 p40");
    encoder.media("a2021 p2080").await;
    assert_eq!(player.watched(2).await, "a21 p80");
}

#[tokio::test]
async fn two_players_are_sent_the_same() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    let mut players = [Peer::play(stage.address, "match").await, Peer::play(stage.address, "match").await];
    encoder.media("K0 a0 p40").await;
    for player in &mut players {
        assert_eq!(player.watched(3).await, "M V A K0 a0 p40");
    }
    assert_eq!(stage.stats.players.count(), 2);
}

#[tokio::test]
async fn a_player_may_come_a_moment_before_its_broadcast() {
    let stage = Stage::open(Setting::default()).await;
    let mut player = Peer::ask_to_play(stage.address, "match").await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    encoder.media("K0").await;
    assert_eq!(player.watched(1).await, "M V A K0");
}

#[tokio::test]
async fn a_player_of_nothing_is_told_so() {
    let stage = Stage::open(Setting::default()).await;
    let mut player = Peer::ask_to_play(stage.address, "nothing").await;
    assert_eq!(player.told().await, Told::Status("NetStream.Play.StreamNotFound".into()));
    assert_eq!(player.told().await, Told::Closed);
}

#[tokio::test]
async fn a_player_outlives_its_encoder_and_hears_the_next_one_on_one_timeline() {
    let stage = Stage::open(Setting::default()).await;
    let mut first = Peer::publish(stage.address, "match").await;
    first.announce().await;
    let mut player = Peer::play(stage.address, "match").await;
    first.media("K90000 a90000 p90040").await;
    assert_eq!(player.watched(3).await, "M V A K0 a0 p40");
    drop(first);
    eventually(|| (stage.stats.publishers.count() == 0).then_some(())).await;

    let mut second = Peer::publish(stage.address, "match").await;
    second.announce().await;
    second.media("K0 a0 p40").await;
    assert_eq!(player.told().await, Told::Status("NetStream.Play.PublishNotify".into()));
    let words = player.watched(3).await;
    let times: Vec<u32> = words.split(' ').filter_map(|it| it.get(1..)?.parse().ok()).collect();
    assert!(times.iter().all(|&it| it > 40), "{words}");
    assert!(words.contains("K") && words.contains("p"), "{words}");
}

#[tokio::test]
async fn a_player_is_told_when_the_broadcast_is_over() {
    let stage = Stage::open(Setting { grace: Duration::from_millis(100), ..Setting::default() }).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    let mut player = Peer::play(stage.address, "match").await;
    encoder.media("K0").await;
    assert_eq!(player.watched(1).await, "M V A K0");
    drop(encoder);
    let mut codes = vec![player.status().await];
    while codes.last().is_some_and(|it| it != "closed") {
        codes.push(player.status().await);
    }
    assert_eq!(codes, ["NetStream.Play.UnpublishNotify", "NetStream.Play.Stop", "closed"]);
}

#[tokio::test]
async fn a_player_that_does_not_read_misses_pictures_and_holds_nobody_up() {
    let stage = Stage::open(Setting::default()).await;
    let mut encoder = Peer::publish(stage.address, "match").await;
    encoder.announce().await;
    let mut slow = Peer::play(stage.address, "match").await;
    let mut quick = Peer::play(stage.address, "match").await;
    // More than sockets hold, in groups of a key frame and a picture.
    let body = |head: &[u8], nal: u8| -> Bytes {
        let mut body = [head, &100_000_u32.to_be_bytes(), &[nal]].concat();
        body.resize(body.len() + 99_999, 0x55);
        body.into()
    };
    let (key, picture) = (body(b"\x17\x01\0\0\0", 0x65), body(b"\x27\x01\0\0\0", 0x41));
    for group in 0..200 {
        encoder.video_bytes(group * 100, key.clone()).await;
        encoder.video_bytes(group * 100 + 50, picture.clone()).await;
        quick.watched(2).await;
    }
    let mut times = Vec::new();
    while times.last() != Some(&19_950) {
        match slow.told().await {
            Told::Video(ms, body) if body[1] == 1 => times.push(ms),
            Told::Closed => panic!("the server closes after {times:?}"),
            _ => {}
        }
    }
    assert!(times.is_sorted(), "{times:?}");
    let jump = times.windows(2).find(|it| it[1] - it[0] > 50).expect("something was missed");
    assert_eq!(jump[1] % 100, 0, "it goes on at a key frame");
    assert_eq!(stage.stats.skipped_messages.count(), 400 - times.len() as u64);
}
