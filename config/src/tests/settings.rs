//! The tables of settings, held against what reading really does.

use std::collections::BTreeSet;

use super::*;
use crate::problem::Place;
use crate::resolve::SETTINGS;
use crate::setting::{Bounds, Default, Kind, Reload, Setting};
use crate::units::{ByteSize, duration};

/// A file that has every table, so that every option has a place to be changed at.
const WHOLE: &str = r#"
[listen]
trusted_proxies = ["192.0.2.0/24"]
[listen.https]
address = "0.0.0.0:8444"
certificate = "c.pem"
private_key = "k.pem"
[listen.https.acme]
names = ["spare.example"]
[[listen.https.additional_certificate]]
certificate = "c.pem"
private_key = "k.pem"
[cache]
disk = { directory = "spare" }
[observe]
access_log = {}
[[app]]
name = "studio"
publish = { keys_file = "keys.toml" }
[[app]]
name = "hook"
publish = { webhook = "https://example.com/", timeout = "1s" }
[[public_key]]
id = "spare"
file = "k.pem"
[[public_key]]
id = "K2JCJMDEHXQW5F"
file = "k.pem"
[[public_key]]
id = "other"
file = "k.pem"
[[key_group]]
name = "spare"
keys = ["other"]
[[key_group]]
name = "viewers"
keys = ["other"]
[[cache_policy]]
name = "own"
[[origin_request_policy]]
name = "own"
headers = "all"
[[response_headers_policy]]
name = "own"
cors = { allow_origins = ["https://b.example"] }
custom_headers = { "X-Frame-Options" = "SAMEORIGIN", "X-A" = "b" }
security_headers = { strict_transport_security = { max_age = "730d" } }
[[origin]]
id = "spare"
kind = "vod"
root = "films"
[[origin]]
id = "o"
kind = "vod"
root = "films"
[[origin]]
id = "films"
kind = "vod"
root = "films"
[[origin]]
id = "web"
kind = "http"
domain_name = "web.example.com"
[[origin]]
id = "bucket"
kind = "bucket"
url = "s3://films"
[[origin]]
id = "keyed"
kind = "bucket"
url = "s3://films"
credentials = { file = "keys.ini" }
[[origin]]
id = "mirror"
kind = "http"
domain_name = "mirror.example.com"
[[origin]]
id = "tier"
kind = "parent"
parents = ["http://parent:8080"]
[[origin]]
id = "remote"
kind = "vod"
source = "web"
[[origin]]
id = "sealed"
kind = "vod"
root = "films"
encryption = { method = "cbcs", secret = "0123456789abcdef" }
[[origin]]
id = "listed"
kind = "vod"
root = "films"
encryption = { method = "cbcs", keys_file = "keys.ini" }
[[origin]]
id = "asked"
kind = "vod"
root = "films"
encryption = { method = "cenc", key_service = "https://keys.example/" }
[[origin_group]]
id = "pair"
members = ["o", "web"]
[geo]
database = "geo.mmdb"
[[distribution]]
id = "d"
rate_rule = [{ name = "spare", limit = 7 }]
geo_restriction = { restriction_type = "whitelist", locations = ["FR"] }
custom_error_response = [{ error_code = "403", response_page_path = "/e.html", response_code = "500" }]
default_behavior = { target_origin = "web", allowed_methods = ["GET", "HEAD", "OPTIONS"] }
behavior = [{ path_pattern = "/a", target_origin = "web", allowed_methods = ["GET", "HEAD", "OPTIONS"] }]
"#;

/// Every option as `--set` names it in that file, with its setting.
fn leaves(settings: &'static [Setting], path: &str, found: &mut Vec<(String, &'static Setting)>) {
    for setting in settings {
        let path = format!("{path}{}", setting.key);
        match setting.kind {
            Kind::Table(inner) => leaves(inner, &format!("{path}."), found),
            Kind::WordOrTable(_, inner) => {
                leaves(inner, &format!("{path}."), found);
                found.push((path, setting));
            }
            Kind::Tables(inner, _) => leaves(inner, &format!("{path}.0."), found),
            _ => found.push((path, setting)),
        }
    }
}

fn all_leaves() -> Vec<(String, &'static Setting)> {
    let mut found = Vec::new();
    leaves(SETTINGS, "", &mut found);
    found
}

const OF_A_BUCKET: [&str; 5] = ["url", "endpoint", "region", "path_style", "credentials"];

