//! All problems of a file are said at once, each with its line, its key and what to write instead.

use super::*;
use crate::stream_keys::StreamKeys;

fn check(text: &str, expected: &str) {
    assert_eq!(resolve_text(text, &[]).unwrap_err().to_string(), expected.trim());
}

#[test]
fn ten_mistakes_are_ten_problems() {
    let text = r#"
[listen]
htpp = "0.0.0.0:80"
rtmp = 1935
control = "0.0.0.0:9090"

[packaging]
segment = 2
part = "5s"

[[public_key]]
id = "K2JCJMDEHXQW5F"
file = "keys/missing.pem"

[[key_group]]
name = "viewers"
keys = ["K2JCJMDEHXQW5G"]

[[origin]]
id = "live"
kind = "life"

[[distribution]]
aliases = ["https://tv.example.com/"]

[distribution.default_behavior]
target_origin = "lives"
trusted_key_groups = ["viewer"]
"#;
    check(
        text,
        r#"
levada.toml:3: listen.htpp: there is no such option; did you mean `http`?
levada.toml:4: listen.rtmp: 1935 has no address; write "0.0.0.0:1935", or "off"
levada.toml:5: listen.control: the control page would be open beyond this machine, without TLS; write "127.0.0.1:9090" and reach it through an ssh tunnel or a TLS proxy on this machine
levada.toml:8: packaging.segment: 2 has no unit; write "2s" or "2ms"
levada.toml:9: packaging.part: 5s is more than 2s; write at most 2s: each part is a request of every viewer, and players stay three parts behind
levada.toml:13: public_key.K2JCJMDEHXQW5F.file: there is no file /etc/levada/keys/missing.pem; make it, or correct the path
levada.toml:17: key_group.viewers.keys: there is no public key "K2JCJMDEHXQW5G"; did you mean "K2JCJMDEHXQW5F"?
levada.toml:21: origin.live.kind: "life" is not known; did you mean "live"?
levada.toml:24: distribution.0.aliases: "https://tv.example.com/" is no host name; write a name such as "tv.example.com" or "*.example.com", without scheme, port or path
levada.toml:27: distribution.0.default_behavior.target_origin: there is no origin "lives"; did you mean "live"?
levada.toml:28: distribution.0.default_behavior.trusted_key_groups: there is no key group "viewer"; did you mean "viewers"?
"#,
    );
}

#[test]
fn every_line_that_is_no_toml_is_a_problem() {
    let syntax = "a line is `key = value`, texts stand in double quotes, tables begin with `[name]`";
    let problems = resolve_text("[listen]\nhttp = 0.0.0.0:80\nrtmp == \"off\"\n", &[]).unwrap_err();
    let places: Vec<_> = problems.iter().map(|it| it.place.to_string()).collect();
    assert_eq!(places.first().map(String::as_str), Some("levada.toml:2"));
    assert!(places.contains(&"levada.toml:3".to_owned()), "{places:?}");
    assert!(problems.iter().all(|it| it.remedy == syntax));
}

#[test]
fn a_value_of_the_wrong_kind_says_what_to_write() {
    check(
        r#"
app = "live"
cache = 512
state_dir = ["a"]
[listen]
max_connections = "many"
trusted_proxies = ["10.1.0.0/8"]
keep_alive = 2024-01-01
[[cache_policy]]
name = "a/b"
gzip = "yes"
query_strings = { only = [] }
[observe]
access_log = { format = "apache" }
"#,
        r#"
levada.toml:2: app: this is a text; begin each with a line `[[app]]`
levada.toml:3: cache: this is a number; write a table of memory, disk, titles
levada.toml:4: state_dir: this is a list; write a text in double quotes
levada.toml:6: listen.max_connections: this is a text; write a whole number, without quotes
levada.toml:7: listen.trusted_proxies: "10.1.0.0/8" has bits set behind its prefix; the network is 10.0.0.0/8; write a network such as "10.0.0.0/8", or an address
levada.toml:8: listen.keep_alive: this is a date, a fraction, or too large a number; write a text in double quotes
levada.toml:10: cache_policy.0.name: "a/b" cannot be a name; write 1 to 128 of A-Z a-z 0-9 - _ . ~, not beginning with a dot
levada.toml:11: cache_policy.0.gzip: this is a text; write true or false, without quotes
levada.toml:12: cache_policy.0.query_strings: this selects nothing known; write "none", "all", a list of names, or { except = [names] }
levada.toml:14: observe.access_log.format: "apache" is not known; write "json" or "w3c"
"#,
    );
}

#[test]
fn what_must_be_written_is_missed() {
    check(
        "[[app]]\n[[public_key]]\n[[key_group]]\n[[origin]]\n[[distribution]]\n[[distribution.behavior]]\n",
        r#"
levada.toml:1: app.0.name: this is missing; write `name = "live"`
levada.toml:1: app.0.publish: this is missing; write `publish = "open"`
levada.toml:2: public_key.0.file: this is missing; write `file = "keys/viewer.pub.pem"`
levada.toml:2: public_key.0.id: this is missing; write `id = "K2JCJMDEHXQW5F"`
levada.toml:3: key_group.0.keys: this is missing; write `keys = ["K2JCJMDEHXQW5F"]`
levada.toml:3: key_group.0.name: this is missing; write `name = "viewers"`
levada.toml:4: origin.0.id: this is missing; write `id = "films"`
levada.toml:4: origin.0.kind: this is missing; write `kind = "vod"`
levada.toml:5: distribution.0.default_behavior: this is missing; write `default_behavior = { target_origin = "films" }`
levada.toml:6: distribution.0.behavior.0.path_pattern: this is missing; write `path_pattern = "/live/*"`
levada.toml:6: distribution.0.behavior.0.target_origin: this is missing; write `target_origin = "films"`
"#,
    );
}

#[test]
fn problems_of_stream_keys_name_the_line_and_never_the_key() {
    let text =
        "\"short\" = \"a\"\n\"sesame-open-1\" = \"a b\"\nsesame.open2 = \"c\"\n\"sesame-open-3\" = 4\n";
    let problems = StreamKeys::parse("keys.toml", text).unwrap_err().to_string();
    assert_eq!(
        problems,
        "keys.toml:1: the key is shorter than 8 characters; write one that nobody guesses\n\
         keys.toml:2: this cannot be a name; write 1 to 128 of A-Z a-z 0-9 - _ . ~, not beginning with a dot\n\
         keys.toml:3: the key is shorter than 8 characters; write one that nobody guesses\n\
         keys.toml:4: the name is not a text; write \"secret key\" = \"public-name\""
    );
}
