//! What HTTP caches are tested for in public, as far as the rules of http-edge.md leave it to the edge: odd forms of
//! fields, statuses, and what is stored of an answer.

use super::Second::{Fetched, Reused, Validated};
use super::{Pair, check, full};
use crate::support::http::send;
use crate::support::web::WebServer;

#[tokio::test]
async fn section_1_a_directive_has_one_form_and_what_is_almost_one_is_careful() {
    check(&[
        ("cache-control: ,, max-age=600 ,,", Reused),
        ("cache-control:\tmax-age=600\t", Reused),
        ("cache-control: max-age=600, max-age=600", Reused),
        ("cache-control: max-age=600, MAX-AGE=0", Fetched),
        ("cache-control: max-age=2147483648", Reused),
        ("cache-control: max-age=18446744073709551617", Reused),
        ("cache-control: max-age=+600", Fetched),
        ("cache-control: max-age=6e2", Fetched),
        ("cache-control: max-age=0x600", Fetched),
        ("cache-control: max-age=600s", Fetched),
        ("cache-control: max-age=6 00", Fetched),
        ("cache-control: max-age==600", Fetched),
        ("cache-control: max-age=\"600", Fetched),
        ("cache-control: max-age=600;x=y", Fetched),
        ("cache-control: max-age", Fetched),
        ("cache-control: s-maxage=\"600\", max-age=0", Reused),
        ("cache-control: S-MaxAge=600, max-age=0", Reused),
        ("cache-control: s-maxage=-600, max-age=600", Fetched),
        ("cache-control: s-maxage=a600, max-age=600", Fetched),
        ("cache-control: x='max-age=0', max-age=600", Reused),
        ("cache-control: x=', max-age=0, ', max-age=600", Fetched),
        ("cache-control: x=\"\\\", max-age=0\", max-age=600", Reused),
        ("cache-control: max-age=600, x=\"no-store, private\"", Reused),
        ("cache-control: s-maxage=600\nexpires: {-600}", Reused),
        ("cache-control: NO-CACHE, max-age=600\netag: \"a\"", Validated),
        ("cache-control: Private, max-age=600", Fetched),
        ("pragma: unknown\ncache-control: max-age=600", Reused),
    ])
    .await;
}

#[tokio::test]
async fn section_2_the_first_age_counts_where_it_is_one() {
    check(&[
        ("cache-control: max-age=600\nage: 0, 700", Reused),
        ("cache-control: max-age=600\nage: 700, old", Fetched),
        ("cache-control: max-age=600\nage: old, 700", Reused),
        ("cache-control: max-age=600\nage: \"700\"", Reused),
        ("cache-control: max-age=600\nage: 700;x=y", Reused),
        ("cache-control: max-age=600\nage: a700", Reused),
        ("cache-control: max-age=600\nage: 700a", Reused),
        ("cache-control: max-age=600\nage: +700", Reused),
        ("cache-control: max-age=600\nage: 7e2", Reused),
        ("cache-control: max-age=600\nage: 00700", Fetched),
        ("cache-control: max-age=600\nage:", Reused),
        ("cache-control: max-age=600\nage: 2147483648", Fetched),
        ("cache-control: max-age=2147483648\nage: 2147483649", Fetched),
        ("expires: {600}\nage: 700", Fetched),
        ("cache-control: s-maxage=600\nage: 700", Fetched),
    ])
    .await;
}

#[tokio::test]
async fn section_1_a_status_is_kept_by_its_lifetime_or_by_what_it_means() {
    for status in
        [200, 201, 202, 203, 204, 299, 300, 301, 302, 303, 307, 308, 399, 400, 403, 404, 405, 410, 414, 501]
    {
        check(&[(&format!("{status} Said\ncache-control: max-age=600"), Reused)]).await;
    }
    // Of these no lifetime is believed (cloudfront.md 3.7).
    for status in [401, 402, 407, 409, 416, 418, 429, 431, 451, 499, 505, 599] {
        check(&[(&format!("{status} Said\ncache-control: max-age=600"), Fetched)]).await;
    }
    for status in [201, 202, 205, 299, 305, 399, 400, 403, 405, 412, 415, 418, 499, 599] {
        check(&[(&format!("{status} Said"), Fetched)]).await;
    }
    for status in [200, 203, 204, 300, 301, 308, 404, 410] {
        check(&[(&format!("{status} Said"), Reused)]).await;
        check(&[(&format!("{status} Said\ncache-control: no-store"), Fetched)]).await;
    }
}

