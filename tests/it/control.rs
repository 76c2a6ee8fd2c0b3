//! What operators see and do.

use ingest::rtmp::client::Goal;

use crate::support::encoder::Encoder;
use crate::support::house::House;
use crate::support::http::{Answer, Line, ask, send};
use crate::support::{film, frames, until};

fn json(answer: &Answer) -> serde_json::Value {
    serde_json::from_slice(&answer.body).expect("it is JSON")
}

#[tokio::test]
async fn the_api_needs_the_token_and_machines_see_no_secret() {
    let house = House::open().await;
    for request in ["GET /api/broadcasts", "GET /api/ingest", "POST /api/reload"] {
        let refused = ask(house.control(), request).await.expect(401);
        assert_eq!(refused.header("www-authenticate").as_deref(), Some("Bearer"));
        let wrong = format!("{request}\nAuthorization: Bearer {}", "a".repeat(32));
        ask(house.control(), &wrong).await.expect(401);
        house.operate(request).await.expect(200);
    }
    for path in ["/healthz", "/readyz", "/metrics", "/"] {
        let answer = ask(house.control(), &format!("GET {path}")).await.expect(200);
        assert!(!answer.text().contains("secret-of-match"), "{path}");
        assert!(!answer.text().contains(house.running.token.reveal()), "{path}");
    }
}

#[tokio::test]
async fn pages_and_names_of_strangers_are_kept_out() {
    let house = House::with(&["control.public_host=stream.example"]).await;
    let status = async |headers: &str| ask(house.control(), &format!("GET /healthz\n{headers}")).await.status;
    assert_eq!(status("Host: 127.0.0.1:9090").await, 200);
    assert_eq!(status("Host: stream.example").await, 200);
    assert_eq!(status("Host: rebound.example").await, 403);
    assert_eq!(status("Host: localhost\nOrigin: http://localhost").await, 200);
    assert_eq!(status("Host: localhost\nOrigin: https://evil.example").await, 403);
    assert_eq!(status("Host: localhost\nOrigin: null").await, 403);
}

#[tokio::test]
async fn a_broadcast_is_listed_with_what_an_operator_wants_to_know() {
    let house = House::open().await;
    assert_eq!(json(&house.operate("GET /api/broadcasts").await.expect(200)), serde_json::json!([]));
    let (mut encoder, _) = house.live(4_100).await;
    let mut sent = 4_100;
    // What is measured is told once a second, while something comes.
    let listed = until("an interval", async || {
        encoder.send(sent..sent + 100).await;
        sent += 100;
        let listed = json(&house.operate("GET /api/broadcasts").await.expect(200));
        listed[0]["key_frame_interval_seconds"].is_number().then_some(listed)
    })
    .await;
    let it = &listed[0];
    assert_eq!(it["name"], "live/match");
    assert_eq!(it["on_air"], true);
    assert_eq!(it["key_frame_interval_seconds"].as_f64().map(|it| it.round()), Some(1.0));
    assert_eq!(it["tracks"][0]["codec"], "avc1.4d401f");
    assert_eq!((&it["tracks"][0]["width"], &it["tracks"][0]["height"]), (&640.into(), &360.into()));
    assert_eq!(it["tracks"][1]["codec"], "mp4a.40.2");
    assert!(it["publisher"]["address"].as_str().is_some_and(|it| it.starts_with("127.0.0.1")));
    assert!(!listed.to_string().contains("secret-of-match"));
    drop(encoder);
    house.settles("levada_rtmp_publishers", 0).await;
    until("the encoder's end", async || {
        let listed = json(&house.operate("GET /api/broadcasts").await.expect(200));
        (listed[0]["on_air"] == false).then_some(())
    })
    .await;
    let ingest = json(&house.operate("GET /api/ingest").await.expect(200));
    assert_eq!(ingest[0]["server"], format!("rtmp://localhost:{}/live", house.rtmp().port()));
    assert_eq!(ingest[0]["publish"], "keys_file");
}

