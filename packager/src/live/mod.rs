//! Live broadcasts: from pushed samples to the window that viewers may ask for.
//!
//! ```text
//! Publisher ─Input─▶ broadcast (one task owns it) ─▶ ring ─▶ Subscriber (RTMP players)
//!                                                 └─▶ segmenter ─▶ Window ─▶ waiting requests
//! ```

mod publisher;

pub use publisher::Input;
