//! Broken films, and films that are replaced while they play: what their viewers are told, and that nobody else notices.

use crate::support::film;
use crate::support::house::House;
use crate::support::http::Answer;

/// The title that goes on playing.
struct Sound {
    path: String,
    body: Vec<u8>,
}

impl Sound {
    async fn of(house: &House) -> Self {
        let path = format!("{}/0.m4s", directory(house, "sample.mp4").await);
        let body = house.get(&path).await.expect(200).body;
        Self { path, body }
    }

    /// Another distribution has a cache of its own, so that the file is read again.
    async fn goes_on(&self, house: &House) {
        let bare = self.path.strip_prefix("/vod").expect("it is below");
        for answer in
            [house.get(&self.path).await, house.ask(&format!("GET {bare}\nHost: bare.example")).await]
        {
            assert!(answer.expect(200).body == self.body);
        }
    }
}

/// Where what is made of the pictures of a title is.
async fn directory(house: &House, title: &str) -> String {
    let playlist = house.get(&format!("/vod/{title}/index.m3u8")).await.expect(200);
    let variant = playlist.text().lines().find(|it| it.ends_with("/index.m3u8")).expect("it has a variant");
    format!("/vod/{title}/{}", variant.rsplit_once('/').expect("it is in a directory").0)
}

/// The sample with other octets at each place of a kind of box, so many behind where the box begins.
fn changed(kind: &[u8; 4], behind: usize, octets: &[u8]) -> Vec<u8> {
    let mut file = film::FILE.to_vec();
    for at in film::boxes(film::FILE, kind) {
        file[at + behind..at + behind + octets.len()].copy_from_slice(octets);
    }
    file
}

fn refused(answer: &Answer, status: u16, word: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type").as_deref(), Some("text/plain; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains(word) && text.ends_with('\n') && text.lines().count() == 1, "{text}");
}

#[tokio::test]
async fn a_broken_film_is_refused_in_a_sentence_while_another_plays() {
    let house = House::open().await;
    let sound = Sound::of(&house).await;
    let moov = film::boxes(film::FILE, b"moov").next().expect("the sample has a header");
    for (name, file, status, word) in [
        ("empty.mp4", vec![], 422, "no movie header was found up to byte 0"),
        ("page.mp4", b"<!doctype html><title>404</title>".to_vec(), 422, "no movie header was found"),
        ("cut.mp4", film::FILE[..moov + 100].to_vec(), 422, "the file ends before byte"),
        ("sizes.mp4", changed(b"trak", 0, &[0xff; 4]), 422, "the box trak at byte"),
        ("clock.mp4", changed(b"mvhd", 20, &[0; 4]), 422, "the box mvhd at byte"),
        ("counts.mp4", changed(b"stsz", 16, &[0xff; 4]), 422, "announces 4294967295 entries"),
        ("times.mp4", changed(b"stts", 12, &[0xff; 4]), 422, "announces 4294967295 entries"),
        ("codec.mp4", changed(b"stsd", 20, b"xyz1"), 415, "the codec xyz1 is not supported"),
        ("secret.mp4", changed(b"stsd", 20, b"encv"), 415, "the track is encrypted (encv)"),
    ] {
        house.store(name, &file);
        for manifest in ["index.m3u8", "index-ts.m3u8", "manifest.mpd"] {
            refused(&house.get(&format!("/vod/{name}/{manifest}")).await, status, word);
        }
        sound.goes_on(&house).await;
    }
    house.settles("levada_cache_fills_under_way", 0).await;
}

#[tokio::test]
async fn of_a_film_that_is_cut_off_what_is_there_is_played() {
    let house = House::open().await;
    let sound = Sound::of(&house).await;
    // A picture that begins within the file and ends behind it.
    let mut file = film::enlarged(1 << 20);
    file.truncate(film::FILE.len());
    house.store("cut.mp4", &file);
    let directory = directory(&house, "cut.mp4").await;
    let list = house.get(&format!("{directory}/index.m3u8")).await.expect(200);
    let count = list.text().matches("#EXTINF").count();
    let last = count - 1;
    for kind in ["m4s", "ts"] {
        let answer = house.get(&format!("{directory}/{last}.{kind}")).await;
        refused(&answer, 404, "the file ends before the media of this segment");
        if last > 0 {
            assert!(!house.get(&format!("{directory}/0.{kind}")).await.expect(200).body.is_empty());
        }
    }
    sound.goes_on(&house).await;
}

