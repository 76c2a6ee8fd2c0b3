use std::fs;
use std::os::unix::fs::symlink;

use futures_util::TryStreamExt as _;
use tempfile::TempDir;

use super::*;

fn directory() -> (TempDir, Directory) {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("a b")).unwrap();
    fs::write(root.path().join("a b/sea.txt"), "the ocean").unwrap();
    fs::write(root.path().join("index.m3u8"), "#EXTM3U\n").unwrap();
    let large: Vec<u8> = (0..STRETCH * 2 + 5).map(|it| it as u8).collect();
    fs::write(root.path().join("film.mp4"), large).unwrap();
    let directory = Directory::new(root.path().to_owned());
    (root, directory)
}

async fn get(directory: &Directory, path: &str, ask: Ask) -> (u16, HeaderMap, Vec<u8>) {
    let fetched = directory.fetch(path, &ask).await.unwrap();
    let body = match fetched.body {
        FetchedBody::Whole(chunks) => chunks.concat(),
        FetchedBody::Growing(stream) => stream.try_collect::<Vec<Bytes>>().await.unwrap().concat(),
    };
    assert_eq!(fetched.length, Some(body.len() as u64), "{path}");
    (fetched.status.as_u16(), fetched.headers, body)
}

fn part(range: Range<u64>) -> Ask {
    Ask { range: Some(range), ..Ask::default() }
}

#[tokio::test]
async fn a_file_is_given_as_it_is() {
    let (root, directory) = directory();
    let (status, headers, body) = get(&directory, "/a%20b/sea.txt", Ask::default()).await;
    assert_eq!((status, &body[..]), (200, &b"the ocean"[..]));
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    let (_, _, film) = get(&directory, "/film.mp4", Ask::default()).await;
    assert_eq!(film, fs::read(root.path().join("film.mp4")).unwrap());
    assert_eq!(get(&directory, "/index.m3u8", Ask::default()).await.1["cache-control"], "max-age=1");
}

#[tokio::test]
async fn ranges_are_given_of_what_is_still_the_same() {
    let (_root, directory) = directory();
    let (status, headers, body) = get(&directory, "/a%20b/sea.txt", part(4..6)).await;
    assert_eq!((status, &body[..]), (206, &b"oc"[..]));
    assert_eq!(headers["content-range"], "bytes 4-5/9");
    let (status, headers, body) = get(&directory, "/a%20b/sea.txt", part(4..900)).await;
    assert_eq!(
        (status, &body[..], headers["content-range"].as_bytes()),
        (206, &b"ocean"[..], &b"bytes 4-8/9"[..])
    );
    assert_eq!(get(&directory, "/a%20b/sea.txt", part(9..12)).await.0, 200);
    let other = Validators { etag: Some(HeaderValue::from_static("\"other\"")), last_modified: None };
    let ask = Ask { known: Some(other), ..part(4..6) };
    assert_eq!(get(&directory, "/a%20b/sea.txt", ask).await.0, 200);
}

#[tokio::test]
async fn a_tag_is_that_of_the_octets_on_every_server() {
    let ((one_root, one), (_other_root, other)) = (directory(), directory());
    let tag = async |it: &Directory| get(it, "/a%20b/sea.txt", Ask::default()).await.1[ETAG].clone();
    let first = tag(&one).await;
    assert_eq!(first, tag(&other).await);
    let known = Some(Validators { etag: Some(first.clone()), last_modified: None });
    let ask = Ask { known, ..Ask::default() };
    assert_eq!(get(&one, "/a%20b/sea.txt", ask.clone()).await.0, 304);

    fs::write(one_root.path().join("a b/sea.txt"), "the beach").unwrap();
    assert_ne!(first, tag(&one).await);
    assert_eq!(get(&one, "/a%20b/sea.txt", ask).await.0, 200);
}

#[tokio::test]
async fn a_large_file_that_was_written_again_within_the_second_has_another_tag() {
    let (root, directory) = directory();
    let path = root.path().join("large.mp4");
    let file = fs::File::create(&path).unwrap();
    file.set_len(LARGEST_DIGEST + 1).unwrap();
    let at = |nanos: u64| UNIX_EPOCH + Duration::from_nanos(1_750_000_000_000_000_000 + nanos);
    let fields = async || get(&directory, "/large.mp4", part(0..2)).await.1;
    let mut seen: Vec<HeaderMap> = Vec::new();
    for nanos in [0, 1] {
        file.set_modified(at(nanos)).unwrap();
        seen.push(fields().await);
    }
    // Another file in its place, with the same time.
    let other = root.path().join("other");
    let file = fs::File::create(&other).unwrap();
    file.set_len(LARGEST_DIGEST + 1).unwrap();
    file.set_modified(at(1)).unwrap();
    fs::rename(&other, &path).unwrap();
    seen.push(fields().await);
    assert!(seen.iter().all(|it| it[LAST_MODIFIED] == seen[0][LAST_MODIFIED]));
    let tags: std::collections::HashSet<_> = seen.iter().map(|it| it[ETAG].clone()).collect();
    assert_eq!(tags.len(), 3);

    let known = Some(Validators { etag: Some(seen[0][ETAG].clone()), last_modified: None });
    let length = directory.fetch("/large.mp4", &Ask { known, ..part(0..2) }).await.unwrap().length;
    assert_eq!(length, Some(LARGEST_DIGEST + 1), "no octets of another version");
}

#[tokio::test]
async fn a_pipe_and_a_socket_are_no_files() {
    let (root, directory) = directory();
    let _socket = std::os::unix::net::UnixListener::bind(root.path().join("socket.ts")).unwrap();
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, root.path().join("pipe.ts"), rustix::fs::FileType::Fifo, mode, 0)
        .unwrap();
    for path in ["/pipe.ts", "/socket.ts"] {
        assert_eq!(get(&directory, path, Ask::default()).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn nothing_outside_is_there() {
    let (root, directory) = directory();
    let outside = tempfile::NamedTempFile::new().unwrap();
    symlink(outside.path(), root.path().join("out.txt")).unwrap();
    fs::write(root.path().join(".hidden"), "").unwrap();
    for path in ["/out.txt", "/.hidden", "/none.txt", "/", "/a%20b", "/a%20b/", "/a%20b//sea.txt", "/%00"] {
        assert_eq!(get(&directory, path, Ask::default()).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn what_a_viewer_asks_for_is_given_where_nothing_is_kept() {
    let (_root, directory) = directory();
    let tag = get(&directory, "/a%20b/sea.txt", Ask::default()).await.1[ETAG].clone();
    let check = async |range: &'static str, if_range: Option<HeaderValue>, expected: (u16, &[u8])| {
        let said = SaidRange { range: HeaderValue::from_static(range), if_range };
        let ask = Ask { as_said: Some(said), ..Ask::default() };
        let (status, headers, body) = get(&directory, "/a%20b/sea.txt", ask).await;
        assert_eq!((status, &body[..]), expected, "{range}");
        headers.get(CONTENT_RANGE).map(|it| it.to_str().unwrap().to_owned())
    };
    let part = check("bytes=4-5", None, (206, b"oc")).await;
    assert_eq!(part.as_deref(), Some("bytes 4-5/9"));
    check("bytes=-5", Some(tag), (206, b"ocean")).await;
    check("bytes=-5", Some(HeaderValue::from_static("\"other\"")), (200, b"the ocean")).await;
    check("bytes=0-0,4-5", None, (200, b"the ocean")).await;
    check("lines=1-", None, (200, b"the ocean")).await;
    assert_eq!(check("bytes=9-", None, (416, b"")).await.as_deref(), Some("bytes */9"));
}
