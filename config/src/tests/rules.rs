//! What sections demand of each other.

use std::time::Duration;

use super::*;
use crate::distribution::RewriteManifests;
use crate::ingest::Publish;
use crate::origin::{Files, HttpOrigin, OriginKind, Signing};
use crate::problem::Place;

/// A live channel under one behavior, with `more` in that behavior's table and `rest` behind.
fn live_under(more: &str, rest: &str) -> Result<Config, String> {
    let text = format!(
        "[[origin]]\nid = \"live\"\nkind = \"live\"\n[[distribution]]\n[distribution.default_behavior]\n\
         target_origin = \"live\"\n{more}\n{rest}"
    );
    resolve_text(&text, &[]).map_err(|it| it.to_string())
}

/// The keys of the problems of a file.
fn keys_of(text: &str) -> Vec<String> {
    match resolve_text(text, &[]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(|it| it.key.clone()).collect(),
    }
}

#[test]
fn a_security_policy_with_broken_versions_is_a_problem_that_says_what_to_write() {
    for old in ["SSLv3", "TLSv1", "TLSv1_2016", "TLSv1.1_2016"] {
        let text = format!(
            "[listen.https]\ncertificate = \"a.pem\"\nprivate_key = \"b.pem\"\nsecurity_policy = {old:?}\n"
        );
        let problems = resolve_text(&text, &[]).unwrap_err();
        let problem = problems.iter().next().unwrap();
        assert_eq!(problem.key, "listen.https.security_policy");
        assert!(problem.remedy.contains("TLSv1.2_2"), "{old}: {}", problem.remedy);
    }
}

#[test]
fn the_proxy_protocol_is_spoken_by_named_proxies_alone() {
    assert_eq!(keys_of("[listen]\nproxy_protocol = true\n"), ["listen.proxy_protocol"]);
    assert_eq!(keys_of("[listen]\nproxy_protocol = true\ntrusted_proxies = [\"10.0.0.0/8\"]\n"), [""; 0]);
}

#[test]
fn a_certificate_is_a_file_or_comes_from_an_authority_that_can_look_at_us() {
    let acme = |more: &str| format!("[listen.https.acme]\nnames = [\"tv.example.com\"]\n{more}");
    assert_eq!(keys_of("[listen.https]\n"), ["listen.https.certificate", "listen.https.private_key"]);
    assert_eq!(keys_of(&acme("")), [""; 0]);
    assert_eq!(keys_of(&acme("[listen.https]\ncertificate = \"a.pem\"\n")), ["listen.https.private_key"]);
    assert_eq!(keys_of(&acme("[listen]\nhttp = \"off\"\n")), ["listen.http"]);
    assert_eq!(keys_of(&acme("contact = [\"ops@example.com\"]\n")), ["listen.https.acme.contact"]);
    assert_eq!(keys_of(&acme("directory = \"http://a.example\"\n")), ["listen.https.acme.directory"]);
    assert_eq!(keys_of("[listen.https.acme]\nnames = [\"*.example.com\"]\n"), ["listen.https.acme.names"]);
}

#[test]
fn nothing_configured_is_a_whole_server() {
    let config = resolve_with(None, &[], &[]).unwrap();
    assert_eq!(config.state_dir, Path::new("/etc/levada/levada-state"));
    assert!(config.listen.rtmp.unwrap().ip().is_loopback(), "publishing is open, so only this machine may");
    assert_eq!(config.apps[0].publish, Publish::Open);
    let patterns: Vec<_> =
        config.distributions[0].behaviors.iter().map(|it| it.path_pattern.as_str()).collect();
    assert_eq!(patterns, ["/live/*", "/vod/*", "*"]);
    assert_eq!(
        config.origins[1].kind,
        OriginKind::Vod {
            files: Files::Directory("/etc/levada/media".into()),
            strip_prefix: None,
            encryption: None
        }
    );
}

#[test]
fn a_file_replaces_whole_lists_of_the_default() {
    let config = resolve_text("[packaging]\npart = \"500ms\"\n", &[]).unwrap();
    assert_eq!((config.packaging.part, config.origins.len()), (Duration::from_millis(500), 2));
    assert_eq!(keys_of("[[origin]]\nid = \"a\"\nkind = \"live\"\n"), ["distribution"]);
    assert_eq!(
        keys_of("[[distribution]]\ndefault_behavior = { target_origin = \"films\" }\n"),
        ["distribution.0.default_behavior.target_origin"]
    );
}

