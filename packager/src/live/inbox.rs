//! The way from a publisher to its broadcast: bounded in inputs and in octets, and closed with a reason.

use std::sync::{Arc, OnceLock};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::Input;

/// So many inputs may wait for a broadcast that is busy; then its publisher waits, and TCP slows the encoder.
const QUEUE: usize = 64;

/// So many octets may wait, or one input that is larger: half a second of 60 Mbit/s.
const ROOM: u32 = 4 << 20;

/// Why a publisher may not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// A newer one has its place.
    #[error("a newer publisher took over this name")]
    Superseded,
    /// Memory is short, and its broadcast takes the most.
    #[error(
        "the memory for broadcasts is used up and this one takes more than its share; lower the bit rate, or send key \
         frames more often"
    )]
    ShortOfMemory,
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// The publisher's end.
#[derive(Debug)]
pub(super) struct Outbox {
    inputs: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    ended: Arc<OnceLock<Ended>>,
}

/// The broadcast's end.
#[derive(Debug)]
pub(super) struct Inbox {
    inputs: mpsc::Receiver<Queued>,
    ended: Arc<OnceLock<Ended>>,
}

#[derive(Debug)]
struct Queued {
    input: Input,
    _room: OwnedSemaphorePermit,
}

/// Both ends.
pub(super) fn open() -> (Outbox, Inbox) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let room = Arc::new(Semaphore::new(ROOM as usize));
    let ended = Arc::default();
    (Outbox { inputs: sender, room, ended: Arc::clone(&ended) }, Inbox { inputs: receiver, ended })
}

impl Outbox {
    /// Hands an input on; waits while too much waits already.
    pub(super) async fn send(&self, input: Input) -> Result<(), Ended> {
        let octets = u32::try_from(octets(&input)).unwrap_or(ROOM).min(ROOM);
        let room = Arc::clone(&self.room).acquire_many_owned(octets).await.expect("it is never closed");
        self.inputs.send(Queued { input, _room: room }).await.map_err(|_| self.why())
    }

    /// Waits until the broadcast takes no more.
    pub(super) async fn ended(&self) -> Ended {
        self.inputs.closed().await;
        self.why()
    }

    /// A task that is gone without a word was stopped with its server.
    fn why(&self) -> Ended {
        self.ended.get().copied().unwrap_or(Ended::Stopping)
    }
}

impl Inbox {
    /// The next input; nothing once the publisher has gone.
    pub(super) async fn receive(&mut self) -> Option<Input> {
        self.inputs.recv().await.map(|it| it.input)
    }

    /// Takes no more, and says why.
    pub(super) fn close(self, why: Ended) {
        // Whoever said something first meant it.
        let _ = self.ended.set(why);
    }
}

fn octets(input: &Input) -> usize {
    match input {
        Input::Metadata(it) => it.raw.len(),
        Input::Sample(_, sample) => sample.payload.len(),
        Input::Configure(_) | Input::Discontinuity => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use tokio::time::timeout;

    use super::*;
    use crate::media::{Sample, Sync, Timescale, Timestamp, TrackKind};

    fn sample(octets: usize) -> Input {
        let dts = Timestamp::zero(Timescale::VIDEO);
        let payload = Bytes::from(vec![0; octets]);
        Input::Sample(TrackKind::Video, Sample { dts, composition_offset: 0, sync: Sync::Key, payload })
    }

    async fn fits(outbox: &Outbox, octets: usize) -> bool {
        timeout(Duration::from_secs(1), outbox.send(sample(octets))).await.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_octets_wait_and_a_larger_input_waits_alone() {
        let (outbox, mut inbox) = open();
        assert!(fits(&outbox, 3 << 20).await);
        assert!(!fits(&outbox, 2 << 20).await);
        assert!(inbox.receive().await.is_some());
        assert!(fits(&outbox, 16 << 20).await);
        assert!(!fits(&outbox, 1).await);
        assert!(inbox.receive().await.is_some());
        assert!(fits(&outbox, 1).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_publisher_that_waits_learns_why_its_broadcast_takes_no_more() {
        let (outbox, inbox) = open();
        assert!(fits(&outbox, 4 << 20).await);
        let (sent, ()) = tokio::join!(outbox.send(sample(1)), async { inbox.close(Ended::ShortOfMemory) });
        assert_eq!((sent, outbox.ended().await), (Err(Ended::ShortOfMemory), Ended::ShortOfMemory));
    }

    #[tokio::test]
    async fn a_broadcast_that_is_gone_without_a_word_was_stopped() {
        let (outbox, inbox) = open();
        drop(inbox);
        assert_eq!(outbox.ended().await, Ended::Stopping);
    }
}
