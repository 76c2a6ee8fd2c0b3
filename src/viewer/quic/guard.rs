//! What a connection is closed for before HTTP/3's engine hears of it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use h3::error::Code;
use h3::quic::StreamErrorIncoming;

use super::streams::var_int;
use crate::viewer::activity::{Activity, Misconduct};
use crate::viewer::budget::Budget;

/// What all streams of one connection share.
pub(super) struct Guard {
    connection: quinn::Connection,
    activity: Arc<Activity>,
    budget: Mutex<Budget>,
}

/// Why a stream is not read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::viewer) enum Fault {
    /// What no viewer may send, so the connection is closed with this code of RFC 9114 8.1 or RFC 9204 6.
    #[error("the viewer breaks HTTP/3 ({0:?})")]
    Broken(Code),
    /// More than there can be use for.
    #[error("the viewer sends more octets than any request has")]
    Overrun,
    /// A body of another length than its head says (RFC 9114 4.1.2).
    #[error("the body is of another length than its head says")]
    Length,
    /// The viewer took the stream back, or the connection is lost.
    #[error("the viewer broke off")]
    BrokenOff,
}

impl Guard {
    pub(super) fn new(connection: quinn::Connection, activity: Arc<Activity>) -> Self {
        Self { connection, activity, budget: Mutex::new(Budget::new(Instant::now())) }
    }

    /// A request begins.
    pub(super) fn opens(&self) {
        self.budget().opens();
    }

    /// A request ended without an answer.
    pub(super) fn unanswered(&self) {
        if !self.budget().resets(Instant::now()) {
            self.flooded();
        }
    }

    /// The viewer said something that asks nothing.
    pub(super) fn idle_word(&self) -> Result<(), Fault> {
        if self.budget().spend(Instant::now()) { Ok(()) } else { Err(self.flooded()) }
    }

    /// Closes the connection with the code of what was broken.
    pub(super) fn broken(&self, code: Code) -> Fault {
        self.connection.close(var_int(code.value()), b"");
        Fault::Broken(code)
    }

    fn flooded(&self) -> Fault {
        self.activity.misbehaves(Misconduct::Flood);
        self.broken(Code::H3_EXCESSIVE_LOAD)
    }

    fn budget(&self) -> MutexGuard<'_, Budget> {
        self.budget.lock().expect("no code panics while it holds this lock")
    }
}

impl From<Fault> for StreamErrorIncoming {
    fn from(fault: Fault) -> Self {
        Self::Unknown(fault.into())
    }
}