#[test]
fn the_open_app_of_the_default_stays_on_this_machine() {
    assert_eq!(keys_of("[listen]\nrtmp = \"0.0.0.0:1935\"\n"), ["listen.rtmp"]);
    let meant = "[listen]\nrtmp = \"0.0.0.0:1935\"\n[[app]]\nname = \"live\"\npublish = \"open\"\n";
    assert_eq!(keys_of(meant), [""; 0]);
    assert!(resolve_text("", &["listen.rtmp=0.0.0.0:1935", "app.live.publish=open"]).is_ok());
}

#[test]
fn a_live_origin_needs_its_query_parameters_in_the_key() {
    assert_eq!(live_under("", "").unwrap().distributions[0].behaviors[0].cache_policy, "Levada-Live");
    assert_eq!(
        live_under("cache_policy = \"Levada-Media\"", "").unwrap_err(),
        "levada.toml:7: distribution.0.default_behavior.cache_policy: \"Levada-Media\" leaves _HLS_msn, _HLS_part, \
         _HLS_skip out of the key of a live origin; write \"Levada-Live\", or add them to its query_strings"
    );
    let own = |query: &str| {
        live_under(
            "cache_policy = \"Own\"",
            &format!("[[cache_policy]]\nname = \"Own\"\nquery_strings = {query}"),
        )
    };
    assert!(own("\"all\"").is_ok());
    assert!(own("[\"_HLS_msn\", \"_HLS_part\", \"_HLS_skip\", \"a\"]").is_ok());
    assert!(own("{ except = [\"a\"] }").is_ok());
    assert!(own("[\"_HLS_msn\", \"_HLS_part\"]").unwrap_err().contains("leaves _HLS_skip out"));
    assert!(own("{ except = [\"_HLS_msn\"] }").unwrap_err().contains("leaves _HLS_msn out"));
}

#[test]
fn exactly_one_distribution_is_the_default() {
    let check = |defaults: &[&str], expected: &[&str]| {
        let mut text = "[[origin]]\nid = \"live\"\nkind = \"live\"\n".to_owned();
        for (at, default) in defaults.iter().enumerate() {
            text += &format!(
                "[[distribution]]\naliases = [\"d{at}\"]\n{default}\ndefault_behavior = {{ target_origin = \"live\" }}\n"
            );
        }
        assert_eq!(keys_of(&text), expected, "{defaults:?}");
    };
    check(&[""], &[]);
    check(&["default = true", ""], &[]);
    check(&["default = false"], &["distribution.0.default"]);
    check(&["", ""], &["distribution"]);
    check(&["default = true", "default = true"], &["distribution.1.default"]);
    check(&[], &["distribution"]);
}

#[test]
fn a_name_is_given_once() {
    let twice = "[[app]]\nname = \"a\"\npublish = \"open\"\n[[app]]\nname = \"a\"\npublish = \"open\"\n";
    assert_eq!(keys_of(twice), ["app.a.name"]);
    let built_in =
        "[[cache_policy]]\nname = \"Levada-Live\"\n[[response_headers_policy]]\nname = \"Levada-Media\"\n";
    assert_eq!(
        keys_of(built_in),
        ["cache_policy.Levada-Live.name", "response_headers_policy.Levada-Media.name"]
    );
    assert_eq!(keys_of("[[app]]\nname = \"watch\"\npublish = \"open\"\n"), ["app.watch.name"]);
    let aliases = "[[origin]]\nid = \"live\"\nkind = \"live\"\n\
        [[distribution]]\ndefault = true\naliases = [\"a.b\"]\ndefault_behavior = { target_origin = \"live\" }\n\
        [[distribution]]\naliases = [\"A.b\"]\ndefault_behavior = { target_origin = \"live\" }\n";
    assert_eq!(keys_of(aliases), ["distribution.1.aliases"]);
    let nameless = "[[origin]]\nid = \"live\"\nkind = \"live\"\n\
        [[distribution]]\ndefault = true\ndefault_behavior = { target_origin = \"live\" }\n\
        [[distribution]]\nid = \"b\"\ndefault_behavior = { target_origin = \"live\" }\n";
    assert_eq!(keys_of(nameless), ["distribution.b.aliases"]);
}

#[test]
fn an_address_is_given_once_and_zero_is_any_port() {
    assert_eq!(keys_of("[listen]\nhttp = \"127.0.0.1:1935\"\n"), ["listen.http"]);
    assert_eq!(keys_of("[listen]\nhttp = \"0.0.0.0:9090\"\n"), ["listen.control"]);
    assert_eq!(keys_of("[listen]\nhttp = \"127.0.0.2:1935\"\n"), [""; 0]);
    assert_eq!(
        keys_of("[listen]\nhttp = \"127.0.0.1:0\"\nrtmp = \"127.0.0.1:0\"\ncontrol = \"[::1]:0\"\n"),
        [""; 0]
    );
}

