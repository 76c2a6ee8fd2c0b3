//! One spelling for each path (RFC 3986 6.2.2, http-edge.md 16).

use super::PathFault;

/// The canonical form of a path as sent: unreserved characters decoded, the other triplets in upper case, dot segments
/// removed, empty segments kept. Making it twice changes nothing.
///
/// `%2F` and `%5C` are refused where http-edge.md would keep them: our origins are files and broadcasts, whose names
/// have no slashes, and a reader that decodes them later would see a path no behavior was chosen for.
///
/// # Errors
/// [`PathFault`] when the path has no form that everyone would read alike.
pub fn canonical(path: &str) -> Result<String, PathFault> {
    if is_plain(path) {
        return Ok(path.to_owned());
    }
    let segments = path.strip_prefix('/').ok_or(PathFault::NotAbsolute)?;
    let mut canonical = String::with_capacity(path.len());
    // Where each segment of `canonical` begins, at its slash.
    let mut starts = Vec::new();
    let mut segments = segments.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let start = canonical.len();
        canonical.push('/');
        push_normal(segment, &mut canonical)?;
        match canonical.get(start + 1..) {
            Some("..") => canonical.truncate(starts.pop().ok_or(PathFault::AboveRoot)?),
            Some(".") => canonical.truncate(start),
            _ => {
                starts.push(start);
                continue;
            }
        }
        // `/a/..` is the directory `/`, and `/a/.` is `/a/`.
        if is_last {
            canonical.push('/');
        }
    }
    Ok(canonical)
}

/// The canonical form of what paths begin with, as [`canonical`] has it. Its last segment may go on, so dots there are no
/// dot segment yet.
///
/// # Errors
/// [`PathFault`] when no canonical path begins so, or a character is cut in two.
pub fn canonical_beginning(path: &str) -> Result<String, PathFault> {
    let (directory, last) = path.rsplit_once('/').ok_or(PathFault::NotAbsolute)?;
    let mut beginning = canonical(&format!("{directory}/"))?;
    push_normal(last, &mut beginning)?;
    Ok(beginning)
}

/// Whether a path has nothing that could be spelled otherwise, as nearly all have: no triplet, and no segment that begins
/// with a dot.
fn is_plain(path: &str) -> bool {
    let mut before = 0;
    path.starts_with('/')
        && path.bytes().all(|byte| {
            let is_dot = byte == b'.' && before == b'/';
            before = byte;
            !is_dot && byte.is_ascii_graphic() && !matches!(byte, b'%' | b'#' | b'?' | b'\\')
        })
}

/// Appends a segment with each triplet in its only legal spelling.
fn push_normal(segment: &str, canonical: &mut String) -> Result<(), PathFault> {
    let mut decoded = Vec::new();
    let mut has_foreign = false;
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let value = triplet(bytes.next(), bytes.next()).ok_or(PathFault::Triplet)?;
                match value {
                    0..0x20 | 0x7f => return Err(PathFault::Control),
                    b'/' | b'\\' => return Err(PathFault::Separator),
                    it if is_unreserved(it) => canonical.push(char::from(it)),
                    it => {
                        canonical.push('%');
                        canonical.extend([it >> 4, it & 0xf].map(upper_hex));
                    }
                }
                value
            }
            b'#' | b'?' | b'\\' => return Err(PathFault::Byte(byte)),
            it if it.is_ascii_graphic() => {
                canonical.push(char::from(it));
                it
            }
            other => return Err(PathFault::Byte(other)),
        };
        has_foreign |= !byte.is_ascii();
        decoded.push(byte);
    }
    if has_foreign && std::str::from_utf8(&decoded).is_err() {
        return Err(PathFault::Utf8);
    }
    Ok(())
}

fn triplet(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |it: u8| char::from(it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    Some(digit(high?)? << 4 | digit(low?)?)
}

fn upper_hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).map_or('0', |it| it.to_ascii_uppercase())
}

