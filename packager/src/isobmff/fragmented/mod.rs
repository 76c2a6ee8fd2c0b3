//! Movies in fragments (ISO 14496-12 8.8): where they are, and the sample tables that the same movie would have without.
//!
//! ```text
//! walk (which bytes are the moofs?) ─▶ gather (runs of samples, track by track) ─▶ an stbl as any other
//! ```

mod gather;
mod walk;

pub(super) use gather::{Gathered, gather};
pub use walk::Walk;
