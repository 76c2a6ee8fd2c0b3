//! Encoders, and players of RTMP.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use ingest::rtmp::client::{ClientSession, Event, Goal, Target};
use ingest::rtmp::message::Kind;
use packager::media::TrackKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{PATIENCE, film, soon};

/// How the server says no, or that it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) code: String,
    pub(crate) sentence: String,
}

/// One end of an RTMP connection. It sends as fast as the server takes it: times are what messages say.
pub(crate) struct Encoder {
    socket: TcpStream,
    session: ClientSession,
}

impl Encoder {
    /// Publishes under a key, and is let in.
    pub(crate) async fn publish(address: SocketAddr, name: &str) -> Self {
        Self::ask(address, Goal::Publish, name).await.expect("the encoder is let in")
    }

    /// Plays, and is let in.
    pub(crate) async fn play(address: SocketAddr, name: &str) -> Self {
        Self::ask(address, Goal::Play, name).await.expect("the player is let in")
    }

    /// Asks to publish or play `live/{name}`.
    pub(crate) async fn ask(address: SocketAddr, goal: Goal, name: &str) -> Result<Self, Told> {
        let target = Target::parse(&format!("rtmp://{address}/live/{name}")).expect("it is a target");
        let session = ClientSession::new(&target, goal, PATIENCE, Instant::now());
        let socket = TcpStream::connect(address).await.expect("the server listens");
        let mut encoder = Self { socket, session };
        match encoder.hear().await {
            Some(Event::Ready) => Ok(encoder),
            Some(Event::Ended { code, description }) => Err(Told { code, sentence: description }),
            other => panic!("neither yes nor no: {other:?}"),
        }
    }

    /// Announces both tracks.
    pub(crate) async fn announce(&mut self) {
        for (kind, body) in film::configurations() {
            self.media(kind, 0, &body).await;
        }
    }

    /// Sends a stretch of the film, in milliseconds of its time.
    pub(crate) async fn send(&mut self, stretch: Range<u32>) {
        for tag in film::tags(stretch) {
            self.media(tag.kind, tag.ms, &tag.body).await;
        }
    }

    /// Announces and sends from the beginning to `ms`.
    pub(crate) async fn begin(&mut self, ms: u32) {
        self.announce().await;
        self.send(0..ms).await;
    }

    /// Announces one track alone and sends it from the beginning to `ms`.
    pub(crate) async fn only(&mut self, kind: TrackKind, ms: u32) {
        for (_, body) in film::configurations().filter(|(it, _)| *it == kind) {
            self.media(kind, 0, &body).await;
        }
        for tag in film::tags(0..ms).filter(|it| it.kind == kind) {
            self.media(kind, tag.ms, &tag.body).await;
        }
    }

    pub(crate) async fn media(&mut self, kind: TrackKind, ms: u32, body: &[Bytes]) {
        let kind = match kind {
            TrackKind::Video => Kind::Video,
            TrackKind::Audio => Kind::Audio,
        };
        for piece in self.session.media(kind, ms, body).expect("a message can carry it") {
            // Who has been shown the door learns so by listening.
            let _ = self.socket.write_all(&piece).await;
        }
    }

    /// The next thing the server says; nothing once it has closed.
    pub(crate) async fn hear(&mut self) -> Option<Event> {
        soon("a word of the server", async {
            loop {
                let event = self.session.poll().expect("the server speaks RTMP");
                while let Some(bytes) = self.session.poll_transmit() {
                    let _ = self.socket.write_all(&bytes).await;
                }
                if event.is_some() {
                    return event;
                }
                let mut buffer = BytesMut::with_capacity(64 * 1024);
                match self.socket.read_buf(&mut buffer).await {
                    Ok(1..) => self.session.push(buffer.freeze(), Instant::now()).expect("it speaks RTMP"),
                    Ok(0) | Err(_) => return None,
                }
            }
        })
        .await
    }

    /// What the server says at the end.
    pub(crate) async fn told(&mut self) -> Told {
        loop {
            match self.hear().await {
                Some(Event::Ended { code, description }) => return Told { code, sentence: description },
                Some(_) => {}
                None => panic!("the server closes without a word"),
            }
        }
    }

    /// Ends the publication as encoders do.
    pub(crate) async fn finish(mut self) {
        self.session.finish();
        while let Some(bytes) = self.session.poll_transmit() {
            self.socket.write_all(&bytes).await.expect("the server listens");
        }
        let mut rest = Vec::new();
        let _ = self.socket.shutdown().await;
        let _ = soon("the end", self.socket.read_to_end(&mut rest)).await;
    }
}
