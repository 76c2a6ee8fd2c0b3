//! The environment over the file, `--set` over both.

use std::time::Duration;

use super::*;
use crate::cache::Selection;
use crate::ingest::Publish;

fn check(environment: &[(&str, &str)], sets: &[&str], expected: &str) {
    let problems = resolve_with(None, environment, sets).unwrap_err().to_string();
    assert_eq!(problems, expected);
}

#[test]
fn the_later_wins() {
    let text = "[packaging]\npart = \"200ms\"\n";
    let part = |environment: &[(&str, &str)], sets: &[&str]| {
        resolve_with(Some(text), environment, sets).unwrap().packaging.part
    };
    let environment = [("LEVADA_PACKAGING__PART", "300ms")];
    assert_eq!(part(&[], &[]), Duration::from_millis(200));
    assert_eq!(part(&environment, &[]), Duration::from_millis(300));
    assert_eq!(part(&environment, &["packaging.part=400ms"]), Duration::from_millis(400));
    assert_eq!(
        part(&environment, &["packaging.part=400ms", "packaging.part=500ms"]),
        Duration::from_millis(500)
    );
}

#[test]
fn elements_of_lists_go_by_position_or_name() {
    let config = resolve_with(
        None,
        &[
            ("LEVADA_ORIGIN__FILMS__ROOT", "elsewhere"),
            ("LEVADA_DISTRIBUTION__0__ALIASES", "a.example, b.example"),
        ],
        &[
            "app.live.publish.keys_file=keys.toml",
            "public_key.0.id=K1",
            "public_key.0.file=k.pem",
            "key_group=[{ name = \"g\", keys = [\"K1\"] }]",
            "distribution.default.behavior.0.trusted_key_groups=g",
            "cache_policy.0.name=Own",
            "cache_policy.own.query_strings={ except = [\"x\"] }",
            "response_headers_policy.0.name=Own",
            "response_headers_policy.Own.custom_headers.\"X-A\"=b",
        ],
    );
    let config = config.unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(config.apps[0].publish, Publish::KeysFile("/home/me/keys.toml".into()));
    assert!(format!("{:?}", config.origins[1]).contains("/home/me/elsewhere"));
    assert_eq!(config.distributions[0].aliases, ["a.example", "b.example"]);
    assert_eq!(config.distributions[0].behaviors[0].trusted_key_groups, ["g"]);
    assert_eq!(config.cache_policies.last().unwrap().query, Selection::AllExcept(vec!["x".into()]));
    let own = config.response_headers_policies.last().unwrap();
    assert_eq!(own.headers.iter().map(|it| (&*it.name, &*it.value)).collect::<Vec<_>>(), [("X-A", "b")]);
}

#[test]
fn elements_made_in_the_environment_come_in_order_of_their_numbers() {
    let names: Vec<_> =
        (0..12).map(|at| (format!("LEVADA_PUBLIC_KEY__{at}__ID"), format!("K{at}"))).collect();
    let files: Vec<_> =
        (0..12).map(|at| (format!("LEVADA_PUBLIC_KEY__{at}__FILE"), "k.pem".to_owned())).collect();
    let all: Vec<_> =
        names.iter().chain(&files).map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let config = resolve_with(None, &all, &[]).unwrap();
    assert_eq!(config.access.public_keys.last().unwrap().id, "K11");
}

#[test]
fn problems_of_overrides_name_them() {
    check(
        &[("LEVADA_LISTEN__HTPP", "0.0.0.0:80"), ("LEVADA_LISTEN__KEEP_ALIVE", "3 fortnights")],
        &[
            "listen.http",
            "listen.http.port=80",
            "app=live",
            "app.radio.publish=open",
            "app.live=open",
            "listen.max_connections=many",
        ],
        "environment LEVADA_LISTEN__HTPP: listen.htpp: there is no such option; did you mean `http`?\n\
         environment LEVADA_LISTEN__KEEP_ALIVE: listen.keep_alive: \"3 fortnights\" has a unit that is none of ms, s, m, \
         h, d; write a time such as \"333ms\", \"2s\" or \"1h\"\n\
         --set app: app: the value is not TOML: string values must be quoted, expected literal string; write it as in the file\n\
         --set app.live: app.live: this is a whole app; name an option of it: name, publish, on_conflict, \
         play_key_groups\n\
         --set app.radio.publish: app.radio.publish: there is no app \"radio\"; app.1 would make a new one\n\
         --set listen.http: there is no value; write --set key=value, such as --set listen.http=0.0.0.0:80\n\
         --set listen.http.port: listen.http.port: http has no options below it; leave out .port\n\
         --set listen.max_connections: listen.max_connections: this is a text; write a whole number, without quotes",
    );
}

#[test]
fn variables_that_others_set_are_left_alone() {
    let environment = [
        ("LEVADA_PORT", "tcp://10.0.0.1:1935"),
        ("LEVADA_SERVICE_HOST", "10.0.0.1"),
        ("LEVADA_BLESS", "1"),
        ("PATH", "/bin"),
    ];
    assert_eq!(resolve_with(None, &environment, &[]), resolve_with(None, &[], &[]));
    let config = resolve_with(None, &[("LEVADA_STATE_DIR", "/var/lib/levada")], &[]).unwrap();
    assert_eq!(config.state_dir, Path::new("/var/lib/levada"));
}
