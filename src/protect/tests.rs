//! Who is refused, rule by rule.

use std::path::Path;
use std::time::Duration;

use config::protect::{Addresses, GeoRestriction, Protection, RateRule};

use super::fixture::{database, database_of};
use super::*;
use crate::passage::example::Example;

/// A station with the rules of the example's distribution.
fn protect(protection: Protection) -> Protect {
    Protect::new(rules(protection, None).unwrap())
}

fn rules(protection: Protection, previous: Option<&Rules>) -> Result<Rules, Unusable> {
    built(protection, "/geo", previous)
}

fn built(protection: Protection, geo: &str, previous: Option<&Rules>) -> Result<Rules, Unusable> {
    let mut distribution = config::resolve(&config::Sources {
        file: None,
        base: Path::new("/"),
        here: Path::new("/"),
        environment: Vec::new(),
        sets: &[],
        look: &|_| config::Found::Directory,
    })
    .unwrap()
    .distributions
    .remove(0);
    distribution.id = "default".to_owned();
    distribution.protection = protection;
    let read = |file: &Path| match file.to_str() {
        Some("/geo") => Ok(database(&[("192.0.2.0/24", "DE"), ("198.51.100.0/24", "FR")], 24)),
        Some("/geo4") => Ok(database_of(&[("192.0.2.0/24", "DE")], 24, 4)),
        Some("/list") => Ok(b"# remarks\n203.0.113.0/24 # more\n\n2001:db8::/32\n".to_vec()),
        Some("/wrong") => Ok(b"203.0.113.0/24\n203.0.113.1/24\n".to_vec()),
        _ => Err(std::io::Error::from(std::io::ErrorKind::NotFound)),
    };
    let trusted = ["10.0.0.0/8".parse().unwrap()];
    Rules::build(&[distribution], Some(Path::new(geo)), &trusted, read, previous)
}

fn ask(protect: &Protect, path: &str, client: &str, seconds: u64) -> Result<Guarded, Reason> {
    let mut example = Example::get(path);
    example.facts.client = client.parse().unwrap();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    protect.judge(example.routed(), now).map_err(|it| it.reason().clone())
}

fn refusal(protect: &Protect, client: &str) -> Option<&'static str> {
    ask(protect, "/a", client, 1_000).err().map(|it| it.name())
}

fn addresses(networks: &[&str], file: Option<&str>) -> Addresses {
    let networks = networks.iter().map(|it| it.parse().unwrap()).collect();
    Addresses { networks, file: file.map(Into::into) }
}

#[test]
fn an_address_is_refused_when_it_is_denied_or_not_among_the_allowed() {
    let denied =
        protect(Protection { deny: addresses(&["192.0.2.0/24"], Some("/list")), ..Default::default() });
    for client in ["192.0.2.1", "::ffff:192.0.2.1", "203.0.113.9", "2001:db8::1"] {
        assert_eq!(refusal(&denied, client), Some("address-denied"), "{client}");
    }
    assert_eq!(refusal(&denied, "198.51.100.1"), None);
    let allowed = Some(addresses(&["192.0.2.0/24"], None));
    let allowed = Protection { allow: allowed, deny: addresses(&["192.0.2.7"], None), ..Default::default() };
    let allowed = protect(allowed);
    assert_eq!(
        ["192.0.2.1", "192.0.2.7", "198.51.100.1"].map(|it| refusal(&allowed, it)),
        [None, Some("address-denied"), Some("address-denied")]
    );
    assert_eq!(allowed.stats().addresses.count(), 2);
}

#[test]
fn a_country_is_refused_when_it_is_listed_or_not_and_who_is_nowhere_is_not() {
    let geo = |is_whitelist| {
        let geo_restriction = Some(GeoRestriction { is_whitelist, locations: vec!["DE".to_owned()] });
        protect(Protection { geo_restriction, ..Default::default() })
    };
    let all = ["192.0.2.1", "198.51.100.1", "203.0.113.1", "127.0.0.1"];
    assert_eq!(all.map(|it| refusal(&geo(true), it)), [None, Some("country"), None, None]);
    assert_eq!(all.map(|it| refusal(&geo(false), it)), [Some("country"), None, None, None]);
}

#[test]
fn a_database_without_ipv6_lets_nobody_around_a_whitelist_and_is_told_of() {
    let geo = |is_whitelist| {
        let geo_restriction = Some(GeoRestriction { is_whitelist, locations: vec!["DE".to_owned()] });
        built(Protection { geo_restriction, ..Default::default() }, "/geo4", None).unwrap()
    };
    let all = ["192.0.2.1", "2001:db8::1", "203.0.113.1", "::1"];
    let refused = |is_whitelist| {
        let station = Protect::new(geo(is_whitelist));
        all.map(|it| refusal(&station, it))
    };
    assert_eq!(refused(true), [None, Some("country"), None, None]);
    assert_eq!(refused(false), [Some("country"), None, None, None]);
    let [warning] = &*geo(true).warnings() else { panic!("there is one thing to say") };
    assert!(
        warning.contains("no IPv6") && warning.ends_with("default; use a database that has both"),
        "{warning}"
    );
    assert_eq!(built(Protection::default(), "/geo4", None).unwrap().warnings(), [""; 0]);
    assert_eq!(rules(Protection::default(), None).unwrap().warnings(), [""; 0]);
}

