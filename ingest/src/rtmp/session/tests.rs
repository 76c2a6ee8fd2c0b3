//! Conversations: what a peer sends, what the session says of it and answers, line by line.

use std::fmt::Write as _;

use super::*;
use crate::rtmp::chunk::ChunkReader;
use crate::rtmp::message::{INITIAL_CHUNK_SIZE, MessageHeader, render};

/// A peer with its session; what happens is written down.
struct Talk {
    session: Session,
    now: Instant,
    answers: ChunkReader,
    written: String,
}

impl Talk {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            session: Session::after_handshake(Limits::default(), now),
            now,
            answers: ChunkReader::new(1 << 20),
            written: String::new(),
        }
    }

    /// A talk that has come as far as a created stream.
    fn connected() -> Self {
        let mut talk = Self::new();
        talk.say(0, "connect", 1.0, &[Value::object([("app", Value::text("live"))])]);
        talk.say(0, "createStream", 2.0, &[Value::Null]);
        talk.written.clear();
        talk
    }

    fn publishing() -> Self {
        let mut talk = Self::connected();
        talk.say(1, "publish", 3.0, &[Value::Null, Value::text("key"), Value::text("live")]);
        talk.written.clear();
        talk
    }

    fn playing() -> Self {
        let mut talk = Self::connected();
        talk.say(1, "play", 3.0, &[Value::Null, Value::text("main")]);
        talk.written.clear();
        talk
    }

    fn say(&mut self, stream: u32, name: &'static str, transaction: f64, values: &[Value]) {
        let payload = crate::rtmp::command::write(name, transaction, values);
        self.send(Kind::Command, stream, payload);
    }

    fn send(&mut self, kind: Kind, stream: u32, payload: impl Into<Bytes>) {
        self.push(bytes(kind, stream, payload));
    }

    fn push(&mut self, bytes: Bytes) {
        self.session.push(bytes, self.now).unwrap();
        self.settle();
    }

    /// Grants everything and writes down what happens.
    fn settle(&mut self) {
        while let Some(event) = self.session.poll().unwrap() {
            writeln!(self.written, "! {}", describe(&event)).unwrap();
            match event {
                Event::Connect(_) => self.session.accept_connect(),
                Event::Publish(request) => self.session.accept_publish(request.stream),
                Event::Play(request) => self.session.accept_play(request.stream),
                _ => {}
            }
        }
        self.hear();
    }

    fn hear(&mut self) {
        while let Some(mut piece) = self.session.poll_transmit() {
            let mut said = Vec::new();
            while let Some(message) = self.answers.read(&mut piece).unwrap() {
                said.push(answer(&message));
            }
            writeln!(self.written, "< {}", said.join(" + ")).unwrap();
        }
    }

    #[track_caller]
    fn check(&mut self, expected: &str) {
        let trimmed: Vec<_> = expected.trim().lines().map(str::trim).collect();
        let written = std::mem::take(&mut self.written);
        assert_eq!(written.lines().collect::<Vec<_>>(), trimmed);
    }
}

/// A message as an encoder sends it.
fn bytes(kind: Kind, stream: u32, payload: impl Into<Bytes>) -> Bytes {
    let header = MessageHeader { kind, timestamp: 7, stream };
    render(header, &[payload.into()], INITIAL_CHUNK_SIZE).unwrap().concat().into()
}

fn describe(event: &Event) -> String {
    match event {
        Event::Connect(it) => format!("connect {} {:?} {:?}", it.app, it.host, it.encoder),
        Event::Publish(it) => format!("publish {}/{} on {} {:?}", it.app, it.name, it.stream, it.kind),
        Event::Play(it) => format!("play {}/{} on {}", it.app, it.name, it.stream),
        Event::Audio { stream, timestamp, payload } => format!("audio {stream} {timestamp} {payload:?}"),
        Event::Video { stream, timestamp, payload } => format!("video {stream} {timestamp} {payload:?}"),
        Event::Data { stream, timestamp, payload } => format!("data {stream} {timestamp} {payload:?}"),
        Event::Unpublish { stream } => format!("unpublish {stream}"),
        Event::StopPlay { stream } => format!("stop play {stream}"),
        Event::Delivery { stream, audio, video } => format!("deliver {stream} audio {audio} video {video}"),
    }
}