#[test]
fn https_is_demanded_only_where_it_can_come() {
    let demand = "viewer_protocol_policy = \"https-only\"";
    assert!(live_under(demand, "").unwrap_err().contains("no request can come by https"));
    assert!(live_under(demand, "[listen]\ntrusted_proxies = [\"10.0.0.1\"]").is_ok());
    assert!(live_under(demand, "[listen.https]\ncertificate = \"a.pem\"\nprivate_key = \"b.pem\"").is_ok());
}

#[test]
fn lifetimes_are_in_order_and_move_what_was_not_written() {
    let policy = |text: &str| {
        let config = resolve_text(&format!("[[cache_policy]]\nname = \"Own\"\n{text}"), &[])?;
        let own = config.cache_policies.into_iter().find(|it| it.name == "Own").unwrap();
        Ok::<_, Problems>([own.min_ttl, own.default_ttl, own.max_ttl].map(|it| it.as_secs()))
    };
    assert_eq!(policy("").unwrap(), [0, 86_400, 31_536_000]);
    assert_eq!(policy("max_ttl = \"1h\"").unwrap(), [0, 3_600, 3_600]);
    assert_eq!(policy("min_ttl = \"2d\"").unwrap(), [172_800, 172_800, 31_536_000]);
    assert_eq!(policy("min_ttl = \"730d\"").unwrap(), [63_072_000, 63_072_000, 63_072_000]);
    assert!(policy("min_ttl = \"2d\"\nmax_ttl = \"1d\"").is_err());
    assert!(policy("default_ttl = \"2d\"\nmax_ttl = \"1d\"").is_err());
}

#[test]
fn cookies_never_travel_to_every_page() {
    let policy =
        |cors: &str| keys_of(&format!("[[response_headers_policy]]\nname = \"Own\"\ncors = {{ {cors} }}\n"));
    let path = "response_headers_policy.Own.cors";
    assert_eq!(policy("allow_credentials = true"), [format!("{path}.allow_credentials")]);
    assert_eq!(policy("allow_credentials = true, allow_origins = [\"https://a.example\"]"), [""; 0]);
    assert_eq!(policy("allow_origins = [\"https://a.example/\"]"), [format!("{path}.allow_origins")]);
    assert_eq!(policy("expose_headers = [\"Date, Age\"]"), [format!("{path}.expose_headers")]);
}

#[test]
fn a_policy_adds_only_headers_that_are_not_ours() {
    let policy = |name: &str, value: &str| {
        keys_of(&format!(
            "[[response_headers_policy]]\nname = \"Own\"\ncustom_headers = {{ {name:?} = {value:?} }}\n"
        ))
    };
    assert_eq!(policy("X-Frame-Options", "DENY"), [""; 0]);
    for (name, value) in [("Content-Length", "1"), ("X-Cache", "Hit"), ("a b", "c"), ("X-A", "b\r\nc: d")] {
        assert_eq!(policy(name, value), ["response_headers_policy.Own.custom_headers"], "{name}");
    }
}

#[test]
fn a_policy_says_what_takes_the_place_of_the_origins() {
    let policy = |text: &str| {
        let config = resolve_text(&format!("[[response_headers_policy]]\nname = \"Own\"\n{text}"), &[]);
        let own = config.unwrap().response_headers_policies.into_iter().find(|it| it.name == "Own").unwrap();
        let shown = own.headers.iter().map(|it| format!("{}: {} {}", it.name, it.value, it.overrides));
        shown.collect::<Vec<_>>()
    };
    let security =
        "security_headers = { frame_options = \"DENY\", strict_transport_security = { preload = true } }";
    assert_eq!(
        policy(&format!("custom_headers = {{ X-A = \"b\" }}\n{security}\noverride = [\"x-frame-options\"]")),
        [
            "X-Content-Type-Options: nosniff false",
            "X-Frame-Options: DENY true",
            "Strict-Transport-Security: max-age=31536000; preload false",
            "X-A: b false",
        ]
    );
    assert_eq!(policy("custom_headers = { X-A = \"b\" }"), ["X-A: b true"]);
    let path = "response_headers_policy.Own";
    let keys = |text: &str| keys_of(&format!("[[response_headers_policy]]\nname = \"Own\"\n{text}"));
    assert_eq!(keys("override = [\"X-Other\"]"), [format!("{path}.override")]);
    assert_eq!(keys("remove_headers = [\"Server\", \"Via\"]"), [format!("{path}.remove_headers")]);
    assert_eq!(keys("server_timing = 101"), [format!("{path}.server_timing")]);
}

