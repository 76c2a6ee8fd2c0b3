//! What is no request, or could be read as two (http-edge.md 15, 16).

use super::Pair;

const STONE: (&str, &str) = ("200 OK\ncache-control: max-age=600", "stone");

/// A behavior that takes bodies.
const ALL: &str =
    "allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]";

impl Pair {
    /// The status of the one answer to these octets; 0 when the server just hangs up. A second request follows them, which
    /// is answered only where the first is.
    async fn status_of(&self, octets: &str) -> u16 {
        let mut line = self.house.line().await;
        line.say(octets).await;
        let Some(answer) = line.answer(false).await else { return 0 };
        if answer.status >= 400 {
            let rest = line.rest().await;
            assert!(rest.is_empty(), "nothing is read behind a refusal: {}", String::from_utf8_lossy(&rest));
        }
        answer.status
    }
}

/// That each of these is answered so, and that nothing of those that are refused goes to an origin.
async fn check(cases: &[(&str, u16)]) {
    let pair = Pair::built(super::WebServer::saying(&[STONE]).await, ALL, "").await;
    let mut wrong = Vec::new();
    for (octets, expected) in cases {
        let before = pair.fetches();
        let found =
            pair.status_of(&format!("{octets}GET /behind HTTP/1.1\r\nHost: web.example\r\n\r\n")).await;
        let asked = pair.web.asked().split_off(before);
        let sent_on = asked.iter().any(|it| !it.contains("/behind"));
        // What is streamed has begun when its end turns out to be none.
        let has_begun = octets.contains("web.example\r\nTransfer-Encoding: chunked\r\n\r\n");
        if found != *expected || (sent_on && *expected >= 400 && !has_begun) {
            wrong.push(format!("{found}, not {expected}, sent on: {sent_on}: {octets:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// That a request whose fields these are is answered so.
async fn check_fields(method: &str, cases: &[(&str, u16)]) {
    let whole = |it: &str| format!("{method} /a HTTP/1.1\r\nHost: web.example\r\n{it}");
    let cases: Vec<_> = cases.iter().map(|(fields, status)| (whole(fields), *status)).collect();
    check(&cases.iter().map(|(octets, status)| (&**octets, *status)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn section_15_the_length_of_a_body_is_said_once_and_plainly() {
    check_fields(
        "POST",
        &[
            ("Content-Length: 5\r\n\r\nhello", 200),
            ("Content-Length: 005\r\n\r\nhello", 200),
            ("Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 200),
            ("Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400),
            ("Content-Length: 5, 6\r\n\r\nhello", 400),
            ("Content-Length: +5\r\n\r\nhello", 400),
            ("Content-Length: -5\r\n\r\nhello", 400),
            ("Content-Length: 0x5\r\n\r\nhello", 400),
            ("Content-Length: 1e1\r\n\r\nhellohello", 400),
            ("Content-Length: 5.0\r\n\r\nhello", 400),
            ("Content-Length:\r\n\r\n", 400),
            ("Content-Length: \u{b}5\r\n\r\nhello", 400),
            ("Content-Length: 18446744073709551616\r\n\r\nhello", 400),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_15_a_transfer_coding_is_chunked_and_nothing_else() {
    check_fields(
        "POST",
        &[
            ("Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200),
            ("Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: identity\r\n\r\n", 400),
            ("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: \u{a0}chunked\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n", 400),
            ("Transfer-Encoding:\r\n\r\n", 400),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_15_a_chunk_is_as_long_as_its_plain_size_says() {
    let coded = |chunks: &str| format!("Transfer-Encoding: chunked\r\n\r\n{chunks}");
    let cases = [
        ("5\r\nhello\r\n0\r\n\r\n", 200),
        ("5;name=value\r\nhello\r\n0\r\n\r\n", 200),
        ("5\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n", 200),
        ("0x5\r\nhello\r\n0\r\n\r\n", 400),
        ("+5\r\nhello\r\n0\r\n\r\n", 400),
        ("-5\r\nhello\r\n0\r\n\r\n", 400),
        ("5_\r\nhello\r\n0\r\n\r\n", 400),
        ("\r\nhello\r\n0\r\n\r\n", 400),
        ("10000000000000005\r\nhello\r\n0\r\n\r\n", 400),
        ("5\r\nhelloX0\r\n\r\n", 400),
        ("5\r\nhello\n0\r\n\r\n", 400),
        ("5\nhello\r\n0\r\n\r\n", 400),
        ("5;a\nhello\r\n0\r\n\r\n", 400),
    ];
    let cases: Vec<_> = cases.map(|(chunks, status)| (coded(chunks), status)).into();
    check_fields("POST", &cases.iter().map(|(it, status)| (&**it, *status)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn section_15_a_field_is_a_name_a_colon_and_a_value_on_one_line() {
    check_fields(
        "GET",
        &[
            ("X-A: b\r\n\r\n", 200),
            ("X-A:\tb\t\r\n\r\n", 200),
            ("X-A: b\u{e9}\r\n\r\n", 200),
            ("X-A : b\r\n\r\n", 400),
            (": b\r\n\r\n", 400),
            ("X A: b\r\n\r\n", 400),
            ("X(A): b\r\n\r\n", 400),
            ("X-A\r\n\r\n", 400),
            ("X-A: b\r\n c\r\n\r\n", 400),
            ("X-A: b\r\n\tc\r\n\r\n", 400),
            ("X-A: b\rc\r\n\r\n", 400),
            ("X-A: b\nX-C: d\r\n\r\n", 400),
            ("X-A: b\r\n\n", 400),
            ("X-A: b\0\r\n\r\n", 400),
            ("X-A: b\u{1}\r\n\r\n", 400),
            ("X-A: b\u{7f}\r\n\r\n", 400),
        ],
    )
    .await;
}

#[tokio::test]
async fn section_15_a_request_line_is_a_method_a_target_and_a_version() {
    let host = "\r\nHost: web.example\r\n\r\n";
    let cases = [
        ("GET /a HTTP/1.1", 200),
        ("\r\nGET /a HTTP/1.1", 200),
        ("GET  /a HTTP/1.1", 400),
        ("GET\t/a HTTP/1.1", 400),
        ("GET /a  HTTP/1.1", 400),
        ("GET /a", 400),
        ("GET /a http/1.1", 400),
        ("GET /a HTTP/1.10", 400),
        ("GET /a HTTP/1.2", 400),
        ("GET /a HTTP/2.0", 400),
        ("GET /a HTTP/0.9", 400),
        ("G(T /a HTTP/1.1", 400),
        (" GET /a HTTP/1.1", 400),
        ("TRACE /a HTTP/1.1", 405),
        ("CONNECT /a HTTP/1.1", 405),
        ("GET /a HTTP/1.1\r\n X-A: b", 400),
        ("\r\n\r\n\r\nGET /a HTTP/1.1", 400),
        ("\nGET /a HTTP/1.1", 400),
        ("GET /a HTTP/1.1\nX-A: b", 400),
    ];
    let cases: Vec<_> = cases.map(|(line, status)| (format!("{line}{host}"), status)).into();
    check(&cases.iter().map(|(it, status)| (&**it, *status)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn section_16_a_host_is_one_name_and_a_port() {
    let get = |hosts: &str| format!("GET /a HTTP/1.1\r\n{hosts}\r\n");
    let cases = [
        ("Host: web.example\r\n", 200),
        ("Host: WEB.Example.\r\n", 200),
        ("Host: web.example:80\r\n", 200),
        ("Host: web.example\r\nHost: web.example\r\n", 400),
        ("", 400),
        ("Host:\r\n", 400),
        ("Host: me@web.example\r\n", 400),
        ("Host: web.example/a\r\n", 400),
        ("Host: web.example, b\r\n", 400),
        ("Host: web example\r\n", 400),
        ("Host: web.example:\r\n", 400),
        ("Host: web.example:65536\r\n", 400),
        ("Host: web.example:8x\r\n", 400),
        ("Host: web.example#\r\n", 400),
        ("Host: web.example?\r\n", 400),
    ];
    let mut cases: Vec<_> = cases.map(|(hosts, status)| (get(hosts), status)).into();
    cases.push(("GET http://web.example/a HTTP/1.1\r\nHost: web.example\r\n\r\n".to_owned(), 200));
    cases.push(("GET http://web.example/a HTTP/1.1\r\nHost: other.example\r\n\r\n".to_owned(), 400));
    check(&cases.iter().map(|(it, status)| (&**it, *status)).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn section_16_a_path_has_one_spelling_for_behaviors_for_the_key_and_for_the_origin() {
    let pair = Pair::of(&[STONE]).await;
    for path in
        ["/d/~a.txt", "/d/%7ea.txt", "/d/%7E%61.txt", "/d/./~a.txt", "/d/c/../~a.txt", "/x/%2e%2e/d/~a.txt"]
    {
        pair.ask(path, "").await.expect(200);
    }
    let asked = pair.web.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].starts_with("get /d/~a.txt "), "{asked:?}");
    for (path, sent) in
        [("/d//a", "/d//a"), ("/d;x=1/a", "/d;x=1/a"), ("/d/%3f", "/d/%3f"), ("/d/%c3%a9", "/d/%c3%a9")]
    {
        pair.ask(path, "").await.expect(200);
        let last = pair.web.asked().pop().expect("it was asked");
        assert!(last.starts_with(&format!("get {sent} ")), "{last}");
    }
    let before = pair.fetches();
    for path in
        ["/../a", "/%2e%2e/a", "/a%00", "/a%2f..%2fb", "/a%5cb", "/a\\b", "/a%0d%0ab", "/a%", "/a%zz", "/%ff"]
    {
        assert_eq!(pair.ask(path, "").await.status, 400, "{path}");
    }
    assert_eq!(pair.fetches(), before);
}
