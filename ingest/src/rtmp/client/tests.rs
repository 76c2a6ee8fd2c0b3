use super::*;
use crate::rtmp::session::{self, PlayRefusal, PublishRefusal, Session};

/// Both ends, joined by nothing but their bytes.
struct Pair {
    client: ClientSession,
    server: Session,
    now: Instant,
}

impl Pair {
    fn new(url: &str, goal: Goal) -> Self {
        let now = Instant::now();
        let client = ClientSession::new(&Target::parse(url).unwrap(), goal, Duration::from_secs(5), now);
        Self { client, server: Session::new(session::Limits::default(), now), now }
    }

    /// Carries bytes until neither end has more; the server decides by `decide`.
    fn run(
        &mut self,
        mut decide: impl FnMut(&mut Session, &session::Event),
    ) -> (Vec<Event>, Vec<session::Event>) {
        let (mut heard, mut seen) = (Vec::new(), Vec::new());
        loop {
            let mut idle = true;
            while let Some(bytes) = self.client.poll_transmit() {
                idle = false;
                self.server.push(bytes, self.now).unwrap();
            }
            while let Some(event) = self.server.poll().unwrap() {
                decide(&mut self.server, &event);
                seen.push(event);
            }
            while let Some(bytes) = self.server.poll_transmit() {
                idle = false;
                self.client.push(bytes, self.now).unwrap();
            }
            while let Some(event) = self.client.poll().unwrap() {
                heard.push(event);
            }
            if idle {
                return (heard, seen);
            }
        }
    }
}

fn accept(session: &mut Session, event: &session::Event) {
    match event {
        session::Event::Connect(_) => session.accept_connect(),
        session::Event::Publish(request) => session.accept_publish(request.stream),
        session::Event::Play(request) => session.accept_play(request.stream),
        _ => {}
    }
}

#[test]
fn a_client_publishes_media_and_ends() {
    let mut pair = Pair::new("rtmp://host/live/secret?token=x", Goal::Publish);
    let (heard, seen) = pair.run(accept);
    assert_eq!(heard, [Event::Ready]);
    let [session::Event::Connect(connect), session::Event::Publish(publish)] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!((&*connect.app, connect.tc_url.as_deref()), ("live", Some("rtmp://host:1935/live")));
    assert_eq!((&*publish.app, &*publish.name, publish.query.as_str()), ("live", "secret", "token=x"));

    let payload = Bytes::from(vec![7; 200_000]);
    for piece in pair.client.media(Kind::Video, 40, std::slice::from_ref(&payload)).unwrap() {
        pair.server.push(piece, pair.now).unwrap();
        if let Some(event) = pair.server.poll().unwrap() {
            assert_eq!(event, session::Event::Video { stream: 1, timestamp: 40, payload: payload.clone() });
        }
    }
    assert_eq!(pair.server.held(), 0);

    pair.client.finish();
    let (heard, seen) = pair.run(accept);
    assert_eq!((heard, seen), (vec![], vec![session::Event::Unpublish { stream: 1 }]));
}

#[test]
fn a_refused_publisher_hears_the_code_and_the_sentence() {
    let mut pair = Pair::new("rtmp://host/live/wrong", Goal::Publish);
    let (heard, _) = pair.run(|session, event| match event {
        session::Event::Publish(request) => {
            session.refuse_publish(request.stream, PublishRefusal::Denied, "No such key.");
        }
        other => accept(session, other),
    });
    let (code, description) = ("NetStream.Publish.Denied".into(), "No such key.".into());
    assert_eq!(heard, [Event::Ended { code, description }]);
    assert_eq!(pair.client.media(Kind::Video, 0, &[Bytes::from_static(b"x")]), Ok(vec![]));
}

#[test]
fn a_publisher_hears_that_the_server_goes_away() {
    let mut pair = Pair::new("rtmp://host/live/key", Goal::Publish);
    pair.run(accept);
    pair.server.announce_shutdown();
    let description = "The server is shutting down.".into();
    assert_eq!(pair.run(accept).0, [Event::ServerStops { description }]);
    assert_eq!(pair.client.media(Kind::Video, 0, &[Bytes::from_static(b"x")]), Ok(vec![]));
}

#[test]
fn an_unknown_application_ends_the_session() {
    let mut pair = Pair::new("rtmp://host/nowhere/key", Goal::Publish);
    let (heard, _) = pair.run(|session, event| {
        if let session::Event::Connect(_) = event {
            session.refuse_connect(session::ConnectRefusal::UnknownApp, "There is no application `nowhere`.");
        }
    });
    let code = "NetConnection.Connect.InvalidApp".into();
    assert_eq!(heard, [Event::Ended { code, description: "There is no application `nowhere`.".into() }]);
}

#[test]
fn a_client_plays_until_the_end() {
    let mut pair = Pair::new("rtmp://host/live/main", Goal::Play);
    let (heard, seen) = pair.run(accept);
    // The server's permission to read samples is a data message.
    assert!(matches!(heard[..], [Event::Ready, Event::Media { kind: Kind::Data, .. }]), "{heard:?}");
    assert!(matches!(seen[..], [session::Event::Connect(_), session::Event::Play(_)]), "{seen:?}");

    let header = MessageHeader { kind: Kind::Audio, timestamp: 0x0100_0000, stream: 1 };
    let payload = Bytes::from(vec![1; 130_000]);
    for piece in render(header, std::slice::from_ref(&payload), CHUNK_SIZE).unwrap() {
        pair.client.push(piece, pair.now).unwrap();
    }
    let timestamp = 0x0100_0000;
    assert_eq!(pair.client.poll(), Ok(Some(Event::Media { kind: Kind::Audio, timestamp, payload })));

    pair.server.end_play(1);
    let (heard, _) = pair.run(accept);
    let code = "NetStream.Play.UnpublishNotify".into();
    let description = "Nobody publishes any more.".into();
    assert_eq!(heard[0], Event::Ended { code, description });
}

#[test]
fn a_player_of_nothing_is_told_so() {
    let mut pair = Pair::new("rtmp://host/live/none", Goal::Play);
    let (heard, _) = pair.run(|session, event| match event {
        session::Event::Play(request) => session.refuse_play(request.stream, PlayRefusal::NotFound, "None."),
        other => accept(session, other),
    });
    let (code, description) = ("NetStream.Play.StreamNotFound".into(), "None.".into());
    assert_eq!(heard, [Event::Ended { code, description }]);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let now = Instant::now();
    let target = Target::parse("rtmp://host/live/key").unwrap();
    let mut client = ClientSession::new(&target, Goal::Publish, Duration::from_secs(5), now);
    let deadline = client.next_deadline().unwrap();
    assert_eq!(client.tick(deadline - Duration::from_nanos(1)), Ok(()));
    assert_eq!(client.tick(deadline), Err(Error::Setup(Duration::from_secs(5))));
}