#[test]
fn methods_are_one_of_cloudfronts_sets_and_others_than_reads_are_for_web_servers() {
    let behavior = |kind: &str, more: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"o\"\nkind = {kind}\n[[distribution]]\n[distribution.default_behavior]\n\
             target_origin = \"o\"\n{more}"
        ))
    };
    let web = |more: &str| behavior("\"http\"\ndomain_name = \"web.example\"", more);
    let [allowed, cached] =
        ["allowed_methods", "cached_methods"].map(|it| format!("distribution.0.default_behavior.{it}"));
    assert_eq!(web("allowed_methods = [\"HEAD\", \"GET\"]"), [""; 0]);
    let all = "allowed_methods = [\"GET\", \"HEAD\", \"OPTIONS\", \"PUT\", \"POST\", \"PATCH\", \"DELETE\"]";
    assert_eq!(web(all), [""; 0]);
    assert_eq!(web("allowed_methods = [\"GET\", \"POST\"]"), [&*allowed]);
    assert_eq!(web("allowed_methods = [\"GET\", \"GET\"]"), [&*allowed]);
    assert_eq!(behavior("\"live\"", all), [&*allowed]);
    let options = "cached_methods = [\"GET\", \"HEAD\", \"OPTIONS\"]";
    assert_eq!(web(options), [&*cached]);
    assert_eq!(web(&format!("{options}\n{all}")), [""; 0]);
    assert_eq!(web(&all.replace("allowed", "cached")), [&*cached]);
}

#[test]
fn a_page_for_an_error_has_a_path_and_a_status() {
    let errors = |tables: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"live\"\nkind = \"live\"\n[[distribution]]\nid = \"d\"\n\
             default_behavior = {{ target_origin = \"live\" }}\ncustom_error_response = [{tables}]\n"
        ))
    };
    let page = "response_page_path = \"/e.html\", response_code = \"200\"";
    let path = "distribution.d.custom_error_response.404";
    assert_eq!(errors(&format!("{{ error_code = \"404\", {page} }}")), [""; 0]);
    assert_eq!(errors("{ error_code = \"404\", error_caching_min_ttl = \"0s\" }"), [""; 0]);
    assert_eq!(
        errors("{ error_code = \"404\", response_code = \"200\" }"),
        [format!("{path}.response_code")]
    );
    assert_eq!(
        errors("{ error_code = \"404\", response_page_path = \"/e.html\" }"),
        [format!("{path}.response_code")]
    );
    assert_eq!(
        errors("{ error_code = \"404\", response_page_path = \"e.html\", response_code = \"200\" }"),
        [format!("{path}.response_page_path")]
    );
    assert_eq!(errors("{ error_code = \"404\" }, { error_code = \"404\" }"), [format!("{path}.error_code")]);
    assert_eq!(errors("{ error_code = \"418\" }"), ["distribution.d.custom_error_response.418.error_code"]);
}

#[test]
fn who_is_refused_is_written_in_networks_countries_and_limits() {
    let keys = |more: &str| {
        keys_of(&format!(
            "{}[[origin]]\nid = \"live\"\nkind = \"live\"\n[[distribution]]\nid = \"d\"\n\
             default_behavior = {{ target_origin = \"live\" }}\n{more}\n",
            if more.contains("DE") { "[geo]\ndatabase = \"geo.mmdb\"\n" } else { "" }
        ))
    };
    assert_eq!(keys("addresses = { deny = [\"10.0.0.0/8\"], allow_file = \"allowed.txt\" }"), [""; 0]);
    assert_eq!(keys("addresses = { deny = [\"10.0.0.1/8\"] }"), ["distribution.d.addresses.deny"]);
    let geo = |locations| {
        keys(&format!("geo_restriction = {{ restriction_type = \"whitelist\", locations = [{locations}] }}"))
    };
    assert_eq!(geo("\"DE\", \"at\""), [""; 0]);
    assert_eq!(geo("\"DE\", \"Germany\""), ["distribution.d.geo_restriction.locations"]);
    assert_eq!(geo("\"FR\""), ["distribution.d.geo_restriction"], "nobody's country is known");
    let rule = |rule: &str| keys(&format!("rate_rule = [{{ name = \"r\", {rule} }}]"));
    assert_eq!(rule("limit = 10, window = \"1s\", action = \"count\""), [""; 0]);
    assert_eq!(rule("limit = 0"), ["distribution.d.rate_rule.r.limit"]);
    assert_eq!(
        rule("limit = 1, action = \"count\", response_code = \"403\""),
        ["distribution.d.rate_rule.r.response_code"]
    );
}

