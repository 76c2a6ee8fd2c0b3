//! How it ends: listeners, requests, broadcasts, and the log's last line.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;

use ingest::rtmp::client::Event;
use rustix::fs::{CWD, FileType, Mode, OFlags};

use crate::support::house::House;
use crate::support::http::Line;
use crate::support::{film, frames, soon, until};

/// A film whose one segment does not fit into the sockets between us and a viewer.
fn long_film(house: &House) -> &'static str {
    house.store("long.mp4", &film::enlarged(24 << 20));
    "/vod/long.mp4"
}

async fn segment(house: &House, title: &str) -> String {
    let multivariant = house.get(&format!("{title}/index.m3u8")).await.expect(200);
    let variant =
        multivariant.text().lines().find(|it| !it.starts_with('#')).expect("it has a variant").to_owned();
    format!("{title}/{}/0.m4s", variant.rsplit_once('/').expect("it is in a directory").0)
}

#[tokio::test]
async fn a_stop_lets_downloads_finish_and_tells_everyone_else() {
    let house = House::open().await;
    let title = long_film(&house);
    let path = segment(&house, title).await;
    let (mut encoder, list) = house.live(4_100).await;

    let mut download = house.line().await;
    download.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    let head = download.head().await.expect("the download begins").expect(200);
    let length: usize =
        head.header("content-length").and_then(|it| it.parse().ok()).expect("it has a length");
    let first = download.take(100_000).await;

    let mut idle = house.line().await;
    idle.ask("GET /.levada/time").await.expect(200);

    let next = list.open_sequence() + 1;
    let mut blocked = house.line().await;
    let request = format!("GET /live/match/video/index.m3u8?_HLS_msn={next}");
    let blocked = tokio::spawn(async move { blocked.ask(&request).await });
    until("the request waits", async || {
        (house.metric("levada_cache_fills_under_way").await >= 1).then_some(())
    })
    .await;

    let (http, directory) = (house.http(), house.directory.clone());
    let stopping = tokio::spawn(house.running.stop());
    assert_eq!(idle.rest().await, b"", "an idle connection is closed at once");
    let told = encoder.hear().await;
    assert!(
        matches!(told, Some(Event::ServerStops { .. })),
        "the encoder is let go, and comes again: {told:?}"
    );
    let answer = soon("the blocked request's answer", blocked).await.expect("the viewer goes on");
    assert!(matches!(answer.status, 200 | 503), "{answer:?}");
    assert!(tokio::net::TcpStream::connect(http).await.is_err(), "nobody new is let in");

    let rest = download.take(length - first.len()).await;
    assert_eq!(rest.len() + first.len(), length);
    assert_eq!(download.rest().await, b"", "and then the connection closes");
    soon("the end", stopping).await.expect("it stops");
    drop(directory);
}

#[tokio::test]
async fn who_waits_for_a_part_is_told_at_once_that_it_will_not_come() {
    // Without that it would wait for three target durations, which is longer than this story is listened to.
    let house = House::with(&["packaging.segment=10s", "listen.drain=5m"]).await;
    let title = long_film(&house);
    let path = segment(&house, title).await;
    let (_encoder, list) = house.live(4_100).await;
    let mut download = house.line().await;
    download.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    download.head().await.expect("the download begins").expect(200);

    let mut blocked = house.line().await;
    let request = format!("GET /live/match/video/index.m3u8?_HLS_msn={}", list.open_sequence() + 1);
    let blocked = tokio::spawn(async move { (blocked.ask(&request).await, blocked.rest().await) });
    until("the request waits", async || {
        (house.metric("levada_cache_fills_under_way").await >= 1).then_some(())
    })
    .await;
    let stopping = tokio::spawn(house.running.stop());
    let (answer, rest) = soon("the blocked request's answer", blocked).await.expect("the viewer goes on");
    let answer = answer.expect(503);
    assert_eq!(answer.header("retry-after").as_deref(), Some("1"));
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("*"));
    assert_eq!(rest, b"", "and the connection closes");
    assert!(!stopping.is_finished(), "the download is still waited for");
    stopping.abort();
}