#[test]
fn where_a_viewer_is_goes_on_with_the_request() {
    let open = protect(Protection::default());
    let country = |client| ask(&open, "/a", client, 0).unwrap().routed().country();
    assert_eq!(country("192.0.2.1").map(|it| it.as_str().to_owned()).as_deref(), Some("DE"));
    assert_eq!(country("203.0.113.1"), None);
}

fn rate(name: &str, pattern: &str, limit: u32, block: Option<u16>) -> RateRule {
    let (name, path_pattern) = (name.to_owned(), pattern.parse().unwrap());
    RateRule { name, path_pattern, limit, window: Duration::from_secs(60), block }
}

#[test]
fn a_client_is_refused_while_it_asks_more_than_a_rule_lets_it() {
    let rate_rules = vec![rate("logins", "/login*", 2, Some(403)), rate("all", "*", 4, Some(429))];
    let station = protect(Protection { rate_rules, ..Default::default() });
    let asked = |path, client| match ask(&station, path, client, 1_000) {
        Ok(_) => None,
        Err(Reason::Rate { status, retry_after, rule }) => {
            Some((status.as_u16(), retry_after, rule.to_string()))
        }
        Err(other) => panic!("{other:?}"),
    };
    let paths = ["/login", "/login", "/login", "/a", "/a"];
    assert_eq!(
        paths.map(|it| asked(it, "192.0.2.1")),
        [None, None, Some((403, 20, "logins".into())), None, Some((429, 20, "all".into()))]
    );
    for trusted in ["127.0.0.1", "::1", "10.1.2.3"] {
        assert!((0..20).all(|_| asked("/login", trusted).is_none()), "{trusted}");
    }
    let mut matches: Vec<_> = station.rules().matches().collect();
    matches.sort_unstable();
    assert_eq!(matches, [("default/all".to_owned(), 1), ("default/logins".to_owned(), 1)]);
    assert!(ask(&station, "/login", "192.0.2.1", 1_200).is_ok(), "the window has slid on");
}

#[test]
fn who_has_an_ipv6_site_asks_no_more_than_sixteen_clients() {
    let station =
        protect(Protection { rate_rules: vec![rate("r", "*", 2, Some(429))], ..Default::default() });
    let asked =
        |site: u16, client: u16| ask(&station, "/a", &format!("2001:db8:{site:x}:{client:x}::1"), 0).is_ok();
    assert_eq!((0..1_000).filter(|it| asked(1, *it)).count(), 32);
    assert!(asked(2, 0), "another site has its own");
}

#[test]
fn who_is_refused_gets_no_other_answer_for_a_path_that_is_none() {
    use crate::passage::{PathFault, Unrouted};

    let rate_rules = vec![rate("r", "*", 2, Some(429))];
    let station =
        protect(Protection { deny: addresses(&["192.0.2.0/24"], None), rate_rules, ..Default::default() });
    let refused = |client: &str| {
        let mut example = Example::get("/%2f");
        example.facts.client = client.parse().unwrap();
        let routed = example.routed();
        let (request, distribution) = (routed.request().clone(), Arc::clone(routed.distribution()));
        let witness = crate::behavior::Witness::in_tests();
        let unrouted = Unrouted::new(witness, request, distribution, PathFault::Separator);
        station.judge_unrouted(unrouted, SystemTime::UNIX_EPOCH).refusal().map(Reason::name)
    };
    assert_eq!(refused("192.0.2.1"), Some("address-denied"));
    assert_eq!([(); 3].map(|()| refused("198.51.100.1")), [None, None, Some("rate")]);
}

#[test]
fn a_rule_that_counts_refuses_nobody() {
    let station = protect(Protection { rate_rules: vec![rate("r", "*", 1, None)], ..Default::default() });
    assert!((0..5).all(|_| ask(&station, "/a", "192.0.2.1", 0).is_ok()));
    assert_eq!(station.rules().matches().next(), Some(("default/r".to_owned(), 4)));
}

#[test]
fn what_a_client_asked_before_a_reload_still_counts() {
    let rule = || Protection { rate_rules: vec![rate("r", "*", 2, Some(429))], ..Default::default() };
    let station = protect(rule());
    for _ in 0..2 {
        ask(&station, "/a", "192.0.2.1", 0).unwrap();
    }
    station.replace(rules(rule(), Some(&station.rules())).unwrap());
    assert_eq!(ask(&station, "/a", "192.0.2.1", 0).unwrap_err().name(), "rate");
}

#[test]
fn a_list_that_cannot_be_read_says_where() {
    let with = |file| Protection { deny: addresses(&[], Some(file)), ..Default::default() };
    let error = |file| rules(with(file), None).unwrap_err().to_string();
    assert!(
        error("/wrong").starts_with("/wrong: line 2: \"203.0.113.1/24\" has bits set"),
        "{}",
        error("/wrong")
    );
    assert!(error("/missing").starts_with("/missing: "));
}
