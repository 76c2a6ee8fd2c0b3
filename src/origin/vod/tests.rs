use std::fs;
use std::os::unix::fs::symlink;

use futures_util::TryStreamExt;
use futures_util::future::join_all;
use tempfile::TempDir;

use super::*;
use config::origin::{EncryptionMethod, KeySource, LicenseSystem};
use config::units::Secret;

const FILM: &[u8] = include_bytes!("../../../packager/tests/media/bframes.mp4");
const OTHER: &[u8] = include_bytes!("../../../packager/tests/media/late-audio.mp4");

/// A library with a film in it.
fn library() -> (TempDir, Vod) {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join("film.mp4"), FILM).unwrap();
    let vod = Vod::new(root.path().to_owned());
    (root, vod)
}

async fn get(vod: &Vod, path: &str) -> (StatusCode, Bytes) {
    let fetched = vod.fetch(path).await.unwrap();
    let body = match fetched.body {
        FetchedBody::Whole(chunks) => chunks.concat(),
        FetchedBody::Growing(stream) => stream.try_collect::<Vec<Bytes>>().await.unwrap().concat(),
    };
    assert_eq!(fetched.length, Some(body.len() as u64), "{path}");
    (fetched.status, body.into())
}

async fn text(vod: &Vod, path: &str) -> (u16, String) {
    let (status, body) = get(vod, path).await;
    (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
}

async fn status(vod: &Vod, path: &str) -> u16 {
    get(vod, path).await.0.as_u16()
}

/// The first URI of a playlist, below the place of the playlist.
async fn first_uri(vod: &Vod, playlist: &str) -> String {
    let (status, text) = text(vod, playlist).await;
    assert_eq!(status, 200, "{text}");
    let uri = text.lines().find(|it| !it.starts_with('#')).unwrap();
    format!("{}/{uri}", playlist.rsplit_once('/').unwrap().0)
}

#[tokio::test]
async fn a_playlist_leads_to_segments_of_the_promised_length() {
    let (_root, vod) = library();
    let media = first_uri(&vod, "/film.mp4/index.m3u8").await;
    let segment = first_uri(&vod, &media).await;
    let (status, body) = get(&vod, &segment).await;
    assert_eq!((status, &body[4..8]), (StatusCode::OK, &b"styp"[..]));
    let (status, init) = get(&vod, &segment.replace("0.m4s", "init.mp4")).await;
    assert_eq!((status, &init[4..8]), (StatusCode::OK, &b"ftyp"[..]));
    assert_eq!(text(&vod, "/film.mp4/manifest.mpd").await.0, 200);
    assert_eq!(super::tests::status(&vod, &segment.replace("0.m4s", "99.m4s")).await, 404);
}

#[tokio::test]
async fn answers_name_their_type_and_their_bytes() {
    let (_root, vod) = library();
    let media = first_uri(&vod, "/film.mp4/index.m3u8").await;
    let segment = first_uri(&vod, &media).await;
    let manifest = vod.fetch("/film.mp4/index.m3u8").await.unwrap();
    assert_eq!(manifest.headers[CONTENT_TYPE], "application/vnd.apple.mpegurl");
    assert_eq!(manifest.lifetime, Some(Lifetime::For(MANIFEST)));
    let video = vod.fetch(&segment).await.unwrap();
    assert_eq!(video.headers[CONTENT_TYPE], "video/mp4");
    assert_eq!(video.lifetime, Some(Lifetime::Immutable));
    let audio = vod.fetch(&segment.replace("/v0/", "/a0/")).await.unwrap();
    assert_eq!(audio.headers[CONTENT_TYPE], "audio/mp4");
    assert_ne!(audio.headers[ETAG], video.headers[ETAG]);
    assert!(httpdate::parse_http_date(audio.headers[LAST_MODIFIED].to_str().unwrap()).is_ok());
}

#[tokio::test]
async fn what_is_hidden_or_outside_is_not_there() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("film.mp4"), FILM).unwrap();
    let (root, vod) = library();
    fs::write(root.path().join(".hidden.mp4"), FILM).unwrap();
    fs::create_dir(root.path().join("directory.mp4")).unwrap();
    symlink(outside.path().join("film.mp4"), root.path().join("leads-out.mp4")).unwrap();
    symlink("film.mp4", root.path().join("stays-in.mp4")).unwrap();
    for name in [
        "/.hidden.mp4",
        "/directory.mp4",
        "/leads-out.mp4",
        "/nothing.mp4",
        "/../film.mp4",
        "/x/../film.mp4",
        "//film.mp4",
        "/film.mp4/",
        "/%2e%2e/film.mp4",
        "/a%2Ffilm.mp4",
        "/film.mp4%00",
        "/%ff.mp4",
        "/%zz.mp4",
        "",
    ] {
        assert_eq!(status(&vod, &format!("{name}/index.m3u8")).await, 404, "{name}");
    }
    assert_eq!(status(&vod, "/stays-in.mp4/index.m3u8").await, 200);
    assert_eq!(status(&vod, "/film%2Emp4/index.m3u8").await, 200);
    assert_eq!(status(&vod, "/film.mp4").await, 404);
}

