//! One growing object: a head, and chunks that may still come.

use http::{HeaderMap, StatusCode};

/// What is known before the first octet of the body.
#[derive(Clone, Debug)]
pub struct Head {
    /// Status.
    pub status: StatusCode,
    /// Fields of the origin.
    pub headers: HeaderMap,
    /// Octets of the whole body, when known.
    pub length: Option<u64>,
}

/// A head and a list of chunks that may still grow, with those who wait for more.
#[derive(Debug)]
pub struct Object {}

/// Adds to an object; dropped before the end was said, the object has failed.
#[derive(Debug)]
pub struct Filler {}

/// Follows an object from an offset.
#[derive(Debug)]
pub struct Reader {}
