//! Who may publish and play: the port that a connection asks, and what it may hear.
//!
//! The keys, hooks and signatures behind the port are not known here. A question carries secrets, so it does not
//! print them; an answer carries a sentence that the encoder shows to its user.

use std::fmt;
use std::net::SocketAddr;

use futures_util::future::BoxFuture;
use packager::live::OnConflict;
use packager::media::BroadcastName;

use crate::rtmp::name::Query;

/// Decides for a connection. Implemented by whoever knows the operator's configuration.
pub trait Admission: Send + Sync {
    /// Whether there is an application of this name.
    fn has_app(&self, app: &str) -> bool;

    /// From a stream key to a broadcast, or a refusal. Has a deadline of its own.
    fn admit_publish(&self, ask: PublishAsk) -> BoxFuture<'_, Result<Admitted, Refusal>>;

    /// From a public name to a broadcast, or a refusal. Has a deadline of its own.
    fn admit_play(&self, ask: PlayAsk) -> BoxFuture<'_, Result<BroadcastName, Refusal>>;
}

/// An encoder's wish to publish.
#[derive(Clone)]
pub struct PublishAsk {
    /// The application.
    pub app: String,
    /// The stream key, or the name. Secret.
    pub name: String,
    /// What stood behind the question marks of both. Secret.
    pub query: Query,
    /// Where the encoder is.
    pub address: SocketAddr,
    /// Where the encoder thinks it is. May hold secrets.
    pub tc_url: Option<String>,
}

/// A player's wish for a broadcast.
#[derive(Clone)]
pub struct PlayAsk {
    /// The application.
    pub app: String,
    /// The public name.
    pub name: String,
    /// What stood behind the question marks of both. May hold a signature.
    pub query: Query,
    /// Where the player is.
    pub address: SocketAddr,
    /// Where the player thinks it is. May hold secrets.
    pub tc_url: Option<String>,
}

/// The right to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Under which name viewers find it.
    pub name: BroadcastName,
    /// What happens when that name is live.
    pub on_conflict: OnConflict,
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refusal {
    /// What kind of no it is; becomes the status code.
    pub reason: Reason,
    /// For the user of the encoder or player. Holds no secret.
    pub sentence: String,
}

/// Kinds of no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The key, the signature or the address is not one that may.
    Denied,
    /// The name cannot be one.
    InvalidName,
    /// Who decides could not be asked.
    Unavailable,
}

impl Refusal {
    /// A no of this kind with its sentence.
    pub fn new(reason: Reason, sentence: impl Into<String>) -> Self {
        Self { reason, sentence: sentence.into() }
    }
}

impl fmt::Debug for PublishAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishAsk")
            .field("app", &self.app)
            .field("query", &self.query)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for PlayAsk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PlayAsk")
            .field("app", &self.app)
            .field("name", &self.name)
            .field("query", &self.query)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
