//! A viewer's body on its way to a web server: counted, never held, and never waited for without end.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::passage::{Failure, Upload};

/// The least that a viewer sends while it is waited for: a KiB a second, over ten seconds (http-edge.md 17).
const LEAST: usize = 10 * 1024;
const WINDOW: Duration = Duration::from_secs(10);

/// A body as a web server's connection takes it.
pub(super) struct Outgoing {
    upload: Upload,
    /// Octets it may have.
    most: u64,
    sent: u64,
    ledger: Ledger,
    pace: Pace,
}

/// What becomes of a body, for who waits for the answer.
#[derive(Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<Entry>>);

#[derive(Default)]
struct Entry {
    sent: Sent,
    /// Whether the viewer is waited for now.
    awaits_viewer: bool,
    fault: Option<Failure>,
}

/// What went out: so many octets, and whether they are all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sent {
    octets: u64,
    whole: bool,
}

impl Ledger {
    /// What went out.
    pub(super) fn sent(&self) -> Sent {
        self.entry().sent
    }

    /// Whether the web server has all that the viewer has sent and waits for more, as we do.
    pub(super) fn awaits_viewer(&self) -> bool {
        self.entry().awaits_viewer
    }

    /// What was wrong with the viewer's body.
    pub(super) fn fault(&self) -> Option<Failure> {
        self.entry().fault.clone()
    }

    fn entry(&self) -> MutexGuard<'_, Entry> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outgoing {
    /// At most `most` octets of `upload`, told of in `ledger`.
    pub(super) fn new(upload: Upload, most: u64, ledger: Ledger) -> Self {
        Self { upload, most, sent: 0, ledger, pace: Pace::default() }
    }

    fn fail(&self, failure: Failure) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        self.ledger.entry().fault = Some(failure.clone());
        Poll::Ready(Some(Err(failure)))
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        loop {
            let next = Pin::new(&mut self.upload).poll_frame(cx);
            self.ledger.entry().awaits_viewer = next.is_pending();
            let data = match next {
                Poll::Pending if self.pace.is_too_slow(cx) => return self.fail(Failure::Dripping),
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => {
                    self.ledger.entry().sent.whole = true;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Err(_))) => return self.fail(Failure::BrokenOff),
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => data,
                    // Trailers may steer; nothing here knows which.
                    Err(_) => continue,
                },
            };
            self.pace.came(data.len());
            self.sent = self.sent.saturating_add(data.len() as u64);
            if self.sent > self.most {
                let most = self.most;
                return self.fail(Failure::TooLarge(most));
            }
            self.ledger.entry().sent.octets = self.sent;
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.upload.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.upload.size_hint()
    }
}

/// How fast a viewer sends while it is waited for; while the web server is, nobody is slow.
#[derive(Default)]
struct Pace {
    waiting: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
    waited: Duration,
    came: usize,
}

impl Pace {
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let left = WINDOW.saturating_sub(self.waited);
        let since = *self.since.get_or_insert_with(Instant::now);
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(left)));
        if waiting.deadline() != since + left {
            waiting.as_mut().reset(since + left);
        }
        while waiting.as_mut().poll(cx).is_ready() {
            if self.came < LEAST {
                return true;
            }
            (self.came, self.waited) = (0, Duration::ZERO);
            let now = Instant::now();
            self.since = Some(now);
            waiting.as_mut().reset(now + WINDOW);
        }
        false
    }

    fn came(&mut self, octets: usize) {
        self.came = self.came.saturating_add(octets);
        if let Some(since) = self.since.take() {
            self.waited += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::stream;
    use http_body_util::{BodyExt as _, Full, StreamBody};

    use super::*;

    fn outgoing<B>(body: B, most: u64) -> (Outgoing, Ledger)
    where
        B: Body<Data = Bytes, Error = Infallible> + Send + 'static,
    {
        let ledger = Ledger::default();
        (Outgoing::new(Upload::new(body), most, ledger.clone()), ledger)
    }

    /// Pieces of `octets`, one after each `pause`.
    fn dripping(octets: usize, pause: Duration) -> impl Body<Data = Bytes, Error = Infallible> {
        StreamBody::new(stream::unfold((), move |()| async move {
            tokio::time::sleep(pause).await;
            Some((Ok(Frame::data(Bytes::from(vec![0; octets]))), ()))
        }))
    }

    #[tokio::test]
    async fn a_body_goes_out_as_it_comes_up_to_its_most() {
        for (most, fault) in [(5, None), (4, Some(Failure::TooLarge(4)))] {
            let (mut body, ledger) = outgoing(Full::from("abcde"), most);
            assert_eq!(body.size_hint().exact(), Some(5));
            let frame = body.frame().await.unwrap();
            assert_eq!((frame.is_ok(), ledger.fault()), (fault.is_none(), fault.clone()));
            assert_eq!(ledger.sent().octets, if fault.is_none() { 5 } else { 0 });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_drips_is_given_up_and_who_is_slow_is_not() {
        let (mut body, ledger) = outgoing(dripping(1_000, Duration::from_secs(1)), u64::MAX);
        while body.frame().await.unwrap().is_ok() {}
        assert_eq!(ledger.fault(), Some(Failure::Dripping));
        assert!(ledger.sent().octets < 11_000);

        let (mut body, ledger) = outgoing(dripping(1_200, Duration::from_secs(1)), 100_000);
        while body.frame().await.unwrap().is_ok() {}
        assert_eq!(ledger.fault(), Some(Failure::TooLarge(100_000)));
    }

    #[tokio::test(start_paused = true)]
    async fn while_the_web_server_is_waited_for_nobody_is_slow() {
        let (mut body, ledger) = outgoing(dripping(100, Duration::from_millis(10)), 10_000);
        for _ in 0..50 {
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert_eq!(ledger.fault(), None);
    }
}
