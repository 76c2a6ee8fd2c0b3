//! Configuration records, codec strings, key-picture tests: a file per codec.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod aac;
pub mod avc;
mod bits;
