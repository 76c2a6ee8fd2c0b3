//! Signed URLs and cookies, from the first manifest to the last segment.

use std::time::{Duration, SystemTime};

use levada::access::sign::{Signed, Terms};

use crate::support::house::House;
use crate::support::playlist::{Playlist, attribute};

const LIVE: &str = "/members/live/match/index.m3u8";
const FILM: &str = "/members/vod/sample.mp4/index.m3u8";

/// The URIs of a playlist, those in attributes too.
fn uris(text: &str) -> Vec<String> {
    let quoted = text.lines().filter_map(|it| attribute(it.split_once(':')?.1, "URI"));
    let bare = text.lines().filter(|it| !it.starts_with('#') && !it.is_empty()).map(str::to_owned);
    quoted.chain(bare).collect()
}

/// Resolves as a player does.
fn below(manifest: &str, uri: &str) -> String {
    let path = manifest.split('?').next().expect("a path comes first");
    format!("{}/{uri}", path.rsplit_once('/').expect("it is absolute").0)
}

/// Everything that can be reached from a manifest, as a player reaches it.
async fn follow(house: &House, manifest: &str) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), vec![manifest.to_owned()]);
    while let Some(path) = next.pop() {
        let answer = house.get(&path).await;
        // The newest of a live playlist may not be there yet; what is refused is told apart.
        assert!(matches!(answer.status, 200 | 404), "{path} {answer:?}");
        if path.contains(".m3u8") {
            let uris = uris(answer.expect(200).text());
            next.extend(uris.iter().map(|it| below(&path, it)));
        }
        found.push(path);
    }
    found
}

#[tokio::test]
async fn a_wildcard_policy_in_the_query_carries_to_every_uri_of_a_film() {
    let house = House::open().await;
    let signed = house.signed("KVIEWERS", "http://localhost/members/vod/*");
    let found = follow(&house, &signed.append_to(FILM)).await;
    assert!(
        found.iter().any(|it| it.contains(".m4s?")) && found.iter().any(|it| it.contains(".mp4?")),
        "{found:?}"
    );
    assert!(found.iter().all(|it| it.contains(&signed.query())), "{found:?}");
    let verified = house.metric("levada_access_verifications_total").await;
    assert_eq!(verified, 1, "a repeated policy costs no cryptography");
    let manifest = house.get(&signed.append_to("/members/vod/sample.mp4/manifest.mpd")).await.expect(200);
    assert!(manifest.text().contains("Signature=") && !manifest.text().contains("&Signature"));
    assert!(manifest.header("cache-control").is_some_and(|it| it.starts_with("private")));
}

#[tokio::test]
async fn a_wildcard_policy_carries_to_the_parts_of_a_broadcast() {
    let house = House::open().await;
    let (_encoder, _) = house.live(4_100).await;
    let signed = house.signed("KVIEWERS", "http://localhost/members/live/match/*");
    let path = signed.append_to("/members/live/match/video/index.m3u8");
    let answer = house.get(&path).await.expect(200);
    let list = Playlist::read(answer.text());
    let hint = list.hint.clone().expect("a part is hinted");
    assert!(hint.contains(&signed.query()), "{hint}");
    for name in list.names() {
        house.get(&below(&path, name)).await.expect(200);
    }
    let multivariant = house.get(&signed.append_to(LIVE)).await.expect(200);
    let signed_uris = uris(multivariant.text());
    assert!(signed_uris.len() == 2 && signed_uris.iter().all(|it| it.contains("Key-Pair-Id=")));
    // Players add directives to what they were given.
    let reload = format!("{path}&_HLS_msn={}", list.media_sequence);
    house.get(&reload).await.expect(200);
}

#[tokio::test]
async fn the_signature_goes_only_where_its_key_is_trusted() {
    let house = House::open().await;
    house.store("mixed.mp4", crate::support::film::FILE);
    let signed = house.signed("KVIEWERS", "http://localhost/members/*");
    let answer = house.get(&signed.append_to("/members/vod/mixed.mp4/index.m3u8")).await.expect(200);
    let (video, audio): (Vec<_>, Vec<_>) =
        uris(answer.text()).into_iter().partition(|it| it.contains("/v0/"));
    assert!(video.iter().all(|it| it.contains("Signature=")), "{video:?}");
    assert!(!audio.is_empty() && !audio.iter().any(|it| it.contains("Signature=")), "{audio:?}");
}

