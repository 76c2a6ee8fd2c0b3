//! A web server that says what a test tells it to.

mod bucket;
mod secure;
mod upload;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use config::origin::{BucketOrigin, Credentials, HttpOrigin, OriginProtocolPolicy, Signing};
use futures_util::StreamExt as _;
use http::{HeaderValue, Method};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::passage::example::Example;
use crate::passage::{FetchedBody, Validators};

/// What was asked of it, head by head.
type Heads = Arc<Mutex<Vec<String>>>;

/// The head of a request; nothing when the other side hangs up.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap().to_ascii_lowercase())
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, answer: &str, heads: &Heads) {
    let Some(head) = read_head(&mut stream).await else { return };
    heads.lock().unwrap().push(head);
    if answer == "silence" {
        std::future::pending::<()>().await;
    }
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// Gives these answers, one to each connection; the last again and again.
async fn web_server(answers: &[&'static str]) -> (HttpOrigin, Heads) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads = Heads::default();
    let (answers, seen) = (answers.to_vec(), Arc::clone(&heads));
    tokio::spawn(async move {
        for index in 0.. {
            let Ok((stream, _)) = listener.accept().await else { return };
            let answer = answers[index.min(answers.len() - 1)];
            let seen = Arc::clone(&seen);
            tokio::spawn(async move { converse(stream, answer, &seen).await });
        }
    });
    (settings(port), heads)
}

fn settings(port: u16) -> HttpOrigin {
    HttpOrigin {
        domain_name: "127.0.0.1".into(),
        path: "/base".into(),
        protocol_policy: OriginProtocolPolicy::HttpOnly,
        http_port: port,
        https_port: port,
        ca_file: None,
        custom_headers: vec![("X-Secret".into(), "s3".into())],
        connection_attempts: 3,
        connection_timeout: Duration::from_millis(300),
        read_timeout: Duration::from_millis(300),
        completion_timeout: None,
        keepalive_timeout: Duration::from_secs(5),
    }
}

fn question(example: Example) -> Question {
    Question::of(&example.admitted(), "levada-1")
}

/// A bucket at a web server, whose keys are in a file.
fn bucket(server: HttpOrigin, directory: &std::path::Path) -> BucketOrigin {
    let file = directory.join("keys");
    std::fs::write(&file, "[films]\naws_access_key_id = id\naws_secret_access_key = secret\n").unwrap();
    BucketOrigin {
        server,
        signing: Signing::S3 { region: "us-east-1".into() },
        credentials: Some(Credentials::File { file, profile: "films".into() }),
    }
}

async fn fetch(settings: &HttpOrigin, ask: Ask) -> Result<Fetched, Failure> {
    Web::new(settings.clone()).fetch(&question(Example::get("/a/b.ts")), &ask).await
}

async fn body(fetched: Fetched) -> Result<Vec<u8>, Failure> {
    let mut stream = match fetched.body {
        FetchedBody::Whole(chunks) => return Ok(chunks.concat()),
        FetchedBody::Growing(stream) => stream,
    };
    let mut whole = Vec::new();
    while let Some(chunk) = stream.next().await {
        whole.extend_from_slice(&chunk?);
    }
    Ok(whole)
}

fn known(etag: &'static str) -> Option<Validators> {
    Some(Validators { etag: Some(HeaderValue::from_static(etag)), last_modified: None })
}

const FOUND: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\netag: \"a\"\r\nconnection: close, x-inner\r\nx-inner: 1\r\n\r\nocean";

#[tokio::test]
async fn a_request_is_written_anew() {
    let (settings, heads) = web_server(&[FOUND]).await;
    let asked = Example::get("/a/b.ts?token=1&v=2")
        .policy(|it| {
            it.headers = vec!["accept-language".into()];
            it.query = config::cache::Selection::Only(vec!["v".into()]);
        })
        .header("accept-language", "de")
        .header("x-forwarded-host", "evil.example")
        .header("x-original-url", "/admin")
        .header("cookie", "a=b")
        .header("authorization", "Basic YQ==")
        .header("range", "bytes=0-1")
        .header("cdn-loop", "other-cdn; hop=1");
    let fetched = Web::new(settings).fetch(&question(asked), &Ask::default()).await.unwrap();
    assert_eq!(fetched.length, Some(5));
    assert!(!fetched.headers.contains_key("x-inner") && !fetched.headers.contains_key("connection"));
    assert_eq!(body(fetched).await.unwrap(), b"ocean");
    let head = heads.lock().unwrap().remove(0);
    let mut lines: Vec<_> = head.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "get /base/a/b.ts?v=2 http/1.1");
    lines.retain(|it| !it.starts_with("host: 127.0.0.1:"));
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "accept-encoding: identity",
            "accept-language: de",
            "cdn-loop: levada-1",
            "cdn-loop: other-cdn; hop=1",
            "user-agent: levada",
            "via: 1.1 levada-1",
            "x-forwarded-for: 127.0.0.1",
            "x-secret: s3",
        ]
    );
}

