//! Growing, sliding, failing, and never looking whole before it is.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake};

use proptest::prelude::*;

use super::filler::SLIDING_WINDOW;
use super::*;
use crate::passage::{Budget, Failure};

fn head(length: Option<u64>) -> Head {
    Head { status: StatusCode::OK, headers: HeaderMap::new(), length, lifetime: None }
}

/// What a reader has at this moment, and how it stands then.
fn drain(reader: &mut Reader) -> (Vec<u8>, Poll<Result<(), Failure>>) {
    let mut got = Vec::new();
    loop {
        match reader.poll_chunk(&Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(Ok(chunk))) => got.extend_from_slice(&chunk),
            Poll::Ready(Some(Err(failure))) => return (got, Poll::Ready(Err(failure))),
            Poll::Ready(None) => return (got, Poll::Ready(Ok(()))),
            Poll::Pending => return (got, Poll::Pending),
        }
    }
}

fn check(reader: &mut Reader, bytes: &[u8], end: Poll<Result<(), Failure>>) {
    assert_eq!(drain(reader), (bytes.to_vec(), end));
}

#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_reader_tells_more_from_complete_from_failed() {
    let (object, mut filler) = Object::growing(head(None));
    let mut reader = object.read_all();
    check(&mut reader, b"", Poll::Pending);
    filler.push(Bytes::from("stone")).unwrap();
    check(&mut reader, b"stone", Poll::Pending);
    filler.finish().unwrap();
    check(&mut reader, b"", Poll::Ready(Ok(())));

    let (object, mut filler) = Object::growing(head(None));
    filler.push(Bytes::from("stone")).unwrap();
    let mut reader = object.read_all();
    filler.fail(Failure::TimedOut(std::time::Duration::from_secs(1)));
    let failed = Poll::Ready(Err(Failure::TimedOut(std::time::Duration::from_secs(1))));
    check(&mut reader, b"stone", failed);
}

#[test]
fn a_dropped_filler_is_a_failure() {
    let (object, filler) = Object::growing(head(None));
    let mut reader = object.read_all();
    drop(filler);
    check(&mut reader, b"", Poll::Ready(Err(Failure::GivenUp)));
}

#[test]
fn less_than_promised_is_a_failure_and_more_is_not_accepted() {
    let (object, mut filler) = Object::growing(head(Some(4)));
    filler.push(Bytes::from("sto")).unwrap();
    let mut reader = object.read_all();
    let truncated = Failure::Truncated { got: 3, promised: 4 };
    assert_eq!(filler.finish(), Err(truncated.clone()));
    check(&mut reader, b"sto", Poll::Ready(Err(truncated)));
    assert!(object.completed().is_none());

    let (_object, mut filler) = Object::growing(head(Some(4)));
    assert_eq!(filler.push(Bytes::from("stone")), Err(Failure::Overlong { promised: 4 }));
}

#[test]
fn an_end_that_was_counted_on_and_does_not_come_is_a_failure() {
    let (object, mut filler) = Object::growing(head(None));
    let mut reader = object.read(2..8);
    filler.push(Bytes::from("stone")).unwrap();
    filler.finish().unwrap();
    check(&mut reader, b"one", Poll::Ready(Err(Failure::Truncated { got: 5, promised: 8 })));
}

#[test]
fn a_reader_who_waits_wakes_once_a_chunk_however_often_it_was_polled() {
    let (object, mut filler) = Object::growing(head(None));
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut reader = object.read_all();
    for _ in 0..10 {
        assert!(reader.poll_chunk(&Context::from_waker(&waker)).is_pending());
    }
    filler.push(Bytes::from("stone")).unwrap();
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
}

#[test]
fn a_sliding_object_holds_what_its_slowest_reader_has_not_read() {
    let budget = Budget::new(4 * SLIDING_WINDOW);
    let (object, mut filler) = Object::growing_within(head(None), budget.reserve(0).unwrap());
    filler.slide();
    let mut fast = object.read_all();
    let mut slow = object.read_all();
    let block = Bytes::from(vec![7; SLIDING_WINDOW as usize]);
    let context = Context::from_waker(Waker::noop());
    assert_eq!(filler.poll_room(&context), Poll::Ready(Ok(())));
    filler.push(block.clone()).unwrap();
    assert!(filler.poll_room(&context).is_pending());
    check(&mut fast, &block, Poll::Pending);
    assert!(filler.poll_room(&context).is_pending());
    check(&mut slow, &block, Poll::Pending);
    assert_eq!(filler.poll_room(&context), Poll::Ready(Ok(())));
    assert_eq!(budget.used(), 0);

    filler.push(block).unwrap();
    drop(object);
    drop(fast);
    assert!(filler.poll_room(&context).is_pending());
    drop(slow);
    assert_eq!(filler.poll_room(&context), Poll::Ready(Err(Abandoned)));
    drop(filler);
    assert_eq!(budget.used(), 0);
}

