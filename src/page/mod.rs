//! The watch page, `/watch/{path}`: plays `/{path}/index.m3u8`, live or on demand, in a viewer's browser.
//!
//! The page is the same for every path and carries no secret, so it needs no signature itself; its script hands its
//! own query on to the manifest.

use bytes::Bytes;

/// hls.js, as `npm ci` fetched it; empty in a build without it.
static PLAYER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hls.js"));

/// What stands where the player is missing: a script that says so.
const MISSING: &[u8] =
    b"console.error('This build of Levada has no player: run npm ci, then build it again.');\n";

/// A document of our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its media type.
    pub content_type: &'static str,
    /// Its octets.
    pub body: Bytes,
}

/// Whether this build holds the player that the page needs.
pub fn has_player() -> bool {
    !PLAYER.is_empty()
}

/// The page or one of its parts, by path.
pub fn find(path: &str) -> Option<Page> {
    let page =
        |content_type, body: &'static [u8]| Some(Page { content_type, body: Bytes::from_static(body) });
    match path {
        "/.levada/hls.js" => {
            page("text/javascript; charset=utf-8", if has_player() { PLAYER } else { MISSING })
        }
        "/.levada/watch.js" => page("text/javascript; charset=utf-8", include_bytes!("watch.js")),
        "/.levada/watch.css" => page("text/css; charset=utf-8", include_bytes!("watch.css")),
        _ => {
            let below = path.strip_prefix("/watch/")?;
            // What begins with a second slash would name another host to the page's script.
            let named = !below.is_empty() && !below.starts_with('/');
            named.then(|| page("text/html; charset=utf-8", include_bytes!("watch.html"))).flatten()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_page_stands_at_every_path_that_names_something() {
        assert!(find("/watch/live/match").is_some());
        assert!(find("/watch/vod/films/a.mp4").is_some());
        assert!(find("/watch/").is_none());
        assert!(find("/watch//").is_none());
        assert!(find("/watch//evil.example/live").is_none());
        assert!(find("/watching/live").is_none());
    }

    #[test]
    fn the_page_loads_what_is_there() {
        let page = find("/watch/live/match").unwrap();
        let text = std::str::from_utf8(&page.body).unwrap();
        let parts: Vec<_> = text.split('"').filter(|it| it.starts_with("/.levada/")).collect();
        assert_eq!(parts.len(), 3);
        for part in parts {
            assert!(find(part).is_some(), "{part}");
        }
    }
}
