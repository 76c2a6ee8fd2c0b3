//! http-edge.md 2: how long an answer is good, and how old it is.

use super::Second::{Fetched, Reused};
use super::{Pair, check, check_under};

#[tokio::test]
async fn section_2_what_is_fresh_is_not_fetched_again_and_has_an_age() {
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\netag: \"a\"", "stone")]).await;
    let miss = pair.get().await.expect(200);
    assert_eq!(miss.header("x-cache").as_deref(), Some("Miss from levada"));
    assert_eq!(miss.header("age"), None);
    let hit = pair.get_as("hit").await.expect(200);
    assert_eq!((hit.text(), hit.header("x-cache").as_deref()), ("stone", Some("Hit from levada")));
    assert!(hit.header("age").is_some());
    assert_eq!(pair.fetches(), 1);
}

#[tokio::test]
async fn section_2_a_lifetime_is_s_maxage_else_max_age_else_expires() {
    check(&[
        ("cache-control: max-age=600", Reused),
        ("cache-control: s-maxage=600, max-age=0", Reused),
        ("cache-control: s-maxage=0, max-age=600", Fetched),
        ("cache-control: max-age=600\nexpires: {-600}", Reused),
        ("cache-control: max-age=0\nexpires: {600}", Fetched),
        ("cache-control: max-age=none\nexpires: {600}", Fetched),
        ("expires: {600}", Reused),
        ("expires: {600}\ndate: {0}", Reused),
        ("expires: {-600}", Fetched),
        ("expires: {0}\ndate: {0}", Fetched),
        ("expires: {600}\nexpires: {600}", Fetched),
        // A lifetime counts from the origin's clock.
        ("expires: {-3600}\ndate: {-7200}", Fetched),
        ("cache-control: extension=\"max-age=0\", max-age=600", Reused),
        ("cache-control: max-age=\"600\"", Reused),
        ("cache-control: MAX-AGE=0600", Reused),
        ("cache-control: max-age=99999999999", Reused),
        ("cache-control: max-age='600'", Fetched),
        ("cache-control: max-age=600.0", Fetched),
        ("cache-control: max-age=-600", Fetched),
        ("cache-control: max-age=600\ncache-control: max-age=0", Fetched),
        ("cache-control: max-age=0\nage: 0", Fetched),
        ("pragma: no-cache\ncache-control: max-age=600", Reused),
    ])
    .await;
}

#[tokio::test]
async fn section_2_an_expiry_has_one_of_three_forms_or_has_passed() {
    check(&[
        ("expires: Thu, 01 Jan 2037 00:00:00 GMT", Reused),
        ("expires: thu, 01 JAN 2037 00:00:00 gmt", Reused),
        ("expires: Thursday, 01-Jan-37 00:00:00 GMT", Reused),
        ("expires: Thu Jan  1 00:00:00 2037", Reused),
        ("expires: Thu, 01 Jan 2099 00:00:00 GMT", Reused),
        ("expires: 0", Fetched),
        ("expires: -1", Fetched),
        ("expires: Thu, 01 Jan 2037 00:00:00 UTC", Fetched),
        ("expires: Thu, 01 Jan 2037 00:00:00", Fetched),
        ("expires: Thu 01 Jan 2037 00:00:00 GMT", Fetched),
        ("expires: Thu, 01  Jan 2037 00:00:00 GMT", Fetched),
        ("expires: Thu, 01-Jan-2037 00:00:00 GMT", Fetched),
        ("expires: Thu, 01 Jan 37 00:00:00 GMT", Fetched),
        ("expires: Thu, 01 Jan 2037 0:00:00 GMT", Fetched),
        ("expires: Thu, 01 Jan 2037 00.00.00 GMT", Fetched),
    ])
    .await;
}

/// The departure of `cache::freshness`: what the RFC would guess from `Last-Modified` is the policy's `default_ttl`.
#[tokio::test]
async fn section_2_what_says_nothing_lives_for_the_policys_default() {
    check(&[("", Reused), ("last-modified: {-86400}", Reused), ("cache-control: public", Reused)]).await;
    let none = "min_ttl = \"0s\"\ndefault_ttl = \"0s\"";
    check_under(none, "", &[("", Fetched), ("cache-control: public", Fetched)]).await;
    check_under(none, "", &[("last-modified: {-86400}", super::Second::Validated)]).await;
}

#[tokio::test]
async fn section_2_an_answer_is_as_old_as_it_says() {
    check(&[
        ("cache-control: max-age=600\nage: 10", Reused),
        ("cache-control: max-age=600\nage: 600", Fetched),
        ("cache-control: max-age=600\nage: 10, 700", Reused),
        ("cache-control: max-age=600\nage: 700, 10", Fetched),
        ("cache-control: max-age=600\nage: 10\nage: 700", Reused),
        ("cache-control: max-age=600\nage: 700\nage: 10", Fetched),
        ("cache-control: max-age=600\nage: -700", Reused),
        ("cache-control: max-age=600\nage: 700.0", Reused),
        ("cache-control: max-age=600\nage: old", Reused),
        ("cache-control: max-age=600\nage: 99999999999999999999999", Fetched),
        ("cache-control: max-age=600\ndate: {-700}", Fetched),
        ("cache-control: max-age=600\ndate: {-60}", Reused),
        ("cache-control: max-age=600\ndate: {700}", Reused),
    ])
    .await;
    let pair = Pair::of(&[("200 OK\ncache-control: max-age=600\nage: 10", "stone")]).await;
    assert_eq!(pair.get().await.header("age").as_deref(), Some("10"), "an upstream's age is passed on");
    let hit = pair.get_as("hit").await;
    assert!(hit.header("age").unwrap().parse::<u64>().unwrap() >= 10);
}

#[tokio::test]
async fn section_2_the_origins_dates_are_kept() {
    let dates = super::dated("date: {-60}\nexpires: {600}");
    let pair = Pair::of(&[(&format!("200 OK\n{dates}"), "stone")]).await;
    pair.get().await.expect(200);
    let hit = pair.get_as("hit").await;
    for line in dates.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(hit.header(name).as_deref(), Some(value), "{name}");
    }
    assert!(hit.header("age").unwrap().parse::<u64>().unwrap() >= 60);
}

#[tokio::test]
async fn section_2_a_policy_bounds_lifetimes_and_says_so_and_ages_count_all_the_same() {
    let bounds = "min_ttl = \"100s\"\ndefault_ttl = \"600s\"\nmax_ttl = \"1000s\"";
    check_under(
        bounds,
        "",
        &[
            ("cache-control: max-age=6000\nage: 900", Reused),
            ("cache-control: max-age=6000\nage: 1000", Fetched),
            ("cache-control: max-age=0\nage: 10", Reused),
            ("cache-control: max-age=0\nage: 100", Fetched),
            ("age: 500", Reused),
            ("age: 600", Fetched),
            ("cache-control: max-age=500\nage: 400", Reused),
            ("cache-control: max-age=500\nage: 500", Fetched),
        ],
    )
    .await;
    for (said, is_bound) in
        [("max-age=6000", true), ("max-age=0", true), ("public", true), ("max-age=500", false)]
    {
        let head = format!("200 OK\ncache-control: {said}");
        let pair = Pair::under(bounds, super::WebServer::saying(&[(&head, "stone")]).await).await;
        pair.get().await.expect(200);
        let status = pair.get_as("hit").await.header("cache-status").unwrap();
        assert_eq!(status.ends_with("; detail=behavior-ttl"), is_bound, "{said} {status}");
    }
}
