//! What a signature allows: until when, from when, from where, and which URLs (cloudfront.md 1.4, 1.5).

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use config::units::IpNetwork;
use serde::{Deserialize, Deserializer, Serialize};

use crate::passage::Reason;

/// Longest policy that is looked at: what base64 leaves of a cookie of 4096 bytes, the most that a browser must keep
/// (RFC 6265 6.1). Policies of signers in use have 150 to 400 bytes.
pub(super) const MAX_POLICY: usize = 3 * 1024;

/// A policy whose signature was verified, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Policy {
    /// Which URLs, with wildcards. None: all.
    pub(super) resource: Option<Arc<str>>,
    /// The first second it does not hold any more.
    pub(super) expires: i64,
    /// The last second it does not hold yet.
    pub(super) not_before: Option<i64>,
    /// Which viewers.
    pub(super) network: Option<IpNetwork>,
}

impl Policy {
    /// Reads a custom policy. What it says must be understood completely: a condition that we skipped would be one
    /// the signer relies on.
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        if json.len() > MAX_POLICY {
            return None;
        }
        let document: Document = serde_json::from_slice(json).ok()?;
        let statement = match document.statement {
            OneStatement::Listed([it]) | OneStatement::Bare(it) => it,
        };
        let Conditions { expires, not_before, network } = statement.conditions;
        Some(Self {
            resource: statement.resource.map(Into::into),
            expires: expires.seconds,
            not_before: not_before.map(|it| it.seconds),
            network: match network {
                Some(it) => Some(parse_network(&it.network)?),
                None => None,
            },
        })
    }

    /// What a canned policy says; its URL is in the signed bytes.
    pub(super) const fn canned(expires: i64) -> Self {
        Self { resource: None, expires, not_before: None, network: None }
    }

    /// Whether it holds at `now` for a viewer at `client`; the resource is judged elsewhere.
    pub(super) fn judge(&self, now: SystemTime, client: IpAddr) -> Result<(), Reason> {
        let now = unix_seconds(now);
        if self.not_before.is_some_and(|it| now <= it) {
            return Err(Reason::TooEarly);
        }
        if now >= self.expires {
            return Err(Reason::Expired);
        }
        // The network is of IPv4, which an IPv6 address is never in; mapped ones are IPv4.
        if self.network.is_some_and(|it| !it.contains(client)) {
            return Err(Reason::Address);
        }
        Ok(())
    }

    /// The bytes a signer of this policy signs, in the order botocore writes them.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let time = |seconds| EpochTime { seconds };
        let document = Document {
            statement: OneStatement::Listed([Statement {
                resource: self.resource.as_deref().map(str::to_owned),
                conditions: Conditions {
                    expires: time(self.expires),
                    network: self.network.map(|it| SourceIp { network: it.to_string() }),
                    not_before: self.not_before.map(time),
                },
            }]),
        };
        serde_json::to_vec(&document).expect("texts and numbers are JSON")
    }
}

/// The bytes signed for a canned policy: `expires` is the digits as they stand in the URL. None for a URL with a quote
/// or a backslash, which would end the text early or hide its end.
pub(super) fn canned_text(url: &str, expires: &str) -> Option<String> {
    let unquoted = !url.bytes().any(|it| matches!(it, b'"' | b'\\') || it.is_ascii_control());
    unquoted.then(|| {
        format!(
            r#"{{"Statement":[{{"Resource":"{url}","Condition":{{"DateLessThan":{{"AWS:EpochTime":{expires}}}}}}}]}}"#
        )
    })
}

/// Whole seconds since 1970; a clock before that reads as 1970.
pub(super) fn unix_seconds(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// One IPv4 address, or one IPv4 network whose host bits may be set, as some signers leave them.
fn parse_network(text: &str) -> Option<IpNetwork> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) if prefix.bytes().all(|it| it.is_ascii_digit()) => {
            (address, prefix.parse().ok()?)
        }
        Some(_) => return None,
        None => (text, 32),
    };
    IpNetwork::around(address.parse::<Ipv4Addr>().ok()?.into(), prefix)
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(rename = "Statement")]
    statement: OneStatement,
}

