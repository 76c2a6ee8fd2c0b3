//! Whatever a file says, it is read or refused; and what is secret stays so.

use proptest::prelude::*;

use super::*;
use crate::stream_keys::StreamKeys;

const SECRET: &str = "s3cr3t-t0ken";

#[test]
fn secrets_are_never_printed() {
    let hook = format!("https://{SECRET}@example.com/?{SECRET}");
    let text = format!("[[app]]\nname = \"live\"\npublish = {{ webhook = {hook:?} }}\n");
    let config = resolve_text(&text, &[]).unwrap();
    assert!(!format!("{config:?} {config:#?}").contains(SECRET));

    let keys = StreamKeys::parse("keys.toml", &format!("{SECRET:?} = \"main\"\n")).unwrap();
    assert!(!format!("{keys:?}").contains(SECRET));
    assert!(keys.iter().all(|it| it.0.reveal() == SECRET));
}

#[test]
fn problems_never_quote_a_secret() {
    let values = [
        format!("{{ webhook = \"ftp://{SECRET}\" }}"),
        format!("{{ webhook = [{SECRET:?}] }}"),
        format!("{{ webhook = {{ url = {SECRET:?} }} }}"),
        format!("{{ webhook = \"https://{SECRET}\", timeout = 1 }}"),
        format!("{{ webhook = \"https://{SECRET} }}"),
        format!("{{ webhook = https://{SECRET} }}"),
    ];
    for value in values {
        let problems =
            resolve_text(&format!("[[app]]\nname = \"live\"\npublish = {value}\n"), &[]).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(SECRET), "{problems}");
    }
    for set in [
        format!("app.live.publish.webhook=ftp://{SECRET}"),
        format!("app.live.publish={{ webhook = {SECRET} }}"),
    ] {
        let problems = resolve_text("", &[&set]).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(SECRET), "{problems}");
    }
    for text in [
        format!("{SECRET:?} = 1"),
        format!("{SECRET:?} = \"main"),
        format!("{SECRET:?} = \"a\"\n{SECRET:?} = \"b\""),
    ] {
        let problems = StreamKeys::parse("keys.toml", &text).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(SECRET), "{problems}");
    }
}

#[test]
fn a_deep_or_long_file_is_refused_in_no_time() {
    let nested = format!("app = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(resolve_text(&nested, &[]).is_err());
    let tables = format!("listen = {}", "{ a = ".repeat(100_000));
    assert!(resolve_text(&tables, &[]).is_err());
    let dotted = format!("{}b = 1", "a.".repeat(100_000));
    assert!(resolve_text(&dotted, &[]).is_err());
    let keys: String = (0..20_000).map(|at| format!("key{at} = 1\n")).collect();
    assert_eq!(resolve_text(&keys, &[]).unwrap_err().count(), 20_000);
    let set = format!("{}=1", "listen.".repeat(100_000));
    assert!(resolve_text("", &[&set]).is_err());
}

/// Lines that each make some sense, so that random files come far.
const LINES: &[&str] = &[
    "[listen]",
    "[[app]]",
    "[[origin]]",
    "[[distribution]]",
    "[[distribution.behavior]]",
    "[[cache_policy]]",
    "[[response_headers_policy]]",
    "[distribution.default_behavior]",
    "[packaging]",
    "name = \"live\"",
    "id = \"live\"",
    "kind = \"live\"",
    "kind = \"vod\"",
    "root = \"media\"",
    "publish = \"open\"",
    "publish = { webhook = 1 }",
    "target_origin = \"live\"",
    "path_pattern = \"/*?/\"",
    "default = true",
    "aliases = [\"*.a\", 1]",
    "segment = \"0s\"",
    "min_ttl = \"99999999999999999d\"",
    "http = \"[::1]:80\"",
    "cors = {}",
    "query_strings = { except = 1 }",
    "x.y.z = []",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = resolve_text(&text, &[]);
        let _ = StreamKeys::parse("keys.toml", &text);
    }

    #[test]
    fn any_order_of_lines_is_read_or_refused(lines in prop::collection::vec(prop::sample::select(LINES), 0..30)) {
        let _ = resolve_text(&lines.join("\n"), &[]);
    }

    #[test]
    fn any_override_is_read_or_refused(path in "[a-z_.0-9\"]{0,30}", value: String) {
        let _ = resolve_text("", &[&format!("{path}={value}")]);
        let _ = resolve_with(None, &[(&format!("LEVADA_{}", path.replace('.', "__")), &value)], &[]);
    }
}
