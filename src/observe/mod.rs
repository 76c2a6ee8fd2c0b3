//! What operators see: the access log, metrics, traces. It reads the books that stations keep.

pub mod access_log;
pub mod audience;
pub mod metrics;
pub mod trace;