/// RFC 3986 2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(canonical(path).as_deref(), Ok(expected), "{path}");
    }

    fn check_fault(path: &str, expected: PathFault) {
        assert_eq!(canonical(path), Err(expected), "{path}");
    }

    #[test]
    fn a_plain_path_stays_as_it_is() {
        check("/", "/");
        check("/live/a/index.m3u8", "/live/a/index.m3u8");
        check("/vod/film_,360,720,.mp4.urlset/x;y=1", "/vod/film_,360,720,.mp4.urlset/x;y=1");
        check("/a//b/", "/a//b/");
    }

    #[test]
    fn unreserved_characters_are_decoded_once_and_other_triplets_stand_in_upper_case() {
        check("/%70aid/%7Efilm", "/paid/~film");
        check("/two%20words%2a%3f", "/two%20words%2A%3F");
        check("/caf%c3%a9", "/caf%C3%A9");
        check("/%2541", "/%2541");
    }

    #[test]
    fn dot_segments_are_removed_however_they_are_spelled() {
        check("/a/./b/../c", "/a/c");
        check("/public/%2e%2E/paid/film", "/paid/film");
        check("/a/b/..", "/a/");
        check("/a/.", "/a/");
        check("/a//../b", "/a/b");
        check("/...", "/...");
        check("/a/..", "/");
        check("/a/%2e%2e%2e/b", "/a/.../b");
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        check_fault("a", PathFault::NotAbsolute);
        check_fault("*", PathFault::NotAbsolute);
        check_fault("", PathFault::NotAbsolute);
        check_fault("/..", PathFault::AboveRoot);
        check_fault("/a/../../b", PathFault::AboveRoot);
        check_fault("/a%2Fb", PathFault::Separator);
        check_fault("/a%5cb", PathFault::Separator);
        check_fault("/a%00", PathFault::Control);
        check_fault("/a%0d%0a", PathFault::Control);
        check_fault("/a%4", PathFault::Triplet);
        check_fault("/a%+4", PathFault::Triplet);
        check_fault("/a%zz", PathFault::Triplet);
        check_fault("/a b", PathFault::Byte(b' '));
        check_fault("/a\\b", PathFault::Byte(b'\\'));
        check_fault("/a#b", PathFault::Byte(b'#'));
        check_fault("/caf\u{e9}", PathFault::Byte(0xc3));
        check_fault("/%c0%af", PathFault::Utf8);
        check_fault("/caf%e9", PathFault::Utf8);
    }

    #[test]
    fn a_beginning_has_the_spelling_of_the_paths_that_begin_so() {
        let check =
            |path: &str, expected| assert_eq!(canonical_beginning(path).as_deref(), expected, "{path}");
        check("/", Ok("/"));
        check("/caf%c3%a9/%61", Ok("/caf%C3%A9/a"));
        check("/a/./b/../.", Ok("/a/."));
        check("/a/..", Ok("/a/.."));
        check("/caf%c3", Err(&PathFault::Utf8));
        check("/a%2", Err(&PathFault::Triplet));
        check("/../a", Err(&PathFault::AboveRoot));
        check("a", Err(&PathFault::NotAbsolute));
    }

    proptest! {
        #[test]
        fn what_begins_a_path_begins_its_canonical_form(front in "/([ab.~/]|%7[eE]|%c3%a9){0,12}", back in "[ab]{1,4}") {
            if let (Ok(beginning), Ok(whole)) = (canonical_beginning(&front), canonical(&format!("{front}{back}"))) {
                prop_assert!(whole.starts_with(&beginning), "{whole} {beginning}");
            }
        }

        #[test]
        fn a_canonical_path_is_canonical_already(path in "/([ab.~/]|%2[eE0]|%7[eE]|%c3%a9){0,20}") {
            if let Ok(once) = canonical(&path) {
                prop_assert_eq!(canonical(&once), Ok(once.clone()));
                prop_assert!(once.starts_with('/') && !once.split('/').any(|it| it == "." || it == ".."));
            }
        }

        #[test]
        fn any_text_gives_a_path_or_a_fault(path in ".{0,40}") {
            let _ = canonical(&path);
        }
    }
}