#[tokio::test]
async fn a_bucket_is_asked_for_an_object_with_a_signature_and_nothing_of_the_viewer() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, heads) = web_server(&[FOUND]).await;
    let asked = Example::get("/a+b(1).ts?list-type=2")
        .policy(|it| {
            it.headers = vec!["host".into(), "authorization".into(), "x-amz-acl".into(), "origin".into()];
            it.query = config::cache::Selection::All;
        })
        .header("authorization", "Basic YQ==")
        .header("x-amz-acl", "public-read-write")
        .header("origin", "https://a.example");
    let web = Web::bucket(&bucket(settings, directory.path()));
    let fetched = web.fetch(&web.question(&asked.admitted(), "levada-1"), &Ask::default()).await.unwrap();
    assert_eq!(body(fetched).await.unwrap(), b"ocean");
    let head = heads.lock().unwrap().remove(0);
    assert!(head.starts_with("get /base/a%2bb%281%29.ts http/1.1\r\n"), "{head}");
    assert!(head.contains("\r\nhost: 127.0.0.1:"), "{head}");
    assert!(head.contains("origin: https://a.example"), "{head}");
    let signed = "authorization: aws4-hmac-sha256 credential=id/";
    assert_eq!((head.matches("authorization:").count(), head.matches(signed).count()), (1, 1), "{head}");
    assert!(head.contains("signedheaders=host;x-amz-content-sha256;x-amz-date,"), "{head}");
    assert!(!head.contains("list-type") && !head.contains("x-forwarded-for"), "{head}");
}

#[tokio::test]
async fn a_bucket_neither_lists_itself_nor_obeys_nor_is_asked_without_its_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (settings, heads) = web_server(&[FOUND]).await;
    let meant = bucket(settings, directory.path());
    let status = async |web: &Web, asked: Example| {
        let question = web.question(&asked.admitted(), "levada-1");
        web.fetch(&question, &Ask::default()).await.map(|it| it.status.as_u16())
    };
    let web = Web::bucket(&meant);
    assert_eq!(status(&web, Example::get("/")).await, Ok(404));
    assert_eq!(status(&web, Example::get("/a").method(Method::DELETE)).await, Ok(405));

    let credentials =
        Some(Credentials::File { file: directory.path().join("keys"), profile: "other".into() });
    let failure = status(&Web::bucket(&BucketOrigin { credentials, ..meant }), Example::get("/a")).await;
    assert!(
        matches!(&failure, Err(Failure::Unreachable(why)) if why.contains("AWS_ACCESS_KEY_ID")),
        "{failure:?}"
    );
    assert!(heads.lock().unwrap().is_empty());
}

#[test]
fn a_request_that_went_in_a_loop_is_known_by_our_name() {
    let looped = |field: &str| question(Example::get("/a").header("cdn-loop", field)).is_looped();
    assert!(looped("other, LEVADA-1;hop=2"));
    assert!(!looped("other, levada-10, levada"));
    assert!(looped(&"x, ".repeat(400)), "nobody has come so far");
}

#[test]
fn section_21_a_way_that_no_cache_wrote_goes_no_further() {
    let told = |field: &str| {
        let question = question(Example::get("/a").header("via", field));
        let request = question.request(&settings(80), &Ask::default()).unwrap();
        request.headers().get_all("via").iter().count()
    };
    assert_eq!(told("1.1 other"), 2);
    assert_eq!(told(&"1.1 x, ".repeat(200)), 1);
}

