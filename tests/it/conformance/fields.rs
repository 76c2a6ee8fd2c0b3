//! What goes on of the fields of requests and answers (http-edge.md 9).

use super::Pair;

#[tokio::test]
async fn section_9_what_belongs_to_one_connection_goes_no_further() {
    let pair = Pair::of(&[(
        "200 OK\ncache-control: max-age=600\nconnection: x-hop\nx-hop: 1\nkeep-alive: timeout=5\nproxy-authenticate: Basic\n\
         proxy-connection: close\ntrailer: x-end\nupgrade: h2c\nalt-svc: h3=\":444\"\nx-mine: 1",
        "stone",
    )])
    .await;
    let fields = "X-Hop: 1\nX-Mine: 1\nTE: trailers\nUpgrade: h2c\nHTTP2-Settings: AAAA\nKeep-Alive: timeout=5\n\
                  Proxy-Connection: close\nProxy-Authorization: Basic eA==\nTrailer: X-End";
    for words in ["stored", "hit"] {
        let answer = pair.ask("/a.txt", fields).await.expect(200);
        assert!(answer.header("cache-status").is_some_and(|it| it.contains(words)), "{answer:?}");
        for name in
            ["x-hop", "keep-alive", "proxy-authenticate", "proxy-connection", "trailer", "upgrade", "alt-svc"]
        {
            assert_eq!(answer.header(name), None, "{name} {words}");
        }
        assert_eq!(answer.header("x-mine").as_deref(), Some("1"));
    }
    let asked = pair.web.asked().remove(0);
    for name in [
        "te",
        "upgrade",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "trailer",
    ] {
        assert!(!asked.contains(&format!("\r\n{name}:")), "{name}: {asked}");
    }
}

#[tokio::test]
async fn section_9_an_answer_has_one_date_and_an_origin_hears_through_whom_it_is_asked() {
    for date in ["", "\ndate: Sun, 06 Nov 1994 08:49:37 GMT"] {
        let pair =
            Pair::of(&[(&format!("200 OK\ncache-control: max-age=600{date}\nserver: other"), "stone")]).await;
        let answer = pair.ask("/a.txt", "Via: 1.0 before").await.expect(200);
        let count =
            |name: &str| answer.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name)).count();
        assert_eq!((count("date"), count("server") <= 1), (1, true), "{answer:?}");
        if !date.is_empty() {
            assert_eq!(answer.header("date").as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
        }
        let asked = pair.web.asked().remove(0);
        assert!(
            asked.contains("\r\nvia: 1.0 before\r\nvia: 1.1 levada")
                && asked.contains("\r\ncdn-loop: levada"),
            "{asked}"
        );
    }
}

#[tokio::test]
async fn section_9_what_a_stranger_says_of_who_asks_is_said_anew() {
    let web = super::WebServer::saying(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    let options = "cache_policy = \"Levada-Media\"\norigin_request_policy = \"Managed-AllViewer\"";
    let pair = Pair::built(web, options, "").await;
    let fields = "X-Forwarded-For: 203.0.113.9\nX-Forwarded-Host: evil.example\nX-Forwarded-Proto: https\nX-Forwarded-Port: 1\n\
                  Forwarded: for=203.0.113.9\nX-Real-IP: 203.0.113.9\nX-Mine: 1";
    pair.ask("/a.txt", fields).await.expect(200);
    let asked = pair.web.asked().remove(0);
    assert!(
        asked.contains("\r\nx-mine: 1\r\n") && asked.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"),
        "{asked}"
    );
    assert!(
        !asked.contains("203.0.113.9") && !asked.contains("evil") && !asked.contains("x-forwarded-port"),
        "{asked}"
    );
}

#[tokio::test]
async fn section_9_nothing_but_a_wish_to_be_asked_for_a_body_can_be_expected() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    pair.ask("/a.txt", "Expect: a-miracle").await.expect(417);
    assert_eq!(pair.fetches(), 0);
}

