//! Work that must be done and that nobody waits for, on a thread of its own.
//!
//! The system takes a millisecond to take back the memory of a body of 16 MiB, and many bodies may go at once: too long for
//! a thread that serves viewers. What was not done yet counts for nobody, so it is little: when the thread is behind, who
//! has the work does it.

use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

/// Pieces of work that wait: bodies of 128 MiB, some ten milliseconds.
const WAITING: usize = 8;

/// Where work is left; without a thread nowhere.
pub(super) struct Aside<T>(Option<SyncSender<T>>);

impl<T: Send + 'static> Aside<T> {
    /// A thread that does the work.
    pub(super) fn new(work: impl Fn(T) + Send + 'static) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let thread = thread::Builder::new().name("levada-vault".into());
        Self(thread.spawn(move || receiver.into_iter().for_each(work)).ok().map(|_| sender))
    }

    /// Leaves a piece of work there; gives it back where it would wait for too much else.
    pub(super) fn leave(&self, piece: T) -> Result<(), T> {
        let Some(sender) = &self.0 else { return Err(piece) };
        sender.try_send(piece).map_err(|it| match it {
            TrySendError::Full(piece) | TrySendError::Disconnected(piece) => piece,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn work_is_done_in_order_and_given_back_when_too_much_waits() {
        let (began, begins) = mpsc::sync_channel(2 * WAITING);
        let (go_on, goes_on) = mpsc::sync_channel::<()>(1);
        let aside = Aside::new(move |piece: usize| {
            began.send(piece).expect("somebody listens");
            let _ = goes_on.recv();
        });
        assert_eq!(aside.leave(0), Ok(()));
        assert_eq!(begins.recv(), Ok(0));
        for piece in 1..=WAITING {
            assert_eq!(aside.leave(piece), Ok(()));
        }
        assert_eq!(aside.leave(100), Err(100));
        drop(go_on);
        assert_eq!(begins.iter().take(WAITING).collect::<Vec<_>>(), (1..=WAITING).collect::<Vec<_>>());
    }
}
