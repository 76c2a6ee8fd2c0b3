//! What a session tells its connection, and what the connection may answer.

use std::fmt;

use bytes::Bytes;

use crate::rtmp::name::Query;

/// Something a peer did. After [`Event::Connect`], [`Event::Publish`] and [`Event::Play`] the session holds what
/// follows until it is told the decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer wants this application: `accept_connect` or `refuse_connect`.
    Connect(Connect),
    /// An encoder wants to publish: `accept_publish` or `refuse_publish`.
    Publish(PublishRequest),
    /// The encoder ended a publication that was accepted.
    Unpublish {
        /// The message stream.
        stream: u32,
    },
    /// A player wants a broadcast: `accept_play` or `refuse_play`.
    Play(PlayRequest),
    /// What an accepted player wants sent has changed (pause, receiveAudio, receiveVideo).
    Delivery {
        /// The message stream.
        stream: u32,
        /// Whether audio is wanted now.
        audio: bool,
        /// Whether video is wanted now.
        video: bool,
    },
    /// The player has had enough.
    StopPlay {
        /// The message stream.
        stream: u32,
    },
    /// An audio tag body of an accepted publication.
    Audio {
        /// The message stream.
        stream: u32,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// As FLV has it after the tag header.
        payload: Bytes,
    },
    /// A video tag body of an accepted publication.
    Video {
        /// The message stream.
        stream: u32,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// As FLV has it after the tag header.
        payload: Bytes,
    },
    /// A data message of an accepted publication.
    Data {
        /// The message stream.
        stream: u32,
        /// Milliseconds, wrapping.
        timestamp: u32,
        /// AMF0 values: `@setDataFrame` or the message's name first.
        payload: Bytes,
    },
}

/// What a peer said of itself when it connected.
#[derive(Clone, Default, PartialEq)]
pub struct Connect {
    /// The application, normalised, without its query.
    pub app: String,
    /// The application's query, where some encoders put their key. Secret.
    pub query: Query,
    /// `tcUrl` as given. May hold secrets.
    pub tc_url: Option<String>,
    /// `?vhost=`, else the host of `tcUrl`, in lower case and without port.
    pub host: Option<String>,
    /// `flashVer`: how the encoder or player calls itself.
    pub encoder: Option<String>,
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("app", &self.app)
            .field("query", &self.query)
            .field("host", &self.host)
            .field("encoder", &self.encoder)
            .finish_non_exhaustive()
    }
}

/// Why an encoder asks to publish: its fourth argument.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishKind {
    /// Live only.
    #[default]
    Live,
    /// Live, and the encoder asks for a recording.
    Record,
    /// Live, and the encoder asks to add to a recording.
    Append,
}

/// An encoder's wish to publish.
#[derive(Clone, PartialEq)]
pub struct PublishRequest {
    /// The message stream to answer on.
    pub stream: u32,
    /// The application, normalised.
    pub app: String,
    /// The stream name or stream key, normalised, without its query. Secret. May be empty.
    pub name: String,
    /// The queries of name and application; the name's wins. Secret.
    pub query: Query,
    /// Live, or with a recording.
    pub kind: PublishKind,
}

impl fmt::Debug for PublishRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishRequest")
            .field("stream", &self.stream)
            .field("app", &self.app)
            .field("query", &self.query)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// A player's wish for a broadcast.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayRequest {
    /// The message stream to answer on.
    pub stream: u32,
    /// The application, normalised.
    pub app: String,
    /// The stream name, normalised, without its query.
    pub name: String,
    /// The queries of name and application; the name's wins. May hold a signature.
    pub query: Query,
}

/// Why a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectRefusal {
    /// There is no such application.
    UnknownApp,
    /// Not this peer, or not now.
    Rejected,
}

/// Why a publication is refused, or ended by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishRefusal {
    /// The key is wrong, or a hook said no.
    Denied,
    /// The name is taken.
    Taken,
    /// We failed.
    Failed,
}

/// Why a player is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayRefusal {
    /// There is no such broadcast.
    NotFound,
    /// Not for this player, or we failed.
    Failed,
}
