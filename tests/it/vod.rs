//! Stored titles through the edge and its cache.

use packager::isobmff::demux::demux;

use crate::support::film;
use crate::support::house::House;
use crate::support::playlist::Playlist;

/// The multivariant playlist's video playlist, and the directory its names are in.
async fn video_of(house: &House, title: &str) -> (String, Playlist) {
    let multivariant = house.get(&format!("/vod/{title}/index.m3u8")).await.expect(200);
    let list = m3u8_rs::parse_master_playlist_res(&multivariant.body).expect("a stranger can read it");
    let path = format!("/vod/{title}/{}", list.variants[0].uri);
    let media = house.get(&path).await.expect(200);
    let directory = path.rsplit_once('/').expect("a path has a slash").0;
    (format!("{directory}/"), Playlist::read(media.text()))
}

#[tokio::test]
async fn a_title_plays_from_its_multivariant_playlist_down() {
    let house = House::open().await;
    let (directory, list) = video_of(&house, "sample.mp4").await;
    assert!(list.ended);
    assert!((list.seconds() - 8.0).abs() < 0.05, "{}", list.seconds());
    let init = house.get(&format!("{directory}{}", list.segments[0].init)).await.expect(200);
    let mut fragmented = init.body;
    for segment in &list.segments {
        let answer = house.get(&format!("{directory}{}", segment.uri)).await.expect(200);
        assert_eq!(answer.header("content-type").as_deref(), Some("video/mp4"));
        fragmented.extend(answer.body);
    }
    // Every picture of the file is in what was served.
    let film = demux(bytes::Bytes::from_static(film::FILE)).expect("the sample is a film");
    let video = film.tracks().position(|it| it.kind().word() == "video").expect("it has pictures");
    for sample in film.samples().map(Result::unwrap).filter(|(track, _)| *track == video) {
        assert!(memchr::memmem::find(&fragmented, &sample.1.payload).is_some());
    }
    let manifest = house.get("/vod/sample.mp4/manifest.mpd").await.expect(200);
    assert!(manifest.text().contains("type=\"static\""), "{}", manifest.text());
}

#[tokio::test]
async fn titles_that_are_not_there_or_lie_outside_are_404() {
    let house = House::open().await;
    std::fs::write(house.path().join("outside.mp4"), film::FILE).expect("the file is written");
    std::os::unix::fs::symlink(house.path().join("outside.mp4"), house.path().join("media/link.mp4"))
        .expect("the link is made");
    for path in [
        "/vod/nothing.mp4/index.m3u8",
        "/vod/link.mp4/index.m3u8",
        "/vod/sample.mp4",
        "/vod/sample.mp4/",
        "/vod/sample.mp4/0123456789abcdef/v0/index.m3u8",
        "/vod/",
        "/",
    ] {
        assert_eq!(house.get(path).await.status, 404, "{path}");
    }
    for path in
        ["/vod/../../levada.toml", "/vod/%2e%2e/%2e%2e/outside.mp4/index.m3u8", "/vod/..%2foutside.mp4"]
    {
        let status = house.get(path).await.status;
        assert!(matches!(status, 400 | 404), "{path} {status}");
    }
}

#[tokio::test]
async fn a_thousand_viewers_of_one_cold_segment_cost_one_fetch() {
    let house = House::open().await;
    let (directory, list) = video_of(&house, "sample.mp4").await;
    let path = format!("{directory}{}", list.segments[0].uri);
    let fills = house.metric("levada_cache_fills_total").await;
    let segments = house.metric("levada_vod_segments_total").await;
    let mut lines = Vec::new();
    for _ in 0..1_000 {
        lines.push(house.line().await);
    }
    let viewers: Vec<_> = lines
        .into_iter()
        .map(|mut line| {
            let request = format!("GET {path}");
            tokio::spawn(async move { line.ask(&request).await.expect(200).body })
        })
        .collect();
    let mut bodies = Vec::new();
    for viewer in viewers {
        bodies.push(viewer.await.expect("the viewer is served"));
    }
    assert!(!bodies[0].is_empty() && bodies.iter().all(|it| *it == bodies[0]));
    assert_eq!(house.metric("levada_cache_fills_total").await - fills, 1);
    assert_eq!(house.metric("levada_vod_segments_total").await - segments, 1);
    house.settles("levada_cache_fills_under_way", 0).await;
}

#[tokio::test]
async fn a_file_that_is_replaced_is_another_title_under_the_same_name() {
    let house = House::open().await;
    let (old, list) = video_of(&house, "sample.mp4").await;
    let mut longer = film::FILE.to_vec();
    longer.extend(b"\0\0\0\x10freeLEVADA!!");
    // As tools replace files: whole, by a rename.
    house.store("next.mp4", &longer);
    let media = house.path().join("media");
    std::fs::rename(media.join("next.mp4"), media.join("sample.mp4")).expect("it is replaced");
    let cached = house.get(&format!("{old}{}", list.segments[0].uri)).await;
    assert_eq!(cached.status, 404, "nobody had asked for it before");
    // The old playlist lives for its five seconds, but not in another distribution's cache.
    let new = house.ask("GET /sample.mp4/index.m3u8\nHost: bare.example").await.expect(200);
    let tag = old.split('/').nth(3).expect("the tag stands behind the title");
    assert!(!new.text().contains(tag), "{tag} {}", new.text());
}

#[tokio::test]
async fn subtitles_beside_a_title_are_kept_for_ever_under_their_name() {
    let house = House::open().await;
    house.store("sample.en.srt", b"1\r\n00:00:01,000 --> 00:00:02,000\r\nHello\r\n");
    let multivariant = house.get("/vod/sample.mp4/index.m3u8").await.expect(200);
    let text = multivariant.text();
    let line = text.lines().find(|it| it.contains("TYPE=SUBTITLES")).expect("it has subtitles");
    assert!(line.contains("NAME=\"English\",LANGUAGE=\"en\""), "{line}");
    let uri = line.split("URI=\"").nth(1).expect("they have a URI").trim_end_matches('"');
    let path = format!("/vod/sample.mp4/{}", uri.replace("index.m3u8", "0.vtt"));
    let segment = house.get(&path).await.expect(200);
    let expected =
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:00:01.000 --> 00:00:02.000\nHello\n\n";
    assert_eq!(segment.text(), expected);
    assert_eq!(segment.header("content-length"), Some(expected.len().to_string()));
    assert!(segment.header("cache-control").is_some_and(|it| it.contains("immutable")));
    let etag = segment.header("etag").expect("it has a tag");
    assert_eq!(house.ask(&format!("GET {path}\nIf-None-Match: {etag}")).await.status, 304);
}
