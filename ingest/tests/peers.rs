//! The sessions of rml_rtmp, which know nothing of ours, as peers of both ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use levada_ingest::rtmp::client::{self, ClientSession, Goal, Target};
use levada_ingest::rtmp::message::{CHUNK_SIZE, Kind, MessageHeader, render};
use levada_ingest::rtmp::session::{Event, Limits, PublishRefusal, Session};
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession as TheirClient, ClientSessionConfig, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, ServerSession as TheirServer, ServerSessionConfig, ServerSessionEvent,
    ServerSessionResult,
};
use rml_rtmp::time::RtmpTimestamp;

/// Times where 24, 31 and 32 bits end, and payloads of less and more than a chunk of either side.
const MEDIA: [(u32, usize); 8] = [
    (0, 5),
    (40, 5),
    (80, 5),
    (0xFF_FFFF, 300),
    (0x100_0010, 9000),
    (0x7FFF_FFF0, 100_000),
    (0x8000_0010, 200),
    (0xFFFF_FFFF, 5000),
];

fn payload(size: usize) -> Bytes {
    (0..size).map(|at| (at % 251) as u8).collect()
}

/// Their client joined to our server, the handshake done.
struct Publisher {
    theirs: TheirClient,
    ours: Session,
    now: Instant,
    seen: Vec<Event>,
    heard: Vec<ClientSessionEvent>,
}

impl Publisher {
    fn new() -> Self {
        let now = Instant::now();
        let mut ours = Session::new(Limits::default(), now);
        let mut handshake = Handshake::new(PeerType::Client);
        ours.push(handshake.generate_outbound_p0_and_p1().unwrap().into(), now).unwrap();
        let answer = ours.poll_transmit().unwrap();
        let Ok(HandshakeProcessResult::Completed { response_bytes, remaining_bytes }) =
            handshake.process_bytes(&answer)
        else {
            panic!("S0, S1 and S2 came in one piece")
        };
        assert!(remaining_bytes.is_empty());
        ours.push(response_bytes.into(), now).unwrap();
        let (theirs, _) = TheirClient::new(ClientSessionConfig::new()).unwrap();
        Self { theirs, ours, now, seen: Vec::new(), heard: Vec::new() }
    }

