//! Who may publish, and the limits of RTMP connections.

use std::path::PathBuf;
use std::time::Duration;

use crate::units::{ByteSize, Secret};

/// One RTMP application, such as `live`.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name in URLs.
    pub name: String,
    /// Who may publish to it.
    pub publish: Publish,
    /// What happens when a name is already live.
    pub on_conflict: OnConflict,
    /// Key group ids whose signatures a `play` over RTMP must carry (cloudfront.md 1.13); empty: anyone may play.
    pub play_key_groups: Vec<String>,
}

/// Who may publish.
#[derive(Clone, Debug)]
pub enum Publish {
    /// Anyone; the key is the name.
    Open,
    /// Who holds a key of this file (`key = "name"` lines of TOML). Read again at reload.
    KeysFile(PathBuf),
    /// Whom this URL answers 2xx; the answer's JSON may carry `{"name": "…"}`.
    Webhook {
        /// Where to POST.
        url: Secret,
        /// How long it may take.
        timeout: Duration,
    },
}

/// What happens when a name is already live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnConflict {
    /// The newer encoder wins, at most once in `Rtmp::replace_interval`.
    Replace,
    /// The older encoder stays.
    Refuse,
}

/// Limits of RTMP connections.
#[derive(Clone, Debug)]
pub struct Rtmp {
    /// Most connections at once.
    pub max_connections: u32,
    /// Most connections at once from one address; loopback and trusted clients are exempt.
    pub max_connections_per_client: u32,
    /// Handshake, connect and publish or play must have come by then.
    pub handshake_timeout: Duration,
    /// A publisher that sends no media for so long is disconnected.
    pub silence_timeout: Duration,
    /// Most bytes of unfinished messages a connection may hold.
    pub max_partial: ByteSize,
    /// The shortest time between two takeovers of one name.
    pub replace_interval: Duration,
    /// How many bytes of a broadcast's newest samples are kept for RTMP players.
    pub ring: ByteSize,
}
