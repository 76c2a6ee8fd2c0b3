//! What an encoder's application and stream name mean (live.md 1.1). Encoders split one URL in many ways: the stream
//! may be a full URL, slashes may double or trail, queries stand on either half, values come quoted or padded.

use std::fmt;

/// An application or stream name, and the query that stood on it.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) path: String,
    pub(super) query: Query,
}

impl Name {
    /// The application of `connect`.
    pub(super) fn of_app(raw: &str) -> Self {
        let mut name = Self::parse(raw);
        // Flash's name for the instance that has none.
        if let Some(app) = name.path.strip_suffix("/_definst_") {
            name.path.truncate(app.len());
        }
        name
    }

    fn parse(raw: &str) -> Self {
        let (path, query) = split_query(trim(raw));
        Self { path: tidy(path), query: Query(trim(query).into()) }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The path of a stream is often its key.
        f.debug_struct("Name").field("query", &self.query).finish_non_exhaustive()
    }
}

/// The application and stream that a `publish` or `play` means, with both queries; the stream's wins.
pub(super) fn resolve(app: &Name, raw: &str) -> (String, Name) {
    let mut stream = Name::parse(without_authority(trim(raw), &app.path));
    stream.query = stream.query.over(&app.query);
    // A whole path in the server box and an empty key box: the last segment is the stream.
    match (stream.path.is_empty(), app.path.rsplit_once('/')) {
        (true, Some((rest, last))) => (rest.into(), Name { path: last.into(), ..stream }),
        _ => (app.path.clone(), stream),
    }
}

/// `?vhost=`, which stands for the host where an encoder dials an address, or else the host of `tcUrl`.
pub(super) fn host(query: &Query, tc_url: Option<&str>) -> Option<String> {
    let from_url = || {
        let (_, rest) = tc_url.map(trim)?.split_once("://")?;
        rest.split(['/', '?']).next()
    };
    let authority = query.value("vhost").filter(|it| !it.is_empty()).or_else(from_url)?;
    let host = match authority.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((address, _)) => address,
        None => authority.split(':').next()?,
    };
    (!host.is_empty()).then(|| host.to_ascii_lowercase())
}

/// Some phones put the whole URL where the stream name belongs.
fn without_authority<'a>(raw: &'a str, app: &str) -> &'a str {
    let Some(rest) = raw.strip_prefix("rtmp://").or_else(|| raw.strip_prefix("rtmps://")) else { return raw };
    let path = rest.split_once('/').map_or("", |(_, path)| path).trim_start_matches('/');
    path.strip_prefix(app).filter(|it| it.starts_with('/')).unwrap_or(path)
}

/// Some encoders quote values, or end them with a NUL or a space.
fn trim(raw: &str) -> &str {
    raw.trim_matches(|it: char| it.is_whitespace() || it.is_control() || matches!(it, '"' | '\''))
}

fn split_query(raw: &str) -> (&str, &str) {
    raw.split_once('?').unwrap_or((raw, ""))
}

/// Without slashes at either end or doubled.
fn tidy(path: &str) -> String {
    path.split('/').filter(|it| !it.is_empty()).collect::<Vec<_>>().join("/")
}

/// A query string, as it came, without the question mark. It may hold a key or a signature, so its values do not
/// print.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Query(String);

impl Query {
    /// The value of a parameter, as it came; percent signs are not resolved.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.pairs().find(|&(key, _)| key == name).map(|(_, value)| value)
    }

    /// All parameters, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    }

    /// As it came.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// This query, and what only `other` has.
    fn over(&self, other: &Self) -> Self {
        let mut merged = self.0.clone();
        for pair in other.0.split('&').filter(|pair| !pair.is_empty()) {
            let key = pair.split('=').next().unwrap_or_default();
            if self.value(key).is_none() {
                if !merged.is_empty() {
                    merged.push('&');
                }
                merged.push_str(pair);
            }
        }
        Self(merged)
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs().map(|(key, _)| key)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(app: &str, raw: &str, expected: (&str, &str, &str)) {
        let (app, stream) = resolve(&Name::of_app(app), raw);
        let found = (&*app, &*stream.path, stream.query.as_str());
        assert_eq!(found, expected, "{raw:?}");
    }

    #[test]
    fn slashes_quotes_and_padding_mean_nothing() {
        check("live", "key", ("live", "key", ""));
        check("/live/", "/key", ("live", "key", ""));
        check("live//main/", "a//b/", ("live/main", "a/b", ""));
        check("\"live\"", " key\0", ("live", "key", ""));
        check("live/_definst_", "key", ("live", "key", ""));
    }

    #[test]
    fn the_queries_of_both_halves_are_one_and_the_streams_wins() {
        check("live?key=a&x=1", "main?key=b", ("live", "main", "key=b&x=1"));
        check("live?key=a", "main", ("live", "main", "key=a"));
        check("live", "main?a=b=c/d&&e", ("live", "main", "a=b=c/d&&e"));
        let (_, stream) = resolve(&Name::of_app("live"), "main?a=b=c/d&&e");
        assert_eq!(stream.query.value("a"), Some("b=c/d"));
        assert_eq!(stream.query.value("e"), Some(""));
        assert_eq!(stream.query.value("f"), None);
    }

    #[test]
    fn an_empty_stream_name_is_the_last_segment_of_the_application() {
        check("live/key", "", ("live", "key", ""));
        check("live/key?x=1", "?y=2", ("live", "key", "y=2&x=1"));
        check("live", "", ("live", "", ""));
    }

    #[test]
    fn a_whole_url_as_stream_name_is_taken_apart() {
        check("live", "rtmp://host/live/key?x=1", ("live", "key", "x=1"));
        check("live", "rtmp://host:1935//live/key", ("live", "key", ""));
        check("live", "rtmp://host/live", ("live", "live", ""));
        check("live", "rtmp://host/other/key", ("live", "other/key", ""));
    }

    #[test]
    fn the_host_is_the_vhost_argument_or_that_of_the_url() {
        let check = |app: &str, tc_url: Option<&str>, expected: Option<&str>| {
            assert_eq!(host(&Name::of_app(app).query, tc_url).as_deref(), expected);
        };
        check("live", Some("rtmp://Host.Example:1935/live"), Some("host.example"));
        check("live?vhost=Other", Some("rtmp://10.0.0.1/live"), Some("other"));
        check("live?vhost=", Some("rtmp://[::1]:1935/live"), Some("::1"));
        check("live", Some("nonsense"), None);
        check("live", Some("rtmp:///live"), None);
        check("live", None, None);
    }

    #[test]
    fn values_of_a_query_do_not_print() {
        let (_, stream) = resolve(&Name::of_app("live"), "main?key=secret&token=other");
        assert_eq!(format!("{:?}", stream.query), r#"["key", "token"]"#);
    }
}
