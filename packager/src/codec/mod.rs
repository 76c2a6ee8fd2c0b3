//! Configuration records, codec strings, key-picture tests: a file per codec.

pub mod aac;
pub mod avc;
mod bits;
