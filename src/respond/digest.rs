//! Digests that an origin gave (RFC 9530): none is sent with octets other than those it is of (http-edge.md 8, 9).

use http::{HeaderMap, HeaderName};

use crate::passage::DIGESTS_OF_CONTENT;

/// Of the representation, whatever part of it is sent; `Digest` is the older name.
const OF_REPRESENTATION: [HeaderName; 2] =
    [HeaderName::from_static("repr-digest"), HeaderName::from_static("digest")];

/// Where other octets are sent than the origin's.
pub(super) fn drop_all(headers: &mut HeaderMap) {
    drop_of_content(headers);
    for name in &OF_REPRESENTATION {
        headers.remove(name);
    }
}

/// Where a part of them is sent, or none.
pub(super) fn drop_of_content(headers: &mut HeaderMap) {
    for name in &DIGESTS_OF_CONTENT {
        headers.remove(name);
    }
}
