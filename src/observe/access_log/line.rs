//! How a line of the access log looks.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::observe::AccessLogFormat;
use http::Version;
use http::header::{HeaderName, REFERER, USER_AGENT};
use serde::Serialize;

use crate::viewer::Record;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The two lines that open a file in CloudFront's format (cloudfront.md 6.1).
const W3C_HEAD: &str = "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) \
    cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type \
    x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher \
    x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port \
    time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len sc-range-start \
    sc-range-end\n";

/// What opens a new file.
pub(super) const fn head(format: AccessLogFormat) -> &'static str {
    match format {
        AccessLogFormat::Json => "",
        AccessLogFormat::W3c => W3C_HEAD,
    }
}

/// One line, its end included.
pub(super) fn line(record: &Record, format: AccessLogFormat) -> String {
    match format {
        AccessLogFormat::Json => json(record),
        AccessLogFormat::W3c => w3c(record),
    }
}

#[derive(Serialize)]
struct Json<'a> {
    time: String,
    request_id: String,
    client: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    scheme: &'a str,
    host: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<&'a str>,
    status: u16,
    result: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    distribution: &'a str,
    sent_bytes: u64,
    received_bytes: u64,
    first_byte_seconds: f64,
    seconds: f64,
    complete: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<(u64, u64)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
}

fn json(record: &Record) -> String {
    let json = Json {
        time: timestamp(record.received).to_string(),
        request_id: record.id.to_string(),
        client: record.client.to_string(),
        method: record.method(),
        scheme: record.scheme.as_str(),
        host: record.host.as_deref().unwrap_or_default(),
        path: record.path(),
        query: record.query(),
        protocol: protocol(record),
        tls: record.tls.map(|(version, _)| version),
        status: status(record),
        result: record.result(),
        reason: record.outcome.reason.as_deref(),
        distribution: record.outcome.distribution(),
        sent_bytes: record.sent_bytes,
        received_bytes: record.received_bytes,
        first_byte_seconds: seconds(record.first_byte),
        seconds: seconds(record.total),
        complete: record.complete,
        content_type: content_type(record),
        range: record.range,
        referer: record.header(REFERER),
        user_agent: record.header(USER_AGENT),
    };
    let mut line = serde_json::to_string(&json).expect("texts and numbers are always JSON");
    line.push('\n');
    line
}

fn w3c(record: &Record) -> String {
    let ended = timestamp(record.received + record.total);
    let text = |name: HeaderName| record.header(name).unwrap_or_default().to_owned();
    let (range_start, range_end) = match record.range {
        Some((first, last)) => (first.to_string(), last.to_string()),
        None => Default::default(),
    };
    let fields = [
        ended.strftime("%Y-%m-%d").to_string(),
        ended.strftime("%H:%M:%S").to_string(),
        "levada".into(),
        record.sent_bytes.to_string(),
        record.client.to_string(),
        record.method().into(),
        record.outcome.distribution().to_owned(),
        record.path().into(),
        format!("{:03}", status(record)),
        text(REFERER),
        text(USER_AGENT),
        record.query().unwrap_or_default().into(),
        String::new(),
        record.result().into(),
        record.id.to_string(),
        record.host.as_deref().unwrap_or_default().into(),
        record.scheme.as_str().into(),
        record.received_bytes.to_string(),
        format!("{:.3}", record.total.as_secs_f64()),
        text(X_FORWARDED_FOR),
        record.tls.map_or("", |(version, _)| version).into(),
        record.tls.map_or("", |(_, suite)| suite).into(),
        record.outcome.served.word().into(),
        protocol(record).into(),
        String::new(),
        String::new(),
        record.client_port.map(|it| it.to_string()).unwrap_or_default(),
        format!("{:.3}", record.first_byte.as_secs_f64()),
        detailed(record).into(),
        content_type(record).unwrap_or_default().into(),
        record.content_length.map(|it| it.to_string()).unwrap_or_default(),
        range_start,
        range_end,
    ];
    let mut line = fields.each_ref().map(|it| escaped(it)).join("\t");
    line.push('\n');
    line
}

/// `x-edge-detailed-result-type`: where CloudFront has a finer word than the result.
fn detailed(record: &Record) -> &'static str {
    if record.complete { record.result() } else { "ClientCommError" }
}

fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "-".into();
    }
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            0..=32
            | 127..
            | b'<'
            | b'>'
            | b'"'
            | b'#'
            | b'%'
            | b'{'
            | b'}'
            | b'|'
            | b'\\'
            | b'^'
            | b'~'
            | b'['
            | b']'
            | b'\''
            | b'`' => write!(out, "%{byte:02X}").expect("a String takes all"),
            _ => out.push(char::from(byte)),
        }
    }
    out
}

/// 0 where the viewer left before there was one.
fn status(record: &Record) -> u16 {
    record.status.map_or(0, |it| it.as_u16())
}

fn protocol(record: &Record) -> &'static str {
    match record.head.as_ref().map(|it| it.version) {
        None => "",
        Some(Version::HTTP_10) => "HTTP/1.0",
        Some(Version::HTTP_2) => "HTTP/2.0",
        Some(Version::HTTP_3) => "HTTP/3.0",
        Some(_) => "HTTP/1.1",
    }
}

fn content_type(record: &Record) -> Option<&str> {
    record.content_type.as_ref()?.to_str().ok()
}

fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

fn timestamp(time: SystemTime) -> jiff::Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX)
}

/// A record of an ordinary hit, for tests.
#[cfg(test)]
pub(crate) fn example_record() -> Record {
    Record {
        id: crate::passage::RequestId::new(7),
        received: UNIX_EPOCH + Duration::from_millis(1_767_323_045_500),
        client: "192.0.2.1".parse().unwrap(),
        client_port: Some(4711),
        scheme: crate::passage::Scheme::Https,
        head: Some(example_head("/vod/a%20b.m4s?x=1&y=[2]")),
        host: Some("media.example".into()),
        tls: Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256")),
        received_bytes: 300,
        status: Some(http::StatusCode::PARTIAL_CONTENT),
        content_type: Some(http::HeaderValue::from_static("video/mp4")),
        content_length: Some(100),
        range: Some((0, 99)),
        sent_bytes: 420,
        first_byte: Duration::from_millis(2),
        total: Duration::from_millis(1500),
        complete: true,
        outcome: crate::passage::Outcome {
            served: crate::passage::Served::Hit,
            reason: None,
            distribution: Some("media".into()),
        },
    }
}

/// What a browser sends for `target`.
#[cfg(test)]
pub(crate) fn example_head(target: &str) -> std::sync::Arc<http::request::Parts> {
    let build = http::Request::get(target).version(Version::HTTP_2).header(USER_AGENT, "Mozilla/5.0 (X11)");
    build.body(()).unwrap().into_parts().0.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_w3c_line_has_a_field_for_each_name_of_its_head() {
        let line = line(&example_record(), AccessLogFormat::W3c);
        assert_eq!(
            line,
            "2026-01-02\t03:04:07\tlevada\t420\t192.0.2.1\tGET\tmedia\t/vod/a%2520b.m4s\t206\t-\t\
             Mozilla/5.0%20(X11)\tx=1&y=%5B2%5D\t-\tHit\t00000000000000000000000000000007\tmedia.example\t\
             https\t300\t1.500\t-\tTLSv1.3\tTLS_AES_128_GCM_SHA256\tHit\tHTTP/2.0\t-\t-\t4711\t0.002\tHit\t\
             video/mp4\t100\t0\t99\n"
        );
        let names = W3C_HEAD.lines().nth(1).unwrap().split(' ').count() - 1;
        assert_eq!(line.split('\t').count(), names);
    }

    #[test]
    fn a_json_line_is_one_object_on_one_line() {
        let text = line(&example_record(), AccessLogFormat::Json);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["result"], "Hit");
        assert_eq!(value["time"], "2026-01-02T03:04:05.5Z");
        assert_eq!(value["range"], serde_json::json!([0, 99]));
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn what_could_not_be_read_of_a_request_is_left_out() {
        let record = Record { head: None, host: None, status: None, complete: false, ..example_record() };
        let fields = line(&record, AccessLogFormat::W3c);
        let fields: Vec<_> = fields.split('\t').collect();
        assert_eq!((fields[5], fields[7], fields[8], fields[15], fields[23]), ("-", "-", "000", "-", "-"));
        let text = line(&record, AccessLogFormat::Json);
        assert!(
            !text.contains("method") && !text.contains("path") && text.contains(r#""status":0"#),
            "{text}"
        );
    }

    #[test]
    fn a_hit_cut_short_by_the_viewer_is_an_error() {
        let text = line(&Record { complete: false, ..example_record() }, AccessLogFormat::Json);
        assert!(text.contains(r#""result":"Error""#), "{text}");
    }
}