#[test]
fn memory_that_is_not_there_is_not_accepted() {
    let budget = Budget::new(200);
    let (object, mut filler) = Object::growing_within(head(None), budget.reserve(0).unwrap());
    assert!(filler.reserve(50));
    assert!(!filler.reserve(150));
    filler.push(Bytes::from(vec![0; 100])).unwrap();
    assert_eq!(filler.push(Bytes::from(vec![0; 5])), Err(Failure::OutOfMemory));
    let reader = object.read_all();
    drop((object, filler));
    assert_eq!(budget.used(), 196, "a reader still holds it");
    drop(reader);
    assert_eq!(budget.used(), 0);
}

#[test]
fn the_end_and_any_octet_can_be_waited_for() {
    fn poll(
        waiting: std::pin::Pin<&mut impl Future<Output = Result<(), Failure>>>,
    ) -> Poll<Result<(), Failure>> {
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }
    for length in [None, Some(6)] {
        let (object, mut filler) = Object::growing(head(length));
        let mut end = pin!(object.ended());
        let mut third = pin!(object.reached(3));
        let mut tenth = pin!(object.reached(10));
        assert!(poll(end.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        assert_eq!(poll(tenth.as_mut()).is_pending(), length.is_none());
        filler.push(Bytes::from("levada")).unwrap();
        assert_eq!(poll(third.as_mut()), Poll::Ready(Ok(())));
        assert!(poll(end.as_mut()).is_pending());
        filler.finish().unwrap();
        assert_eq!(poll(end.as_mut()), Poll::Ready(Ok(())));
        if length.is_none() {
            assert_eq!(poll(tenth.as_mut()), Poll::Ready(Ok(())));
        }
    }
    let (object, filler) = Object::growing(head(None));
    let (mut end, mut tenth) = (pin!(object.ended()), pin!(object.reached(10)));
    assert!(poll(end.as_mut()).is_pending() && poll(tenth.as_mut()).is_pending());
    drop(filler);
    assert_eq!(poll(end.as_mut()), Poll::Ready(Err(Failure::GivenUp)));
    assert_eq!(poll(tenth.as_mut()), Poll::Ready(Err(Failure::GivenUp)));
}

#[test]
fn what_is_made_of_an_object_is_made_once_and_counted() {
    let budget = Budget::new(1000);
    let chunks = vec![Bytes::from("lev"), Bytes::from("ada")];
    let object = Object::whole_within(head(None), chunks, budget.reserve(2 * 96 + 6).unwrap());
    assert_eq!(object.joined().unwrap(), "levada");
    assert_eq!(object.form(Form::Gzip, || Bytes::from("small")), "small");
    assert_eq!(object.form(Form::Gzip, || panic!("it was made before")), "small");
    assert_eq!(budget.used(), 4 * 96 + 6 + 6 + 5);
    assert_eq!(*object.notes(|| 7u8, |_| 1000), 7);
    assert_eq!(*object.notes(|| 8u8, |_| 10), 8, "what there was no memory for was not kept");
    assert_eq!(*object.notes(|| 9u8, |_| 10), 8);
    drop(object);
    assert_eq!(budget.used(), 0);
}

proptest! {
    /// However the octets are cut into chunks, and whenever readers come, each sees exactly its range.
    #[test]
    fn any_range_is_the_same_range_of_the_whole(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 0..12),
        ranges in prop::collection::vec((0..100u64, 0..100u64, 0..12usize), 1..8),
    ) {
        let all = chunks.concat();
        let total = all.len() as u64;
        let (object, mut filler) = Object::growing(head(None));
        let mut readers = Vec::new();
        for (index, chunk) in chunks.iter().enumerate() {
            for &(start, length, when) in &ranges {
                if when == index {
                    let end = (start + length).min(total).max(start.min(total));
                    readers.push((start.min(total)..end, object.read(start.min(total)..end), Vec::new()));
                }
            }
            filler.push(Bytes::from(chunk.clone())).unwrap();
            for (_, reader, got) in &mut readers {
                got.extend(drain(reader).0);
            }
        }
        filler.finish().unwrap();
        for (range, reader, got) in &mut readers {
            let (rest, end) = drain(reader);
            got.extend(rest);
            prop_assert_eq!(end, Poll::Ready(Ok(())));
            prop_assert_eq!(&got[..], &all[range.start as usize..range.end as usize]);
        }
        prop_assert_eq!(object.length(), Some(total));
        prop_assert_eq!(object.completed().unwrap().concat(), all);
    }
}

/// Slices of four octets of "0123456789".
#[derive(Default)]
struct Digits {
    opened: std::sync::Mutex<Vec<u64>>,
    /// The third lacks an octet.
    broken: bool,
    /// So often the second cannot be opened.
    failing: usize,
}

impl Slices for Digits {
    fn around(&self, position: u64, _: u64) -> Range<u64> {
        let begin = position / 4 * 4;
        begin..(begin + 4).min(10)
    }

    fn open(
        &self,
        slice: &Range<u64>,
    ) -> futures_util::future::BoxFuture<'static, Result<Arc<Object>, Failure>> {
        let index = slice.start / 4;
        let mut opened = self.opened.lock().unwrap();
        opened.push(index);
        if index == 1 && opened.iter().filter(|&&it| it == 1).count() <= self.failing {
            return Box::pin(async { Err(Failure::Busy) });
        }
        let octets = match index {
            0 => "0123",
            1 => "4567",
            2 if self.broken => "8",
            _ => "89",
        };
        Box::pin(async move { Ok(Object::whole(head(None), vec![Bytes::from_static(octets.as_bytes())])) })
    }
}