#[tokio::test]
async fn section_9_no_field_that_is_for_all_is_said_to_be_for_one_connection() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    for name in [
        "Host",
        "cache-control",
        "Authorization",
        "X-Forwarded-For",
        "x-forwarded-host",
        "cookie",
        "close, host",
    ] {
        pair.ask("/a.txt", &format!("Connection: {name}")).await.expect(400);
    }
    assert_eq!(pair.fetches(), 0);
    for name in ["keep-alive", "Keep-Alive, Upgrade, HTTP2-Settings", "TE", "x-mine", "x-forwarded"] {
        pair.ask("/a.txt", &format!("Connection: {name}")).await.expect(200);
    }
}

#[tokio::test]
async fn section_9_what_a_trace_would_show_is_shown_to_nobody() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    pair.house.ask("TRACE /a.txt\nHost: web.example\nMax-Forwards: 0").await.expect(405);
    assert_eq!(pair.fetches(), 0);
}

#[tokio::test]
async fn section_9_a_warning_is_dropped() {
    let head = "200 OK\ncache-control: max-age=600\nwarning: 110 old \"stale\"";
    let pair = Pair::of(&[(head, "stone")]).await;
    for words in ["stored", "hit"] {
        assert_eq!(pair.get_as(words).await.expect(200).header("warning"), None, "{words}");
    }
}

/// hyper takes them from an origin, and has no way to send them on to a viewer.
#[tokio::test]
async fn section_9_what_an_origin_says_before_its_answer_is_none() {
    for before in
        ["100 Continue", "102 Processing", "103 Early Hints\r\nlink: </a.css>; rel=preload\r\nx-early: 1"]
    {
        let octets = format!(
            "HTTP/1.1 {before}\r\n\r\nHTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ncontent-length: 5\r\n\
             connection: close\r\n\r\nstone"
        );
        let pair = Pair::before(super::WebServer::speaking(&octets).await).await;
        for words in ["stored", "hit"] {
            let answer = pair.get_as(words).await.expect(200);
            assert_eq!(
                (answer.text(), answer.header("x-early"), answer.header("link")),
                ("stone", None, None)
            );
        }
        assert_eq!(pair.fetches(), 1, "{before}");
    }
}

#[tokio::test]
async fn section_9_a_trailer_is_no_field() {
    let octets = "HTTP/1.1 200 OK\r\ncache-control: max-age=600\r\ntransfer-encoding: chunked\r\ntrailer: x-end\r\n\
                  connection: close\r\n\r\n5\r\nstone\r\n0\r\nx-end: 1\r\ncache-control: no-store\r\n\r\n";
    let pair = Pair::before(super::WebServer::speaking(octets).await).await;
    for words in ["stored", "hit"] {
        let answer = pair.get_as(words).await.expect(200);
        assert_eq!((answer.text(), answer.header("x-end"), answer.header("trailer")), ("stone", None, None));
        assert_eq!(answer.header("cache-control").as_deref(), Some("max-age=600"));
    }
}

#[tokio::test]
async fn section_9_options_go_as_far_as_they_say() {
    let web = super::WebServer::saying(&[("204 No Content\nx-origin: 1", "")]).await;
    let options = "cache_policy = \"Levada-Media\"\nallowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\"]";
    let pair = Pair::built(web, options, "").await;
    let ask =
        async |fields: &str| pair.house.ask(&format!("OPTIONS /a.txt\nHost: web.example{fields}")).await;
    for none in ["0", "000"] {
        let ours = ask(&format!("\nMax-Forwards: {none}")).await.expect(204);
        assert_eq!(ours.header("allow").as_deref(), Some("GET, HEAD, OPTIONS"));
    }
    assert_eq!(pair.fetches(), 0);
    for (said, told) in
        [("1", Some("0")), ("10", Some("9")), ("99999999999", Some("4294967294")), ("x", None)]
    {
        assert!(ask(&format!("\nMax-Forwards: {said}")).await.expect(204).header("x-origin").is_some());
        let asked = pair.web.asked().pop().unwrap();
        assert_eq!(asked.lines().find_map(|it| it.strip_prefix("max-forwards: ")), told, "{said}");
    }
    // Of other methods it says nothing.
    pair.ask("/a.txt", "Max-Forwards: 0").await.expect(204);
    assert!(!pair.web.asked().pop().unwrap().contains("max-forwards"));
}

