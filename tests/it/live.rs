//! From an encoder to viewers.

use std::collections::BTreeSet;

use ingest::rtmp::client::{Event, Goal};
use ingest::rtmp::message::Kind;
use packager::media::TrackKind;

use crate::support::encoder::{Encoder, Told};
use crate::support::house::House;
use crate::support::http::Line;
use crate::support::playlist::Playlist;
use crate::support::until;

#[tokio::test]
async fn a_viewer_who_comes_with_the_encoder_is_held_until_there_is_something_to_play() {
    let house = House::open().await;
    let mut encoder = Encoder::publish(house.rtmp(), "secret-of-match").await;
    let (answer, ()) = tokio::join!(house.get("/live/match/index.m3u8"), encoder.begin(3_000));
    let answer = answer.expect(200);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/vnd.apple.mpegurl"));
    let list = m3u8_rs::parse_master_playlist_res(&answer.body).expect("a stranger can read it");
    let variant = &list.variants[0];
    assert_eq!(variant.codecs.as_deref(), Some("avc1.4d401f,mp4a.40.2"));
    assert_eq!(variant.resolution.map(|it| (it.width, it.height)), Some((640, 360)));
    assert_eq!(variant.uri, "video/index.m3u8");
    assert_eq!(list.alternatives[0].uri.as_deref(), Some("audio/index.m3u8"));
}

#[tokio::test]
async fn parts_joined_are_their_segment_and_never_change() {
    let house = House::open().await;
    let _encoder = house.match_until(7_000).await;
    for track in ["video", "audio"] {
        let get = async |name: &str| house.get(&format!("/live/match/{track}/{name}")).await.expect(200);
        let list = until("a second segment", async || {
            Some(house.playlist(track).await).filter(|it| it.segments.len() > 1)
        })
        .await;
        for segment in list.segments.iter().filter(|it| !it.parts.is_empty()) {
            let mut joined = Vec::new();
            for part in &segment.parts {
                joined.extend(get(&part.uri).await.body);
                let longest = list.part_target.expect("there are parts");
                assert!(part.duration <= longest, "{part:?} {longest}");
            }
            let whole = get(&segment.uri).await;
            assert_eq!(joined, whole.body, "{segment:?}");
            let kept = whole.header("cache-control").expect("it says how long it lives");
            assert!(kept.contains("immutable"), "{kept}");
            assert_eq!(&get(&segment.init).await.body[4..8], b"ftyp");
        }
        assert!(list.segments.iter().all(|it| it.duration.round() <= list.target as f64), "{list:?}");
    }
}

#[tokio::test]
async fn a_blocking_reload_is_answered_with_its_part() {
    let house = House::open().await;
    let (mut encoder, list) = house.live(4_100).await;
    let (sequence, part) = (list.open_sequence(), list.open.len());
    let mut viewer = house.line().await;
    let path = format!("/live/match/video/index.m3u8?_HLS_msn={sequence}&_HLS_part={part}");
    let waiting = tokio::spawn(async move { viewer.ask(&format!("GET {path}")).await });
    house.settles("levada_cache_fills_under_way", 1).await;
    assert!(!waiting.is_finished(), "the part does not exist yet");
    encoder.send(4_000..6_000).await;
    let answer = waiting.await.expect("the viewer goes on").expect(200);
    let list = Playlist::read(answer.text());
    let has_part = list.open_sequence() > sequence || list.open.len() > part;
    assert!(has_part, "{list:?}");
}

#[tokio::test]
async fn the_hinted_part_can_be_asked_for_before_it_is_there() {
    let house = House::open().await;
    let (mut encoder, list) = house.live(4_100).await;
    let hint = list.hint.expect("a part is hinted");
    let mut viewer = house.line().await;
    let path = format!("/live/match/video/{hint}");
    let waiting = tokio::spawn(async move { viewer.ask(&format!("GET {path}")).await });
    house.settles("levada_cache_fills_under_way", 1).await;
    encoder.send(4_000..6_000).await;
    let part = waiting.await.expect("the viewer goes on").expect(200);
    assert!(!part.body.is_empty());
}

