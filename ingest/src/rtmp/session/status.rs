//! The status codes of RTMP, each written once (live.md 4).

use super::event::{ConnectRefusal, PlayRefusal, PublishRefusal};

pub(super) const CONNECT_SUCCESS: &str = "NetConnection.Connect.Success";
pub(super) const CONNECT_APP_SHUTDOWN: &str = "NetConnection.Connect.AppShutdown";
pub(super) const CALL_FAILED: &str = "NetConnection.Call.Failed";
pub(super) const PUBLISH_START: &str = "NetStream.Publish.Start";
pub(super) const PUBLISH_BAD_NAME: &str = "NetStream.Publish.BadName";
pub(super) const UNPUBLISH_SUCCESS: &str = "NetStream.Unpublish.Success";
pub(super) const PLAY_RESET: &str = "NetStream.Play.Reset";
pub(super) const PLAY_START: &str = "NetStream.Play.Start";
pub(super) const PLAY_STOP: &str = "NetStream.Play.Stop";
pub(super) const PLAY_COMPLETE: &str = "NetStream.Play.Complete";
pub(super) const PLAY_PUBLISH_NOTIFY: &str = "NetStream.Play.PublishNotify";
pub(super) const PLAY_UNPUBLISH_NOTIFY: &str = "NetStream.Play.UnpublishNotify";
pub(super) const PLAY_FAILED: &str = "NetStream.Play.Failed";
pub(super) const PAUSE_NOTIFY: &str = "NetStream.Pause.Notify";
pub(super) const UNPAUSE_NOTIFY: &str = "NetStream.Unpause.Notify";
pub(super) const SEEK_FAILED: &str = "NetStream.Seek.Failed";

impl ConnectRefusal {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::UnknownApp => "NetConnection.Connect.InvalidApp",
            Self::Rejected => "NetConnection.Connect.Rejected",
        }
    }
}

impl PublishRefusal {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::Denied => "NetStream.Publish.Denied",
            Self::Taken => PUBLISH_BAD_NAME,
            Self::Failed => "NetStream.Failed",
        }
    }
}

impl PlayRefusal {
    pub(super) const fn code(self) -> &'static str {
        match self {
            Self::NotFound => "NetStream.Play.StreamNotFound",
            Self::Failed => PLAY_FAILED,
        }
    }
}