#[tokio::test]
async fn a_replaced_file_never_mixes_with_the_old_one() {
    let (root, vod) = library();
    let old = first_uri(&vod, "/film.mp4/index.m3u8").await;
    fs::write(root.path().join("new"), OTHER).unwrap();
    fs::rename(root.path().join("new"), root.path().join("film.mp4")).unwrap();
    assert_eq!(status(&vod, &old).await, 404);
    let new = first_uri(&vod, "/film.mp4/index.m3u8").await;
    assert_ne!(old, new);
    assert_eq!(status(&vod, &new).await, 200);

    // The same bytes again have the same names, whatever their time.
    fs::write(root.path().join("film.mp4"), FILM).unwrap();
    assert_eq!(first_uri(&vod, "/film.mp4/index.m3u8").await, old);
}

#[tokio::test]
async fn a_thousand_who_ask_at_once_have_the_header_read_once() {
    let (_root, vod) = library();
    let answers = join_all((0..1_000).map(|_| get(&vod, "/film.mp4/index.m3u8"))).await;
    assert!(answers.iter().all(|it| *it == answers[0] && it.0 == StatusCode::OK));
    assert_eq!(vod.reads().count.load(Ordering::Relaxed), 1);
}

/// The same library with its indexes in a directory, as another run of the server has it.
fn restarted(root: &TempDir, indexes: &TempDir) -> (Vod, Arc<Indexes>) {
    let indexes = Indexes::open(indexes.path().to_owned(), 1 << 20).unwrap();
    (Vod::new(root.path().to_owned()).with_indexes(Arc::clone(&indexes)), indexes)
}

/// All that a player gets of a title: the first playlists, all segments of its pictures, in fragments and otherwise.
async fn play(vod: &Vod, title: &str) -> Vec<Bytes> {
    let mut got = Vec::new();
    for playlist in ["index.m3u8", "index-ts.m3u8"] {
        let media = first_uri(vod, &format!("/{title}/{playlist}")).await;
        let (status, text) = text(vod, &media).await;
        assert_eq!(status, 200, "{text}");
        for uri in text.lines().filter(|it| !it.starts_with('#')) {
            let (status, segment) = get(vod, &format!("{}/{uri}", media.rsplit_once('/').unwrap().0)).await;
            assert_eq!(status, StatusCode::OK);
            got.push(segment);
        }
        got.push(text.into());
    }
    got
}

#[tokio::test]
async fn after_a_restart_no_header_is_read_and_every_octet_is_the_same() {
    let (root, vod) = library();
    let directory = tempfile::tempdir().unwrap();
    let without = play(&vod, "film.mp4").await;
    let (first, indexes) = restarted(&root, &directory);
    assert_eq!(play(&first, "film.mp4").await, without);
    assert_eq!((indexes.opened.count(), indexes.written.count()), (0, 1));
    assert_eq!(first.reads().count.load(Ordering::Relaxed), vod.reads().count.load(Ordering::Relaxed));

    let (second, indexes) = restarted(&root, &directory);
    let media = first_uri(&second, "/film.mp4/index.m3u8").await;
    assert_eq!(status(&second, &media).await, 200);
    assert_eq!(second.reads().count.load(Ordering::Relaxed), 0);
    assert_eq!(play(&second, "film.mp4").await, without);
    assert_eq!((indexes.opened.count(), indexes.written.count()), (1, 0));

    // Another film under that name is read.
    fs::write(root.path().join("film.mp4"), OTHER).unwrap();
    let (third, indexes) = restarted(&root, &directory);
    assert_ne!(play(&third, "film.mp4").await, without);
    assert_eq!((indexes.opened.count(), indexes.written.count()), (0, 1));
}