#[tokio::test]
async fn directives_that_cannot_be_met_are_400_and_names_that_are_not_there_404() {
    let house = House::open().await;
    let (_encoder, list) = house.live(4_100).await;
    let status = async |path: &str| house.get(&format!("/live/{path}")).await.status;
    let open = list.open_sequence();
    assert_eq!(status(&format!("match/video/index.m3u8?_HLS_msn={}", open + 3)).await, 400);
    assert_eq!(status(&format!("match/video/index.m3u8?_HLS_msn={open}&_HLS_part=99")).await, 400);
    assert_eq!(status("match/video/index.m3u8?_HLS_part=1").await, 400);
    assert_eq!(status("match/video/index.m3u8?_HLS_msn=-1").await, 400);
    assert_eq!(status("match/video/index.m3u8?_HLS_msn=x").await, 400);
    assert_eq!(status(&format!("match/video/index.m3u8?_HLS_msn={}", list.media_sequence)).await, 200);
    assert_eq!(status("match/video/1-1.m4s").await, 404);
    assert_eq!(status("match/captions/index.m3u8").await, 404);
    assert_eq!(status("nobody/index.m3u8").await, 404);
    let missing = house.ask("GET /live/nobody/index.m3u8\nOrigin: https://page.example").await;
    assert_eq!(missing.header("access-control-allow-origin").as_deref(), Some("*"));
}

#[tokio::test]
async fn the_manifest_for_dash_names_the_same_segments() {
    let house = House::open().await;
    let _encoder = house.match_until(6_000).await;
    let list = house.playlist_with("two segments", |it| it.segments.len() > 1).await;
    let answer = house.get("/live/match/manifest.mpd").await.expect(200);
    assert_eq!(answer.header("content-type").as_deref(), Some("application/dash+xml"));
    let text = answer.text();
    for word in ["type=\"dynamic\"", "availabilityStartTime=", "urn:mpeg:dash:utc:http-iso:2014"] {
        assert!(text.contains(word), "{word} {text}");
    }
    let epoch = list.segments[0].uri.split('-').next().expect("a name begins with its epoch");
    assert!(text.contains(&format!("startNumber=\"{}\"", list.media_sequence)), "{text}");
    assert!(text.contains(&format!("{epoch}-$Number$.m4s")), "{text}");
}

#[tokio::test]
async fn an_encoder_that_comes_back_within_the_grace_time_costs_viewers_one_discontinuity() {
    let house = House::open().await;
    let first = house.match_until(6_000).await;
    let before = house.playlist_with("two segments", |it| it.segments.len() > 1).await;
    let manifest = house.get("/live/match/manifest.mpd").await.expect(200);
    drop(first);
    house.settles("levada_rtmp_publishers", 0).await;
    assert_eq!(house.get("/live/match/index.m3u8").await.status, 200);
    let _second = house.match_until(6_000).await;
    let after = house.playlist_with("a discontinuity", |it| it.discontinuities() == 1).await;
    assert!(after.media_sequence >= before.media_sequence);
    assert_eq!((before.target, before.part_target), (after.target, after.part_target));
    let names: Vec<_> = after.names().collect();
    let different: BTreeSet<_> = names.iter().copied().collect();
    assert_eq!(names.len(), different.len(), "{names:?}");
    let kept = before.segments.iter().all(|it| different.contains(it.uri.as_str()));
    assert!(kept, "what was listed a moment ago still is");
    let start = |it: &str| {
        let at = it.find("availabilityStartTime=").expect("it has a start");
        it[at..].split('"').nth(1).map(str::to_owned)
    };
    let later = house.get("/live/match/manifest.mpd").await.expect(200);
    assert_eq!(start(manifest.text()), start(later.text()));
}

#[tokio::test]
async fn no_name_is_used_again_after_a_restart_of_the_server() {
    let house = House::open().await;
    let encoder = house.match_until(6_000).await;
    let before = house.playlist_with("two segments", |it| it.segments.len() > 1).await;
    drop(encoder);
    let house = house.restart().await;
    let _encoder = house.match_until(6_000).await;
    let after = house.playlist_with("two segments", |it| it.segments.len() > 1).await;
    let used: BTreeSet<_> = before.names().collect();
    assert!(after.names().all(|it| !used.contains(it)), "{before:?}\n{after:?}");
    assert!(after.media_sequence >= before.open_sequence(), "{before:?}\n{after:?}");
    let old = format!("/live/match/video/{}", before.segments[0].uri);
    assert_eq!(house.get(&old).await.status, 404);
}