#[tokio::test]
async fn a_segment_of_nothing_is_refused() {
    let house = House::open().await;
    // Of a film that counts a quarter as fast, all pictures but the last have no octets.
    let mut file = film::enlarged(64);
    for at in film::boxes(film::FILE, b"mdhd") {
        let hertz = u32::from_be_bytes(file[at + 20..at + 24].try_into().expect("four octets"));
        file[at + 20..at + 24].copy_from_slice(&(hertz / 4).to_be_bytes());
    }
    // Its edit lists last to the end.
    film::boxes(film::FILE, b"elst").for_each(|at| file[at + 16..at + 20].fill(0));
    let sizes = film::boxes(&file, b"stsz").find(|&at| file[at + 16..at + 20] == 240_u32.to_be_bytes());
    let sizes = sizes.expect("the pictures have sizes") + 20;
    file[sizes..sizes + 4 * 239].fill(0);
    house.store("hollow.mp4", &file);
    let directory = directory(&house, "hollow.mp4").await;
    let list = house.get(&format!("{directory}/index.m3u8")).await.expect(200);
    let count = list.text().matches("#EXTINF").count();
    assert!(count > 1, "{}", list.text());
    refused(&house.get(&format!("{directory}/0.m4s")).await, 422, "no media for this segment");
    house.get(&format!("{directory}/{}.m4s", count - 1)).await.expect(200);
}

#[tokio::test]
async fn media_that_is_not_what_its_header_says_is_given_whole_and_harms_nobody() {
    let house = House::open().await;
    let sound = Sound::of(&house).await;
    let mut file = film::FILE.to_vec();
    let mdat = film::boxes(film::FILE, b"mdat").next().expect("the sample has media");
    let length = u32::from_be_bytes(file[mdat..mdat + 4].try_into().expect("four octets")) as usize;
    file[mdat + 8..mdat + length].fill(0xff);
    house.store("noise.mp4", &file);
    let directory = directory(&house, "noise.mp4").await;
    // What it means is the player's; that it is packets is ours.
    let stream = house.get(&format!("{directory}/0.ts")).await.expect(200).body;
    assert!(stream.chunks(188).all(|it| it.len() == 188 && it[0] == 0x47));
    house.get(&format!("{directory}/0.m4s")).await.expect(200);
    sound.goes_on(&house).await;
}

#[tokio::test]
async fn a_film_that_is_replaced_while_it_plays_ends_as_it_was_or_breaks_off() {
    let house = House::open().await;
    let sound = Sound::of(&house).await;
    let old = film::enlarged(24 << 20);
    let mut new = old.clone();
    let media = film::FILE.len();
    new[media..].fill(0xaa);
    for in_place in [false, true] {
        let title = if in_place { "written-over.mp4" } else { "renamed.mp4" };
        house.store(title, &old);
        let directory = directory(&house, title).await;
        let count =
            house.get(&format!("{directory}/index.m3u8")).await.expect(200).text().matches("#EXTINF").count();
        let path = format!("{directory}/{}.m4s", count - 1);
        let mut line = house.line().await;
        line.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).await;
        let head = line.head().await.expect("the download begins").expect(200);
        if in_place {
            house.store(title, &new);
        } else {
            house.store("next", &new);
            let library = house.path().join("media");
            std::fs::rename(library.join("next"), library.join(title)).expect("it is replaced");
        }
        let body = line.rest().await;
        let length: usize = head.header("content-length").and_then(|it| it.parse().ok()).expect("it is said");
        assert!(body.len() <= length);
        assert!(!body.windows(64).any(|it| it == [0xaa; 64]), "{title}: no octet of the new one is in it");
        assert!(in_place || body.len() == length, "a file that was opened is read to its end");
        // What nobody had asked for is not made of the new file under the old name.
        let other = house.get(&format!("{directory}/0.m4s")).await;
        assert!(count == 1 || other.status == 404 || other.body.windows(8).all(|it| it != [0xaa; 8]));
        sound.goes_on(&house).await;
    }
}