#[test]
fn a_distribution_has_no_more_than_cloudfront_lets_it_have() {
    let with = |behaviors: usize, aliases: usize| {
        let behavior = |it| format!("{{ path_pattern = \"/{it}\", target_origin = \"live\" }}");
        let behaviors: Vec<_> = (1..behaviors).map(behavior).collect();
        let aliases: Vec<_> = (0..aliases).map(|it| format!("\"h{it}.example\"")).collect();
        keys_of(&format!(
            "[[origin]]\nid = \"live\"\nkind = \"live\"\n[[distribution]]\nid = \"d\"\naliases = [{}]\n\
             default_behavior = {{ target_origin = \"live\" }}\nbehavior = [{}]\n",
            aliases.join(", "),
            behaviors.join(", ")
        ))
    };
    assert_eq!(with(75, 100), [""; 0]);
    assert_eq!(with(76, 100), ["distribution.d.behavior"]);
    assert_eq!(with(75, 101), ["distribution.d.aliases"]);
}

#[test]
fn cloudfronts_own_policies_are_called_by_name_or_id() {
    let behavior = |more: &str| {
        let text = format!(
            "[[origin]]\nid = \"web\"\nkind = \"http\"\ndomain_name = \"web.example\"\n[[distribution]]\n\
             [distribution.default_behavior]\ntarget_origin = \"web\"\n{more}"
        );
        let mut config = resolve_text(&text, &[]).unwrap();
        let it = config.distributions.remove(0).behaviors.remove(0);
        (it.cache_policy, it.origin_request_policy, it.response_headers_policy)
    };
    let expected = (
        "Managed-Amplify".to_owned(),
        Some("Managed-AllViewer".to_owned()),
        "Managed-SecurityHeadersPolicy".to_owned(),
    );
    let by_id = "cache_policy = \"2e54312d-136d-493c-8eb9-b001f22f67d2\"\n\
        origin_request_policy = \"216adef6-5c7f-47e4-b989-5492eafa07d3\"\n\
        response_headers_policy = \"67f7725c-6f97-4210-82d7-5512b31e9d03\"";
    assert_eq!(behavior(by_id), expected);
    let by_name = "cache_policy = \"Managed-Amplify\"\norigin_request_policy = \"Managed-AllViewer\"\n\
        response_headers_policy = \"Managed-SecurityHeadersPolicy\"";
    assert_eq!(behavior(by_name), expected);
    assert_eq!(
        keys_of("[[cache_policy]]\nname = \"4135ea2d-6df8-44a3-9df3-4b5a84be39ad\"\n"),
        ["cache_policy.4135ea2d-6df8-44a3-9df3-4b5a84be39ad.name"]
    );
}

#[test]
fn every_id_of_a_policy_is_the_id_of_one_that_is_built_in() {
    let config = resolve_with(None, &[], &[]).unwrap();
    let check = |ids: &[(&str, &str)], built_in: Vec<&str>| {
        for (id, name) in ids {
            assert!(built_in.contains(name), "{id} {name}");
        }
        let managed = built_in.iter().filter(|it| it.starts_with("Managed-")).count();
        assert_eq!(ids.len(), managed);
    };
    check(crate::cache::IDS, config.cache_policies.iter().map(|it| &*it.name).collect());
    check(crate::origin_request::IDS, config.origin_request_policies.iter().map(|it| &*it.name).collect());
    check(crate::response::IDS, config.response_headers_policies.iter().map(|it| &*it.name).collect());
}

#[test]
fn a_key_has_few_names_and_none_that_is_one_viewers_own() {
    let policy = |text: &str| keys_of(&format!("[[cache_policy]]\nname = \"Own\"\n{text}"));
    assert_eq!(policy("cookies = [\"language\"]"), [""; 0]);
    assert_eq!(policy("cookies = [\"a b\"]"), ["cache_policy.Own.cookies"]);
    assert_eq!(policy("headers = [\"Cookie\"]"), ["cache_policy.Own.headers"]);
    assert_eq!(policy("headers = [\"CloudFront-Viewer-Address\"]"), ["cache_policy.Own.headers"]);
    let many: Vec<_> = (0..11).map(|it| format!("\"h{it}\"")).collect();
    assert_eq!(policy(&format!("headers = [{}]", many[..10].join(", "))), [""; 0]);
    assert_eq!(policy(&format!("headers = [{}]", many.join(", "))), ["cache_policy.Own.headers"]);
    assert_eq!(
        policy(&format!("query_strings = [\"{}\"]", "q".repeat(1025))),
        ["cache_policy.Own.query_strings"]
    );
}