#[test]
fn every_option_changes_what_is_meant() {
    let before = resolve_text(WHOLE, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    for (path, setting) in all_leaves() {
        // Another kind of origin has other options, and a single distribution is the default anyway: see the rules.
        if path == "origin.0.kind" || path == "distribution.0.default" {
            continue;
        }
        let (path, example) = match path.as_str() {
            // The example is the name of another one there.
            "public_key.0.id" | "key_group.0.name" | "origin.0.id" | "origin_group.0.id" => {
                (path.as_str(), "renamed")
            }
            "app.0.publish.webhook" => ("app.1.publish.webhook", setting.example),
            "app.0.publish.timeout" => ("app.1.publish.timeout", setting.example),
            "app.0.publish.key_is_name" => ("app.1.publish.key_is_name", setting.example),
            // What others than GET and HEAD go to is a web server.
            _ if setting.key == "target_origin" => (path.as_str(), "mirror"),
            // What only a bucket has, and what only a web server has.
            _ if path.starts_with("origin.0.credentials.") => {
                (&*path.replace("origin.0.", "origin.5."), setting.example)
            }
            _ if matches!(path.as_str(), "origin.0.parents" | "origin.0.fallback") => {
                (&*path.replace("origin.0.", "origin.7."), setting.example)
            }
            "origin.0.encryption.keys_file" => ("origin.10.encryption.keys_file", setting.example),
            _ if path.starts_with("origin.0.encryption.key_service")
                || path == "origin.0.encryption.method" =>
            {
                (&*path.replace("origin.0.", "origin.11."), setting.example)
            }
            _ if path.starts_with("origin.0.encryption.") => {
                (&*path.replace("origin.0.", "origin.9."), setting.example)
            }
            "origin.0.source" => ("origin.8.source", setting.example),
            _ if path.starts_with("origin.0.") && OF_A_BUCKET.contains(&setting.key) => {
                (&*path.replace("origin.0.", "origin.4."), setting.example)
            }
            _ if path.starts_with("origin.0.") && !["id", "root", "strip_prefix"].contains(&setting.key) => {
                (&*path.replace("origin.0.", "origin.3."), setting.example)
            }
            _ => (path.as_str(), setting.example),
        };
        let set = format!("{path}={example}");
        let after = resolve_text(WHOLE, &[&set]).unwrap_or_else(|problems| panic!("{path}: {problems}"));
        assert_ne!(before, after, "{path} changes nothing");
        let restart = if setting.reload == Reload::NeedsRestart { vec![path] } else { vec![] };
        assert_eq!(before.needs_restart(&after), restart, "{path}");
    }
}

#[test]
fn a_server_says_what_only_a_restart_changes() {
    let old = resolve_with(None, &[], &[]).unwrap();
    let sets = [
        "listen.https={ certificate = \"c.pem\", private_key = \"k.pem\" }",
        "cache.memory=1 GiB",
        "app.live.on_conflict=refuse",
    ];
    let new = resolve_with(None, &[], &sets).unwrap();
    assert_eq!(
        old.needs_restart(&new),
        [
            "listen.https",
            "listen.https.address",
            "listen.https.http3",
            "listen.https.security_policy",
            "cache.memory"
        ]
    );
    assert_eq!(old.needs_restart(&old), [""; 0]);
}

#[test]
fn defaults_are_within_their_bounds_and_differ_from_the_example() {
    for (path, setting) in all_leaves() {
        if let Default::Value(raw, _) = setting.default {
            assert!(setting.kind.read_raw(raw, &Place::BuiltIn).is_ok(), "{path}");
            assert_ne!(raw, setting.example, "{path}");
        }
        match &setting.kind {
            Kind::Count(bounds) => check_bounds(&path, bounds, |text| text.parse::<i64>().ok()),
            Kind::Duration(bounds) => check_bounds(&path, bounds, |text| duration::parse(text).ok()),
            Kind::Size(bounds) => check_bounds(&path, bounds, |text| text.parse::<ByteSize>().ok()),
            _ => {}
        }
    }
}

fn check_bounds<T: PartialOrd>(path: &str, bounds: &Bounds, parse: impl Fn(&str) -> Option<T>) {
    let (least, most) = (parse(bounds.least), parse(bounds.most));
    assert!(least.is_some() && most.is_some() && least < most, "{path}");
    assert!(!bounds.because.is_empty(), "{path}");
}

#[test]
fn keys_of_a_table_are_there_once_and_explained_in_a_sentence() {
    fn check(path: &str, settings: &[Setting]) {
        let mut seen = BTreeSet::new();
        for setting in settings {
            assert!(seen.insert(setting.key), "{path}{} is there twice", setting.key);
            assert!(
                setting.when.ends_with('.') && setting.when.len() > 4,
                "{path}{}: {}",
                setting.key,
                setting.when
            );
            check(&format!("{path}{}.", setting.key), setting.inner());
        }
    }
    check("", SETTINGS);
}

#[test]
fn a_bound_is_kept_on_both_sides() {
    let problem = |set: &str| resolve_text("", &[set]).unwrap_err().to_string();
    assert!(problem("packaging.segment=999ms").contains("999ms is less than 1s; write at least 1s: "));
    assert!(problem("packaging.segment=11s").contains("11s is more than 10s; write at most 10s: "));
    assert!(problem("listen.max_connections=0").contains("0 is less than 1; "));
    assert!(problem("listen.max_connections=-1").contains("-1 is less than 1; "));
    assert!(problem("cache.memory=1 MiB").contains("1 MiB is less than 16 MiB; "));
    assert!(problem("cache.memory=5 TiB").contains("5 TiB is more than 4 TiB; "));
}
