//! Titles whose files are at a web server.

use crate::support::film;
use crate::support::house::House;
use crate::support::web::WebServer;

/// A server that gives the files of its media directory as they are.
async fn shelf() -> House {
    House::beside(
        "[[origin]]\nid = \"shelf\"\nkind = \"directory\"\nroot = \"media\"\n\
         [[distribution]]\nid = \"shelf\"\naliases = [\"127.0.0.1\"]\n\
         default_behavior = { target_origin = \"shelf\", cache_policy = \"Managed-CachingDisabled\" }\n",
    )
    .await
}

/// A server that packages the files that `origin` has.
async fn packager(origin: &str) -> House {
    House::beside(&format!(
        "{origin}\n[[origin]]\nid = \"far\"\nkind = \"vod\"\nsource = \"web\"\n\
         [[distribution]]\nid = \"far\"\naliases = [\"far.example\"]\ndefault_behavior = {{ target_origin = \"far\" }}\n"
    ))
    .await
}

fn web(house: &House) -> String {
    let port = house.http().port();
    format!(
        "[[origin]]\nid = \"web\"\nkind = \"http\"\ndomain_name = \"127.0.0.1\"\nhttp_port = {port}\n\
         origin_protocol_policy = \"http-only\"\n"
    )
}

/// The names in the video playlist of a title, and the path that they are below.
async fn segments(house: &House, title: &str) -> (String, Vec<String>) {
    let multivariant = house.ask(&format!("GET /{title}/index.m3u8\nHost: far.example")).await.expect(200);
    let list = m3u8_rs::parse_master_playlist_res(&multivariant.body).expect("a stranger can read it");
    let path = format!("/{title}/{}", list.variants[0].uri);
    let media = house.ask(&format!("GET {path}\nHost: far.example")).await.expect(200);
    let list = m3u8_rs::parse_media_playlist_res(&media.body).expect("a stranger can read it");
    let directory = path.rsplit_once('/').expect("a path has a slash").0.to_owned();
    (directory, list.segments.into_iter().map(|it| it.uri).collect())
}

#[tokio::test]
async fn a_file_is_the_same_title_wherever_it_is() {
    let shelf = shelf().await;
    let house = packager(&web(&shelf)).await;
    let (directory, names) = segments(&house, "sample.mp4").await;
    let reads = house.metric("levada_vod_reads_total").await;
    assert_eq!(reads, 1, "the header of a file that begins with it comes at once");
    let near = house.get("/vod/sample.mp4/index.m3u8").await.expect(200);
    let tag = directory.split('/').nth(2).expect("the tag stands behind the title");
    assert!(near.text().contains(tag), "{tag} {}", near.text());
    for (at, name) in names.iter().enumerate() {
        let far = house.ask(&format!("GET {directory}/{name}\nHost: far.example")).await.expect(200);
        let near = house.get(&format!("/vod{directory}/{name}")).await.expect(200);
        assert_eq!(far.body, near.body, "{name}");
        assert_eq!(far.header("etag"), near.header("etag"), "{name}");
        // Each is one range of the file; the other half of the reads is the disk's, and its header was one more.
        assert_eq!(house.metric("levada_vod_reads_total").await, reads + 1 + 2 * (at as u64 + 1), "{name}");
    }
}

#[tokio::test]
async fn octets_of_two_versions_of_a_file_are_never_mixed() {
    let shelf = shelf().await;
    let house = packager(&web(&shelf)).await;
    let (directory, names) = segments(&house, "sample.mp4").await;
    // Others of the same length at the same place.
    let mut other = film::FILE.to_vec();
    let half = other.len() / 2;
    other[half..].reverse();
    let media = shelf.path().join("media");
    std::fs::write(media.join("next.mp4"), other).expect("the file is written");
    std::fs::rename(media.join("next.mp4"), media.join("sample.mp4")).expect("it is replaced");
    let torn = house.ask(&format!("GET {directory}/{}\nHost: far.example", names[0])).await;
    assert_eq!(torn.status, 404, "its new self has other names");
}

#[tokio::test]
async fn what_is_known_of_a_title_is_given_without_a_question() {
    let shelf = shelf().await;
    let house = packager(&web(&shelf)).await;
    let (directory, names) = segments(&house, "sample.mp4").await;
    let asked = house.metric("levada_vod_reads_total").await;
    std::fs::remove_file(shelf.path().join("media/sample.mp4")).expect("it is removed");
    let audio = directory.replace("/v0", "/a0");
    for path in [format!("{directory}/init.mp4"), format!("{audio}/index.m3u8"), format!("{audio}/init.mp4")]
    {
        house.ask(&format!("GET {path}\nHost: far.example")).await.expect(200);
    }
    assert_eq!(house.metric("levada_vod_reads_total").await, asked);
    let segment = house.ask(&format!("GET {directory}/{}\nHost: far.example", names[0])).await;
    assert_eq!(segment.status, 404);
}

#[tokio::test]
async fn a_server_that_is_of_no_use_is_an_error_and_what_is_not_there_is_not_there() {
    let check = async |answer: (&str, &str), expected: u16| {
        let server = WebServer::saying(&[answer]).await;
        let house = packager(&server.origin("web")).await;
        let answer = house.ask("GET /film.mp4/index.m3u8\nHost: far.example").await;
        assert_eq!(answer.status, expected, "{}", answer.text());
        answer.text().to_owned()
    };
    check(("404 Not Found", ""), 404).await;
    check(("403 Forbidden", "<Error/>"), 404).await;
    check(("500 Internal Server Error", ""), 502).await;
    // It has no ranges, says nothing of the length, sends less or other than it says.
    check(("200 OK\netag: \"a\"", "stone"), 502).await;
    check(("206 Partial Content\ncontent-range: bytes 0-4/*", "stone"), 502).await;
    check(("206 Partial Content\ncontent-range: bytes 0-9/10", "stone"), 502).await;
    check(("206 Partial Content\ncontent-range: bytes 3-7/10", "stone"), 502).await;
    let sentence = check(("206 Partial Content\ncontent-range: bytes 0-4/5", "stone"), 422).await;
    assert!(sentence.starts_with("film.mp4 cannot be played: "), "{sentence}");
}

#[tokio::test]
async fn a_set_at_a_server_has_its_subtitles_there() {
    let shelf = shelf().await;
    shelf.store("words.vtt", b"WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n");
    shelf.store(
        "film.set.json",
        br#"{"renditions":[{"file":"sample.mp4"}],
            "subtitles":[{"file":"words.vtt","language":"en"},{"file":"missing.vtt","language":"de"}]}"#,
    );
    let house = packager(&web(&shelf)).await;
    let far = async |path: &str| {
        house.ask(&format!("GET /film.set.json/{path}\nHost: far.example")).await.expect(200)
    };
    let multivariant = far("index.m3u8").await;
    let text = multivariant.text();
    assert_eq!(text.matches("TYPE=SUBTITLES").count(), 1, "{text}");
    let line = text.lines().find(|it| it.contains("TYPE=SUBTITLES")).expect("it has subtitles");
    let uri = line.split("URI=\"").nth(1).expect("they have a URI").trim_end_matches('"');
    let segment = far(&uri.replace("index.m3u8", "0.vtt")).await;
    assert_eq!(segment.header("content-type").as_deref(), Some("text/vtt; charset=utf-8"));
    assert!(segment.text().ends_with("\n\n00:00:01.000 --> 00:00:02.000\nHello\n\n"), "{}", segment.text());
}