#[test]
fn publishing_is_by_one_way() {
    let app = |publish: &str| keys_of(&format!("[[app]]\nname = \"live\"\npublish = {publish}\n"));
    assert_eq!(app("{ keys_file = \"keys.toml\" }"), [""; 0]);
    assert_eq!(app("{ keys_file = \"missing.toml\" }"), ["app.live.publish.keys_file"]);
    assert_eq!(app("{ webhook = \"https://a.example/\" }"), [""; 0]);
    assert_eq!(app("{ webhook = \"a.example\" }"), ["app.live.publish.webhook"]);
    assert_eq!(app("{ keys_file = \"keys.toml\", webhook = \"https://a.example/\" }"), ["app.live.publish"]);
    assert_eq!(app("{ }"), ["app.live.publish"]);
    assert_eq!(app("\"opne\""), ["app.live.publish"]);
    assert_eq!(app("true"), ["app.live.publish"]);
}

#[test]
fn an_origin_has_what_its_kind_needs() {
    let origin = |text: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"o\"\n{text}\n[[distribution]]\ndefault_behavior = {{ target_origin = \"o\" }}\n"
        ))
    };
    assert_eq!(origin("kind = \"vod\"\nroot = \"media\""), [""; 0]);
    assert_eq!(origin("kind = \"vod\""), ["origin.o.root"]);
    assert_eq!(origin("kind = \"vod\"\nroot = \"missing\""), ["origin.o.root"]);
    assert_eq!(origin("kind = \"vod\"\nroot = \"film.mp4\""), ["origin.o.root"]);
    let web = "[[origin]]\nid = \"w\"\nkind = \"http\"\ndomain_name = \"w.example\"\n";
    assert_eq!(origin(&format!("kind = \"vod\"\nsource = \"w\"\n{web}")), [""; 0]);
    assert_eq!(
        origin(&format!("kind = \"vod\"\nsource = \"w\"\nroot = \"media\"\n{web}")),
        ["origin.o.source"]
    );
    assert_eq!(origin("kind = \"vod\"\nsource = \"o\""), ["origin.o.source"]);
    assert_eq!(origin("kind = \"live\"\nroot = \"media\""), ["origin.o.root"]);
    let encrypted =
        |text: &str| origin(&format!("kind = \"vod\"\nroot = \"media\"\nencryption = {{ {text} }}"));
    let secret = "secret = \"0123456789abcdef\"";
    assert_eq!(encrypted(&format!("method = \"cbcs\", {secret}")), [""; 0]);
    assert_eq!(encrypted(secret), ["origin.o.encryption.method"]);
    assert_eq!(encrypted("method = \"cbcs\""), ["origin.o.encryption.secret"]);
    assert_eq!(encrypted("method = \"cbcs\", secret = \"short\""), ["origin.o.encryption.secret"]);
    let both = format!("method = \"cenc\", {secret}, key_service = \"https://keys.example/\"");
    assert_eq!(encrypted(&both), ["origin.o.encryption.secret"]);
    assert_eq!(encrypted("method = \"cenc\", key_service = \"keys\""), ["origin.o.encryption.key_service"]);
    for systems in ["[\"clearkey\", \"fairplay\"]", "[\"verimatrix\"]"] {
        let text = format!("method = \"cenc\", {secret}, systems = {systems}");
        assert_eq!(encrypted(&text), ["origin.o.encryption.systems"]);
    }
    let quoted = format!("method = \"cbcs\", {secret}, license_url = 'https://a/\"'");
    assert_eq!(encrypted(&quoted), ["origin.o.encryption.license_url"]);
    assert_eq!(
        origin(&format!(
            "kind = \"directory\"\nroot = \"media\"\nencryption = {{ method = \"cbcs\", {secret} }}"
        )),
        ["origin.o.encryption"]
    );
    assert_eq!(origin("kind = \"live\"\nstrip_prefix = \"tv\""), ["origin.o.strip_prefix"]);
}

#[test]
fn parts_fit_segments_and_segments_fit_the_window() {
    assert_eq!(keys_of("[packaging]\nsegment = \"1s\"\npart = \"2s\"\n"), ["packaging.part"]);
    assert_eq!(keys_of("[packaging]\nsegment = \"10s\"\nwindow = \"20s\"\n"), ["packaging.window"]);
}