#[tokio::test]
async fn a_viewer_who_takes_nothing_is_cut_when_the_drain_is_over_and_has_its_line() {
    let house = House::with(&["listen.drain=1s"]).await;
    let title = long_film(&house);
    let path = segment(&house, title).await;
    let mut download = house.line().await;
    download.say(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    download.head().await.expect("the download begins").expect(200);
    let mut other = house.line().await;
    other.say([frames::opening_with_no_window(), frames::get(&path)].concat()).await;
    let served = async || {
        let served = ["levada_cache_misses_total", "levada_cache_hits_total"];
        (house.metric(served[0]).await + house.metric(served[1]).await >= 3).then_some(())
    };
    until("both are answered", served).await;
    let lines = stopped(house).await;
    let cut: Vec<_> = lines.iter().filter(|it| it["complete"] == false).collect();
    for protocol in ["HTTP/1.1", "HTTP/2.0"] {
        let line = cut.iter().find(|it| it["protocol"] == protocol).expect("it has a line");
        assert_eq!((&line["path"], &line["status"]), (&path.as_str().into(), &200.into()), "{line}");
        assert_eq!(line["result"], "Error");
    }
}

#[tokio::test]
async fn a_viewer_who_leaves_before_the_answer_has_its_line() {
    let house = House::open().await;
    let (_encoder, list) = house.live(4_100).await;
    let target = format!("/live/match/video/index.m3u8?_HLS_msn={}", list.open_sequence() + 1);
    let waits = async |count| {
        let waiting = async || (house.metric("levada_viewer_connections_open").await == count).then_some(());
        until("the viewer is there", waiting).await;
        until("its request waits", async || {
            (house.metric("levada_cache_fills_under_way").await >= 1).then_some(())
        })
        .await;
    };
    let mut leaving = house.line().await;
    leaving.say(format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await;
    waits(1).await;
    drop(leaving);
    let mut cancelling = house.line().await;
    cancelling.say([frames::opening_with_no_window(), frames::get(&target)].concat()).await;
    waits(1).await;
    cancelling.say(frames::CANCEL).await;
    house.settles("levada_viewer_aborted_responses_total", 2).await;
    drop(cancelling);
    let lines = stopped(house).await;
    let left: Vec<_> = lines.iter().filter(|it| it["complete"] == false).collect();
    let protocols: Vec<_> = left.iter().map(|it| it["protocol"].as_str().unwrap_or_default()).collect();
    assert_eq!(protocols, ["HTTP/1.1", "HTTP/2.0"]);
    for line in left {
        assert_eq!((&line["status"], &line["result"]), (&0.into(), &"Error".into()));
        assert!(target.starts_with(line["path"].as_str().unwrap_or_default()), "{line}");
    }
}

#[tokio::test]
async fn a_disk_that_hangs_is_not_waited_for_for_ever() {
    let house = House::open().await;
    let (_encoder, _) = house.live(4_100).await;
    // Who opens a pipe to write waits for somebody who reads.
    let record = house.path().join("state/broadcasts/live/match.new");
    rustix::fs::mknodat(CWD, &record, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe is made");
    let directory = house.directory.clone();
    soon("the end", house.running.stop()).await;
    let lines = fs::read_to_string(directory.path().join("access.log")).expect("there is a log");
    assert!(lines.contains("/live/match/video/index.m3u8"), "{lines}");
    let reading =
        OpenOptions::new().read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed()).open(&record);
    drop(reading.expect("the pipe is opened"));
}

#[tokio::test]
async fn requests_that_nobody_serves_have_their_lines() {
    let house = House::with(&["listen.header_timeout=1s"]).await;
    let get = "GET /.levada/time HTTP/1.1\r\nHost: a\r\n";
    let mut answered = Vec::new();
    for request in [
        // Ours.
        "GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(9_000)),
        "TRACE /a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(),
        format!("{get}Content-Length: 4\r\n\r\nabcd"),
        format!("{get}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        // hyper's.
        "this is no HTTP\r\n\r\n".to_owned(),
        format!("{get}x: \0\r\n\r\n"),
        format!("{get}x: {}\r\n\r\n", "a".repeat(40_000)),
        format!("{get}{}\r\n", (0..120).map(|it| format!("x-{it}: y\r\n")).collect::<String>()),
        // Never finished.
        get.to_owned(),
    ] {
        let mut line = house.line().await;
        line.say(request).await;
        answered.push(line.answer(false).await.expect("it is answered").status);
    }
    assert_eq!(answered, [400, 414, 405, 403, 400, 400, 400, 431, 431, 408]);
    let count = answered.len() as u64;
    assert_eq!(house.metric("levada_viewer_rude_requests_total").await, count);
    assert_eq!(house.metric("levada_viewer_responses_total{class=\"4xx\"}").await, count);
    let lines = stopped(house).await;
    let statuses: Vec<_> = lines.iter().map(|it| it["status"].as_u64().unwrap_or_default() as u16).collect();
    assert_eq!(statuses, answered);
    for line in &lines {
        assert!(line["reason"].as_str().is_some_and(|it| it.contains(' ')), "{line}");
        assert!(line["client"] == "127.0.0.1" && line["request_id"].is_string(), "{line}");
    }
    let asked: Vec<_> =
        lines[..5].iter().map(|it| (&it["method"], it["path"].as_str().map(str::len))).collect();
    let (get, time) = (&"GET".into(), Some(13));
    assert_eq!(
        asked,
        [(get, Some(4)), (get, Some(9_001)), (&"TRACE".into(), Some(2)), (get, time), (get, time)]
    );
}

/// What the log says when the house has stopped.
async fn stopped(house: House) -> Vec<serde_json::Value> {
    let directory = house.directory.clone();
    soon("the end", house.running.stop()).await;
    let text = fs::read_to_string(directory.path().join("access.log")).expect("there is a log");
    text.lines().map(|it| serde_json::from_str(it).expect("it is JSON")).collect()
}

/// Asks three times, stops, and reads the log.
async fn logged(format: &str) -> Vec<String> {
    let house = House::with(&[&format!("observe.access_log.format={format}")]).await;
    let mut line = Line::to(house.http()).await;
    line.ask("GET /vod/sample.mp4/index.m3u8?a=b%20c\nUser-Agent: a player/1").await.expect(200);
    line.ask("GET /members/vod/sample.mp4/index.m3u8").await.expect(403);
    line.ask("HEAD /vod/sample.mp4/index.m3u8").await.expect(200);
    drop(line);
    let directory = house.directory.clone();
    soon("the end", house.running.stop()).await;
    let text = fs::read_to_string(directory.path().join("access.log")).expect("there is a log");
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn every_request_has_its_line_in_json() {
    let lines = logged("json").await;
    let lines: Vec<serde_json::Value> =
        lines.iter().map(|it| serde_json::from_str(it).expect("it is JSON")).collect();
    let all: Vec<_> = lines
        .iter()
        .map(|it| {
            let text = |name: &str| it[name].as_str().unwrap_or_default().to_owned();
            (text("method"), it["status"].as_u64().unwrap_or_default(), text("result"), text("reason"))
        })
        .collect();
    let told = |method: &str, status, result: &str, reason: &str| {
        (method.to_owned(), status, result.to_owned(), reason.to_owned())
    };
    assert_eq!(
        all,
        [
            told("GET", 200, "Miss", ""),
            told("GET", 403, "Error", "missing-key"),
            told("HEAD", 200, "Hit", ""),
        ]
    );
    assert_eq!(lines[0]["distribution"], "main");
    assert_eq!(lines[0]["query"], "a=b%20c");
    assert!(lines.iter().all(|it| it["complete"] == true));
}

#[tokio::test]
async fn every_request_has_its_line_in_cloudfronts_form() {
    let lines = logged("w3c").await;
    assert_eq!(lines[0], "#Version: 1.0");
    let names: Vec<_> =
        lines[1].strip_prefix("#Fields: ").expect("the fields are named").split(' ').collect();
    assert_eq!(lines.len(), 5);
    let field = |line: &str, name: &str| {
        let at = names.iter().position(|it| *it == name).expect("there is such a field");
        let values: Vec<_> = line.split('\t').collect();
        assert_eq!(values.len(), names.len());
        values[at].to_owned()
    };
    assert_eq!(field(&lines[2], "cs-uri-stem"), "/vod/sample.mp4/index.m3u8");
    assert_eq!(field(&lines[2], "cs-uri-query"), "a=b%2520c");
    assert_eq!(field(&lines[2], "cs(User-Agent)"), "a%20player/1");
    assert_eq!(field(&lines[3], "sc-status"), "403");
    assert_eq!(field(&lines[3], "x-edge-result-type"), "Error");
    assert_eq!(field(&lines[4], "cs-method"), "HEAD");
    assert_eq!(field(&lines[4], "x-edge-result-type"), "Hit");
}
