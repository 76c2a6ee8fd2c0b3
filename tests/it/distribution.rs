//! A distribution in front of a web server that says what it was asked: policies, methods, bodies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::support::house::House;
use crate::support::http::Answer;

/// A web server that answers each request with the request itself, and the edge in front of it.
struct Mirror {
    house: House,
    asked: Arc<AtomicUsize>,
}

impl Mirror {
    /// Under a behavior with these options, and these sections beside it.
    async fn under(options: &str, sections: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let port = listener.local_addr().expect("it has a port").port();
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(reflect(stream, Arc::clone(&count)));
            }
        });
        let house = House::beside(&format!(
            "[[origin]]\nid = \"web\"\nkind = \"http\"\ndomain_name = \"127.0.0.1\"\n\
             http_port = {port}\norigin_protocol_policy = \"http-only\"\n\
             [[distribution]]\nid = \"web\"\naliases = [\"web.example\"]\n[distribution.default_behavior]\n\
             target_origin = \"web\"\nresponse_headers_policy = \"None\"\n{options}\n{sections}"
        ))
        .await;
        Self { house, asked }
    }

    async fn ask(&self, request: &str) -> Answer {
        self.house.ask(&format!("{request}\nHost: web.example")).await
    }

    /// What is answered to a request that is said octet for octet.
    async fn say(&self, request: &str) -> Answer {
        let mut line = self.house.line().await;
        line.say(request).await;
        line.answer(false).await.expect("the server answers")
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

/// Reads requests, bodies and all, and writes them back; a path may say with which status.
async fn reflect(stream: TcpStream, count: Arc<AtomicUsize>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end() {
                "" => break,
                line => lines.push(line.to_ascii_lowercase()),
            }
        }
        let mut body = Vec::new();
        let length = lines.iter().find_map(|it| it.strip_prefix("content-length: ")?.parse::<usize>().ok());
        if let Some(length) = length {
            body.resize(length, 0);
            if stream.read_exact(&mut body).await.is_err() {
                return;
            }
        } else if lines.iter().any(|it| it == "transfer-encoding: chunked") {
            loop {
                let mut size = String::new();
                let _ = stream.read_line(&mut size).await;
                let Ok(size) = usize::from_str_radix(size.trim_end(), 16) else { return };
                let start = body.len();
                body.resize(start + size + 2, 0);
                if stream.read_exact(&mut body[start..]).await.is_err() {
                    return;
                }
                body.truncate(start + size);
                if size == 0 {
                    break;
                }
            }
        }
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        let status = match lines[0].split(' ').nth(1) {
            Some("/refused") => "409 Conflict",
            Some("/missing") => "404 Not Found",
            _ => "200 OK",
        };
        lines.sort_unstable();
        let said = format!("{number}\n{}\n\n{}", lines.join("\n"), String::from_utf8_lossy(&body));
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
            said.len()
        );
        if stream.write_all(format!("{head}{said}").as_bytes()).await.is_err() {
            return;
        }
    }
}

const ALL: &str = "allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]\nmax_request_body = \"1 KiB\"";

#[tokio::test]
async fn a_cookie_in_the_key_tells_answers_apart_and_others_do_not() {
    let policy =
        "[[cache_policy]]\nname = \"Languages\"\ncookies = [\"language\"]\nquery_strings = [\"v\"]\n";
    let mirror = Mirror::under("cache_policy = \"Languages\"", policy).await;
    let ask = async |cookies: &str| {
        let answer = mirror.ask(&format!("GET /a?v=1&session=2\nCookie: {cookies}")).await.expect(200);
        answer.text().to_owned()
    };
    let english = ask("session=1; language=en").await;
    assert!(english.contains("\ncookie: language=en\n") && english.contains("\nget /a?v=1 http/1.1\n"));
    assert_eq!(ask("language=en; session=2").await, english);
    assert_ne!(ask("language=de; session=1").await, english);
    assert_eq!(mirror.asked(), 2);
}

#[tokio::test]
async fn an_origin_is_told_what_the_policies_name_and_nothing_else() {
    let mirror = Mirror::under(
        "cache_policy = \"Managed-CachingDisabled\"\norigin_request_policy = \"Own\"",
        "[[origin_request_policy]]\nname = \"Own\"\nheaders = [\"Accept-Language\", \"CloudFront-Viewer-Address\", \
         \"CloudFront-Forwarded-Proto\"]\nquery_strings = { except = [\"utm\"] }\n",
    )
    .await;
    let answer =
        mirror.ask("GET /a?b=1&utm=2\nAccept-Language: de\nX-Other: 1\nX-Forwarded-Host: evil").await;
    let answer = answer.expect(200).text().to_owned();
    assert!(answer.contains("\nget /a?b=1 http/1.1\n"), "{answer}");
    assert!(answer.contains("\naccept-language: de\n"), "{answer}");
    assert!(answer.contains("\ncloudfront-forwarded-proto: http\n"), "{answer}");
    assert!(answer.contains("\ncloudfront-viewer-address: 127.0.0.1:"), "{answer}");
    assert!(!answer.contains("x-other") && !answer.contains("evil"), "{answer}");
}

