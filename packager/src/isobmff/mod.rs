//! ISO base media files: a bounded reader, a writer, fragments and init segments.

pub mod fragment;
pub mod init;
mod sample_entry;
mod writer;