#[tokio::test]
async fn an_index_that_is_broken_foreign_or_gone_is_made_anew() {
    let (root, vod) = library();
    let directory = tempfile::tempdir().unwrap();
    let whole = play(&vod, "film.mp4").await;
    let (vod, _) = restarted(&root, &directory);
    assert_eq!(play(&vod, "film.mp4").await, whole);
    let index = fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap().path();
    let written = fs::read(&index).unwrap();
    let mut torn = written.clone();
    torn[100..].fill(0);
    let mut flipped = written.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for broken in [&b""[..], b"not an index", &written[..written.len() / 2], &torn, &flipped] {
        fs::write(&index, broken).unwrap();
        // One that was open all the time sees it at the next segment, a new one at once.
        let (new, indexes) = restarted(&root, &directory);
        assert_eq!(play(&new, "film.mp4").await, whole);
        assert_eq!((indexes.opened.count(), indexes.written.count()), (0, 1));
        assert_eq!(fs::read(&index).unwrap(), written);
        fs::write(&index, broken).unwrap();
        assert_eq!(play(&vod, "film.mp4").await, whole);
    }
    fs::remove_dir_all(directory.path()).unwrap();
    assert_eq!(play(&vod, "film.mp4").await, whole);
}

#[tokio::test]
async fn a_broken_file_is_refused_in_a_sentence_and_judged_once() {
    let (root, vod) = library();
    let moov = FILM.windows(4).position(|it| it == b"moov").unwrap();
    let mut broken = FILM.to_vec();
    broken[moov + 4..moov + 8].fill(0);
    fs::write(root.path().join("broken.mp4"), broken).unwrap();
    let (status, sentence) = text(&vod, "/broken.mp4/index.m3u8").await;
    let expected =
        format!("broken.mp4 cannot be played: the box mvhd at byte {} has the impossible size 0\n", moov + 4);
    assert_eq!((status, sentence), (422, expected));
    let reads = vod.reads().count.load(Ordering::Relaxed);
    assert_eq!(super::tests::status(&vod, "/broken.mp4/manifest.mpd").await, 422);
    assert_eq!(vod.reads().count.load(Ordering::Relaxed), reads);

    fs::write(root.path().join("note.txt"), "no film").unwrap();
    assert_eq!(super::tests::status(&vod, "/note.txt/index.m3u8").await, 422);
    fs::write(root.path().join("empty.mp4"), "").unwrap();
    assert_eq!(super::tests::status(&vod, "/empty.mp4/index.m3u8").await, 422);
}

#[tokio::test]
async fn media_that_was_cut_off_is_missing_and_the_rest_plays() {
    let (root, vod) = library();
    // Its header stands in front.
    let film = include_bytes!("../../../packager/tests/media/faststart.mp4");
    fs::write(root.path().join("cut.mp4"), &film[..film.len() - 10]).unwrap();
    let media = first_uri(&vod, "/cut.mp4/index.m3u8").await;
    let segment = first_uri(&vod, &media).await;
    let statuses = [status(&vod, &segment).await, status(&vod, &segment.replace("/v0/", "/a0/")).await];
    assert!(statuses.contains(&404), "{statuses:?}");
}