#[tokio::test]
async fn a_get_is_tried_again_and_a_post_is_not() {
    let (settings, heads) = web_server(&["", "", FOUND]).await;
    assert!(fetch(&settings, Ask::default()).await.is_ok());
    assert_eq!(heads.lock().unwrap().len(), 3);

    let (settings, heads) = web_server(&["", FOUND]).await;
    let post = question(Example::get("/a").method(Method::POST));
    assert!(Web::new(settings).fetch(&post, &Ask::default()).await.is_err());
    assert_eq!(heads.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_origin_that_is_away_or_silent_is_said_to_be() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let failure = fetch(&settings(closed), Ask::default()).await.err();
    assert!(matches!(&failure, Some(Failure::Unreachable(why)) if why.contains("refused")), "{failure:?}");

    let (settings, heads) = web_server(&["silence"]).await;
    assert_eq!(
        fetch(&settings, Ask::default()).await.err(),
        Some(Failure::TimedOut(Duration::from_millis(600)))
    );
    assert_eq!(heads.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_body_that_ends_early_or_stands_still_is_no_body() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nocean",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nocean\r\n",
    ] {
        let (settings, _) = web_server(&[answer]).await;
        let fetched = fetch(&settings, Ask::default()).await.unwrap();
        assert!(body(fetched).await.is_err(), "{answer}");
    }
}

#[tokio::test]
async fn nonsense_is_refused() {
    for answer in [
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 0-4/9\r\ncontent-length: 5\r\n\r\nocean",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nocean",
        "SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let (settings, _) = web_server(&[answer]).await;
        let failure = fetch(&settings, Ask::default()).await.err();
        assert!(matches!(failure, Some(Failure::Unreadable(_))), "{answer}: {failure:?}");
    }
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x-field: some value of some length\r\n".repeat(1_200));
    let (settings, _) = web_server(&[many.leak()]).await;
    assert!(matches!(fetch(&settings, Ask::default()).await.err(), Some(Failure::Unreadable(_))));
}

#[tokio::test]
async fn what_is_known_and_wanted_is_said() {
    let (settings, heads) =
        web_server(&["HTTP/1.1 304 Not Modified\r\netag: \"a\"\r\nconnection: close\r\n\r\n"]).await;
    let fetched = fetch(&settings, Ask { known: known("W/\"a\""), ..Ask::default() }).await.unwrap();
    assert_eq!(fetched.status, http::StatusCode::NOT_MODIFIED);
    assert!(heads.lock().unwrap()[0].contains("if-none-match: w/\"a\""));

    let part = "HTTP/1.1 206 Partial Content\r\ncontent-range: bytes 2-4/9\r\ncontent-length: 3\r\nconnection: close\r\n\r\nean";
    let (settings, heads) = web_server(&[part]).await;
    let fetched =
        fetch(&settings, Ask { range: Some(2..5), known: known("\"a\""), ..Ask::default() }).await.unwrap();
    assert_eq!(fetched.headers["content-range"], "bytes 2-4/9");
    assert_eq!(body(fetched).await.unwrap(), b"ean");
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.contains("range: bytes=2-4") && head.contains("if-range: \"a\""), "{head}");

    let (settings, heads) = web_server(&[part]).await;
    fetch(&settings, Ask { range: Some(2..5), known: known("W/\"a\""), ..Ask::default() }).await.unwrap();
    assert!(!heads.lock().unwrap()[0].contains("if-range"), "a weak tag names no octets");

    let (settings, heads) = web_server(&[part]).await;
    let date = "Sun, 15 Jun 2025 12:00:00 GMT";
    let dated = Validators { etag: None, last_modified: Some(date.parse().unwrap()) };
    fetch(&settings, Ask { range: Some(2..5), known: Some(dated), ..Ask::default() }).await.unwrap();
    let head = heads.lock().unwrap()[0].clone();
    assert!(head.contains("if-range: sun, 15 jun 2025 12:00:00 gmt"), "{head}");
}

#[tokio::test]
async fn an_answer_that_never_ends_is_given_up_when_its_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").await;
        // It is never silent for long.
        while stream.write_all(b"1\r\n.\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let completion_timeout = Some(Duration::from_millis(500));
    let settings = HttpOrigin { completion_timeout, ..settings(port) };
    let fetched = fetch(&settings, Ask::default()).await.unwrap();
    assert_eq!(body(fetched).await.err(), Some(Failure::TimedOut(Duration::from_millis(500))));
}

#[tokio::test]
async fn no_attempt_begins_after_the_time_for_all_of_them() {
    let (settings, heads) = web_server(&["silence"]).await;
    let settings = HttpOrigin { completion_timeout: Some(Duration::from_millis(300)), ..settings };
    let failure = fetch(&settings, Ask::default()).await.err();
    assert_eq!(failure, Some(Failure::TimedOut(Duration::from_millis(300))));
    assert_eq!(heads.lock().unwrap().len(), 1);
}