#[test]
fn manifests_of_signed_behaviors_are_rewritten_unless_told_otherwise() {
    let group = "[[public_key]]\nid = \"K1\"\nfile = \"k.pem\"\n[[key_group]]\nname = \"g\"\nkeys = [\"K1\"]";
    let check = |more: &str, expected: RewriteManifests| {
        let config = live_under(more, group).unwrap();
        assert_eq!(config.distributions[0].behaviors[0].rewrite_manifests, expected, "{more}");
    };
    check("", RewriteManifests::No);
    check("trusted_key_groups = [\"g\"]", RewriteManifests::Append);
    check("trusted_key_groups = [\"g\"]\nrewrite_manifests = false", RewriteManifests::No);
    check("trusted_key_groups = [\"g\"]\nrewrite_manifests = true", RewriteManifests::Append);
    check("trusted_key_groups = [\"g\"]\nrewrite_manifests = \"define\"", RewriteManifests::Define);
}

#[test]
fn a_file_that_cannot_be_read_is_one_problem() {
    let problems = crate::load(Some(Path::new("/nowhere/levada.toml")), std::iter::empty(), &[]).unwrap_err();
    let [problem] = problems.iter().collect::<Vec<_>>()[..] else { panic!("{problems}") };
    assert_eq!(problem.place, Place::File { file: "/nowhere/levada.toml".into(), line: 0 });
}

#[test]
fn a_web_server_is_an_origin_under_rules_of_its_own() {
    let keys = |options: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"a\"\n{options}\n[[distribution]]\ndefault_behavior = {{ target_origin = \"a\" }}\n"
        ))
    };
    let web = |options: &str| keys(&format!("kind = \"http\"\ndomain_name = \"web.example\"\n{options}"));
    assert_eq!(web(""), [""; 0]);
    assert_eq!(
        web("origin_path = \"/a/b\"\nhttp_port = 8080\ncustom_headers = { \"X-Secret\" = \"s\" }"),
        [""; 0]
    );
    assert_eq!(keys("kind = \"http\""), ["origin.a.domain_name"]);
    for (option, key) in [
        ("origin_path = \"a\"", "origin_path"),
        ("origin_path = \"/a/\"", "origin_path"),
        ("http_port = 65536", "http_port"),
        ("custom_headers = { Host = \"a\" }", "custom_headers"),
        ("custom_headers = { \"X A\" = \"a\" }", "custom_headers"),
        ("custom_headers = { \"X-A\" = \"ä\" }", "custom_headers"),
        ("root = \".\"", "root"),
        ("connection_attempts = 4", "connection_attempts"),
        ("connection_timeout = \"11s\"", "connection_timeout"),
        ("response_completion_timeout = \"29s\"", "response_completion_timeout"),
    ] {
        assert_eq!(web(option), [format!("origin.a.{key}")], "{option}");
    }
    for host in ["http://a", "a b", "a/b", "a:80", "", "[::1", "-.".repeat(200).as_str()] {
        let found = keys(&format!("kind = \"http\"\ndomain_name = \"{host}\""));
        assert_eq!(found, ["origin.a.domain_name"], "{host}");
    }
    for host in ["127.0.0.1", "[::1]", "Web.Example"] {
        assert_eq!(keys(&format!("kind = \"http\"\ndomain_name = \"{host}\"")), [""; 0], "{host}");
    }
    assert_eq!(keys("kind = \"live\"\ndomain_name = \"a\""), ["origin.a.domain_name"]);
}

