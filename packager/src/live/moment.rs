//! The two clocks of a broadcast.

use std::time::{Instant, SystemTime};

/// Now, on both clocks: deadlines follow the steady one, what viewers and disks are told follows the wall's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Never goes back.
    pub steady: Instant,
    /// May be set by its owner.
    pub wall: SystemTime,
}