#[tokio::test]
async fn bodies_go_to_the_origin_as_they_are_up_to_their_most() {
    let mirror = Mirror::under(ALL, "").await;
    let post = |body: &str, more: &str| {
        format!("POST /a HTTP/1.1\r\nHost: web.example\r\nContent-Type: text/plain\r\n{more}\r\n{body}")
    };
    let answer = mirror.say(&post("hello", "Content-Length: 5\r\n")).await.expect(200);
    assert!(answer.text().ends_with("\n\nhello") && answer.text().contains("\ncontent-type: text/plain\n"));
    let chunked =
        mirror.say(&post("3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\n")).await;
    assert!(chunked.clone().expect(200).text().ends_with("\n\nhello"));
    assert_eq!(chunked.header("connection").as_deref(), Some("close"), "where it ended another may dispute");
    let asked = mirror.asked();
    mirror.say(&post("", "Content-Length: 1025\r\n")).await.expect(413);
    assert_eq!(mirror.asked(), asked, "what says that it is too large is not sent on");
    let long = format!("401\r\n{}\r\n0\r\n\r\n", "a".repeat(1025));
    mirror.say(&post(&long, "Transfer-Encoding: chunked\r\n")).await.expect(413);
    let mut patient = mirror.house.line().await;
    patient.say(post("", "Content-Length: 2\r\nExpect: 100-continue\r\n")).await;
    patient.head().await.expect("the body is wanted").expect(100);
    patient.say("ok").await;
    assert!(patient.answer(false).await.expect("the server answers").expect(200).text().ends_with("\n\nok"));
}

#[cfg(feature = "http3")]
#[tokio::test]
async fn bodies_over_http_3_go_there_as_well() {
    use crate::support::quic::Http3;

    let mirror = Mirror::under(ALL, "").await;
    let http3 = Http3::to(mirror.house.https(), mirror.house.path()).await;
    let ask = async |method: &str, length: Option<usize>, body: Option<&'static str>| {
        let mut request = http::Request::builder().method(method).uri("https://web.example/a");
        if let Some(length) = length {
            request = request.header("content-length", length);
        }
        http3.ask(request.body(()).expect("it is a request"), body).await.expect("an answer")
    };
    for length in [Some(5), None] {
        let answer = ask("POST", length, Some("hello")).await.expect(200);
        assert!(answer.text().ends_with("\n\nhello"), "{length:?}: {}", answer.text());
        assert_eq!(answer.text().contains("\ncontent-length: 5\n"), length.is_some());
    }
    for length in [Some(0), None] {
        assert!(ask("POST", length, None).await.expect(200).text().ends_with("\n\n"), "{length:?}");
    }
    assert!(ask("OPTIONS", None, Some("hello")).await.expect(200).text().ends_with("\n\nhello"));
    let asked = mirror.asked();
    ask("POST", Some(1025), None).await.expect(413);
    ask("GET", Some(5), Some("hello")).await.expect(403);
    assert_eq!(mirror.asked(), asked, "what says that it is too large, or is not wanted, is not sent on");
    let large: &str = String::leak("a".repeat(2_000));
    ask("POST", None, Some(large)).await.expect(413);
    ask("GET", None, None).await.expect(200);
}

#[cfg(feature = "http3")]
#[tokio::test]
async fn a_body_over_http_3_is_all_of_its_pieces_and_as_long_as_its_head_says() {
    use crate::support::quic::{POST, head, quic};
    use crate::support::soon;

    // The first octets of an answer with status 200, and of one with 400.
    const OK: &[u8] = &[0, 0, 0xd9];
    const BAD: &[u8] = &[0, 0, 0xff, 4];

    let mirror = Mirror::under(ALL, "").await;
    let (_endpoint, connection) = quic(mirror.house.https(), mirror.house.path()).await.unwrap();
    let trailers = head(POST, "", "", b"");
    let pieces =
        [&[0, 2, b'h', b'e'], &[0, 0][..], &[0x21, 1, 0], &[0, 3, b'l', b'l', b'o'], &trailers].concat();
    for (length, expected) in [(b'5', OK), (b'4', BAD), (b'6', BAD)] {
        let (mut sending, mut receiving) = connection.open_bi().await.unwrap();
        let head = head(POST, "web.example", "/a", &[0x54, 1, length]);
        sending.write_all(&[head, pieces.clone()].concat()).await.expect("it is heard");
        // The server may have stopped it already.
        let _ = sending.finish();
        let answer = soon("the answer", receiving.read_to_end(4096)).await.expect("it is answered");
        let begin = if answer[1] < 64 { 2 } else { 3 };
        assert_eq!(&answer[begin..begin + expected.len()], expected, "{length}");
        let is_whole = answer.ends_with(b"\n\nhello");
        assert_eq!(is_whole, expected == OK);
    }
}