#[tokio::test]
async fn a_set_is_one_title() {
    let (root, vod) = library();
    fs::write(root.path().join("film_b.mp4"), include_bytes!("../../../packager/tests/media/faststart.mp4"))
        .unwrap();
    let set = |json: &str| fs::write(root.path().join("film.set.json"), json).unwrap();
    set(r#"{"renditions":[{"file":"film.mp4"},{"file":"film_b.mp4"}]}"#);
    let (_, playlist) = text(&vod, "/film.set.json/index.m3u8").await;
    assert_eq!(playlist.matches("#EXT-X-STREAM-INF").count(), 2);
    let media = first_uri(&vod, "/film.set.json/index.m3u8").await;
    let segment = first_uri(&vod, &media).await;
    assert_eq!(status(&vod, &segment).await, 200);
    assert_eq!(text(&vod, "/film,,_b,.mp4.urlset/index.m3u8").await, (200, playlist));

    set(r#"{"renditions":[{"file":"film.mp4"},{"file":"nothing.mp4"}]}"#);
    assert_eq!(status(&vod, "/film.set.json/index.m3u8").await, 404);
    set(r#"{"renditions":[{"file":"../film.mp4"}]}"#);
    let (status, sentence) = text(&vod, "/film.set.json/index.m3u8").await;
    assert_eq!(status, 422);
    assert!(sentence.starts_with("film.set.json: the set names \"../film.mp4\""), "{sentence}");
}

const WORDS: &str = "WEBVTT\n\n00:00.500 --> 00:01.500\nHello\n";

#[tokio::test]
async fn subtitles_beside_a_file_are_offered_in_hls_and_dash() {
    let (root, vod) = library();
    for name in ["film.de.forced.vtt", "film.en.vtt", "film2.fr.vtt", "film.en.broken.vtt", ".film.it.vtt"] {
        fs::write(root.path().join(name), WORDS).unwrap();
    }
    fs::write(root.path().join("film.fr.srt"), "1\n00:00:00,500 --> 00:00:01,500\nSalut\n").unwrap();
    fs::write(root.path().join("film.es.vtt"), "no subtitles").unwrap();
    let (_, playlist) = text(&vod, "/film.mp4/index.m3u8").await;
    let media: Vec<&str> = playlist.lines().filter(|it| it.contains("TYPE=SUBTITLES")).collect();
    assert_eq!(media.len(), 3, "{playlist}");
    assert!(
        media[0].contains("NAME=\"Deutsch (forced)\",LANGUAGE=\"de\"") && media[0].contains("FORCED=YES")
    );
    assert!(media[1].contains("NAME=\"English\",LANGUAGE=\"en\""), "{playlist}");
    assert!(media[2].contains("NAME=\"Français\",LANGUAGE=\"fr\""), "{playlist}");
    assert!(playlist.contains(",SUBTITLES=\"subtitles\""), "{playlist}");

    let uri = media[2].split("URI=\"").nth(1).unwrap().trim_end_matches('"');
    let segment = first_uri(&vod, &format!("/film.mp4/{uri}")).await;
    let expected =
        "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n00:00:00.500 --> 00:00:01.500\nSalut\n\n";
    assert_eq!(text(&vod, &segment).await, (200, expected.into()));
    let fetched = vod.fetch(&segment).await.unwrap();
    assert_eq!(fetched.headers[CONTENT_TYPE], "text/vtt; charset=utf-8");
    assert_eq!(fetched.lifetime, Some(Lifetime::Immutable));
    assert!(fetched.headers[ETAG].to_str().unwrap().contains("-t2-0.vtt"));
    assert_eq!(status(&vod, &segment.replace("/0.vtt", "/9.vtt")).await, 404);
    assert_eq!(status(&vod, &segment.replace("/t2/", "/t3/")).await, 404);

    let (_, mpd) = text(&vod, "/film.mp4/manifest.mpd").await;
    assert_eq!(mpd.matches("mimeType=\"text/vtt\"").count(), 3, "{mpd}");
    let whole = mpd.split("<BaseURL>").nth(2).unwrap().split('<').next().unwrap();
    let expected = "WEBVTT\n\n00:00:00.500 --> 00:00:01.500\nHello\n\n";
    assert_eq!(text(&vod, &format!("/film.mp4/{whole}")).await, (200, expected.into()));
}

#[tokio::test]
async fn subtitles_that_come_change_or_go_make_another_title() {
    let (root, vod) = library();
    let plain = first_uri(&vod, "/film.mp4/index.m3u8").await;
    let path = root.path().join("film.en.vtt");
    // As editors do it: the directory changes too.
    let replace = |text: &str| {
        fs::write(root.path().join("new"), text).unwrap();
        fs::rename(root.path().join("new"), &path).unwrap();
    };
    replace(WORDS);
    let first = first_uri(&vod, "/film.mp4/index.m3u8").await;
    assert_ne!(plain, first);
    assert_eq!(status(&vod, &plain).await, 404);
    replace(&WORDS.replace("Hello", "Bye"));
    let second = first_uri(&vod, "/film.mp4/index.m3u8").await;
    assert_ne!(first, second);
    fs::remove_file(&path).unwrap();
    assert_eq!(first_uri(&vod, "/film.mp4/index.m3u8").await, plain);
}

#[tokio::test]
async fn what_comes_beside_a_title_and_is_not_its_own_costs_no_read() {
    let (root, vod) = library();
    fs::write(root.path().join("film.en.vtt"), WORDS).unwrap();
    let before = first_uri(&vod, "/film.mp4/index.m3u8").await;
    let reads = vod.reads().count.load(Ordering::Relaxed);
    fs::write(root.path().join("other.en.vtt"), WORDS).unwrap();
    assert_eq!(first_uri(&vod, "/film.mp4/index.m3u8").await, before);
    assert_eq!(vod.reads().count.load(Ordering::Relaxed), reads);
}

#[tokio::test]
async fn a_set_names_its_own_subtitles_and_plays_without_those_that_are_missing() {
    let (root, vod) = library();
    fs::create_dir(root.path().join("words")).unwrap();
    let set = r#"{"renditions":[{"file":"film.mp4"}],"subtitles":[
        {"file":"words/a.vtt","language":"en","label":"Words","default":true},{"file":"words/b.vtt"}]}"#;
    fs::write(root.path().join("film.set.json"), set).unwrap();
    fs::write(root.path().join("words/a.vtt"), WORDS).unwrap();
    let listed =
        || async { text(&vod, "/film.set.json/index.m3u8").await.1.matches("TYPE=SUBTITLES").count() };
    assert_eq!(listed().await, 1);
    let (_, playlist) = text(&vod, "/film.set.json/index.m3u8").await;
    assert!(playlist.contains("NAME=\"Words\",LANGUAGE=\"en\",DEFAULT=YES"), "{playlist}");
    // It is seen when it comes.
    fs::write(root.path().join("words/b.vtt"), WORDS).unwrap();
    assert_eq!(listed().await, 2);
}

#[tokio::test]
async fn in_a_directory_without_end_nothing_is_looked_for() {
    let (root, vod) = library();
    fs::write(root.path().join("film.en.vtt"), WORDS).unwrap();
    fs::create_dir(root.path().join("full")).unwrap();
    let mut names = (0..20_000).map(|n| root.path().join(format!("full/{n}")));
    names.try_for_each(|it| fs::write(it, "")).unwrap();
    fs::copy(root.path().join("film.mp4"), root.path().join("full/film.mp4")).unwrap();
    fs::copy(root.path().join("film.en.vtt"), root.path().join("full/film.en.vtt")).unwrap();
    assert!(text(&vod, "/film.mp4/index.m3u8").await.1.contains("TYPE=SUBTITLES"));
    let (status, playlist) = text(&vod, "/full/film.mp4/index.m3u8").await;
    assert!(status == 200 && !playlist.contains("TYPE=SUBTITLES"), "{playlist}");
}

#[tokio::test]
async fn a_directory_is_a_title_as_long_as_its_name_says_so() {
    let (root, vod) = library();
    for directory in ["film.set", "films"] {
        fs::create_dir(root.path().join(directory)).unwrap();
        fs::copy(root.path().join("film.mp4"), root.path().join(directory).join("a.mp4")).unwrap();
    }
    let playlist = |path: &'static str| {
        let vod = &vod;
        async move { text(vod, path).await }
    };
    let (status, before) = playlist("/film.set/index.m3u8").await;
    assert_eq!((status, before.matches("#EXT-X-STREAM-INF").count()), (200, 1), "{before}");
    assert_eq!(playlist("/films/index.m3u8").await.0, 404);
    fs::write(root.path().join("film.set/de.srt"), "1\n00:00:00,000 --> 00:00:01,000\nJa\n").unwrap();
    let (_, after) = playlist("/film.set/index.m3u8").await;
    assert!(after.contains("TYPE=SUBTITLES") && after.contains("LANGUAGE=\"de\""), "{after}");
}

