//! How a line of the access log looks.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::observe::AccessLogFormat;
use http::Version;
use serde::Serialize;

use crate::viewer::Record;

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
    method: &'a str,
    scheme: &'a str,
    host: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
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
        method: record.method.as_str(),
        scheme: record.scheme.as_str(),
        host: &record.host,
        path: &record.path,
        query: record.query.as_deref(),
        protocol: protocol(record.version),
        tls: record.tls.map(|(version, _)| version),
        status: record.status.as_u16(),
        result: record.result(),
        reason: record.outcome.reason.as_deref(),
        distribution: &record.outcome.distribution,
        sent_bytes: record.sent_bytes,
        received_bytes: record.received_bytes,
        first_byte_seconds: seconds(record.first_byte),
        seconds: seconds(record.total),
        complete: record.complete,
        content_type: record.content_type.as_deref(),
        range: record.range,
        referer: record.referer.as_deref(),
        user_agent: record.user_agent.as_deref(),
    };
    let mut line = serde_json::to_string(&json).expect("texts and numbers are always JSON");
    line.push('\n');
    line
}

fn w3c(record: &Record) -> String {
    let ended = timestamp(record.received + record.total);
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
        record.method.to_string(),
        record.outcome.distribution.to_string(),
        record.path.clone(),
        record.status.as_u16().to_string(),
        record.referer.clone().unwrap_or_default(),
        record.user_agent.clone().unwrap_or_default(),
        record.query.clone().unwrap_or_default(),
        String::new(),
        record.result().into(),
        record.id.to_string(),
        record.host.clone(),
        record.scheme.as_str().into(),
        record.received_bytes.to_string(),
        format!("{:.3}", record.total.as_secs_f64()),
        record.forwarded_for.clone().unwrap_or_default(),
        record.tls.map_or("", |(version, _)| version).into(),
        record.tls.map_or("", |(_, suite)| suite).into(),
        record.outcome.served.word().into(),
        protocol(record.version).into(),
        String::new(),
        String::new(),
        record.client_port.to_string(),
        format!("{:.3}", record.first_byte.as_secs_f64()),
        detailed(record).into(),
        record.content_type.clone().unwrap_or_default(),
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

const fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
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
        client_port: 4711,
        scheme: crate::passage::Scheme::Https,
        method: http::Method::GET,
        version: Version::HTTP_2,
        host: "media.example".into(),
        path: "/vod/a%20b.m4s".into(),
        query: Some("x=1&y=[2]".into()),
        referer: None,
        user_agent: Some("Mozilla/5.0 (X11)".into()),
        forwarded_for: None,
        tls: Some(("TLSv1.3", "TLS_AES_128_GCM_SHA256")),
        received_bytes: 300,
        status: http::StatusCode::PARTIAL_CONTENT,
        content_type: Some("video/mp4".into()),
        content_length: Some(100),
        range: Some((0, 99)),
        sent_bytes: 420,
        first_byte: Duration::from_millis(2),
        total: Duration::from_millis(1500),
        complete: true,
        outcome: crate::passage::Outcome {
            served: crate::passage::Served::Hit,
            reason: None,
            distribution: "media".into(),
        },
    }
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
    fn a_hit_cut_short_by_the_viewer_is_an_error() {
        let text = line(&Record { complete: false, ..example_record() }, AccessLogFormat::Json);
        assert!(text.contains(r#""result":"Error""#), "{text}");
    }
}
