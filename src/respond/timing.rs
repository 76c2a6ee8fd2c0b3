//! What `Server-Timing` tells a page of how its request was served (cloudfront.md 3.15).

use std::time::SystemTime;

use http::HeaderValue;
use http::header::PRAGMA;

use super::stamp::text;
use crate::passage::{Request, Routed, Served};

/// Whether this response tells it: a share of all do, and each that is asked to.
pub(super) fn is_told(routed: &Routed) -> bool {
    let Some(percent) = routed.behavior().response_headers.server_timing else { return false };
    let request = routed.request();
    request.id().is_among(percent) || request.header(PRAGMA).is_some_and(|it| it.trim() == "server-timing")
}

/// The field's value.
pub(super) fn line(request: &Request, served: Served, now: SystemTime) -> HeaderValue {
    let cache = match served {
        Served::Hit => "cdn-cache-hit,cdn-hit-layer;desc=\"EDGE\",",
        Served::RefreshHit => "cdn-cache-refresh,",
        Served::Miss => "cdn-cache-miss,",
        Served::Redirect | Served::Own | Served::Error => "",
    };
    // A clock that was set back tells no time at all.
    let waited = now.duration_since(request.received()).unwrap_or_default().as_millis();
    text(&format!("{cache}cdn-rid;desc=\"{}\",cdn-downstream-fbl;dur={waited}", request.id()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::passage::example::Example;

    fn told(percent: Option<u32>, pragma: Option<&str>) -> bool {
        let mut example = Example::get("/a");
        example.response_headers.server_timing = percent;
        if let Some(pragma) = pragma {
            example = example.header("pragma", pragma);
        }
        is_told(&example.routed())
    }

    #[test]
    fn a_share_of_all_responses_tells_it_and_each_that_is_asked_to() {
        assert_eq!([told(None, None), told(Some(0), None), told(Some(100), None)], [false, false, true]);
        assert_eq!([told(Some(0), Some("server-timing")), told(Some(0), Some("no-cache"))], [true, false]);
        assert!(!told(None, Some("server-timing")));
    }

    #[test]
    fn it_says_what_the_cache_did_and_how_long_it_took() {
        let request = Example::get("/a").request();
        let later = request.received() + Duration::from_millis(12);
        assert_eq!(
            line(&request, Served::Hit, later),
            "cdn-cache-hit,cdn-hit-layer;desc=\"EDGE\",cdn-rid;desc=\"00000000000000000000000000000007\",\
             cdn-downstream-fbl;dur=12"
        );
    }
}
