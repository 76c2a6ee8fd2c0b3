//! The rules of `docs/conformance.md` for what is made of stored titles: Apple's authoring rules, those of DASH, and what
//! any output must keep.
//!
//! Each is tried on [titles](titles::all) of all kinds, read as a player reads them, with readers that share nothing with
//! the writers.

mod apple;
mod boxes;
mod dash;
mod output;
mod playlist;
mod probe;
mod titles;
mod transport;
mod xml;