/// An array of one, or that one itself, as an edition of 2023 shows it.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum OneStatement {
    Listed([Statement; 1]),
    Bare(Statement),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Statement {
    #[serde(
        rename = "Resource",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    resource: Option<String>,
    #[serde(rename = "Condition")]
    conditions: Conditions,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    #[serde(rename = "DateLessThan")]
    expires: EpochTime,
    #[serde(
        rename = "IpAddress",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    network: Option<SourceIp>,
    #[serde(
        rename = "DateGreaterThan",
        default,
        deserialize_with = "present",
        skip_serializing_if = "Option::is_none"
    )]
    not_before: Option<EpochTime>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct EpochTime {
    #[serde(rename = "AWS:EpochTime")]
    seconds: i64,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct SourceIp {
    #[serde(rename = "AWS:SourceIp")]
    network: String,
}

/// A member that is there has a value: `null` is none, and must not lift a restriction.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn check(json: &str, expected: Option<Policy>) {
        assert_eq!(Policy::parse(json.as_bytes()), expected, "{json}");
    }

    #[test]
    fn a_custom_policy_may_have_white_space_any_order_and_a_bare_statement() {
        check(
            r#"{"Statement":[{"Resource":"http*://h/*","Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            Some(Policy { resource: Some("http*://h/*".into()), ..Policy::canned(5) }),
        );
        check(
            r#" { "Statement": { "Condition": { "IpAddress": {"AWS:SourceIp":"192.0.2.0/24"},
                "DateGreaterThan": {"AWS:EpochTime": 1}, "DateLessThan": {"AWS:EpochTime": 9} } } } "#,
            Some(Policy { not_before: Some(1), network: parse_network("192.0.2.0/24"), ..Policy::canned(9) }),
        );
        check(
            r#"{"Statement":[{"Resource":"\u002a","Condition":{"DateLessThan":{"AWS:EpochTime":9223372036854775807}}}]}"#,
            Some(Policy { resource: Some("*".into()), ..Policy::canned(i64::MAX) }),
        );
    }

    #[test]
    fn an_address_may_be_bare_or_have_host_bits_and_is_of_ipv4() {
        let of = |network: &str| {
            let json = format!(
                r#"{{"Statement":[{{"Condition":{{"DateLessThan":{{"AWS:EpochTime":5}},"IpAddress":{{"AWS:SourceIp":"{network}"}}}}}}]}}"#
            );
            Policy::parse(json.as_bytes()).map(|it| it.network.unwrap().to_string())
        };
        assert_eq!(of("192.0.2.7").as_deref(), Some("192.0.2.7/32"));
        assert_eq!(of("192.0.2.7/24").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(of("0.0.0.0/0").as_deref(), Some("0.0.0.0/0"));
        for no in [
            "192.0.2.7/33",
            "192.0.2.7/+8",
            "192.0.2.7/",
            "192.0.2/24",
            "2001:db8::/32",
            "::ffff:1.2.3.4",
            "",
        ] {
            assert_eq!(of(no), None, "{no}");
        }
    }

    #[test]
    fn what_is_not_understood_completely_is_malformed() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{"Statement":[]}"#,
            r#"{"Statement":[{"Resource":"*"}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{}}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":"5"}}}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":5.5}}}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":9223372036854775808}}}]}"#,
            r#"{"Statement":[{"Resource":null,"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":5},"IpAddress":null}}]}"#,
            r#"{"Statement":[{"Resource":"*","Condition":{"DateLessThan":{"AWS:EpochTime":5},"IpAddres":{}}}]}"#,
            r#"{"Statement":[{"Resource":"*","Resource":"a","Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}},{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            r#"{"Version":"1","Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            r#"{"statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#,
            r#"{"Statement":[{"Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]} x"#,
        ] {
            check(json, None);
        }
        assert_eq!(Policy::parse(b"{\"Statement\":[{\"Resource\":\"\xff\"}]}"), None);
        let deep = "[".repeat(MAX_POLICY);
        check(&deep, None);
    }

    #[test]
    fn it_holds_after_its_first_second_and_before_its_last() {
        let policy = Policy { not_before: Some(10), network: None, ..Policy::canned(20) };
        let at = |seconds: f64| {
            policy.judge(UNIX_EPOCH + Duration::from_secs_f64(seconds), IpAddr::V4(Ipv4Addr::LOCALHOST))
        };
        assert_eq!(at(0.0), Err(Reason::TooEarly));
        assert_eq!(at(10.9), Err(Reason::TooEarly));
        assert_eq!(at(11.0), Ok(()));
        assert_eq!(at(19.9), Ok(()));
        assert_eq!(at(20.0), Err(Reason::Expired));
        let before_1970 = policy.judge(UNIX_EPOCH - Duration::from_secs(1), IpAddr::V4(Ipv4Addr::LOCALHOST));
        assert_eq!(before_1970, Err(Reason::TooEarly));
    }

    #[test]
    fn a_network_never_takes_an_ipv6_viewer_but_a_mapped_address_is_ipv4() {
        let from = |network: &str, client: &str| {
            let policy = Policy { network: parse_network(network), ..Policy::canned(20) };
            policy.judge(UNIX_EPOCH, client.parse().unwrap())
        };
        assert_eq!(from("192.0.2.0/24", "192.0.2.200"), Ok(()));
        assert_eq!(from("192.0.2.0/24", "192.0.3.1"), Err(Reason::Address));
        assert_eq!(from("192.0.2.0/24", "::ffff:192.0.2.200"), Ok(()));
        assert_eq!(from("0.0.0.0/0", "2001:db8::1"), Err(Reason::Address));
    }

    #[test]
    fn the_canned_text_has_no_way_out_of_its_url() {
        assert_eq!(
            canned_text("https://h/a?b=c", "5").unwrap(),
            r#"{"Statement":[{"Resource":"https://h/a?b=c","Condition":{"DateLessThan":{"AWS:EpochTime":5}}}]}"#
        );
        assert_eq!(canned_text("https://h/a\"", "5"), None);
        assert_eq!(canned_text("https://h/a\\", "5"), None);
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let policy = Policy {
            resource: Some("https://h/a\"*".into()),
            expires: 5,
            not_before: Some(1),
            network: parse_network("192.0.2.0/24"),
        };
        assert_eq!(
            String::from_utf8(policy.to_json()).unwrap(),
            concat!(
                r#"{"Statement":[{"Resource":"https://h/a\"*","Condition":{"DateLessThan":{"AWS:EpochTime":5},"#,
                r#""IpAddress":{"AWS:SourceIp":"192.0.2.0/24"},"DateGreaterThan":{"AWS:EpochTime":1}}}]}"#
            )
        );
        assert_eq!(Policy::parse(&policy.to_json()), Some(policy));
    }
}
