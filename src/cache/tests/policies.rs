//! What others let go, to hold the store against: as little of each as makes its hits.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::trace::Segment;

/// A cache of so many bytes that holds nothing but names.
pub(super) trait Policy {
    /// Asks for a segment of that cost; whether it was there.
    fn ask(&mut self, segment: Segment, cost: u64) -> bool;
}

/// Lets go what was asked for longest ago.
pub(super) struct Lru {
    cap: u64,
    used: u64,
    asked: u64,
    when: HashMap<Segment, u64>,
    order: BTreeMap<u64, (Segment, u64)>,
}

impl Lru {
    pub(super) fn new(cap: u64) -> Self {
        Self { cap, used: 0, asked: 0, when: HashMap::new(), order: BTreeMap::new() }
    }
}

impl Policy for Lru {
    fn ask(&mut self, segment: Segment, cost: u64) -> bool {
        self.asked += 1;
        let before = self.when.insert(segment, self.asked);
        match before {
            Some(before) => drop(self.order.remove(&before)),
            None => self.used += cost,
        }
        self.order.insert(self.asked, (segment, cost));
        while self.used > self.cap {
            let (_, (oldest, cost)) = self.order.pop_first().expect("what takes memory is in it");
            self.when.remove(&oldest);
            self.used -= cost;
        }
        before.is_some()
    }
}

/// S3-FIFO as published: a tenth is new, two hits are proof, and what is proved goes round in a queue as often as it was
/// asked for, at most three times.
pub(super) struct S3Fifo {
    cap: u64,
    hits: HashMap<Segment, u32>,
    new: Fifo,
    proved: Fifo,
    ghost: VecDeque<Segment>,
}

#[derive(Default)]
struct Fifo {
    segments: VecDeque<(Segment, u64)>,
    used: u64,
}

impl Fifo {
    fn push(&mut self, segment: Segment, cost: u64) {
        self.segments.push_back((segment, cost));
        self.used += cost;
    }

    fn pop(&mut self) -> Option<(Segment, u64)> {
        let first = self.segments.pop_front()?;
        self.used -= first.1;
        Some(first)
    }
}

impl S3Fifo {
    pub(super) fn new(cap: u64) -> Self {
        Self {
            cap,
            hits: HashMap::new(),
            new: Fifo::default(),
            proved: Fifo::default(),
            ghost: VecDeque::new(),
        }
    }

    fn let_one_go(&mut self) {
        if self.new.used * 10 > self.cap || self.proved.used == 0 {
            let (segment, cost) = self.new.pop().expect("the cache is full");
            if self.hits[&segment] > 1 {
                self.hits.insert(segment, 0);
                return self.proved.push(segment, cost);
            }
            self.hits.remove(&segment);
            self.ghost.push_back(segment);
            while self.ghost.len() > self.proved.segments.len() {
                self.ghost.pop_front();
            }
            return;
        }
        let (segment, cost) = self.proved.pop().expect("it holds something");
        match self.hits.get_mut(&segment) {
            Some(hits @ 1..) => {
                *hits -= 1;
                self.proved.push(segment, cost);
            }
            _ => drop(self.hits.remove(&segment)),
        }
    }
}

impl Policy for S3Fifo {
    fn ask(&mut self, segment: Segment, cost: u64) -> bool {
        if let Some(hits) = self.hits.get_mut(&segment) {
            *hits = 3.min(*hits + 1);
            return true;
        }
        while self.new.used + self.proved.used + cost > self.cap {
            self.let_one_go();
        }
        self.hits.insert(segment, 0);
        match self.ghost.iter().position(|it| *it == segment) {
            Some(at) => {
                self.ghost.remove(at);
                self.proved.push(segment, cost);
            }
            None => self.new.push(segment, cost),
        }
        false
    }
}