#[tokio::test]
async fn the_newer_encoder_takes_over_and_the_older_is_told() {
    let house = House::open().await;
    let mut older = house.match_until(4_000).await;
    let _newer = house.match_until(4_000).await;
    assert_eq!(older.told().await.code, "NetStream.Publish.BadName");
    house.playlist_with("the newer encoder's segments", |it| it.discontinuities() == 1).await;
    assert_eq!(house.metric("levada_rtmp_superseded_total").await, 1);
}

#[tokio::test]
async fn the_older_encoder_stays_where_that_is_the_rule() {
    let house = House::with(&["app.live.on_conflict=refuse"]).await;
    let mut older = house.match_until(4_000).await;
    let newer = Encoder::ask(house.rtmp(), Goal::Publish, "secret-of-match").await;
    assert_eq!(newer.err().map(|it| it.code).as_deref(), Some("NetStream.Publish.BadName"));
    older.send(4_000..7_000).await;
    let list = house.playlist_with("more segments", |it| it.segments.len() > 1).await;
    assert_eq!(list.discontinuities(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_denied_with_a_sentence_that_does_not_repeat_it() {
    let house = House::open().await;
    let refused = Encoder::ask(house.rtmp(), Goal::Publish, "secret-of-nothing").await.err();
    let Some(Told { code, sentence }) = refused else { panic!("it was let in") };
    assert_eq!(code, "NetStream.Publish.Denied");
    assert!(sentence.contains(' ') && !sentence.contains("secret-of-nothing"), "{sentence}");
}

#[tokio::test]
async fn a_codec_that_is_not_taken_is_refused_by_its_name() {
    let house = House::open().await;
    let mut encoder = Encoder::publish(house.rtmp(), "secret-of-match").await;
    encoder.media(TrackKind::Video, 0, &[bytes::Bytes::from_static(b"\x90hvc1\x01\x01\x60\0\0")]).await;
    let told = encoder.told().await;
    assert_eq!(told.code, "NetStream.Publish.Denied");
    assert!(told.sentence.contains("HEVC") || told.sentence.contains("hvc1"), "{told:?}");
}

#[tokio::test]
async fn a_player_of_rtmp_is_given_the_configuration_and_the_last_key_frame_first() {
    let house = House::open().await;
    let mut encoder = house.match_until(3_500).await;
    house.playlist_with("a playlist", |it| !it.segments.is_empty()).await;
    let mut player = Encoder::play(house.rtmp(), "match").await;
    encoder.send(3_500..5_000).await;
    let (mut configured, mut first_picture) = (0, None);
    while first_picture.is_none() {
        match player.hear().await {
            Some(Event::Media { kind: Kind::Video | Kind::Audio, payload, .. }) if payload[1] == 0 => {
                configured += 1;
            }
            Some(Event::Media { kind: Kind::Video, payload, .. }) => first_picture = Some(payload[0]),
            Some(_) => {}
            None => panic!("the server closes"),
        }
    }
    assert_eq!((configured, first_picture), (2, Some(0x17)));
}

#[tokio::test]
async fn a_broadcast_whose_encoder_does_not_come_back_can_be_watched_to_its_end() {
    let house = House::with(&["packaging.grace=0s"]).await;
    let (encoder, before) = house.live(4_100).await;
    assert!(!before.ended);
    encoder.finish().await;
    let list = house.playlist_with("the end", |it| it.ended).await;
    assert!(list.open.is_empty() && list.hint.is_none(), "{list:?}");
    let last = list.segments.last().expect("something was published");
    house.get(&format!("/live/match/video/{}", last.uri)).await.expect(200);
}

#[tokio::test]
async fn sound_alone_and_pictures_alone_are_broadcasts_too() {
    let house = House::open().await;
    for (key, name, kind, other) in [
        ("secret-of-match", "match", TrackKind::Video, "audio"),
        ("secret-of-talk", "talk", TrackKind::Audio, "video"),
    ] {
        let mut encoder = Encoder::publish(house.rtmp(), key).await;
        encoder.only(kind, 6_000).await;
        let list = house.get(&format!("/live/{name}/index.m3u8")).await.expect(200);
        assert!(!list.text().contains(&format!("{other}/index.m3u8")), "{}", list.text());
        let mut line = Line::to(house.http()).await;
        let media = line.ask(&format!("GET /live/{name}/{}/index.m3u8", kind.word())).await.expect(200);
        assert!(!Playlist::read(media.text()).segments.is_empty());
    }
}
