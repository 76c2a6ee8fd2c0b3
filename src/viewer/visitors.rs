//! Everybody who is here, and the one task that looks after them.
//!
//! A timer for each connection would wake thousands that rest, only to find that nothing is the matter.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::{Duration, Instant};

use super::activity::{Activity, Order};

/// Enough that those who come and go seldom meet at one lock, and that none is held for long.
const SHARDS: usize = 16;

/// The connections there are.
#[derive(Debug)]
pub(super) struct Visitors {
    shards: [Mutex<Shard>; SHARDS],
    numbers: AtomicU64,
}

#[derive(Debug)]
struct Shard {
    here: HashMap<u64, Arc<Activity>>,
    /// What everybody was told who was here, and whoever comes later.
    told: Order,
}

/// Somebody's being here.
#[derive(Debug)]
pub(super) struct Visitor {
    visitors: Arc<Visitors>,
    number: u64,
}

impl Visitors {
    /// Nobody yet.
    pub(super) fn new() -> Arc<Self> {
        let shard = || Mutex::new(Shard { here: HashMap::new(), told: Order::Stay });
        Arc::new(Self { shards: std::array::from_fn(|_| shard()), numbers: AtomicU64::new(0) })
    }

    /// Somebody comes.
    pub(super) fn enter(self: &Arc<Self>, activity: Arc<Activity>) -> Visitor {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(number);
        activity.tell(shard.told);
        shard.here.insert(number, activity);
        drop(shard);
        Visitor { visitors: Arc::clone(self), number }
    }

    /// Tells everybody, now and later.
    pub(super) fn tell_all(&self, order: Order) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.told = shard.told.max(order);
            shard.here.values().for_each(|it| it.tell(order));
        }
    }

    fn look(&self, now: Instant) {
        for shard in &self.shards {
            lock(shard).here.values().for_each(|it| it.tell(it.judge(now)));
        }
    }

    fn shard(&self, number: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[number as usize % SHARDS])
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        self.visitors.shard(self.number).here.remove(&self.number);
    }
}

/// Looks after visitors every so often, as long as there can be any.
pub(super) async fn look_after(visitors: Weak<Visitors>, period: Duration) {
    loop {
        tokio::time::sleep(period).await;
        let Some(visitors) = visitors.upgrade() else { return };
        visitors.look(Instant::now());
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().expect("no code panics while it holds this lock")
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::viewer::activity::Patience;

    #[test]
    fn everybody_is_told_who_is_here_or_comes_later_and_nobody_is_remembered_who_left() {
        let patience = Patience { header: Duration::ZERO, keep_alive: Duration::ZERO, send: Duration::ZERO };
        let cx = Context::from_waker(Waker::noop());
        let visitors = Visitors::new();
        let enter = || {
            let activity = Arc::new(Activity::new(Instant::now(), patience));
            (visitors.enter(Arc::clone(&activity)), activity)
        };
        let here: Vec<_> = (0..40).map(|_| enter()).collect();
        assert!(here.iter().all(|(_, it)| it.poll_told(Order::Stay, &cx).is_pending()));
        visitors.tell_all(Order::Finish);
        let late = enter();
        for (_, activity) in here.iter().chain([&late]) {
            assert_eq!(activity.poll_told(Order::Stay, &cx), Poll::Ready(Order::Finish));
        }
        visitors.look(Instant::now() + Duration::from_secs(1));
        assert_eq!(late.1.poll_told(Order::Finish, &cx), Poll::Ready(Order::Late));
        drop((here, late));
        assert!(visitors.shards.iter().all(|it| lock(it).here.is_empty()));
    }
}
