//! Where a URI in a manifest leads (RFC 3986 5).

use crate::passage::{Request, canonical};

/// Where a URI leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a path of the host that the manifest came from, or of `origin` (`https://host`) when the URI names one.
    Path { origin: Option<String>, path: String },
    /// Elsewhere, or to where not all readers would agree on.
    Foreign,
}

impl Target {
    /// A canonical path of the manifest's own host.
    pub(super) fn own(path: &str) -> Self {
        Self::Path { origin: None, path: path.to_owned() }
    }

    /// Resolves `uri` as written in a document at this target.
    ///
    /// What a browser would read otherwise than RFC 3986 says, such as `/\evil.example`, is foreign: a signature that
    /// went there would be lost.
    pub(super) fn resolve(&self, uri: &str) -> Self {
        let Self::Path { origin, path: base } = self else { return Self::Foreign };
        if uri.bytes().any(|it| it <= b' ' || it == 0x7f || it == b'\\') {
            return Self::Foreign;
        }
        let uri = uri.split(['?', '#']).next().unwrap_or_default();
        if let Some(rest) = uri.strip_prefix("//") {
            // It takes the scheme of the page, which the request's is compared with later.
            return Self::absolute("", rest);
        }
        if let Some((scheme, rest)) = uri.split_once(':')
            && is_scheme(scheme)
        {
            let scheme = scheme.to_ascii_lowercase();
            return match rest.strip_prefix("//") {
                Some(rest) if scheme == "http" || scheme == "https" => Self::absolute(&scheme, rest),
                _ => Self::Foreign,
            };
        }
        let path = match uri {
            "" => base.clone(),
            uri if uri.starts_with('/') => uri.to_owned(),
            uri => {
                format!("{}{uri}", base.rsplit_once('/').map_or("/", |(before, _)| &base[..=before.len()]))
            }
        };
        match canonical(&path) {
            Ok(path) => Self::Path { origin: origin.clone(), path },
            Err(_) => Self::Foreign,
        }
    }

    fn absolute(scheme: &str, rest: &str) -> Self {
        let (authority, path) = match rest.find('/') {
            Some(slash) => rest.split_at(slash),
            None => (rest, "/"),
        };
        let default_port = if scheme == "http" { ":80" } else { ":443" };
        let authority = authority.to_ascii_lowercase();
        let host = authority.strip_suffix(default_port).unwrap_or(&authority);
        match canonical(path) {
            Ok(path) if !host.contains('@') => {
                Self::Path { origin: Some(format!("{scheme}://{host}")), path }
            }
            _ => Self::Foreign,
        }
    }
}

/// How a URI can name the origin that `request` was made to: without a scheme, and with the same one. Over another
/// scheme a signature could be overheard.
pub(super) fn origins_of(request: &Request) -> [String; 2] {
    let host = request.host();
    [format!("://{host}"), format!("{}://{host}", request.scheme().as_str())]
}

fn is_scheme(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|it| it.is_ascii_alphabetic())
        && bytes.all(|it| it.is_ascii_alphanumeric() || matches!(it, b'+' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passage::example::Example;

    fn check(uri: &str, expected: Option<(Option<&str>, &str)>) {
        let target = Target::own("/live/match/index.m3u8").resolve(uri);
        let expected = expected.map_or(Target::Foreign, |(origin, path)| Target::Path {
            origin: origin.map(str::to_owned),
            path: path.to_owned(),
        });
        assert_eq!(target, expected, "{uri}");
    }

    #[test]
    fn relative_uris_stay_with_the_manifest() {
        check("v0/index.m3u8", Some((None, "/live/match/v0/index.m3u8")));
        check("v0/index.m3u8?a=b#c", Some((None, "/live/match/v0/index.m3u8")));
        check("../other/%61.m4s", Some((None, "/live/other/a.m4s")));
        check("/vod/a.mp4", Some((None, "/vod/a.mp4")));
        check("?_HLS_msn=4", Some((None, "/live/match/index.m3u8")));
        check("a:b", None);
        check("./a:b", Some((None, "/live/match/a:b")));
        check("$Number$.m4s", Some((None, "/live/match/$Number$.m4s")));
    }

    #[test]
    fn absolute_uris_name_their_origin() {
        check("https://Video.example/a?b", Some((Some("https://video.example"), "/a")));
        check("HTTPS://video.example:443/a", Some((Some("https://video.example"), "/a")));
        check("https://video.example:8443/a", Some((Some("https://video.example:8443"), "/a")));
        check("http://video.example:80", Some((Some("http://video.example"), "/")));
        check("//video.example/a", Some((Some("://video.example"), "/a")));
    }

    #[test]
    fn what_could_lead_elsewhere_does() {
        for uri in [
            "/\\evil.example/a",
            "\\\\evil.example/a",
            "/\t/evil.example/a",
            " https://evil.example",
            "https:/evil.example",
            "https:evil.example",
            "https://video.example@evil.example/a",
            "skd://key",
            "data:text/plain,a",
            "../../../a",
            "a%2fb",
            "a%zz",
        ] {
            check(uri, None);
        }
    }

    #[test]
    fn an_origin_is_ours_when_scheme_and_host_are_those_of_the_request() {
        let request = Example::get("/a").routed();
        assert_eq!(origins_of(request.request()), ["://video.example", "https://video.example"]);
    }
}