#[tokio::test]
async fn metrics_are_openmetrics() {
    let house = House::open().await;
    house.get("/vod/sample.mp4/index.m3u8").await.expect(200);
    let answer = ask(house.control(), "GET /metrics").await.expect(200);
    let content_type = answer.header("content-type").expect("it says what it is");
    assert!(content_type.starts_with("application/openmetrics-text"), "{content_type}");
    let text = answer.text();
    assert!(text.ends_with("# EOF\n"));
    let mut family = ("", "");
    for line in text.lines().filter(|it| *it != "# EOF") {
        if let Some(told) = line.strip_prefix("# TYPE ") {
            family = told.split_once(' ').expect("a family has a type");
            assert!(matches!(family.1, "counter" | "gauge"), "{line}");
        } else if !line.starts_with('#') {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            let name = name.split('{').next().expect("a name comes first");
            let expected =
                if family.1 == "counter" { format!("{}_total", family.0) } else { family.0.into() };
            assert_eq!(name, expected, "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert_eq!(house.metric("levada_viewer_responses_total{class=\"2xx\"}").await, 1);
    assert_eq!(house.metric("levada_vod_documents_total").await, 1);
}

#[tokio::test]
async fn a_broken_configuration_changes_nothing_and_says_why() {
    let house = House::open().await;
    let good = house.configuration();
    let path = "/vod/sample.mp4/index.m3u8";
    house.write_configuration(&good.replace("root = \"media\"", "rot = \"media\"\nmagic = 7"));
    let answer = house.operate("POST /api/reload").await.expect(422);
    let said = json(&answer);
    assert_eq!(said["reloaded"], false);
    let message = said["message"].as_str().expect("it says why");
    for word in ["rot", "magic", "levada.toml"] {
        assert!(message.contains(word), "{word} in {message}");
    }
    house.get(path).await.expect(200);

    // What only shows when the files are read changes nothing either.
    house.write_configuration(&good.replace("path_pattern = \"/vod/*\"", "path_pattern = \"/other/*\""));
    for (file, broken) in [
        ("KVIEWERS.pub.pem", "no key"),
        ("certificate.pem", "no certificate"),
        ("stream-keys.toml", "no = keys = here"),
    ] {
        let whole = std::fs::read(house.path().join(file)).expect("it is there");
        std::fs::write(house.path().join(file), broken).expect("it is written");
        let said = json(&house.operate("POST /api/reload").await.expect(422));
        let message = said["message"].as_str().expect("it says why");
        assert!(message.contains(file), "{file} in {message}");
        house.get(path).await.expect(200);
        house.get("/other/sample.mp4/index.m3u8").await.expect(404);
        std::fs::write(house.path().join(file), whole).expect("it is written");
    }
    house.operate("POST /api/reload").await.expect(200);
    house.get("/other/sample.mp4/manifest.mpd").await.expect(200);
}

#[tokio::test]
async fn a_reload_swaps_behaviors_and_keys_and_drops_nobody() {
    let house = House::open().await;
    let (mut encoder, before) = house.live(4_100).await;
    let mut line = house.line().await;
    line.ask("GET /vod/sample.mp4/index.m3u8").await.expect(200);
    let changed = house.configuration().replace(
        "path_pattern = \"/vod/*\"\ntarget_origin = \"films\"",
        "path_pattern = \"/vod/*\"\ntarget_origin = \"films\"\ntrusted_key_groups = [\"viewers\"]",
    );
    house.write_configuration(&changed.replace("drain = \"10s\"", "drain = \"11s\""));
    std::fs::write(house.path().join("stream-keys.toml"), "\"secret-of-news\" = \"news\"\n")
        .expect("it is written");
    let said = json(&house.operate("POST /api/reload").await.expect(200));
    assert!(said["message"].as_str().is_some_and(|it| it.contains("listen.drain")), "{said}");

    line.ask("GET /vod/sample.mp4/index.m3u8").await.expect(403);
    let signed = house.signed("KVIEWERS", "http://localhost/vod/*");
    line.ask(&format!("GET {}", signed.append_to("/vod/sample.mp4/index.m3u8"))).await.expect(200);
    encoder.send(4_100..7_100).await;
    house.playlist_with("more of the match", |it| it.seconds() > before.seconds() + 2.0).await;
    assert!(Encoder::ask(house.rtmp(), Goal::Publish, "secret-of-talk").await.is_err());
    Encoder::publish(house.rtmp(), "secret-of-news").await;
}

#[tokio::test]
async fn what_was_kept_of_another_origin_is_not_given_after_a_reload() {
    let house = House::open().await;
    let title = "/vod/sample.mp4/index.m3u8";
    let first = house.get(title).await.expect(200);
    std::fs::create_dir(house.path().join("other")).expect("a directory is made");
    std::fs::write(house.path().join("other/sample.mp4"), film::enlarged(1 << 20))
        .expect("a film is written");
    let configuration = house.configuration();
    house.write_configuration(&configuration.replace("root = \"media\"", "root = \"other\""));
    house.operate("POST /api/reload").await.expect(200);
    let second = house.get(title).await.expect(200);
    assert_ne!(first.text(), second.text());
    house.write_configuration(&configuration);
    house.operate("POST /api/reload").await.expect(200);
    assert_eq!(house.get(title).await.expect(200).text(), first.text());
}

#[tokio::test]
async fn what_an_operator_invalidates_is_fetched_anew() {
    let house = House::open().await;
    let invalidate = async |body: &str| {
        let token = house.running.token.reveal();
        send(house.control(), &format!("POST /api/invalidations\nAuthorization: Bearer {token}"), body).await
    };
    let title = "/vod/sample.mp4/index.m3u8";
    let served = async || house.get(title).await.expect(200).header("x-cache").expect("it says from where");
    assert_eq!(served().await, "Miss from levada");
    assert_eq!(served().await, "Hit from levada");
    let batch = r#"{"distribution": "main", "items": ["/vod/*"], "caller_reference": "first"}"#;
    let made = json(&invalidate(batch).await.expect(201));
    assert_eq!((&made["status"], &made["items"][0]), (&"Completed".into(), &"/vod/*".into()));
    assert_eq!(served().await, "Miss from levada");
    assert_eq!(served().await, "Hit from levada");

    // The same again is the same invalidation, and forgets nothing more.
    assert_eq!(json(&invalidate(batch).await.expect(201)), made);
    assert_eq!(served().await, "Hit from levada");
    let id = made["id"].as_str().expect("it has an id");
    assert_eq!(json(&house.operate(&format!("GET /api/invalidations/{id}")).await.expect(200)), made);
    assert_eq!(json(&house.operate("GET /api/invalidations").await.expect(200))[0], made);
    house.operate("GET /api/invalidations/INONE").await.expect(404);

    for (body, status, word) in [
        (r#"{"items": ["/a"], "caller_reference": "first"}"#, 409, "caller_reference"),
        (r#"{"items": []}"#, 400, "1 to 3000"),
        (r#"{"items": ["/a"]}"#, 400, "main, bare"),
        (r#"{"distribution": "main", "items": ["vod"]}"#, 400, "slash"),
        (r#"{"distribution": "main", "items": ["/a*b"]}"#, 400, "last character"),
        (r#"{"items": ["/a"], "distribution": "other"}"#, 400, "no distribution"),
    ] {
        let said = json(&invalidate(body).await.expect(status));
        let message = said["message"].as_str().expect("it says why");
        assert!(message.contains(word), "{body}: {message}");
    }
    assert_eq!(served().await, "Hit from levada");
}

#[tokio::test]
async fn the_control_address_has_the_guards_of_the_viewers() {
    let house = House::with(&["listen.header_timeout=1s"]).await;
    let mut dripping = Line::to(house.control()).await;
    dripping.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\n").await;
    let answer = dripping.answer(false).await.expect("it is told");
    assert_eq!((answer.status, dripping.rest().await.as_slice()), (408, [].as_slice()));
    let mut long = Line::to(house.control()).await;
    long.say(format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nx: {}\r\n\r\n", "a".repeat(40_000))).await;
    assert_eq!(long.answer(false).await.expect("it is told").status, 431);
    house.settles("levada_control_slow_heads_total", 1).await;

    // A request on each, so that none is closed for want of one.
    let mut lines = Vec::new();
    loop {
        let mut line = Line::to(house.control()).await;
        line.say("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        match line.answer(false).await {
            Some(answer) => lines.push((line, answer.expect(200))),
            None => break,
        }
        assert!(lines.len() < 1_000, "somebody is turned away");
    }
    drop(lines);
    let turned_away = async || {
        let mut line = Line::to(house.control()).await;
        line.say("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        let answer = line.answer(false).await?.expect(200);
        answer.text().contains("\nlevada_control_turned_away_total ").then_some(())
    };
    until("room for the next", turned_away).await;
    assert!(house.metric("levada_control_turned_away_total").await >= 1);
}

#[tokio::test]
async fn operators_may_come_over_http_2() {
    let house = House::open().await;
    let mut line = Line::to(house.control()).await;
    line.say([frames::opening(), frames::get("/healthz")].concat()).await;
    line.hear(b"ok\n").await;
}
