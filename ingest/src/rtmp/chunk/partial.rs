//! A message whose end has not come, and the budget that all of a connection's share.

use bytes::Bytes;

use super::Fault;

/// Bytes allocated for unfinished messages, and how many may be.
#[derive(Debug)]
pub(super) struct Budget {
    used: usize,
    most: usize,
}

impl Budget {
    pub(super) const fn new(most: usize) -> Self {
        Self { used: 0, most }
    }

    pub(super) const fn set(&mut self, most: usize) {
        self.most = most;
    }

    pub(super) const fn used(&self) -> usize {
        self.used
    }

    fn take(&mut self, bytes: usize) -> Result<(), Fault> {
        let needed = self.used.saturating_add(bytes);
        if needed > self.most {
            return Err(Fault::OverBudget { needed, budget: self.most });
        }
        self.used = needed;
        Ok(())
    }

    const fn give(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
    }
}

/// The room a message that does not come at once begins with: most audio and small pictures then grow no more.
const FIRST_ROOM: usize = 4096;

/// The payload gathered so far. Its room doubles as bytes really come and never exceeds the announced length, so an
/// announcement alone costs nothing.
#[derive(Debug, Default)]
pub(super) struct Partial {
    bytes: Vec<u8>,
    /// What the budget gave for it.
    charged: usize,
}

impl Partial {
    pub(super) const fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn add(&mut self, piece: &[u8], length: usize, budget: &mut Budget) -> Result<(), Fault> {
        let needed = self.bytes.len().saturating_add(piece.len());
        if needed > self.charged {
            let room = self.charged.saturating_mul(2).max(FIRST_ROOM).min(length).max(needed);
            budget.take(room.saturating_sub(self.charged))?;
            self.charged = room;
            self.bytes.reserve_exact(room.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    /// What it really takes.
    #[cfg(test)]
    pub(super) const fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// The whole payload; it is no longer the budget's.
    pub(super) fn finish(self, budget: &mut Budget) -> Bytes {
        budget.give(self.charged);
        self.bytes.into()
    }

    pub(super) fn discard(self, budget: &mut Budget) {
        budget.give(self.charged);
    }
}
