//! What is made once of the octets of a complete object, for all who want it.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Another form of the octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The same, in one piece.
    Joined,
    /// Compressed with gzip.
    Gzip,
    /// Compressed with Brotli.
    Brotli,
}

#[derive(Debug)]
pub(super) struct Derived {
    pub(super) joined: Slot<Bytes>,
    pub(super) gzip: Slot<Bytes>,
    pub(super) brotli: Slot<Bytes>,
    pub(super) notes: Slot<Notes>,
}

impl Derived {
    pub(super) const fn new() -> Self {
        Self { joined: Slot::new(), gzip: Slot::new(), brotli: Slot::new(), notes: Slot::new() }
    }

    pub(super) const fn form(&self, form: Form) -> &Slot<Bytes> {
        match form {
            Form::Joined => &self.joined,
            Form::Gzip => &self.gzip,
            Form::Brotli => &self.brotli,
        }
    }
}

/// What a station worked out about the octets; the object does not know what it is.
#[derive(Clone)]
pub(super) struct Notes(pub(super) Arc<dyn Any + Send + Sync>);

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notes")
    }
}

/// A place for one thing that is made when it is first wanted. Those who want it meanwhile wait for it: making it
/// takes about a millisecond and never waits itself.
#[derive(Debug)]
pub(super) struct Slot<T>(Mutex<Option<T>>);

impl<T: Clone> Slot<T> {
    const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// What is there; else what `make` makes, which stays there when `keep` says so.
    pub(super) fn get_or_make(&self, make: impl FnOnce() -> T, keep: impl FnOnce(&T) -> bool) -> T {
        // A maker that panicked left nothing behind, so the next one may try.
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = &*slot {
            return made.clone();
        }
        let made = make();
        if keep(&made) {
            *slot = Some(made.clone());
        }
        made
    }
}