#[tokio::test]
async fn section_9_a_digest_is_sent_with_the_octets_it_is_of() {
    const ALL: [&str; 4] = ["content-digest", "content-md5", "repr-digest", "digest"];
    let head = "200 OK\ncache-control: max-age=600\ncontent-type: text/css\netag: \"a\"\n\
                content-digest: sha-256=:AA==:\ncontent-md5: AA==\nrepr-digest: sha-256=:AA==:\ndigest: sha-256=AA==";
    let pair = Pair::of(&[(head, &"a { color: red }\n".repeat(100))]).await;
    for (fields, status, sent) in [
        ("", 200, ALL.as_slice()),
        ("Range: bytes=0-1", 206, &ALL[2..]),
        ("Range: bytes=0-1,900-901", 206, &ALL[2..]),
        ("If-None-Match: \"a\"", 304, &ALL[2..]),
        ("Range: bytes=9999-", 416, &[]),
        ("Accept-Encoding: gzip", 200, &[]),
        ("Accept-Encoding: br", 200, &[]),
    ] {
        let answer = pair.ask("/a.css", fields).await.expect(status);
        let found: Vec<_> = ALL.into_iter().filter(|it| answer.header(it).is_some()).collect();
        assert_eq!(found, sent, "{fields}");
    }
    // What a slice is a digest of is not the whole.
    let slice = "206 Partial Content\ncontent-range: bytes 0-4/5\netag: \"a\"\ncache-control: max-age=600\n\
                 content-digest: sha-256=:AA==:\nrepr-digest: sha-256=:AA==:";
    let pair = Pair::of(&[(slice, "stone")]).await;
    for words in ["stored", "hit"] {
        let film = pair.ask_as("/film.mp4", words).await.expect(200);
        assert_eq!((film.header("content-digest"), film.header("repr-digest").is_some()), (None, true));
    }
}

#[tokio::test]
async fn section_9_who_speaks_http_1_0_hears_no_chunks_and_that_it_is_the_end() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    for _ in 0..2 {
        let mut line = pair.house.line().await;
        line.say("GET /a.txt HTTP/1.0\r\nHost: web.example\r\n\r\n").await;
        let said = String::from_utf8(line.rest().await).expect("it is text").to_ascii_lowercase();
        let (head, body) = said.split_once("\r\n\r\n").expect("a head has an end");
        assert!(!head.contains("transfer-encoding"), "{head}");
        assert_eq!(body, "stone");
    }
}

#[tokio::test]
async fn section_9_what_an_origin_says_for_viewers_goes_on_once() {
    let fields = [
        ("server", "stone/1"),
        ("priority", "u=1, i"),
        ("strict-transport-security", "max-age=600"),
        ("content-security-policy", "default-src 'none'"),
        ("cross-origin-resource-policy", "same-site"),
        ("etag", "\"A-b\""),
    ];
    let lines: Vec<_> = fields.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let head = format!("200 OK\ncache-control: max-age=600\n{}", lines.join("\n"));
    let pair = Pair::of(&[(&head, "stone")]).await;
    for answer in [pair.get().await, pair.get_as("hit").await] {
        for (name, value) in fields {
            let found: Vec<_> =
                answer.headers.iter().filter(|it| it.0 == name).map(|it| it.1.as_str()).collect();
            assert_eq!(found, [value], "{name}");
        }
    }
}

#[tokio::test]
async fn section_3_a_name_has_one_key_however_it_is_spelled_and_two_names_have_two() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    pair.get().await;
    pair.get_as("hit").await;
    for (path, host) in
        [("/a.txt", "WEB.example"), ("/a.txt", "web.example."), ("/%61.txt", "web.example:80")]
    {
        let answer = pair.house.ask(&format!("GET {path}\nHost: {host}")).await.expect(200);
        assert_eq!(answer.header("x-cache").as_deref(), Some("Hit from levada"), "{host} {path}");
    }
    assert_eq!(pair.fetches(), 1);
    for path in ["/A.txt", "/a.txt/"] {
        pair.ask(path, "").await;
    }
    assert_eq!(pair.fetches(), 3);
}
