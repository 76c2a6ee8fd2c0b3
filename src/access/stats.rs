//! The station's book.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::passage::Reason;

/// What was done since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Signatures checked with a key.
    pub verifications: u64,
    /// Signatures known to be good from before.
    pub recognitions: u64,
    /// Refusals by [`Reason::name`].
    pub refusals: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    verifications: AtomicU64,
    recognitions: AtomicU64,
    refusals: Mutex<BTreeMap<&'static str, u64>>,
}

impl Counters {
    pub(super) fn verified(&self) {
        self.verifications.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn recognised(&self) {
        self.recognitions.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self, reason: &Reason) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        *refusals.entry(reason.name()).or_default() += 1;
    }

    pub(super) fn read(&self) -> Stats {
        Stats {
            verifications: self.verifications.load(Ordering::Relaxed),
            recognitions: self.recognitions.load(Ordering::Relaxed),
            refusals: self.refusals.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}
