//! Where a client goes: an RTMP URL taken apart.

/// Why a text is no RTMP URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// It does not begin with `rtmp://` or `rtmps://`.
    #[error("an RTMP URL begins with rtmp:// or rtmps://")]
    Scheme,
    /// There is no host.
    #[error("the URL names no host")]
    Host,
    /// What stands after the colon is no port.
    #[error("`{0}` is no port")]
    Port(String),
    /// Application or stream name are missing.
    #[error("the URL names no application and stream: rtmp://host/application/stream")]
    Path,
}

/// An RTMP URL: `rtmp://host[:port]/app[/instance]/name[?query]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The host, without brackets if it is an IPv6 address.
    pub host: String,
    /// The port; 1935, or 443 for rtmps, unless given.
    pub port: u16,
    /// Whether TLS comes first.
    pub secure: bool,
    /// The path but its last segment.
    pub app: String,
    /// The last segment with its query. Secret.
    pub name: String,
}

impl Target {
    /// Takes a URL apart; the last path segment is the stream.
    ///
    /// # Errors
    /// [`InvalidTarget`] says what is missing.
    pub fn parse(url: &str) -> Result<Self, InvalidTarget> {
        let (secure, rest) = match (url.strip_prefix("rtmp://"), url.strip_prefix("rtmps://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(InvalidTarget::Scheme),
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (host, port) = split_authority(authority)?;
        if host.is_empty() {
            return Err(InvalidTarget::Host);
        }
        // A query may hold slashes, so the last segment is looked for before it.
        let (path, query) = path.split_at(path.find('?').unwrap_or(path.len()));
        let (app, name) = path.rsplit_once('/').ok_or(InvalidTarget::Path)?;
        if app.is_empty() || name.is_empty() {
            return Err(InvalidTarget::Path);
        }
        let default_port = if secure { 443 } else { 1935 };
        Ok(Self {
            host: host.into(),
            port: port.unwrap_or(default_port),
            secure,
            app: app.into(),
            name: format!("{name}{query}"),
        })
    }

    /// The URL up to the application, which `connect` repeats.
    pub fn tc_url(&self) -> String {
        let scheme = if self.secure { "rtmps" } else { "rtmp" };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{}/{}", self.port, self.app)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/***", self.tc_url())
    }
}

fn split_authority(authority: &str) -> Result<(&str, Option<u16>), InvalidTarget> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or(InvalidTarget::Host)?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let port = port.strip_prefix(':').unwrap_or(port);
    let number = port.parse().map_err(|_| InvalidTarget::Port(port.into()))?;
    Ok((host, Some(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(url: &str, expected: Result<(&str, u16, bool, &str, &str), InvalidTarget>) {
        let found = Target::parse(url);
        let found = found.as_ref().map(|it| (&*it.host, it.port, it.secure, &*it.app, &*it.name));
        assert_eq!(found, expected.as_ref().copied(), "{url}");
    }

    #[test]
    fn the_last_path_segment_is_the_stream_and_keeps_its_query() {
        check("rtmp://host/live/key", Ok(("host", 1935, false, "live", "key")));
        check("rtmps://host/live/key?a=b/c", Ok(("host", 443, true, "live", "key?a=b/c")));
        check("rtmp://[::1]:1936/a/b/c", Ok(("::1", 1936, false, "a/b", "c")));
    }

    #[test]
    fn a_url_that_lacks_something_says_what() {
        check("http://host/live/key", Err(InvalidTarget::Scheme));
        check("rtmp:///live/key", Err(InvalidTarget::Host));
        check("rtmp://host:x/live/key", Err(InvalidTarget::Port("x".into())));
        check("rtmp://host:99999/live/key", Err(InvalidTarget::Port("99999".into())));
        check("rtmp://host/live", Err(InvalidTarget::Path));
        check("rtmp://host/live/?key", Err(InvalidTarget::Path));
    }

    #[test]
    fn a_key_does_not_print() {
        let target = Target::parse("rtmp://host/live/secret").unwrap();
        assert_eq!(format!("{target:?}"), "rtmp://host:1935/live/***");
    }
}