#[test]
fn a_bucket_is_a_web_server_that_wants_signatures() {
    let read = |options: &str| {
        resolve_text(
            &format!(
                "[[origin]]\nid = \"a\"\nkind = \"bucket\"\n{options}\n[[distribution]]\n\
                 default_behavior = {{ target_origin = \"a\" }}\n"
            ),
            &[],
        )
    };
    let check = |options: &str, expected: &str, signing: Signing| {
        let config = read(options).unwrap_or_else(|problems| panic!("{options}: {problems}"));
        let OriginKind::Bucket(bucket) = &config.origins[0].kind else { panic!("it is a bucket") };
        let HttpOrigin { domain_name, path, protocol_policy, http_port, .. } = &bucket.server;
        assert_eq!(format!("{protocol_policy:?} {domain_name}:{http_port}{path}"), expected, "{options}");
        assert_eq!(bucket.signing, signing, "{options}");
    };
    let s3 = |region: &str| Signing::S3 { region: region.to_owned() };
    check("url = \"s3://films/a\"", "HttpsOnly films.s3.us-east-1.amazonaws.com:443/a", s3("us-east-1"));
    check(
        "url = \"s3://my.films\"\nregion = \"eu-west-1\"",
        "HttpsOnly s3.eu-west-1.amazonaws.com:443/my.films",
        s3("eu-west-1"),
    );
    check(
        "url = \"s3://films/a\"\nendpoint = \"http://127.0.0.1:8333\"",
        "HttpOnly 127.0.0.1:8333/films/a",
        s3("us-east-1"),
    );
    check(
        "url = \"s3://films/a\"\nendpoint = \"https://store.example\"\npath_style = false",
        "HttpsOnly films.store.example:443/a",
        s3("us-east-1"),
    );
    check("url = \"gs://films/a\"", "HttpsOnly storage.googleapis.com:443/films/a", s3("auto"));
    check(
        "url = \"az://acme/films/a\"",
        "HttpsOnly acme.blob.core.windows.net:443/films/a",
        Signing::Azure { account: "acme".into() },
    );

    let problems =
        |options: &str| read(options).unwrap_err().iter().map(|it| it.key.clone()).collect::<Vec<_>>();
    assert_eq!(problems(""), ["origin.a.url"]);
    for (option, key) in [
        ("endpoint = \"store.example\"", "endpoint"),
        ("domain_name = \"a\"", "domain_name"),
        ("credentials = \"all\"", "credentials"),
        ("credentials = { profile = \"a\" }", "credentials.file"),
    ] {
        assert_eq!(
            problems(&format!("url = \"s3://films\"\n{option}")),
            [format!("origin.a.{key}")],
            "{option}"
        );
    }
}

#[test]
fn an_origin_group_has_two_members_and_an_id_of_its_own() {
    let keys = |id: &str, options: &str, target: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"a\"\nkind = \"live\"\n[[origin]]\nid = \"b\"\nkind = \"http\"\ndomain_name = \"b\"\n\
             [[origin_group]]\nid = \"{id}\"\n{options}\n\
             [[distribution]]\ndefault_behavior = {{ target_origin = \"{target}\" }}\n"
        ))
    };
    assert_eq!(keys("g", "members = [\"a\", \"b\"]\nfailover_status_codes = [404, 500]", "g"), [""; 0]);
    for (members, expected) in [
        ("members = [\"a\"]", "members"),
        ("members = [\"a\", \"a\"]", "members"),
        ("members = [\"a\", \"b\", \"b\"]", "members"),
        ("members = [\"a\", \"c\"]", "members"),
        ("members = [\"a\", \"b\"]\nfailover_status_codes = [200]", "failover_status_codes"),
        ("members = [\"a\", \"b\"]\nfailover_status_codes = [\"500\"]", "failover_status_codes"),
    ] {
        assert_eq!(keys("g", members, "g"), [format!("origin_group.g.{expected}")], "{members}");
    }
    assert_eq!(keys("b", "members = [\"a\", \"b\"]", "b"), ["origin_group.b.id"]);
    let unlike = "members = [\"a\", \"b\"]\n[[cache_policy]]\nname = \"p\"";
    let target = "g\", cache_policy = \"p";
    assert_eq!(keys("g", unlike, target), ["distribution.0.default_behavior.cache_policy"]);
}

#[test]
fn parents_are_asked_in_the_place_of_an_origin_that_answers_by_itself() {
    let keys = |options: &str| {
        keys_of(&format!(
            "[[origin]]\nid = \"a\"\nkind = \"parent\"\n{options}\n\
             [[origin]]\nid = \"b\"\nkind = \"http\"\ndomain_name = \"b\"\n\
             [[distribution]]\ndefault_behavior = {{ target_origin = \"a\" }}\n"
        ))
    };
    let parents = "parents = [\"http://p:8080\", \"https://q\"]";
    assert_eq!(keys(&format!("{parents}\nfallback = \"b\"")), [""; 0]);
    assert_eq!(keys("fallback = \"b\""), ["origin.a.parents"]);
    for parents in ["[]", "[\"p:8080\"]", "[\"http://p/a\"]"] {
        assert_eq!(keys(&format!("parents = {parents}")), ["origin.a.parents"], "{parents}");
    }
    for (option, key) in [
        ("fallback = \"a\"", "fallback"),
        ("fallback = \"c\"", "fallback"),
        ("connection_attempts = 2", "connection_attempts"),
        ("domain_name = \"p\"", "domain_name"),
    ] {
        assert_eq!(keys(&format!("{parents}\n{option}")), [format!("origin.a.{key}")], "{option}");
    }
}