#[tokio::test]
async fn section_6_what_an_origin_lets_a_viewer_change_is_fetched_again() {
    let mirror = Mirror::under(ALL, "").await;
    let get = async |path: &str| mirror.ask(&format!("GET {path}")).await.expect(200).text().to_owned();
    let (kept, other) = (get("/a").await, get("/b").await);
    for method in ["PUT", "POST", "PATCH", "DELETE"] {
        let before = get("/a").await;
        assert_eq!(before, get("/a").await);
        mirror.ask(&format!("{method} /a\nContent-Length: 0")).await.expect(200);
        assert_ne!(get("/a").await, before, "{method}");
    }
    assert_ne!(get("/a").await, kept);
    assert_eq!(get("/b").await, other, "nobody changed that");
    mirror.ask("OPTIONS /b\nContent-Length: 0").await.expect(200);
    mirror.ask("POST /refused\nContent-Length: 0").await.expect(409);
    assert_eq!(get("/b").await, other, "to ask is not to change");
}

#[tokio::test]
async fn a_behavior_answers_its_own_methods_alone() {
    let mirror = Mirror::under("allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\"]\ncached_methods = [\"GET\", \"HEAD\", \"OPTIONS\"]", "").await;
    let refused = mirror.ask("POST /a\nContent-Length: 0").await.expect(403);
    assert_eq!(refused.header("allow").as_deref(), Some("GET, HEAD, OPTIONS"));
    let options = mirror.ask("OPTIONS /a").await.expect(200).text().to_owned();
    assert!(options.contains("\noptions /a http/1.1"), "{options}");
    assert_eq!(mirror.ask("OPTIONS /a").await.text(), options, "it is kept");
    assert!(mirror.ask("GET /a").await.text().contains("\nget /a http/1.1"), "apart from what GET brings");
    let asks = |body| {
        format!(
            "OPTIONS /a HTTP/1.1\r\nHost: web.example\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n{body}"
        )
    };
    for body in ["hello", "world"] {
        let answer = mirror.say(&asks(body)).await.expect(200).text().to_owned();
        assert!(
            answer.ends_with(&format!("\n\n{body}")) && answer.contains("\ncontent-type: text/plain\n"),
            "{answer}"
        );
    }
    assert_eq!(mirror.ask("OPTIONS /a").await.text(), options, "what had a body is kept for nobody");
    let with_body = "GET /a HTTP/1.1\r\nHost: web.example\r\nContent-Length: 1\r\n\r\nx";
    mirror.say(with_body).await.expect(403);
    assert_eq!(mirror.asked(), 4);
}

#[tokio::test]
async fn an_error_is_answered_with_a_page_wherever_it_comes_from() {
    let mirror = Mirror::under(
        "trusted_key_groups = []",
        "[[distribution.behavior]]\npath_pattern = \"/members/*\"\ntarget_origin = \"web\"\ntrusted_key_groups = [\"viewers\"]\n\
         [[distribution.behavior]]\npath_pattern = \"/gone/*\"\ntarget_origin = \"nobody\"\n\
         [[distribution.custom_error_response]]\nerror_code = \"403\"\nresponse_page_path = \"/sorry\"\nresponse_code = \"404\"\n\
         [[distribution.custom_error_response]]\nerror_code = \"502\"\nresponse_page_path = \"/sorry\"\nresponse_code = \"200\"\n\
         [[distribution.custom_error_response]]\nerror_code = \"404\"\nresponse_page_path = \"/members/page\"\nresponse_code = \"200\"\n\
         [[origin]]\nid = \"nobody\"\nkind = \"http\"\ndomain_name = \"127.0.0.1\"\nhttp_port = 1\n\
         origin_protocol_policy = \"http-only\"\nconnection_attempts = 1\n",
    )
    .await;
    // A refusal, and an origin that fails.
    let refused = mirror.ask("GET /members/film\nRange: bytes=0-1").await.expect(404);
    assert!(refused.text().contains("\nget /sorry http/1.1"), "{}", refused.text());
    assert_eq!(refused.header("x-cache").as_deref(), Some("Error from levada"));
    assert_eq!(refused.header("etag"), None);
    mirror.ask("GET /gone/film").await.expect(200);
    let head = mirror.ask("HEAD /members/film").await.expect(404);
    assert!(head.body.is_empty());
    assert_eq!(head.header("cache-control").as_deref(), Some("no-store"), "it is said to this viewer alone");
    assert_eq!(mirror.asked(), 1, "the page is kept like any other");
    // Nobody may see that page, so the error stays what it is, and no error of a page has a page.
    mirror.ask("GET /missing").await.expect(404);
}