#[tokio::test]
async fn a_sliced_body_is_read_from_anywhere_and_opens_no_slice_too_many() {
    let read = async |range: Range<u64>, expected: &str, opened: &[u64]| {
        let digits = Arc::new(Digits::default());
        let slices: Arc<dyn Slices> = Arc::clone(&digits) as _;
        let object = Object::sliced(head(None), 10, slices, None);
        assert_eq!(object.length(), Some(10));
        assert!(object.seekable() && object.ended().await.is_ok() && object.completed().is_none());
        assert_eq!(object.read(range.clone()).remaining(), Some(expected.len() as u64));
        check(&mut object.read(range), expected.as_bytes(), Poll::Ready(Ok(())));
        assert_eq!(*digits.opened.lock().unwrap(), opened);
    };
    read(0..u64::MAX, "0123456789", &[0, 1, 2]).await;
    read(3..5, "34", &[0, 1]).await;
    read(4..8, "4567", &[1]).await;
    read(9..100, "9", &[2]).await;
    read(5..5, "", &[]).await;
}

#[test]
fn a_slice_that_is_too_short_is_no_end() {
    let slices = Arc::new(Digits { broken: true, ..Digits::default() });
    let object = Object::sliced(head(None), 10, slices, None);
    let cut = Poll::Ready(Err(Failure::Truncated { got: 9, promised: 10 }));
    check(&mut object.read_all(), b"012345678", cut);
}

#[test]
fn section_7_the_next_slice_is_opened_when_half_a_slice_was_read_and_no_other() {
    let opened_after_a_chunk = |range: Range<u64>, expected: &[u64]| {
        let digits = Arc::new(Digits::default());
        let slices: Arc<dyn Slices> = Arc::clone(&digits) as _;
        let mut reader = Object::sliced(head(None), 10, slices, None).read(range);
        assert!(matches!(reader.poll_chunk(&Context::from_waker(Waker::noop())), Poll::Ready(Some(Ok(_)))));
        assert_eq!(*digits.opened.lock().unwrap(), expected);
    };
    opened_after_a_chunk(0..10, &[0, 1]);
    opened_after_a_chunk(2..10, &[0, 1]);
    opened_after_a_chunk(3..10, &[0]);
    opened_after_a_chunk(0..4, &[0]);
    opened_after_a_chunk(8..10, &[2]);
}

#[test]
fn a_slice_that_could_not_be_opened_early_is_opened_again_when_it_is_due() {
    let read = |failing, expected: &[u8], end, opened: &[u64]| {
        let digits = Arc::new(Digits { failing, ..Digits::default() });
        let slices: Arc<dyn Slices> = Arc::clone(&digits) as _;
        check(&mut Object::sliced(head(None), 10, slices, None).read_all(), expected, end);
        assert_eq!(*digits.opened.lock().unwrap(), opened);
    };
    read(1, b"0123456789", Poll::Ready(Ok(())), &[0, 1, 1, 2]);
    read(2, b"0123", Poll::Ready(Err(Failure::Busy)), &[0, 1, 1]);
}

#[test]
fn what_an_object_is_said_to_cost_covers_it() {
    // Each in an `Arc`, in what an allocator may round up to.
    let counted = |it: usize| (it + 16).next_multiple_of(64);
    let itself = counted(size_of::<Object>()) + counted(size_of::<super::state::Shared>());
    assert!(itself as u64 <= super::HEAD_COST, "{itself}");
}