fn answer(message: &Message) -> String {
    let Message { header, payload } = message;
    match header.kind {
        Kind::Command | Kind::Data => {
            let mut reader = crate::rtmp::amf::Reader::new(payload.clone());
            let mut words = Vec::new();
            while let Some(value) = reader.next_value().unwrap() {
                words.push(brief(&value));
            }
            format!("{}@{}", words.join(" "), header.stream)
        }
        kind => format!("{kind:?} {payload:?}"),
    }
}

fn brief(value: &Value) -> String {
    match (value, value.property("code")) {
        (_, Some(code)) => brief(code),
        (Value::String(text), _) => text.lossy().into_owned(),
        (Value::Number(number), _) => number.to_string(),
        (Value::Boolean(truth), _) => truth.to_string(),
        (Value::Null, _) => "null".into(),
        (Value::Undefined, _) => "undefined".into(),
        _ => "{…}".into(),
    }
}

#[test]
fn connect_is_answered_in_one_piece_with_all_that_a_client_awaits() {
    let mut talk = Talk::new();
    let about = [
        ("app", Value::text("live/")),
        ("flashVer", Value::text("FMLE/3.0")),
        ("tcUrl", Value::text("rtmp://Host:1935/live")),
        ("objectEncoding", Value::Number(3.0)),
    ];
    talk.say(0, "connect", 1.0, &[Value::object(about)]);
    talk.check(
        r#"! connect live Some("host") Some("FMLE/3.0")
           < WindowAckSize b"\0&%\xa0" + PeerBandwidth b"\0&%\xa0\x02" + _result 1 {…} NetConnection.Connect.Success@0"#,
    );
    assert_eq!(talk.session.link.outbox.pop(), None);
}

