//! Whose request is it? From host and path to a distribution and one of its behaviors.
//!
//! Takes a [`Request`], gives a [`Routed`]. The path is made canonical here, before anyone chooses by it: were a
//! behavior chosen by one spelling and the origin asked for another, `/public/%2e%2e/paid/film` would be public.

mod table;

pub use table::Table;

#[cfg(doc)]
use crate::passage::{Request, Routed};

/// Proof that this station speaks; made here alone.
#[derive(Clone, Copy, Debug)]
pub struct Witness(());

#[cfg(test)]
impl Witness {
    /// For tests of the stations behind this one.
    pub(crate) const fn in_tests() -> Self {
        Self(())
    }
}