/// Fields that are stored as they come, whatever they are about.
const STORED: [&str; 12] = [
    "x-mine: 1",
    "content-foo: 1",
    "x-content-foo: 1",
    "content-language: fr",
    "content-location: /b",
    "content-disposition: attachment",
    "content-security-policy: default-src 'self'",
    "clear-site-data: \"cache\"",
    "refresh: 5",
    "link: </b>; rel=\"next\"",
    "x-frame-options: deny",
    "priority: u=1, i",
];

#[tokio::test]
async fn section_9_what_is_for_the_viewer_is_stored_with_the_octets() {
    let head = format!("200 OK\ncache-control: max-age=600\n{}", STORED.join("\n"));
    let pair = Pair::of(&[(&head, "stone")]).await;
    for words in ["stored", "hit"] {
        let answer = pair.get_as(words).await.expect(200);
        for line in STORED {
            let (name, value) = line.split_once(": ").unwrap();
            assert_eq!(answer.header(name).as_deref(), Some(value), "{words}");
        }
    }
}

#[tokio::test]
async fn section_4_a_304_brings_new_fields_and_leaves_those_it_does_not_have() {
    let lines: Vec<_> = STORED.iter().map(|it| it.split_once(": ").unwrap()).collect();
    let stored: String = lines.iter().map(|(name, _)| format!("\n{name}: old")).collect();
    let (news, kept) = lines.split_at(6);
    let told: String = news.iter().map(|(name, value)| format!("\n{name}: {value}")).collect();
    let pair = Pair::of(&[
        (&format!("200 OK\ncache-control: no-cache\netag: \"a\"{stored}"), "stone"),
        (&format!("304 Not Modified\ncache-control: max-age=600\netag: \"a\"{told}"), ""),
    ])
    .await;
    pair.get().await.expect(200);
    for words in ["fwd-status=304", "hit"] {
        let answer = pair.get_as(words).await.expect(200);
        assert_eq!(answer.header("cache-control").as_deref(), Some("max-age=600"));
        for (name, value) in news {
            assert_eq!(answer.header(name).as_deref(), Some(*value), "{name} {words}");
        }
        for (name, _) in kept {
            assert_eq!(answer.header(name).as_deref(), Some("old"), "{name} {words}");
        }
    }
    assert_eq!(pair.fetches(), 2);
}