#[test]
fn the_answer_to_connect_is_these_bytes() {
    let mut session = Session::after_handshake(Limits::default(), Instant::now());
    let payload = crate::rtmp::command::write("connect", 1.0, &[Value::Null]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let bytes = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat();
    session.push(bytes.into(), Instant::now()).unwrap();
    assert!(matches!(session.poll(), Ok(Some(Event::Connect(_)))));
    session.accept_connect();
    let answer = session.poll_transmit().unwrap();
    let mut expected = b"\x02\0\0\0\0\0\x04\x05\0\0\0\0\0\x26\x25\xa0".to_vec();
    expected.extend(b"\x02\0\0\0\0\0\x05\x06\0\0\0\0\0\x26\x25\xa0\x02");
    expected.extend(b"\x02\0\0\0\0\0\x04\x01\0\0\0\0\0\0\xea\x60");
    expected.extend(b"\x03\0\0\0\0\0\xce\x14\0\0\0\0\x02\0\x07_result\0\x3f\xf0\0\0\0\0\0\0");
    expected.extend(b"\x03\0\x06fmsVer\x02\0\x0eFMS/3,5,7,7009\0\x0ccapabilities\0\x40\x3f\0\0\0\0\0\0");
    expected.extend(b"\0\x04mode\0\x3f\xf0\0\0\0\0\0\0\0\0\x09");
    expected.extend(b"\x03\0\x05level\x02\0\x06status\0\x04code\x02\0\x1dNetConnection.Connect.Success");
    expected.extend(b"\0\x0bdescription\x02\0\x15Connection succeeded.");
    expected.extend(b"\0\x0eobjectEncoding\0\0\0\0\0\0\0\0\0\0\0\x09");
    assert_eq!(answer, expected);
}

#[test]
fn an_ecma_array_or_an_object_after_null_describes_a_connect_too() {
    let app = || Value::object([("app", Value::text("live"))]);
    let array = Value::EcmaArray(app().properties().to_vec());
    for values in [vec![array], vec![Value::Null, app()]] {
        let mut talk = Talk::new();
        talk.say(0, "connect", 1.0, &values);
        assert!(talk.written.starts_with("! connect live None None\n"), "{}", talk.written);
    }
}

#[test]
fn an_application_that_does_not_exist_is_refused_and_nothing_more_is_read() {
    let mut talk = Talk::new();
    let payload = crate::rtmp::command::write("connect", 1.0, &[Value::object([("app", Value::text("x"))])]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let bytes: Bytes = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat().into();
    talk.session.push(bytes, talk.now).unwrap();
    assert!(matches!(talk.session.poll(), Ok(Some(Event::Connect(_)))));
    assert!(talk.session.awaits_decision());
    let sentence = "x".repeat(500);
    talk.session.refuse_connect(ConnectRefusal::UnknownApp, &sentence);
    talk.hear();
    talk.check("< _error 1 null NetConnection.Connect.InvalidApp@0");
    talk.push(Bytes::from_static(&[0xFF; 5000]));
    talk.check("");
}

#[test]
fn publishing_as_obs_does_it() {
    let mut talk = Talk::new();
    talk.send(Kind::SetChunkSize, 0, &b"\0\0\x10\0"[..]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let say = |talk: &mut Talk, stream, name, transaction, values: &[Value]| {
        let payload = crate::rtmp::command::write(name, transaction, values);
        talk.push(render(MessageHeader { stream, ..header }, &[payload], 4096).unwrap().concat().into());
    };
    say(&mut talk, 0, "connect", 1.0, &[Value::object([("app", Value::text("live"))])]);
    talk.written.clear();
    let key = || Value::text("key?token=1");
    say(&mut talk, 0, "releaseStream", 2.0, &[Value::Null, key()]);
    say(&mut talk, 0, "FCPublish", 3.0, &[Value::Null, key()]);
    say(&mut talk, 0, "createStream", 4.0, &[Value::Null]);
    say(&mut talk, 1, "publish", 5.0, &[Value::Null, key(), Value::text("live")]);
    talk.check(
        r#"< _result 2 null undefined@0
           < onFCPublish 0 null NetStream.Publish.Start@0 + _result 3 null undefined@0
           < _result 4 null 1@0
           ! publish live/key on 1 Live
           < UserControl b"\0\0\0\0\0\x01" + onStatus 0 null NetStream.Publish.Start@1"#,
    );
    say(&mut talk, 0, "FCUnpublish", 6.0, &[Value::Null, key()]);
    say(&mut talk, 0, "deleteStream", 7.0, &[Value::Null, Value::Number(1.0)]);
    talk.check(
        r"! unpublish 1
          < onFCUnpublish 0 null NetStream.Unpublish.Success@0 + _result 6 null undefined@0 + onStatus 0 null NetStream.Unpublish.Success@1",
    );
}

#[test]
fn media_is_heard_on_the_publishing_stream_and_on_stream_0() {
    let mut talk = Talk::connected();
    talk.send(Kind::Video, 1, &b"early"[..]);
    talk.check("");
    let mut talk = Talk::publishing();
    talk.send(Kind::Audio, 1, &b"a"[..]);
    talk.send(Kind::Video, 0, &b"b"[..]);
    talk.send(Kind::Data, 1, &b"c"[..]);
    talk.send(Kind::DataAmf3, 1, &b"\0d"[..]);
    talk.send(Kind::Video, 2, &b"other"[..]);
    talk.send(Kind::Aggregate, 1, &b"\x08\0\0\x01\0\0\0\0\0\0\0e\0\0\0\x0c\x09\0\0\x01\0\0\x01\0\0\0\0f"[..]);
    talk.check(
        r#"! audio 1 7 b"a"
           ! video 1 7 b"b"
           ! data 1 7 b"c"
           ! data 1 7 b"d"
           ! audio 1 7 b"e"
           ! video 1 8 b"f""#,
    );
}

#[test]
fn a_command_of_amf3_is_a_command() {
    let mut talk = Talk::connected();
    let payload = crate::rtmp::command::write("createStream", 9.0, &[Value::Null]);
    talk.send(Kind::CommandAmf3, 0, [&[0][..], &payload].concat());
    talk.check("< _result 9 null 2@0");
}

#[test]
fn nothing_is_read_while_a_decision_is_awaited() {
    let mut talk = Talk::connected();
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 1 };
    let payload = crate::rtmp::command::write("publish", 3.0, &[Value::Null, Value::text("key")]);
    let publish = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat();
    let media = MessageHeader { kind: Kind::Video, ..header };
    let media = render(media, &[Bytes::from_static(b"v")], INITIAL_CHUNK_SIZE).unwrap().concat();
    talk.session.push([publish, media.clone()].concat().into(), talk.now).unwrap();
    assert!(matches!(talk.session.poll(), Ok(Some(Event::Publish(_)))));
    assert_eq!(talk.session.poll(), Ok(None));
    talk.session.push(media.into(), talk.now).unwrap();
    assert_eq!(talk.session.poll(), Ok(None));
    assert_eq!(talk.session.next_deadline(), None);
    talk.session.accept_publish(1);
    talk.settle();
    talk.check(
        r#"! video 1 0 b"v"
           ! video 1 0 b"v"
           < UserControl b"\0\0\0\0\0\x01" + onStatus 0 null NetStream.Publish.Start@1"#,
    );
}

#[test]
fn more_than_some_reads_may_not_wait_for_a_decision() {
    let mut talk = Talk::connected();
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 1 };
    let payload = crate::rtmp::command::write("publish", 3.0, &[Value::Null, Value::text("key")]);
    let publish = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat();
    talk.session.push(publish.into(), talk.now).unwrap();
    assert!(matches!(talk.session.poll(), Ok(Some(Event::Publish(_)))));
    talk.session.push(Bytes::from(vec![0; 1 << 20]), talk.now).unwrap();
    let unread = (1 << 20) + (3 << 20) + 1;
    let error = talk.session.push(Bytes::from(vec![0; (3 << 20) + 1]), talk.now);
    assert_eq!(error, Err(Error::Link(link::Error::Unread { unread })));
}

#[test]
fn a_refused_publisher_is_told_and_its_media_is_dropped() {
    let mut talk = Talk::publishing();
    talk.session.refuse_publish(1, PublishRefusal::Taken, "Another encoder took over.");
    talk.hear();
    talk.send(Kind::Video, 1, &b"late"[..]);
    talk.check("< onStatus 0 null NetStream.Publish.BadName@1");
    talk.session.refuse_publish(1, PublishRefusal::Taken, "Twice.");
    talk.session.accept_publish(1);
    talk.hear();
    talk.check("");
}

#[test]
fn a_stream_in_use_is_not_published_on_twice() {
    let mut talk = Talk::publishing();
    talk.say(1, "publish", 4.0, &[Value::Null, Value::text("other")]);
    talk.say(1, "play", 5.0, &[Value::Null, Value::text("other")]);
    talk.check(
        "< onStatus 0 null NetStream.Publish.BadName@1
         < onStatus 0 null NetStream.Play.Failed@1",
    );
}

#[test]
fn publishing_without_createstream_or_type_is_tolerated() {
    let mut talk = Talk::new();
    talk.say(0, "connect", 1.0, &[Value::object([("app", Value::text("live"))])]);
    talk.written.clear();
    talk.say(0, "publish", 2.0, &[Value::Null, Value::text("/key")]);
    talk.send(Kind::Audio, 0, &b"a"[..]);
    talk.check(
        r#"! publish live/key on 0 Live
           < UserControl b"\0\0\0\0\0\0" + onStatus 0 null NetStream.Publish.Start@0
           ! audio 0 7 b"a""#,
    );
}

#[test]
fn a_publication_ends_however_an_encoder_says_so() {
    for (stream, name, argument) in [
        (1, "deleteStream", Value::Number(1.0)),
        (0, "deleteStream", Value::text("key")),
        (0, "deleteStream", Value::Undefined),
        (1, "closeStream", Value::Undefined),
        (1, "publish", Value::Boolean(false)),
    ] {
        let mut talk = Talk::publishing();
        talk.say(stream, name, 0.0, &[Value::Null, argument]);
        talk.send(Kind::Audio, 1, &b"late"[..]);
        talk.check("! unpublish 1\n< onStatus 0 null NetStream.Unpublish.Success@1");
    }
    let mut talk = Talk::publishing();
    talk.say(0, "FCUnpublish", 0.0, &[Value::Null, Value::text("renamed")]);
    assert!(talk.written.starts_with("! unpublish 1\n"), "{}", talk.written);
}

#[test]
fn a_stream_may_be_published_on_again_after_its_end() {
    let mut talk = Talk::publishing();
    talk.say(0, "FCUnpublish", 0.0, &[Value::Null, Value::text("key")]);
    talk.written.clear();
    talk.say(1, "publish", 4.0, &[Value::Null, Value::text("key"), Value::text("record")]);
    assert!(talk.written.starts_with("! publish live/key on 1 Record\n"), "{}", talk.written);
}

#[test]
fn playing_as_players_do_it() {
    let mut talk = Talk::connected();
    talk.say(0, "FCSubscribe", 3.0, &[Value::Null, Value::text("main")]);
    talk.say(0, "getStreamLength", 4.0, &[Value::Null, Value::text("main")]);
    talk.send(Kind::UserControl, 0, &b"\0\x03\0\0\0\x01\0\0\x0b\xb8"[..]);
    talk.say(1, "play", 5.0, &[Value::Null, Value::text("main?Expires=1"), Value::Number(-2000.0)]);
    talk.check(
        r#"< onFCSubscribe 0 null NetStream.Play.Start@0 + _result 3 null undefined@0
           < _result 4 null 0@0
           ! play live/main on 1
           < UserControl b"\0\0\0\0\0\x01" + onStatus 0 null NetStream.Play.Reset@1 + onStatus 0 null NetStream.Play.Start@1 + |RtmpSampleAccess true true@1"#,
    );
    talk.session.end_play(1);
    talk.hear();
    talk.check(
        r#"< onStatus 0 null NetStream.Play.UnpublishNotify@1 + UserControl b"\0\x01\0\0\0\x01" + onStatus 0 null NetStream.Play.Stop@1 + onPlayStatus NetStream.Play.Complete@1"#,
    );
}

#[test]
fn a_player_hears_of_a_pause_between_publishers_and_of_its_end() {
    let mut talk = Talk::playing();
    talk.session.suspend_play(1);
    talk.session.resume_play(1);
    talk.session.resume_play(7);
    talk.hear();
    talk.check(
        r#"< UserControl b"\0\x02\0\0\0\x01" + UserControl b"\0\0\0\0\0\x01" + onStatus 0 null NetStream.Play.PublishNotify@1"#,
    );
}

#[test]
fn a_player_may_pause_mute_seek_and_stop() {
    let mut talk = Talk::playing();
    talk.say(1, "receiveAudio", 0.0, &[Value::Null, Value::Boolean(false)]);
    talk.say(1, "pause", 0.0, &[Value::Null, Value::Boolean(true), Value::Number(100.0)]);
    talk.say(1, "pauseRaw", 0.0, &[Value::Null, Value::Boolean(false), Value::Number(100.0)]);
    talk.say(1, "receiveVideo", 0.0, &[Value::Null, Value::Number(0.0)]);
    talk.say(1, "seek", 0.0, &[Value::Null, Value::Number(5.0)]);
    talk.say(1, "play", 0.0, &[Value::Null, Value::Boolean(false)]);
    talk.say(1, "pause", 0.0, &[Value::Null, Value::Boolean(true)]);
    talk.check(
        "! deliver 1 audio false video true
         ! deliver 1 audio false video false
         < onStatus 0 null NetStream.Pause.Notify@1
         ! deliver 1 audio false video true
         < onStatus 0 null NetStream.Unpause.Notify@1
         ! deliver 1 audio false video false
         < onStatus 0 null NetStream.Seek.Failed@1
         ! stop play 1",
    );
}

#[test]
fn an_unknown_call_fails_and_what_wants_no_answer_gets_none() {
    let mut talk = Talk::connected();
    talk.say(0, "_checkbw", 5.0, &[Value::Null]);
    talk.say(0, "somethingElse", 6.0, &[Value::Null]);
    talk.say(0, "somethingElse", 0.0, &[Value::Null]);
    talk.say(0, "_result", 7.0, &[Value::Null]);
    talk.say(0, "connect", 8.0, &[Value::Null]);
    talk.send(Kind::Command, 0, &b"\x05"[..]);
    talk.send(Kind::Other(19), 0, &b"shared object"[..]);
    talk.check(
        "< _result 5 null undefined@0
         < _error 6 null NetConnection.Call.Failed@0
         < _error 8 null NetConnection.Call.Failed@0",
    );
}

#[test]
fn the_seventeenth_stream_is_refused() {
    let mut talk = Talk::connected();
    for _ in 0..15 {
        talk.say(0, "createStream", 3.0, &[Value::Null]);
    }
    talk.written.clear();
    talk.say(0, "createStream", 3.0, &[Value::Null]);
    talk.say(0, "deleteStream", 0.0, &[Value::Null, Value::Number(1.0)]);
    talk.say(0, "createStream", 4.0, &[Value::Null]);
    talk.check("< _error 3 null NetConnection.Call.Failed@0\n< _result 4 null 17@0");
}

#[test]
fn a_ping_is_answered_with_its_own_stamp() {
    let mut talk = Talk::connected();
    talk.send(Kind::UserControl, 0, &b"\0\x06\x01\x02\x03\x04"[..]);
    talk.send(Kind::UserControl, 0, &b"\0\x06\x01"[..]);
    talk.check(r#"< UserControl b"\0\x07\x01\x02\x03\x04""#);
}

#[test]
fn acknowledgements_count_all_bytes_and_come_at_half_the_window() {
    let mut talk = Talk::new();
    talk.send(Kind::WindowAckSize, 0, &b"\0\0\x03\xe8"[..]);
    talk.written.clear();
    // Sixteen bytes so far; each ping has eighteen.
    for _ in 0..27 {
        talk.send(Kind::Acknowledgement, 0, &b"\0\0\0\0\0\0"[..]);
    }
    talk.check(r#"< Acknowledgement b"\0\0\x01\xf6""#);
}

#[test]
fn a_command_before_connect_is_an_error() {
    let mut talk = Talk::new();
    let payload = crate::rtmp::command::write("createStream", 1.0, &[Value::Null]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let bytes = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat();
    talk.session.push(bytes.into(), talk.now).unwrap();
    assert_eq!(talk.session.poll(), Err(Error::NotConnected { command: "createStream".into() }));
}

#[test]
fn a_name_longer_than_any_real_one_is_an_error() {
    let mut talk = Talk::connected();
    let long = Value::text("x".repeat(8193));
    let payload = crate::rtmp::command::write("publish", 3.0, &[Value::Null, long]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 1 };
    let bytes = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat();
    talk.session.push(bytes.into(), talk.now).unwrap();
    assert_eq!(talk.session.poll(), Err(Error::NameTooLong { length: 8193 }));
}

#[test]
fn a_bomb_in_a_command_is_an_error_that_says_where() {
    let mut talk = Talk::new();
    let mut payload = b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0".to_vec();
    payload.extend([3, 0, 0].repeat(30_000));
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let bytes: Bytes = render(header, &[payload.into()], INITIAL_CHUNK_SIZE).unwrap().concat().into();
    let at = bytes.len() as u64;
    talk.session.push(bytes, talk.now).unwrap();
    let fault = crate::rtmp::amf::Error::TooDeep { at: 19 + 48 };
    assert_eq!(talk.session.poll(), Err(Error::Link(link::Error::Command { at, fault })));
}

#[test]
fn a_peer_that_asks_without_reading_is_given_up() {
    let mut talk = Talk::connected();
    let payload =
        crate::rtmp::command::write("FCPublish", 3.0, &[Value::Null, Value::text("x".repeat(8000))]);
    let header = MessageHeader { kind: Kind::Command, timestamp: 0, stream: 0 };
    let bytes: Bytes = render(header, &[payload], INITIAL_CHUNK_SIZE).unwrap().concat().into();
    let outcome = (0..100).find_map(|_| {
        talk.session.push(bytes.clone(), talk.now).unwrap();
        talk.session.poll().err()
    });
    assert!(matches!(outcome, Some(Error::Link(link::Error::Deaf { .. }))), "{outcome:?}");
}

#[test]
fn a_connection_that_wants_nothing_ends_in_time() {
    let mut talk = Talk::connected();
    let deadline = talk.session.next_deadline().unwrap();
    assert_eq!(deadline, talk.now + Duration::from_secs(10));
    assert_eq!(talk.session.tick(deadline - Duration::from_nanos(1)), Ok(()));
    assert_eq!(talk.session.tick(deadline), Err(Error::Setup(Duration::from_secs(10))));
    assert_eq!(talk.session.push(Bytes::new(), deadline), Err(Error::Setup(Duration::from_secs(10))));
}

#[test]
fn a_publisher_without_audio_and_video_is_silent() {
    let mut talk = Talk::publishing();
    talk.now += Duration::from_secs(9);
    talk.send(Kind::Data, 1, &b"data"[..]);
    assert_eq!(talk.session.next_deadline(), Some(talk.now + Duration::from_secs(1)));
    talk.send(Kind::Audio, 1, &b"a"[..]);
    let deadline = talk.session.next_deadline().unwrap();
    assert_eq!(deadline, talk.now + Duration::from_secs(10));
    assert_eq!(talk.session.tick(deadline), Err(Error::Silence(Duration::from_secs(10))));
}

#[test]
fn media_that_waited_to_be_read_is_no_silence() {
    let mut talk = Talk::publishing();
    talk.now += Duration::from_secs(60);
    talk.send(Kind::Audio, 1, &b"a"[..]);
    assert_eq!(talk.session.next_deadline(), Some(talk.now + Duration::from_secs(10)));
    talk.now += Duration::from_secs(10);
    let data = bytes(Kind::Data, 1, &b"data"[..]);
    talk.session.push(data, talk.now).unwrap();
    assert!(matches!(talk.session.poll(), Ok(Some(Event::Data { .. }))));
    assert_eq!(talk.session.poll(), Err(Error::Silence(Duration::from_secs(10))));
}

#[test]
fn only_a_publisher_may_begin_a_large_message() {
    let begun = || bytes(Kind::Video, 1, vec![0; 1 << 20]).slice(..600 << 10);
    let mut stranger = Talk::connected();
    stranger.session.push(begun(), stranger.now).unwrap();
    let outcome = stranger.session.poll();
    assert!(matches!(outcome, Err(Error::Link(link::Error::Chunk { .. }))), "{outcome:?}");
    let mut publisher = Talk::publishing();
    publisher.session.push(begun(), publisher.now).unwrap();
    assert_eq!(publisher.session.poll(), Ok(None));
}

#[test]
fn a_player_has_no_deadline_until_it_stops() {
    let mut talk = Talk::playing();
    assert_eq!(talk.session.next_deadline(), None);
    talk.now += Duration::from_secs(3600);
    talk.say(1, "closeStream", 0.0, &[Value::Null]);
    talk.check("! stop play 1");
    assert_eq!(talk.session.next_deadline(), Some(talk.now + Duration::from_secs(10)));
}

#[test]
fn a_peer_hears_that_the_server_shuts_down() {
    let mut talk = Talk::playing();
    talk.session.announce_shutdown();
    talk.hear();
    talk.check("< onStatus 0 null NetConnection.Connect.AppShutdown@0");
}

#[test]
fn keys_do_not_print() {
    let mut talk = Talk::publishing();
    assert!(!format!("{:?}", talk.session).contains("key"));
    talk.say(2, "publish", 3.0, &[Value::Null, Value::text("secret?token=other")]);
    assert!(!format!("{:?}", talk.session).contains("secret"));
}
