//! What viewers of a broadcast may ask for now.

/// An immutable picture of a broadcast: made once per change, shared by all who ask.
#[derive(Debug, Default)]
pub struct Window {}
