//! Header fields that belong to one connection.

use http::header::{
    ALT_SVC, CONNECTION, HeaderMap, HeaderName, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, TE, TRAILER,
    TRANSFER_ENCODING, UPGRADE, WARNING,
};

/// Fields that are about a connection, not an answer (http-edge.md 9); `Alt-Svc` names ports of another authority, and
/// `Warning` is of a cache that would have to take it back (RFC 9111 5.5).
const OF_A_CONNECTION: [HeaderName; 12] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    ALT_SVC,
    WARNING,
];

/// Fields that `Connection` may not take away: whoever names them there means harm.
const KEPT: [&str; 6] = ["cache-control", "content-length", "content-type", "date", "etag", "vary"];

/// Removes what an origin said to its connection, and what it says its connection is about.
pub(super) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .filter_map(|it| HeaderName::try_from(it.trim()).ok())
        .filter(|it| !KEPT.contains(&it.as_str()))
        .collect();
    for name in OF_A_CONNECTION.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private, cache-control"),
            ("keep-alive", "timeout=5"),
            ("x-private", "1"),
            ("cache-control", "max-age=5"),
            ("alt-svc", "h3=\":443\""),
            ("etag", "\"a\""),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        drop_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["cache-control", "etag"]);
    }
}