#[tokio::test]
async fn a_page_is_asked_for_as_if_it_alone_had_been_wanted() {
    let mirror = Mirror::under(
        "cache_policy = \"Managed-CachingDisabled\"\norigin_request_policy = \"Managed-AllViewer\"",
        "[[distribution.custom_error_response]]\nerror_code = \"403\"\nresponse_page_path = \"/sorry\"\nresponse_code = \"200\"\n",
    )
    .await;
    let post = "POST /a HTTP/1.1\r\nHost: web.example\r\nX-Mine: 1\r\nContent-Type: text/plain\r\nContent-Language: en\r\n\
                Cache-Control: no-cache\r\nIf-Match: \"a\"\r\nAccess-Control-Request-Method: POST\r\nContent-Length: 5\r\n\r\nhello";
    let page = mirror.say(post).await.expect(200).text().to_owned();
    assert!(page.contains("\nget /sorry http/1.1") && page.contains("\nx-mine: 1\n"), "{page}");
    for field in ["content-", "cache-control", "if-match", "access-control"] {
        assert!(!page.contains(&format!("\n{field}")), "{field}: {page}");
    }
}

#[tokio::test]
async fn viewers_are_refused_by_address_and_country_before_anyone_asks_for_a_signature() {
    let behaviors = "default_behavior = { target_origin = \"web\", trusted_key_groups = [\"viewers\"] }";
    let mirror = Mirror::under(
        "cache_policy = \"Managed-CachingDisabled\"\norigin_request_policy = \"Country\"",
        &format!(
            "[[origin_request_policy]]\nname = \"Country\"\nheaders = [\"CloudFront-Viewer-Country\"]\n\
             [geo]\ndatabase = \"geo.mmdb\"\n\
             [[distribution]]\nid = \"denied\"\naliases = [\"denied.example\"]\n{behaviors}\n\
             addresses = {{ deny_file = \"denied.txt\" }}\n\
             [[distribution]]\nid = \"abroad\"\naliases = [\"abroad.example\"]\n{behaviors}\n\
             geo_restriction = {{ restriction_type = \"blacklist\", locations = [\"DE\"] }}\n"
        ),
    )
    .await;
    let text = mirror.ask("GET /a").await.expect(200).text().to_owned();
    assert!(text.contains("\ncloudfront-viewer-country: de\n"), "{text}");
    let refused = async |host: &str| {
        let answer = mirror.house.ask(&format!("GET /a\nHost: {host}")).await.expect(403);
        answer.text().to_owned()
    };
    assert!(refused("abroad.example").await.contains("not served in your country"));
    assert!(refused("denied.example").await.contains("MissingKey"), "nobody is denied yet");
    std::fs::write(mirror.house.path().join("denied.txt"), "127.0.0.0/8 # all of us\n")
        .expect("it is written");
    mirror.house.running.reload().expect("the list is read");
    assert!(refused("denied.example").await.contains("Access denied"));
    for path in ["/.levada/time", "/watch/a", "/a%2f..", "/%00"] {
        let answer = mirror.house.ask(&format!("GET {path}\nHost: denied.example")).await.expect(403);
        assert!(answer.text().contains("Access denied"), "{path} {}", answer.text());
    }
    std::fs::write(mirror.house.path().join("denied.txt"), "127.0.0.0/33\n").expect("it is written");
    let error = mirror.house.running.reload().expect_err("that is no network");
    assert!(error.contains("denied.txt: line 1"), "{error}");
    assert!(refused("denied.example").await.contains("Access denied"), "what was holds on");
    let refusals = async |reason: &str| {
        mirror.house.metric(&format!("levada_protect_refusals_total{{reason=\"{reason}\"}}")).await
    };
    assert_eq!((refusals("address-denied").await, refusals("country").await), (6, 1));
}
