//! Configuration records, codec strings, key-picture tests: a file per codec.

#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

pub mod aac;
pub mod av1;
pub mod avc;
pub(crate) mod bits;
pub mod dolby;
pub mod flac;
pub mod hevc;
pub mod mp3;
pub mod opus;
pub mod picture;
pub mod record;
mod slices;
pub mod sound;
pub mod vp9;
