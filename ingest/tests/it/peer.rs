//! An encoder or player made of rml_rtmp.

use std::collections::VecDeque;
use std::net::SocketAddr;

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionError, ClientSessionEvent, ClientSessionResult,
    PublishRequestType, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::stage::PATIENCE;

/// 160x90 from x264, and 48 kHz stereo.
const AVC: &[u8] =
    b"\x17\0\0\0\0\x01\x42\xc0\x0b\xff\xe1\0\x18\x67\x42\xc0\x0b\xda\x0a\x37\xe4\xc0\x44\0\0\x03\0\x04\
    \0\0\x03\0\xc8\x3c\x50\xaa\x80\x01\0\x04\x68\xce\x0f\xc8";
const AAC: &[u8] = &[0xaf, 0, 0x11, 0x90];

pub(crate) struct Peer {
    socket: TcpStream,
    session: ClientSession,
    events: VecDeque<ClientSessionEvent>,
}

/// What a peer was told, in short.
#[derive(Debug, PartialEq)]
pub(crate) enum Told {
    Status(String),
    Metadata,
    Video(u32, Bytes),
    Audio(u32, Bytes),
    Closed,
}

impl Peer {
    /// Shakes hands and connects to the application `live`.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.set_nodelay(true).unwrap();
        let mut handshake = Handshake::new(PeerType::Client);
        socket.write_all(&handshake.generate_outbound_p0_and_p1().unwrap()).await.unwrap();
        let mut buffer = vec![0; 64 * 1024];
        let rest = loop {
            let count = timeout(PATIENCE, socket.read(&mut buffer)).await.unwrap().unwrap();
            assert!(count > 0, "the server closes within the handshake");
            match handshake.process_bytes(&buffer[..count]).unwrap() {
                HandshakeProcessResult::InProgress { response_bytes } => {
                    socket.write_all(&response_bytes).await.unwrap();
                }
                HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                    socket.write_all(&response_bytes).await.unwrap();
                    break remaining_bytes;
                }
            }
        };
        let (session, results) = ClientSession::new(ClientSessionConfig::new()).unwrap();
        let mut peer = Self { socket, session, events: VecDeque::new() };
        peer.act(results).await;
        let results = peer.session.handle_input(&rest).unwrap();
        peer.act(results).await;
        let connect = peer.session.request_connection("live".into());
        peer.send(connect).await;
        peer.until(|it| *it == ClientSessionEvent::ConnectionRequestAccepted).await;
        peer
    }

    /// Publishes, and is granted it.
    pub(crate) async fn publish(address: SocketAddr, key: &str) -> Self {
        let mut peer = Self::ask_to_publish(address, key).await;
        peer.until(|it| *it == ClientSessionEvent::PublishRequestAccepted).await;
        peer
    }

    pub(crate) async fn ask_to_publish(address: SocketAddr, key: &str) -> Self {
        let mut peer = Self::connect(address).await;
        let publish = peer.session.request_publishing(key.into(), PublishRequestType::Live);
        peer.send(publish).await;
        peer
    }

    pub(crate) async fn ask_to_play(address: SocketAddr, name: &str) -> Self {
        let mut peer = Self::connect(address).await;
        let play = peer.session.request_playback(name.into());
        peer.send(play).await;
        peer
    }

    /// Plays, and is granted it.
    pub(crate) async fn play(address: SocketAddr, name: &str) -> Self {
        let mut peer = Self::ask_to_play(address, name).await;
        peer.until(|it| *it == ClientSessionEvent::PlaybackRequestAccepted).await;
        peer
    }

    /// Metadata and the configuration of both tracks.
    pub(crate) async fn announce(&mut self) {
        let mut metadata = StreamMetadata::new();
        metadata.video_width = Some(160);
        metadata.audio_sample_rate = Some(48_000);
        let metadata = self.session.publish_metadata(&metadata);
        self.send(metadata).await;
        self.video(0, AVC).await;
        self.audio(0, AAC).await;
    }

    /// `K` a key frame, `p` a picture, `a` an audio frame; then milliseconds.
    pub(crate) async fn media(&mut self, script: &str) {
        for word in script.split_whitespace() {
            let (kind, ms) = word.split_at(1);
            let ms = ms.parse().unwrap();
            match kind {
                "K" => self.video(ms, b"\x17\x01\0\0\0\0\0\0\x03\x65\x88\x80").await,
                "p" => self.video(ms, b"\x27\x01\0\0\0\0\0\0\x02\x41\x9a").await,
                _ => self.audio(ms, &[0xaf, 1, 0x21, 0x10, 0x04, 0x60]).await,
            }
        }
    }

    pub(crate) async fn video(&mut self, ms: u32, body: &'static [u8]) {
        self.video_bytes(ms, Bytes::from_static(body)).await;
    }

    pub(crate) async fn video_bytes(&mut self, ms: u32, body: Bytes) {
        let result = self.session.publish_video_data(body, RtmpTimestamp::new(ms), false);
        self.send(result).await;
    }

    pub(crate) async fn audio(&mut self, ms: u32, body: &'static [u8]) {
        let result = self.session.publish_audio_data(Bytes::from_static(body), RtmpTimestamp::new(ms), false);
        self.send(result).await;
    }

    pub(crate) async fn stop_publishing(&mut self) {
        let results = self.session.stop_publishing().unwrap();
        self.act(results).await;
    }

    /// The next thing the server says that matters to a story.
    pub(crate) async fn told(&mut self) -> Told {
        loop {
            while let Some(event) = self.events.pop_front() {
                return match event {
                    ClientSessionEvent::UnhandleableOnStatusCode { code } => Told::Status(code),
                    ClientSessionEvent::StreamMetadataReceived { .. } => Told::Metadata,
                    ClientSessionEvent::VideoDataReceived { timestamp, data } => {
                        Told::Video(timestamp.value, data)
                    }
                    ClientSessionEvent::AudioDataReceived { timestamp, data } => {
                        Told::Audio(timestamp.value, data)
                    }
                    _ => continue,
                };
            }
            if !self.read().await {
                return Told::Closed;
            }
        }
    }

    /// The next status code, whatever else is said before.
    pub(crate) async fn status(&mut self) -> String {
        loop {
            match self.told().await {
                Told::Status(code) => return code,
                Told::Closed => return "closed".into(),
                _ => {}
            }
        }
    }

    /// What a player is told, a word for each, up to the wanted number of samples: `M` metadata, `V` and `A`
    /// configurations, `K`, `p` and `a` samples with their milliseconds.
    pub(crate) async fn watched(&mut self, samples: usize) -> String {
        let mut words = Vec::new();
        let mut left = samples;
        while left > 0 {
            let (word, ms) = match self.told().await {
                Told::Status(_) => continue,
                Told::Metadata => ("M", None),
                Told::Video(ms, data) => match &data[..2] {
                    [_, 0] => ("V", None),
                    [first, _] if first >> 4 == 1 => ("K", Some(ms)),
                    _ => ("p", Some(ms)),
                },
                Told::Audio(ms, data) => {
                    if data[1] == 0 {
                        ("A", None)
                    } else {
                        ("a", Some(ms))
                    }
                }
                Told::Closed => {
                    words.push("closed".to_owned());
                    break;
                }
            };
            left -= usize::from(ms.is_some());
            words.push(ms.map_or(word.to_owned(), |ms| format!("{word}{ms}")));
        }
        words.join(" ")
    }

    async fn until(&mut self, wanted: impl Fn(&ClientSessionEvent) -> bool) {
        loop {
            while let Some(event) = self.events.pop_front() {
                if wanted(&event) {
                    return;
                }
            }
            assert!(self.read().await, "the server closes instead");
        }
    }

    async fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        let count =
            timeout(PATIENCE, self.socket.read(&mut buffer)).await.expect("the server says something");
        match count {
            Ok(1..) => {
                let results = self.session.handle_input(&buffer[..count.unwrap()]).unwrap();
                self.act(results).await;
                true
            }
            Ok(0) | Err(_) => false,
        }
    }

    async fn send(&mut self, result: Result<ClientSessionResult, ClientSessionError>) {
        self.act(vec![result.unwrap()]).await;
    }

    async fn act(&mut self, results: Vec<ClientSessionResult>) {
        for result in results {
            match result {
                // A server that has closed is noticed when it is read from.
                ClientSessionResult::OutboundResponse(packet) => {
                    let _ = self.socket.write_all(&packet.bytes).await;
                }
                ClientSessionResult::RaisedEvent(event) => self.events.push_back(event),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
    }
}
