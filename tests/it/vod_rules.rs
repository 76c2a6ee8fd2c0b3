//! The rules for stored titles that are about how they are sent (`docs/conformance.md`, 13 to 15).

use crate::support::house::House;

/// Paths of one of each kind of thing that is made of a title, with the type it is sent as.
async fn things(house: &House) -> Vec<(String, &'static str)> {
    house.store("sample.en.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n");
    let multivariant = house.get("/vod/sample.mp4/index.m3u8").await.expect(200);
    let text = multivariant.text();
    let variant = text.lines().find(|it| it.ends_with("/v0/index.m3u8")).expect("it has pictures");
    let tag = variant.split('/').next().expect("a tag stands in front");
    let fixed = |path: &str| format!("/vod/sample.mp4/{path}");
    let tagged = |path: &str| format!("/vod/sample.mp4/{tag}/{path}");
    let playlist = "application/vnd.apple.mpegurl";
    vec![
        (fixed("index.m3u8"), playlist),
        (fixed("index-ts.m3u8"), playlist),
        (fixed("manifest.mpd"), "application/dash+xml"),
        (tagged("v0/index.m3u8"), playlist),
        (tagged("v0/index-ts.m3u8"), playlist),
        (tagged("v0/iframes.m3u8"), playlist),
        (tagged("v0/init.mp4"), "video/mp4"),
        (tagged("v0/0.m4s"), "video/mp4"),
        (tagged("v0/i0.m4s"), "video/mp4"),
        (tagged("v0/0.ts"), "video/mp2t"),
        (tagged("a0/init.mp4"), "audio/mp4"),
        (tagged("a0/0.m4s"), "audio/mp4"),
        (tagged("t0/0.vtt"), "text/vtt; charset=utf-8"),
    ]
}

#[tokio::test]
async fn apple_8_18_nothing_is_redirected_and_apple_10_4_each_thing_has_its_type() {
    let house = House::open().await;
    for (path, expected) in things(&house).await {
        let answer = house.get(&path).await.expect(200);
        assert_eq!(answer.header("content-type").as_deref(), Some(expected), "{path}");
    }
}

#[tokio::test]
async fn apple_10_1_playlists_are_sent_in_gzip_and_media_is_not() {
    let house = House::open().await;
    for (path, kind) in things(&house).await {
        let answer = house.ask(&format!("GET {path}\nAccept-Encoding: gzip")).await.expect(200);
        let is_media = kind.starts_with("video/") || kind.starts_with("audio/");
        let coding = answer.header("content-encoding");
        // What is shorter than a thousand octets is not worth it.
        let is_short = house.get(&path).await.body.len() < 1_000;
        assert!(is_short || coding.is_some() != is_media, "{path} {coding:?}");
    }
}

#[tokio::test]
async fn output_head_says_the_length_of_what_get_sends() {
    let house = House::open().await;
    for (path, _) in things(&house).await {
        let head = house.ask(&format!("HEAD {path}")).await.expect(200);
        let answer = house.get(&path).await.expect(200);
        assert_eq!(head.header("content-length"), Some(answer.body.len().to_string()), "{path}");
        for field in ["content-length", "content-type", "etag", "last-modified", "accept-ranges"] {
            assert_eq!(head.header(field), answer.header(field), "{path} {field}");
        }
    }
}

#[tokio::test]
async fn output_is_given_in_ranges_of_every_form() {
    let house = House::open().await;
    for (path, _) in things(&house).await {
        let whole = house.get(&path).await.expect(200).body;
        let ask = async |range: &str| house.ask(&format!("GET {path}\nRange: bytes={range}")).await;
        let first = ask("0-0").await.expect(206);
        assert_eq!(first.body, whole[..1], "{path}");
        assert_eq!(first.header("content-range"), Some(format!("bytes 0-0/{}", whole.len())), "{path}");
        assert_eq!(ask("-5").await.expect(206).body, whole[whole.len() - 5..], "{path}");
        assert_eq!(ask("7-").await.expect(206).body, whole[7..], "{path}");
        ask(&format!("{}-", whole.len())).await.expect(416);
        // Ranges beside each other are given as one.
        if whole.len() < 1_000 {
            continue;
        }
        let several = ask("0-1,900-907").await.expect(206);
        let kind = several.header("content-type").expect("it has a type");
        assert!(kind.starts_with("multipart/byteranges; boundary="), "{path} {kind}");
        let has = |part: &[u8]| memchr::memmem::find(&several.body, part).is_some();
        assert!(has(&whole[..2]) && has(&whole[900..908]), "{path}");
    }
}

#[tokio::test]
async fn output_of_two_requests_and_of_two_servers_is_the_same_to_the_octet() {
    let (one, other) = (House::open().await, House::open().await);
    let paths = things(&one).await;
    assert_eq!(paths, things(&other).await, "names are the same too");
    for (path, _) in paths {
        let first = one.get(&path).await.expect(200);
        // Another distribution has a cache of its own.
        let bare = path.strip_prefix("/vod").expect("it is below");
        let second = one.ask(&format!("GET {bare}\nHost: bare.example")).await.expect(200);
        let third = other.get(&path).await.expect(200);
        assert!(first.body == second.body && first.body == third.body, "{path}");
        assert_eq!(first.header("etag"), third.header("etag"), "{path}");
    }
    // And after a restart, from what was kept of the title.
    let other = other.restart().await;
    for (path, _) in things(&one).await {
        assert!(one.get(&path).await.body == other.get(&path).await.expect(200).body, "{path}");
    }
}