#[tokio::test]
async fn subtitles_stand_beside_a_list_with_commas_too() {
    let (root, vod) = library();
    fs::copy(root.path().join("film.mp4"), root.path().join("film_b.mp4")).unwrap();
    let subtitles = "1\n00:00:00,000 --> 00:00:01,000\nYes\n";
    fs::write(root.path().join("film.en.srt"), subtitles).unwrap();
    let path = "/film,,_b,.mp4.urlset/index.m3u8";
    assert!(text(&vod, path).await.1.contains("LANGUAGE=\"en\""));
    // They come and go as those of a film.
    fs::write(root.path().join("film.de.srt"), subtitles).unwrap();
    assert_eq!(text(&vod, path).await.1.matches("TYPE=SUBTITLES").count(), 2);
}

/// The same library, encrypted.
fn sealed(root: &TempDir, method: EncryptionMethod, keys: KeySource) -> Vod {
    let encryption = Encryption {
        method,
        keys,
        separate_keys: false,
        rotation: None,
        systems: vec![LicenseSystem::ClearKey],
        license_url: None,
        fairplay_uri: "skd://{kid}".into(),
    };
    Vod::new(root.path().to_owned()).encrypted(Some(&encryption))
}

#[tokio::test]
async fn nothing_of_an_encrypted_title_is_as_it_is_stored() {
    let (root, clear) = library();
    let secret = || KeySource::Secret(Secret::new("0123456789abcdef"));
    let media = first_uri(&clear, "/film.mp4/index.m3u8").await;
    let (_, stored) = get(&clear, &first_uri(&clear, &media).await).await;
    // Some of each picture stays readable; no half of a segment does.
    let half = &stored[stored.len() / 2..];
    for method in [EncryptionMethod::Aes128, EncryptionMethod::Cbcs, EncryptionMethod::Cenc] {
        let vod = sealed(&root, method, secret());
        let media = first_uri(&vod, "/film.mp4/index.m3u8").await;
        let segment = first_uri(&vod, &media).await;
        let (_, first) = get(&vod, &segment).await;
        assert!(!first.ends_with(half), "{method:?}");
        assert_eq!(get(&vod, &segment).await.1, first, "it is the same each time");
        let other = sealed(&root, method, secret());
        assert_eq!(get(&other, &segment).await.1, first, "and on every server");
        let key = segment.replace("0.m4s", "0.key");
        let fetched = vod.fetch(&key).await.unwrap();
        assert_eq!((fetched.length, fetched.lifetime), (Some(16), Some(Lifetime::Uncacheable)));
        assert_eq!(fetched.headers[http::header::CACHE_CONTROL], "private, no-store");
        let another = KeySource::Secret(Secret::new("fedcba9876543210"));
        assert_eq!(status(&sealed(&root, method, another), &segment).await, 404, "another key, another name");
    }
    assert_eq!(status(&clear, &media.replace("index.m3u8", "0.key")).await, 404);
}

#[tokio::test]
async fn a_title_without_a_key_is_refused_until_there_is_one() {
    let (root, _) = library();
    let file = root.path().join("keys.toml");
    fs::write(&file, "").unwrap();
    let vod = sealed(&root, EncryptionMethod::Cbcs, KeySource::File(file.clone()));
    let refused = text(&vod, "/film.mp4/index.m3u8").await;
    assert_eq!(refused, (503, "the title cannot be encrypted just now\n".into()));
    let key = "[[key]]\ntitle = \"/*\"\nkid = \"00112233445566778899aabbccddeeff\"\nkey = \"00112233445566778899aabbccddeeff\"\n";
    fs::write(&file, key).unwrap();
    let media = first_uri(&vod, "/film.mp4/index.m3u8").await;
    // Other keys make another title of it.
    fs::write(&file, key.replace("key = \"00", "key = \"ff")).unwrap();
    fs::File::open(&file).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_ne!(first_uri(&vod, "/film.mp4/index.m3u8").await, media);
    assert_eq!(status(&vod, &media).await, 404);
}
