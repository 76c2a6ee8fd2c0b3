//! What `levada` does when it is called: a file per command, each an argument struct and a `run`.

pub mod keygen;
pub mod sign;