#[tokio::test]
async fn cookies_work_and_manifests_stay_as_they_are() {
    let house = House::open().await;
    let signed = house.signed("KVIEWERS", "http://localhost/members/vod/*");
    let cookies: Vec<_> = signed.cookies().map(|(name, value)| format!("{name}={value}")).collect();
    let cookie = format!("Cookie: theme=dark; {}", cookies.join("; "));
    let answer = house.ask(&format!("GET {FILM}\n{cookie}")).await.expect(200);
    assert!(!answer.text().contains("Signature"), "{}", answer.text());
    for uri in uris(answer.text()) {
        house.ask(&format!("GET {}\n{cookie}", below(FILM, &uri))).await.expect(200);
        house.get(&below(FILM, &uri)).await.expect(403);
    }
    // Queries come before cookies.
    let query = house.signed("KVIEWERS", "http://localhost/elsewhere/*").append_to(FILM);
    house.ask(&format!("GET {query}\n{cookie}")).await.expect(403);
}

#[tokio::test]
async fn a_canned_signature_opens_one_url_and_is_never_copied() {
    let house = House::open().await;
    let soon = SystemTime::now() + Duration::from_secs(60);
    let signer = house.signer("KVIEWERS");
    let signed = signer.sign_canned(&format!("http://localhost{FILM}"), soon).expect("it is signed");
    let answer = house.get(&signed.append_to(FILM)).await.expect(200);
    assert!(!answer.text().contains("Signature"), "{}", answer.text());
    house.get(&signed.append_to("/members/vod/other.mp4/index.m3u8")).await.expect(403);
}

#[tokio::test]
async fn each_fault_has_its_refusal_and_pages_may_read_it() {
    let house = House::open().await;
    let now = SystemTime::now();
    let minute = Duration::from_secs(60);
    let all = "http://localhost/members/*";
    let terms =
        |expires, not_before, network| Terms { resource: Some(all.into()), expires, not_before, network };
    let custom = |it: &Terms| house.signer("KVIEWERS").sign_custom(it).expect("it is signed");
    let query = |it: &Signed| it.append_to(FILM);
    let good = query(&custom(&terms(now + minute, None, None)));
    house.get(&good).await.expect(200);

    let policy = good.split("Policy=").nth(1).and_then(|it| it.split('&').next()).expect("it has a policy");
    let other_policy = query(&custom(&terms(now + 2 * minute, None, None)));
    let other_policy =
        other_policy.split("Policy=").nth(1).and_then(|it| it.split('&').next()).expect("it has a policy");
    for (why, path, code) in [
        ("no signature", FILM.to_owned(), "MissingKey"),
        ("expired", query(&custom(&terms(now - minute, None, None))), "AccessDenied"),
        ("too early", query(&custom(&terms(now + 2 * minute, Some(now + minute), None))), "AccessDenied"),
        (
            "another address",
            query(&custom(&terms(now + minute, None, Some(([192, 0, 2, 0].into(), 24))))),
            "AccessDenied",
        ),
        ("another path", query(&house.signed("KVIEWERS", "http://localhost/members/live/*")), "AccessDenied"),
        ("another host", query(&house.signed("KVIEWERS", "http://other.example/members/*")), "AccessDenied"),
        ("another group's key", query(&house.signed("KOTHERS", all)), "InvalidKey"),
        ("an unknown key", good.replace("KVIEWERS", "KNOBODY"), "InvalidKey"),
        ("a tampered policy", good.replace(policy, other_policy), "AccessDenied"),
        ("a policy that is none", good.replace(policy, "bm9uZQ__"), "MalformedPolicy"),
    ] {
        let answer = house.ask(&format!("GET {path}\nOrigin: https://page.example")).await.expect(403);
        assert!(answer.text().contains(&format!("<Code>{code}</Code>")), "{why}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("*"), "{why}");
        assert_eq!(answer.header("x-cache").as_deref(), Some("Error from levada"), "{why}");
    }
    // A refusal is nobody else's answer.
    house.get(&good).await.expect(200);
}