#[tokio::test]
async fn section_4_a_condition_has_a_date_in_any_of_three_forms() {
    let head = "200 OK\ncache-control: max-age=600\nlast-modified: Sun, 15 Jun 2025 12:00:00 GMT";
    let pair = Pair::of(&[(head, "stone")]).await;
    for (date, status) in [
        ("Sun, 15 Jun 2025 12:00:00 GMT", 304),
        ("Sunday, 15-Jun-25 12:00:00 GMT", 304),
        ("Sun Jun 15 12:00:00 2025", 304),
        ("Sun Jun 15 11:59:59 2025", 200),
        ("Sunday, 15-Jun-25 11:59:59 GMT", 200),
        ("Sun, 15 Jun 2025 12:00:00 UTC", 200),
        ("0", 200),
    ] {
        assert_eq!(pair.ask("/a.txt", &format!("If-Modified-Since: {date}")).await.status, status, "{date}");
    }
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_5_viewers_who_differ_in_what_the_key_does_not_have_are_one() {
    let head = full(
        "cache-control: max-age=600\nvary: accept-encoding, user-agent, cookie, accept-language, origin",
    );
    let pair = Pair::of(&[(&head, "stone")]).await;
    for fields in [
        "Accept-Encoding: gzip\nUser-Agent: one\nCookie: a=1\nAccept-Language: fr\nOrigin: https://a.example",
        "Accept-Encoding: br, gzip;q=0.5\nUser-Agent: other\nCookie: a=2\nAccept-Language: de",
        "Accept-Encoding:  GZIP ,x\nAccept-Encoding: identity",
        "",
    ] {
        assert_eq!(pair.ask("/a.txt", fields).await.expect(200).text(), "stone", "{fields}");
    }
    let asked = pair.web.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert!(asked[0].contains("\r\naccept-encoding: identity\r\n"), "{}", asked[0]);
    for name in ["cookie", "accept-language", "origin"] {
        assert!(!asked[0].contains(&format!("\r\n{name}:")), "{name}: {}", asked[0]);
    }
}

#[tokio::test]
async fn section_6_what_is_posted_is_not_stored_and_outdates_all_variants() {
    let kept = ("200 OK\ncache-control: max-age=600\nvary: accept-language", "stone");
    let web = WebServer::saying(&[kept]).await;
    let options = "cache_policy = \"Ours\"\n\
                   allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]";
    let section = "[[cache_policy]]\nname = \"Ours\"\nheaders = [\"Accept-Language\"]\n";
    let pair = Pair::built(web, options, section).await;
    let both = async || {
        for language in ["fr", "de"] {
            pair.ask("/a.txt", &format!("Accept-Language: {language}")).await.expect(200);
        }
        pair.fetches()
    };
    assert_eq!((both().await, both().await), (2, 2));
    pair.house.ask("OPTIONS /a.txt\nHost: web.example").await.expect(200);
    assert_eq!(both().await, 3, "OPTIONS changes nothing");
    for fetches in [4, 5] {
        send(pair.house.http(), "POST /b.txt\nHost: web.example", "{}").await.expect(200);
        assert_eq!(pair.fetches(), fetches, "a POST is never answered with another's");
    }
    pair.ask("/b.txt", "").await.expect(200);
    assert_eq!(pair.fetches(), 6, "nor is a GET");
    assert_eq!(both().await, 6, "of another URL nothing is outdated");
    send(pair.house.http(), "POST /a.txt\nHost: web.example", "{}").await.expect(200);
    assert_eq!(both().await, 9);
}

#[tokio::test]
async fn section_8_an_origin_is_asked_by_its_own_tag_whatever_coding_a_viewer_has() {
    let head = "200 OK\ncache-control: no-cache\ncontent-type: text/css\netag: \"abc\"";
    let text = "a { color: red }\n".repeat(100);
    let pair = Pair::of(&[(head, &*text), ("304 Not Modified\netag: \"abc\"", "")]).await;
    let tag = pair.ask("/a.css", "Accept-Encoding: br").await.expect(200).header("etag").unwrap();
    assert_ne!(tag, "\"abc\"");
    let fields = format!("Accept-Encoding: br\nIf-None-Match: {tag}");
    assert_eq!(pair.ask("/a.css", &fields).await.expect(304).header("etag"), Some(tag.clone()));
    assert!(pair.web.asked()[1].contains("\r\nif-none-match: \"abc\"\r\n"), "{:?}", pair.web.asked());
    // Who takes no coding we have gets the octets as they are.
    for accepted in ["identity;q=0", "*;q=0", "x;q=1, identity;q=0"] {
        let plain = pair.ask("/a.css", &format!("Accept-Encoding: {accepted}")).await.expect(200);
        assert_eq!((plain.header("content-encoding"), plain.text()), (None, &*text), "{accepted}");
    }
}

#[tokio::test]
async fn section_9_what_went_through_here_before_goes_no_further() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600", "stone")]).await;
    pair.get().await.expect(200);
    let told = pair.web.asked().remove(0);
    let node = told.lines().find_map(|it| it.strip_prefix("cdn-loop: ")).expect("it is told who asks");
    for fields in [
        format!("CDN-Loop: {node}"),
        format!("CDN-Loop: other; v=1, {};x=y", node.to_ascii_uppercase()),
        format!("Via: 1.1 {node}, 2 x, 1.1 {}", node.to_ascii_uppercase()),
        format!("Via: 1.1 {node}\nVia: 2 {node} (again)"),
    ] {
        pair.ask("/b.txt", &fields).await.expect(508);
    }
    assert_eq!(pair.fetches(), 1);
    // A namesake is no loop.
    for (at, fields) in ["CDN-Loop: x{}", "Via: 1.1 {}", "Via: 1.1 x ({}), 1.1 {}"].iter().enumerate() {
        pair.ask(&format!("/{at}.txt"), &fields.replace("{}", node)).await.expect(200);
    }
    for words in ["stored", "hit"] {
        let answer = pair.ask_as("/c.txt", words).await;
        assert_eq!(answer.header("via").as_deref(), Some("1.1 Levada"), "{words}");
    }
}
