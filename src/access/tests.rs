//! The published vectors, and whole requests.

use std::io;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use config::access::{KeyGroup, PublicKey};
use http::{HeaderValue, Method};
use proptest::prelude::*;

use super::sign::{Algorithm, NewKeys, Signer, Terms};
use super::*;
use crate::passage::example::Example;

const CANNED_RSA_SHA1: &str = include_str!("vectors/canned-rsa-sha1.url").trim_ascii_end();
const CANNED_RSA_SHA256: &str = include_str!("vectors/canned-rsa-sha256.url").trim_ascii_end();
const CUSTOM_RSA_SHA1: &str = include_str!("vectors/custom-rsa-sha1.url").trim_ascii_end();
const CANNED_ECDSA_SHA1: &str = include_str!("vectors/canned-ecdsa-sha1.url").trim_ascii_end();

/// When the tests take place: 2026.
const NOW: u64 = 1_767_225_600;

/// Where the viewers of the tests are: in the network of the custom vector.
const CLIENT: &str = "192.0.2.33";

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// The published keys in the group `viewers`, and keys given by id and PEM in the group `own`.
fn rules_with(own: &[(&str, &str)]) -> Rules {
    let key = |(id, _): &(&str, &str)| PublicKey { id: (*id).to_owned(), file: (*id).into() };
    let published = [
        ("KRSATEST000001", include_str!("vectors/rsa.pub.pem")),
        ("KECTEST0000001", include_str!("vectors/ecdsa.pub.pem")),
    ];
    let all: Vec<_> = published.iter().chain(own).copied().collect();
    let group = |name: &str, keys: &[(&str, &str)]| KeyGroup {
        name: name.to_owned(),
        keys: keys.iter().map(|(id, _)| (*id).to_owned()).collect(),
    };
    let config = config::access::Access {
        public_keys: all.iter().map(key).collect(),
        key_groups: vec![group("viewers", &published), group("own", own)],
    };
    let read = |file: &Path| {
        let found = all.iter().find(|(id, _)| Path::new(id) == file);
        found.map(|(_, pem)| pem.as_bytes().to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    };
    Rules { keys: Keys::load(&config, read).unwrap(), ..Rules::default() }
}

fn access() -> Access {
    Access::new(rules_with(&[]))
}

fn example(url: &str, groups: &[&str]) -> Example {
    let mut example = Example::get_url(url);
    example.facts.client = CLIENT.parse().unwrap();
    example.behavior.trusted_key_groups = groups.iter().map(|&it| it.to_owned()).collect();
    example
}

fn admit(access: &Access, url: &str) -> Result<Admitted, Reason> {
    access.admit(example(url, &["viewers", "own"]).guarded(), at(NOW)).map_err(|it| it.reason().clone())
}

fn check(url: &str, expected: Result<(), Reason>) {
    assert_eq!(admit(&access(), url).map(drop), expected, "{url}");
}

/// Expects the reason that the vector gets after its only `from` became `to`.
fn check_changed(vector: &str, from: &str, to: &str, expected: Result<(), Reason>) {
    assert_eq!(vector.matches(from).count(), 1, "{from} in {vector}");
    check(&vector.replace(from, to), expected);
}

#[test]
fn the_published_vectors_are_admitted() {
    check(CANNED_RSA_SHA1, Ok(()));
    check(CANNED_RSA_SHA256, Ok(()));
    check(CUSTOM_RSA_SHA1, Ok(()));
    check(CANNED_ECDSA_SHA1, Ok(()));
}

#[test]
fn what_goes_on_has_no_signature() {
    let admitted = admit(&access(), CANNED_RSA_SHA1).unwrap();
    assert_eq!((admitted.path(), admitted.query()), ("/live/ch1/seg_00042.m4s", Some("v=7")));
    let admitted = admit(&access(), CUSTOM_RSA_SHA1).unwrap();
    assert_eq!((admitted.path(), admitted.query()), ("/live/ch1/index.m3u8", None));
}

#[test]
fn a_canned_policy_is_for_one_spelling_of_one_url() {
    let no = Err(Reason::BadSignature);
    check_changed(CANNED_RSA_SHA1, "seg_00042", "seg_00043", no.clone());
    check_changed(CANNED_RSA_SHA1, "seg_00042", "seg%5F00042", no.clone());
    check_changed(CANNED_RSA_SHA1, "https:", "http:", no.clone());
    check_changed(CANNED_RSA_SHA1, "d111111abcdef8", "d111111abcdef9", no.clone());
    check_changed(CANNED_RSA_SHA1, ".net/", ".net:8443/", no.clone());
    check_changed(CANNED_RSA_SHA1, "?v=7", "?v=8", no.clone());
    check_changed(CANNED_RSA_SHA1, "?v=7&", "?", no.clone());
    check_changed(CANNED_RSA_SHA1, "?v=7", "?v=7&w=8", no.clone());
    check_changed(CANNED_RSA_SHA1, "Expires=4102444800", "Expires=4102444801", no.clone());
    check_changed(CANNED_RSA_SHA1, "Expires=4102444800", "Expires=04102444800", no);
    // The order of parameters is nobody's concern.
    let (path, query) = CANNED_RSA_SHA1.split_once('?').unwrap();
    let reversed: Vec<_> = query.split('&').rev().collect();
    check(&format!("{path}?{}", reversed.join("&")), Ok(()));
}

#[test]
fn the_hash_algorithm_is_part_of_the_claim() {
    check_changed(CANNED_RSA_SHA256, "&Hash-Algorithm=SHA256", "", Err(Reason::BadSignature));
    check_changed(CANNED_RSA_SHA256, "=SHA256", "=SHA1", Err(Reason::BadSignature));
    check_changed(CANNED_RSA_SHA256, "=SHA256", "=SHA512", Err(Reason::HashAlgorithm));
    check_changed(CANNED_RSA_SHA256, "=SHA256", "=sha256", Err(Reason::HashAlgorithm));
    check(&format!("{CANNED_RSA_SHA1}&Hash-Algorithm=SHA1"), Ok(()));
    check(&format!("{CANNED_RSA_SHA1}&Hash-Algorithm=SHA256"), Err(Reason::BadSignature));
    check(&format!("{CANNED_RSA_SHA1}&Hash-Algorithm="), Err(Reason::HashAlgorithm));
}

#[test]
fn a_custom_policy_is_for_its_resource() {
    let path = |path: &str, expected| check_changed(CUSTOM_RSA_SHA1, "/live/ch1/index.m3u8", path, expected);
    path("/live/ch1/a/b.m4s", Ok(()));
    path("/live/ch1/", Ok(()));
    path("/live/ch2/index.m3u8", Err(Reason::Resource));
    path("/live/ch1", Err(Reason::Resource));
    check_changed(CUSTOM_RSA_SHA1, "?Policy", "?own=1&Policy", Ok(()));
    check_changed(CUSTOM_RSA_SHA1, "https:", "http:", Ok(()));
    check_changed(CUSTOM_RSA_SHA1, "d111111abcdef8", "example", Err(Reason::Resource));
}

#[test]
fn a_custom_policy_must_cover_the_url_as_received_and_the_path_that_goes_on() {
    let access = access();
    let check = |path: &str, canonical: &str, expected| {
        let mut example = example(&CUSTOM_RSA_SHA1.replace("/live/ch1/index.m3u8", path), &["viewers"]);
        example.canonical_path = Some(canonical.to_owned());
        let found = access.admit(example.guarded(), at(NOW));
        assert_eq!(found.map(drop).map_err(|it| it.reason().clone()), expected, "{path}");
    };
    check("/live/ch1/a/../b", "/live/ch1/b", Ok(()));
    check("/live/ch1/%7Eb", "/live/ch1/~b", Ok(()));
    check("/live/ch1/../ch2/b", "/live/ch2/b", Err(Reason::Resource));
    check("/live/ch1/%2e%2e/ch2/b", "/live/ch2/b", Err(Reason::Resource));
    check("/live/ch2/../ch1/b", "/live/ch1/b", Err(Reason::Resource));
    check("/live/ch%31/b", "/live/ch1/b", Err(Reason::Resource));
}

#[test]
fn a_custom_policy_is_for_its_network_and_its_time() {
    let access = access();
    let check = |client: &str, seconds: u64, expected| {
        let mut example = example(CUSTOM_RSA_SHA1, &["viewers"]);
        example.facts.client = client.parse().unwrap();
        let found = access.admit(example.guarded(), at(seconds));
        assert_eq!(found.map(drop).map_err(|it| it.reason().clone()), expected, "{client} {seconds}");
    };
    check("192.0.2.1", NOW, Ok(()));
    check("::ffff:192.0.2.1", NOW, Ok(()));
    check("198.51.100.1", NOW, Err(Reason::Address));
    check("2001:db8::1", NOW, Err(Reason::Address));
    check("192.0.2.1", 1_577_836_800, Err(Reason::TooEarly));
    check("192.0.2.1", 1_577_836_801, Ok(()));
    check("192.0.2.1", 4_102_444_799, Ok(()));
    check("192.0.2.1", 4_102_444_800, Err(Reason::Expired));
    // The order of CloudFront: not-before, expiry, address.
    check("198.51.100.1", 4_102_444_800, Err(Reason::Expired));
}

#[test]
fn a_canned_policy_expires() {
    let access = access();
    let at_second = |seconds| {
        let admitted = access.admit(example(CANNED_RSA_SHA1, &["viewers"]).guarded(), at(seconds));
        admitted.map(drop).map_err(|it| it.reason().clone())
    };
    assert_eq!(at_second(4_102_444_799), Ok(()));
    assert_eq!(at_second(4_102_444_800), Err(Reason::Expired));
}

#[test]
fn what_is_missing_or_malformed_has_its_own_refusal() {
    let vector = CANNED_ECDSA_SHA1;
    let key = "&Key-Pair-Id=KECTEST0000001";
    check("https://h/a", Err(Reason::MissingKey));
    check("https://h/a?own=1", Err(Reason::MissingKey));
    check_changed(vector, key, "", Err(Reason::MissingKey));
    check_changed(vector, key, "&key-pair-id=KECTEST0000001", Err(Reason::MissingKey));
    check_changed(vector, "KECTEST0000001", "KOTHER00000001", Err(Reason::UnknownKey));
    check_changed(vector, "KECTEST0000001", "", Err(Reason::UnknownKey));
    check_changed(vector, "KECTEST0000001", "KRSATEST000001", Err(Reason::BadSignature));
    check_changed(vector, "Expires=4102444800&", "", Err(Reason::Incomplete));
    check("https://h/a?Expires=5&Key-Pair-Id=KECTEST0000001", Err(Reason::Incomplete));
    check("https://h/a?Policy=e30_&Key-Pair-Id=KECTEST0000001", Err(Reason::Incomplete));
    check_changed(vector, "=MEQC", "=ME+C", Err(Reason::MalformedSignature));
    check_changed(vector, "=MEQC", &format!("={}", "A".repeat(400)), Err(Reason::MalformedSignature));
    check_changed(vector, "__&", "&", Ok(()));
    check_changed(vector, "__&", "%5F%5F&", Ok(()));
    check_changed(vector, "__&", "_&", Err(Reason::MalformedSignature));
    for expires in ["", "abc", "4102444800.0", "-1", "+4102444800", "9223372036854775808", "%34102444800"] {
        check_changed(vector, "=4102444800", &format!("={expires}"), Err(Reason::MalformedPolicy));
    }
    check(&format!("{vector}&Policy="), Err(Reason::MalformedPolicy));
    check(&format!("{vector}&Policy=e30_"), Err(Reason::MalformedPolicy));
    check(&format!("{vector}&Policy=e*0_"), Err(Reason::MalformedPolicy));
    check(&format!("{vector}&Policy={}", "A".repeat(4100)), Err(Reason::MalformedPolicy));
    check(&format!("{vector}&Expires=4102444800"), Err(Reason::Repeated));
}

#[test]
fn each_refusal_has_cloudfronts_words() {
    let body = |reason: Reason| reason.error().unwrap();
    assert_eq!(
        body(Reason::MissingKey),
        ("MissingKey", "Missing Key-Pair-Id query parameter or cookie value")
    );
    assert_eq!(body(Reason::UnknownKey), ("InvalidKey", "Unknown Key"));
    assert_eq!(body(Reason::MalformedSignature), ("MalformedSignature", "Could not unencode Signature"));
    assert_eq!(body(Reason::MalformedPolicy), ("MalformedPolicy", "Malformed Policy"));
    assert_eq!(body(Reason::BadSignature), ("AccessDenied", "Access denied"));
    assert_eq!(body(Reason::Limited), ("AccessDenied", "Access denied"));
}

#[test]
fn a_policy_wins_over_an_expiry() {
    check_changed(CUSTOM_RSA_SHA1, "?Policy", "?Expires=1&Policy", Ok(()));
}

/// The query of a vector as cookies.
fn with_cookies(url: &str, vector: &str) -> Example {
    let query = vector.split_once('?').unwrap().1;
    let cookies: Vec<_> = query.split('&').map(|it| format!("CloudFront-{it}")).collect();
    let mut example = example(url, &["viewers"]);
    example.head().headers.insert(http::header::COOKIE, HeaderValue::from_str(&cookies.join("; ")).unwrap());
    example
}

#[test]
fn cookies_say_the_same_and_a_signing_parameter_makes_them_void() {
    let access = access();
    let check = |url: &str, vector: &str, expected| {
        let found = access.admit(with_cookies(url, vector).guarded(), at(NOW));
        let found = found.map(|it| (it.query().map(str::to_owned), it.credentials().is_some()));
        assert_eq!(found.map_err(|it| it.reason().clone()), expected, "{url}");
    };
    let base = "https://d111111abcdef8.cloudfront.net";
    check(&format!("{base}/live/ch1/a?b=c"), CUSTOM_RSA_SHA1, Ok((Some("b=c".to_owned()), false)));
    check(&format!("{base}/vod/a.mp4"), CANNED_ECDSA_SHA1, Ok((None, false)));
    check(&format!("{base}/vod/b.mp4"), CANNED_ECDSA_SHA1, Err(Reason::BadSignature));
    check(&format!("{base}/live/ch1/a?Expires=1"), CUSTOM_RSA_SHA1, Err(Reason::MissingKey));
    check(&format!("{base}/live/ch1/a?Signature"), CUSTOM_RSA_SHA1, Err(Reason::MissingKey));
}

#[test]
fn a_key_signs_only_for_behaviors_that_trust_its_group() {
    let found = access().admit(example(CANNED_RSA_SHA1, &["own"]).guarded(), at(NOW));
    assert_eq!(found.unwrap_err().reason(), &Reason::UnknownKey);
    let found = access().admit(example(CANNED_RSA_SHA1, &["no such group"]).guarded(), at(NOW));
    assert_eq!(found.unwrap_err().reason(), &Reason::UnknownKey);
}

#[test]
fn a_public_behavior_leaves_the_query_alone() {
    let admitted = access().admit(example("http://h/a?Expires=1&b", &[]).guarded(), at(NOW)).unwrap();
    assert_eq!((admitted.query(), admitted.credentials().is_none()), (Some("Expires=1&b"), true));
}

#[test]
fn protocol_and_method_are_judged_before_signatures() {
    let mut post = example(CANNED_RSA_SHA1, &["viewers"]);
    post.head().method = Method::POST;
    assert_eq!(access().admit(post.guarded(), at(NOW)).unwrap_err().reason(), &Reason::Method);
}

#[test]
fn a_refusal_keeps_what_it_was_routed_to() {
    let refusal = access().admit(example("https://h/a", &["viewers"]).guarded(), at(NOW)).unwrap_err();
    assert_eq!(refusal.routed().behavior().trusted_key_groups, ["viewers"]);
    assert_eq!(refusal.reason().status(), 403);
}

#[test]
fn only_the_first_of_equal_requests_is_verified() {
    let access = access();
    for path in ["a", "b", "c"] {
        admit(&access, &CUSTOM_RSA_SHA1.replace("index.m3u8", path)).unwrap();
    }
    // The same octets in another spelling are the same claim.
    admit(&access, &CUSTOM_RSA_SHA1.replace("__&", "%5F%5F&")).unwrap();
    admit(&access, &CUSTOM_RSA_SHA1.replace("__&", "&")).unwrap();
    let stats = access.stats();
    assert_eq!((stats.verifications, stats.recognitions), (1, 4));
    assert!(stats.refusals.is_empty());
}

#[test]
fn wrong_signatures_are_never_remembered_and_are_counted() {
    let access = access();
    for _ in 0..2 {
        admit(&access, &CANNED_RSA_SHA1.replace("?v=7", "?v=8")).unwrap_err();
    }
    let stats = access.stats();
    assert_eq!((stats.verifications, stats.recognitions), (2, 0));
    assert_eq!(stats.refusals.into_iter().collect::<Vec<_>>(), [("bad-signature", 2)]);
}

#[test]
fn a_policy_that_was_verified_is_still_judged_each_time() {
    let access = access();
    admit(&access, CUSTOM_RSA_SHA1).unwrap();
    let elsewhere = CUSTOM_RSA_SHA1.replace("/ch1/", "/ch2/");
    assert_eq!(admit(&access, &elsewhere).unwrap_err(), Reason::Resource);
    let late = access.admit(example(CUSTOM_RSA_SHA1, &["viewers"]).guarded(), at(4_102_444_800));
    assert_eq!(late.unwrap_err().reason(), &Reason::Expired);
}

#[test]
fn a_canned_policy_shown_as_a_custom_one_is_still_for_its_url_alone() {
    let access = access();
    admit(&access, CANNED_ECDSA_SHA1).unwrap();
    let url = "https://d111111abcdef8.cloudfront.net/vod/a.mp4";
    let policy = encoding::encode(policy::canned_text(url, "4102444800").unwrap().as_bytes());
    let shown = CANNED_ECDSA_SHA1.replace("Expires=4102444800", &format!("Policy={policy}"));
    admit(&access, &shown).unwrap();
    assert_eq!(admit(&access, &shown.replace("/a.mp4", "/b.mp4")).unwrap_err(), Reason::Resource);
}

#[test]
fn who_sends_many_wrong_signatures_is_not_looked_at_any_more_but_known_policies_pass() {
    let access = access();
    admit(&access, CUSTOM_RSA_SHA1).unwrap();
    let wrong = CANNED_RSA_SHA1.replace("?v=7", "?v=8");
    let reasons: Vec<_> = (0..150).map(|_| admit(&access, &wrong).unwrap_err()).collect();
    assert_eq!(reasons.iter().filter(|&it| *it == Reason::BadSignature).count(), 100);
    assert_eq!(reasons.iter().filter(|&it| *it == Reason::Limited).count(), 50);
    assert_eq!(admit(&access, CANNED_RSA_SHA1).unwrap_err(), Reason::Limited);
    admit(&access, CUSTOM_RSA_SHA1).unwrap();
    let mut elsewhere = example(CANNED_RSA_SHA1, &["viewers"]);
    elsewhere.facts.client = "192.0.2.34".parse().unwrap();
    access.admit(elsewhere.guarded(), at(NOW)).unwrap();
}

#[test]
fn loopback_and_trusted_clients_have_no_limit() {
    let access = access();
    access.replace(Rules { trusted_clients: vec!["203.0.113.0/24".parse().unwrap()], ..rules_with(&[]) });
    for client in ["127.0.0.1", "::1", "::ffff:127.0.0.1", "203.0.113.9"] {
        for _ in 0..150 {
            let mut wrong = example(&CANNED_RSA_SHA1.replace("?v=7", "?v=8"), &["viewers"]);
            wrong.facts.client = client.parse().unwrap();
            let refusal = access.admit(wrong.guarded(), at(NOW)).unwrap_err();
            assert_eq!(refusal.reason(), &Reason::BadSignature, "{client}");
        }
    }
}

#[test]
fn a_key_that_was_taken_away_admits_nobody_not_even_from_memory() {
    let access = access();
    admit(&access, CANNED_RSA_SHA1).unwrap();
    access.replace(Rules::default());
    assert_eq!(admit(&access, CANNED_RSA_SHA1).unwrap_err(), Reason::UnknownKey);
    access.replace(rules_with(&[]));
    admit(&access, CANNED_RSA_SHA1).unwrap();
    assert_eq!((access.stats().verifications, access.stats().recognitions), (2, 0));
}

#[test]
fn a_custom_signature_of_a_url_is_handed_on_where_it_counts() {
    let behavior = |pattern: &str, groups: &[&str]| {
        let mut behavior = example(CUSTOM_RSA_SHA1, groups).behavior;
        behavior.path_pattern = pattern.parse().unwrap();
        behavior
    };
    let mut asked = example(CUSTOM_RSA_SHA1, &[]);
    asked.behavior = behavior("*.m3u8", &["viewers"]);
    asked.neighbors =
        vec![behavior("*.own", &["own"]), behavior("*.public", &[]), behavior("*", &["viewers"])];
    let access = access();
    let admitted = access.admit(asked.guarded(), at(NOW)).unwrap();
    let credentials = admitted.credentials().unwrap();
    assert_eq!(Some(&*credentials.query), CUSTOM_RSA_SHA1.split_once('?').map(|it| it.1));
    assert_eq!(&*credentials.key_pair_id, "KRSATEST000001");
    let distribution = admitted.routed().distribution();
    let trusts = |path: &str| access.trusts(distribution.behavior(path), &credentials.key_pair_id);
    assert!(trusts("/live/ch1/video/1.m4s"));
    assert!(trusts("/live/ch1/video.m3u8"));
    assert!(!trusts("/live/ch1/video.own"));
    assert!(!trusts("/live/ch1/video.public"));
}

#[test]
fn a_canned_signature_is_never_handed_on() {
    let access = access();
    let admitted = admit(&access, CANNED_RSA_SHA1).unwrap();
    assert!(admitted.credentials().is_none());
}

/// A signer, with an access that trusts it.
fn own_signer(algorithm: Algorithm) -> (Signer, Access) {
    let keys = NewKeys::generate(algorithm).unwrap();
    (
        Signer::from_pem("KOWN", keys.private.as_bytes()).unwrap(),
        Access::new(rules_with(&[("KOWN", &keys.public)])),
    )
}

fn terms(resource: &str) -> Terms {
    Terms { resource: Some(resource.to_owned()), expires: at(NOW + 60), not_before: None, network: None }
}

#[test]
fn what_this_signs_this_admits() {
    for algorithm in [Algorithm::Rsa, Algorithm::Ecdsa] {
        let (signer, access) = own_signer(algorithm);
        let url = "https://h.example/a/b%20c.mp4?x=1&y";
        let canned = signer.sign_canned(url, at(NOW + 60)).unwrap().append_to(url);
        admit(&access, &canned).unwrap();
        let terms = Terms {
            not_before: Some(at(NOW - 1)),
            network: Some((CLIENT.parse().unwrap(), 24)),
            ..terms("http*://h.example/a/*")
        };
        let custom = signer.sign_custom(&terms).unwrap();
        admit(&access, &custom.append_to("http://h.example/a/anything")).unwrap();
        let everywhere = Terms { resource: None, ..terms };
        let everywhere = signer.sign_custom(&everywhere).unwrap();
        admit(&access, &everywhere.append_to("https://other.example/")).unwrap();
    }
}

#[test]
fn a_canned_policy_cannot_say_a_quote() {
    let (signer, _) = own_signer(Algorithm::Ecdsa);
    assert!(signer.sign_canned("https://h/a\"b", at(NOW)).is_err());
}

fn check_stream(name: &str, expected: Result<(), Reason>) {
    let (signer, access) = own_signer(Algorithm::Ecdsa);
    let groups = ["own".to_owned()];
    for signed in [
        signer.sign_canned("videos/a?x=1", at(NOW + 60)).unwrap(),
        signer.sign_canned("rtmp://h.example/vod/videos/a?x=1", at(NOW + 60)).unwrap(),
        signer.sign_custom(&terms("videos/*")).unwrap(),
        signer.sign_custom(&terms("rtmp*://h.example/vod/videos/?*")).unwrap(),
    ] {
        let (name, query) = match name.split_once('?') {
            Some((name, query)) => (name, format!("{query}&{}", signed.query())),
            None => (name, signed.query()),
        };
        let ask = StreamAsk {
            scheme: "rtmp",
            host: "h.example",
            app: "vod",
            name,
            query: Some(&query),
            client: CLIENT.parse().unwrap(),
            key_groups: &groups,
        };
        assert_eq!(access.admit_stream(&ask, at(NOW)).is_ok(), expected.is_ok(), "{name}?{query}");
        assert_eq!(access.admit_stream(&StreamAsk { query: None, ..ask }, at(NOW)), Err(Reason::MissingKey));
        assert_eq!(access.admit_stream(&StreamAsk { key_groups: &[], query: None, ..ask }, at(NOW)), Ok(()));
        assert!(access.admit_stream(&ask, at(NOW + 60)).is_err());
    }
}

#[test]
fn a_signed_stream_name_is_for_the_name_or_for_the_whole_url() {
    check_stream("videos/a?x=1", Ok(()));
    check_stream("mp4:videos/a?x=1", Ok(()));
    check_stream("other/a?x=1", Err(Reason::Resource));
}

#[test]
fn key_files_that_are_none_are_all_named_with_what_is_wrong() {
    let keys = NewKeys::generate(Algorithm::Ecdsa).unwrap();
    let files: [(&str, &[u8], KeyFault); 6] = [
        ("empty", b"", KeyFault::NotPem),
        ("text", b"K2JCJMDEHXQW5F", KeyFault::NotPem),
        ("private", keys.private.as_bytes(), KeyFault::Private),
        ("garbage", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", KeyFault::Algorithm),
        (
            "certificate",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            KeyFault::NotPublicKey,
        ),
        ("small", include_bytes!("vectors/rsa-1024.pub.pem"), KeyFault::RsaSize(1024)),
    ];
    let config = config::access::Access {
        public_keys: files
            .iter()
            .map(|(id, ..)| PublicKey { id: (*id).to_owned(), file: (*id).into() })
            .chain([PublicKey { id: "gone".to_owned(), file: "gone".into() }])
            .collect(),
        key_groups: Vec::new(),
    };
    let problems = Keys::load(&config, |file| {
        let found = files.iter().find(|(id, ..)| Path::new(id) == file);
        found.map(|(_, pem, _)| pem.to_vec()).ok_or_else(|| io::ErrorKind::NotFound.into())
    });
    let problems: Vec<_> = problems.unwrap_err().into_iter().map(|it| (it.id, it.fault)).collect();
    let mut expected: Vec<_> = files.iter().map(|(id, _, fault)| ((*id).to_owned(), *fault)).collect();
    expected.push(("gone".to_owned(), KeyFault::Unreadable(io::ErrorKind::NotFound)));
    assert_eq!(problems, expected);
}

proptest! {
    #[test]
    fn a_changed_octet_anywhere_in_a_canned_url_is_refused(at_byte in 0_usize..10_000, to in "[A-Za-z0-9/~_-]") {
        // What stands before the path is not in the example's hands to garble.
        let start = CANNED_ECDSA_SHA1.find("/vod").unwrap() + 1;
        let place = start + at_byte % (CANNED_ECDSA_SHA1.len() - start);
        let mut url = CANNED_ECDSA_SHA1.to_owned();
        url.replace_range(place..=place, &to);
        prop_assume!(url != CANNED_ECDSA_SHA1);
        prop_assert!(admit(&access(), &url).is_err(), "{}", url);
    }

    #[test]
    fn no_query_makes_it_stumble(query in "((Policy|Expires|Signature|Key-Pair-Id|Hash-Algorithm|x)(=[A-Za-z0-9~_%-]{0,12})?&){0,6}") {
        let url = format!("https://h/a?{query}");
        prop_assert!(admit(&access(), &url).is_err());
    }
}