    fn send(&mut self, result: ClientSessionResult) {
        let ClientSessionResult::OutboundResponse(packet) = result else { panic!("{result:?}") };
        self.ours.push(packet.bytes.into(), self.now).unwrap();
        while let Some(event) = self.ours.poll().unwrap() {
            match &event {
                Event::Connect(_) => self.ours.accept_connect(),
                Event::Publish(it) if it.name == "wrong" => {
                    self.ours.refuse_publish(it.stream, PublishRefusal::Denied, "No such key.");
                }
                Event::Publish(it) => self.ours.accept_publish(it.stream),
                Event::Play(it) => self.ours.accept_play(it.stream),
                _ => {}
            }
            self.seen.push(event);
        }
        while let Some(answer) = self.ours.poll_transmit() {
            self.hear(&answer);
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        for result in self.theirs.handle_input(bytes).unwrap() {
            match result {
                ClientSessionResult::RaisedEvent(event) => self.heard.push(event),
                reply @ ClientSessionResult::OutboundResponse(_) => self.send(reply),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }

    fn connect(&mut self) {
        let connect = self.theirs.request_connection("live".into()).unwrap();
        self.send(connect);
        assert_eq!(self.heard, [ClientSessionEvent::ConnectionRequestAccepted]);
        self.heard.clear();
    }

    fn publish(&mut self, key: &str) {
        let publish = self.theirs.request_publishing(key.into(), PublishRequestType::Live).unwrap();
        self.send(publish);
    }
}

#[test]
fn their_client_publishes_to_us() {
    let mut peer = Publisher::new();
    peer.connect();
    peer.publish("key");
    assert_eq!(peer.heard, [ClientSessionEvent::PublishRequestAccepted]);
    peer.seen.clear();

    for (at, (timestamp, size)) in MEDIA.into_iter().enumerate() {
        let (time, data) = (RtmpTimestamp::new(timestamp), payload(size));
        let video = peer.theirs.publish_video_data(data.clone(), time, false).unwrap();
        peer.send(video);
        let audio = peer.theirs.publish_audio_data(data.clone(), time, at % 2 == 0).unwrap();
        peer.send(audio);
        let expected = [
            Event::Video { stream: 1, timestamp, payload: data.clone() },
            Event::Audio { stream: 1, timestamp, payload: data },
        ];
        assert_eq!(std::mem::take(&mut peer.seen), expected);
    }

    for result in peer.theirs.stop_publishing().unwrap() {
        peer.send(result);
    }
    assert_eq!(peer.seen, [Event::Unpublish { stream: 1 }]);
}

#[test]
fn their_client_hears_why_it_may_not_publish() {
    let mut peer = Publisher::new();
    peer.connect();
    peer.publish("wrong");
    let code = "NetStream.Publish.Denied".into();
    assert_eq!(peer.heard, [ClientSessionEvent::UnhandleableOnStatusCode { code }]);
}

#[test]
fn their_client_plays_what_we_render() {
    let mut peer = Publisher::new();
    peer.connect();
    let play = peer.theirs.request_playback("main".into()).unwrap();
    peer.send(play);
    assert!(peer.heard.contains(&ClientSessionEvent::PlaybackRequestAccepted), "{:?}", peer.heard);
    peer.heard.clear();

    for (timestamp, size) in MEDIA {
        let data = payload(size);
        for kind in [Kind::Video, Kind::Audio] {
            let header = MessageHeader { kind, timestamp, stream: 1 };
            let rendered = render(header, std::slice::from_ref(&data), CHUNK_SIZE).unwrap().concat();
            peer.hear(&rendered);
        }
        let timestamp = RtmpTimestamp::new(timestamp);
        let expected = [
            ClientSessionEvent::VideoDataReceived { timestamp, data: data.clone() },
            ClientSessionEvent::AudioDataReceived { timestamp, data },
        ];
        assert_eq!(std::mem::take(&mut peer.heard), expected);
    }

    for result in peer.theirs.stop_playback().unwrap() {
        peer.send(result);
    }
    assert_eq!(peer.seen.last(), Some(&Event::StopPlay { stream: 1 }));
}

#[test]
fn our_client_publishes_to_their_server() {
    let now = Instant::now();
    let target = Target::parse("rtmp://host/live/key").unwrap();
    let mut ours = ClientSession::new(&target, Goal::Publish, Duration::from_secs(5), now);

    let mut handshake = Handshake::new(PeerType::Server);
    let mut input = ours.poll_transmit().unwrap();
    let rest = loop {
        match handshake.process_bytes(&input).unwrap() {
            HandshakeProcessResult::InProgress { response_bytes } => {
                ours.push(response_bytes.into(), now).unwrap();
                input = ours.poll_transmit().unwrap();
            }
            HandshakeProcessResult::Completed { remaining_bytes, .. } => break remaining_bytes,
        }
    };

    let (mut theirs, opening) = TheirServer::new(ServerSessionConfig::new()).unwrap();
    let mut to_us: Vec<u8> = Vec::new();
    let mut seen = Vec::new();
    let take = |results: Vec<ServerSessionResult>, to_us: &mut Vec<u8>, seen: &mut Vec<_>| {
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => to_us.extend(packet.bytes),
                ServerSessionResult::RaisedEvent(event) => seen.push(event),
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    };
    take(opening, &mut to_us, &mut seen);
    let results = theirs.handle_input(&rest).unwrap();
    take(results, &mut to_us, &mut seen);

    let mut ready = false;
    for _ in 0..20 {
        for event in std::mem::take(&mut seen) {
            let (ServerSessionEvent::ConnectionRequested { request_id, .. }
            | ServerSessionEvent::ReleaseStreamRequested { request_id, .. }
            | ServerSessionEvent::PublishStreamRequested { request_id, .. }) = event
            else {
                continue;
            };
            let results = theirs.accept_request(request_id);
            take(results.unwrap_or_default(), &mut to_us, &mut seen);
        }
        ours.push(std::mem::take(&mut to_us).into(), now).unwrap();
        while let Some(event) = ours.poll().unwrap() {
            assert_eq!(event, client::Event::Ready);
            ready = true;
        }
        while let Some(bytes) = ours.poll_transmit() {
            let results = theirs.handle_input(&bytes).unwrap();
            take(results, &mut to_us, &mut seen);
        }
    }
    assert!(ready);

    for (milliseconds, size) in MEDIA {
        let data = payload(size);
        let rendered = ours.media(Kind::Video, milliseconds, std::slice::from_ref(&data)).unwrap().concat();
        let results = theirs.handle_input(&rendered).unwrap();
        take(results, &mut to_us, &mut seen);
        let expected = ServerSessionEvent::VideoDataReceived {
            app_name: "live".into(),
            stream_key: "key".into(),
            data,
            timestamp: RtmpTimestamp::new(milliseconds),
        };
        assert_eq!(std::mem::take(&mut seen), [expected]);
    }

    ours.finish();
    while let Some(bytes) = ours.poll_transmit() {
        let results = theirs.handle_input(&bytes).unwrap();
        take(results, &mut to_us, &mut seen);
    }
    let finished =
        ServerSessionEvent::PublishStreamFinished { app_name: "live".into(), stream_key: "key".into() };
    assert!(seen.contains(&finished), "{seen:?}");
}
