//! From what hyper framed to a request we are willing to judge (http-edge.md 15, 16, 21).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use config::units::IpNetwork;
use http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, TRANSFER_ENCODING,
};
use http::request::Parts;
use http::uri::Authority;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version};

use super::Witness;
use crate::passage::{Facts, Request, RequestId, Scheme};

/// CloudFront's bound on a URL (cloudfront.md 2.8).
const MAX_URL: usize = 8192;

/// Why a request is answered without asking whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rude {
    /// The target has a byte that no URL may have.
    #[error("the request target has an illegal character or a broken percent-triplet")]
    Target,
    /// Longer than 8192 bytes.
    #[error("the URL is longer than {MAX_URL} bytes")]
    TooLong,
    /// No host, two hosts, or one that is none.
    #[error("the Host is missing, given twice differently, or no host name")]
    Host,
    /// `CONNECT` or `TRACE`.
    #[error("this method is not for caches")]
    Method,
    /// A body where none is wanted (cloudfront.md 2.8).
    #[error("a request that reads has no body")]
    Body,
    /// A transfer coding that is not `chunked`, or where no body is wanted.
    #[error("this transfer coding is not for this request")]
    Coded,
    /// An `Expect` that nobody here can meet.
    #[error("only 100-continue can be expected")]
    Expectation,
    /// A field that is for everybody on the way, said to be for this connection alone.
    #[error("Connection names a field that is for more than this connection")]
    Hop,
    /// More fields, or longer ones, than are taken.
    #[error("the request's fields are too many or too long")]
    Fields,
}

impl Rude {
    /// The status that says so.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Target | Self::Host | Self::Coded | Self::Hop => StatusCode::BAD_REQUEST,
            Self::TooLong => StatusCode::URI_TOO_LONG,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Body => StatusCode::FORBIDDEN,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::Fields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        }
    }
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// The socket's other end, IPv4-mapped addresses made IPv4.
    pub address: SocketAddr,
    /// Whether the connection is TLS.
    pub scheme: Scheme,
}

/// Reads a request's head.
///
/// # Errors
/// [`Rude`] when it must be answered at once.
pub fn read(
    head: Arc<Parts>,
    has_body: bool,
    peer: Peer,
    trusted_proxies: &[IpNetwork],
    id: RequestId,
    received: SystemTime,
) -> Result<Request, Rude> {
    if matches!(head.method, Method::CONNECT | Method::TRACE) {
        return Err(Rude::Method);
    }
    // hyper drops a Content-Length beside it, so nobody can tell any more whether the framing is ambiguous, which is
    // how requests are smuggled (RFC 9112 6.3, 11.2). Where it has to be taken, the connection ends with its answer.
    let is_read = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => {}
        (Some(only), None) if !is_read && only.as_bytes().eq_ignore_ascii_case(b"chunked") => {}
        _ => return Err(Rude::Coded),
    }
    if has_body && matches!(head.method, Method::GET | Method::HEAD) {
        return Err(Rude::Body);
    }
    if head.headers.get_all(EXPECT).iter().any(|it| !it.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Err(Rude::Expectation);
    }
    judge_target(&head.uri)?;
    if head.headers.get_all(CONNECTION).iter().any(names_for_all) {
        return Err(Rude::Hop);
    }
    let forwarded = Forwarded::read(&head.headers, peer, trusted_proxies);
    let host = host(&head, forwarded.scheme)?.into();
    let Forwarded { client, client_port, scheme } = forwarded;
    let facts = Facts { id, client, client_port, scheme, host, other_name: None, head, has_body, received };
    Ok(Request::new(Witness(()), facts))
}

fn judge_target(uri: &Uri) -> Result<(), Rude> {
    let (path, query) = (uri.path(), uri.query());
    if path.len() + query.map_or(0, |it| it.len() + 1) > MAX_URL {
        return Err(Rude::TooLong);
    }
    if !path.starts_with('/') || !is_legal(path) || !query.is_none_or(is_legal) {
        return Err(Rude::Target);
    }
    Ok(())
}

/// Whether a `Connection` names what would be taken from others on the way, who count on it (http-edge.md 9).
fn names_for_all(line: &HeaderValue) -> bool {
    const FOR_ALL: [HeaderName; 6] =
        [AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, COOKIE, HOST, TRANSFER_ENCODING];
    line.as_bytes().split(|it| *it == b',').map(<[u8]>::trim_ascii).any(|name| {
        FOR_ALL.iter().any(|it| name.eq_ignore_ascii_case(it.as_str().as_bytes()))
            || name.get(..12).is_some_and(|it| it.eq_ignore_ascii_case(b"x-forwarded-"))
    })
}

/// Visible ASCII but `#` and `\`, and every `%` before two hexadecimal digits.
fn is_legal(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let legal = match byte {
            b'%' => {
                let digit = |it: Option<u8>| it.is_some_and(|it| it.is_ascii_hexdigit());
                digit(bytes.next()) && digit(bytes.next())
            }
            b'#' | b'\\' => false,
            _ => byte.is_ascii_graphic(),
        };
        if !legal {
            return false;
        }
    }
    true
}

fn host(head: &Parts, scheme: Scheme) -> Result<String, Rude> {
    let mut given = head.headers.get_all(HOST).iter();
    let field = given.next();
    if given.next().is_some() {
        return Err(Rude::Host);
    }
    let field = match field {
        Some(value) => Some(normal_host(value.to_str().map_err(|_| Rude::Host)?, scheme)?),
        None => None,
    };
    let authority = match head.uri.authority() {
        Some(it) => Some(normal_host(it.as_str(), scheme)?),
        None => None,
    };
    match (authority, field) {
        (Some(authority), Some(field)) if authority != field => Err(Rude::Host),
        (Some(it), _) | (None, Some(it)) => Ok(it),
        // HTTP/1.0 may come without a host; it goes to the default distribution.
        (None, None) if head.version == Version::HTTP_10 => Ok(String::new()),
        (None, None) => Err(Rude::Host),
    }
}

/// Lower case, no trailing dot, no default port.
fn normal_host(text: &str, scheme: Scheme) -> Result<String, Rude> {
    if is_normal(text, scheme) {
        return Ok(text.to_owned());
    }
    let authority: Authority = text.parse().map_err(|_| Rude::Host)?;
    let legal = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    if authority.host().is_empty() || !text.bytes().all(legal) {
        return Err(Rude::Host);
    }
    let name = authority.host().trim_end_matches('.').to_ascii_lowercase();
    let Some(port) = text.strip_prefix(authority.host()).and_then(|it| it.strip_prefix(':')) else {
        return Ok(name);
    };
    match port.parse::<u16>() {
        Ok(port) if port.to_string() == scheme.usual_port() => Ok(name),
        Ok(port) => Ok(format!("{name}:{port}")),
        Err(_) => Err(Rude::Host),
    }
}

/// Whether a host is a name in lower case, and a port at most that is not the scheme's own: as players send it.
fn is_normal(text: &str, scheme: Scheme) -> bool {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || matches!(it, b'-' | b'.' | b'_');
    let (name, is_plain_port) = match text.split_once(':') {
        None => (text, true),
        Some((name, port)) => {
            let is_canonical = port.parse::<u16>().is_ok() && !port.starts_with(['0', '+']);
            (name, is_canonical && port != scheme.usual_port())
        }
    };
    is_plain_port && !name.is_empty() && !name.ends_with('.') && name.bytes().all(plain)
}

/// What the proxy before us says of the viewer, when it is one we trust.
struct Forwarded {
    client: IpAddr,
    /// None where the proxy names an address alone: the connection's own port is the proxy's.
    client_port: Option<u16>,
    scheme: Scheme,
}

impl Forwarded {
    fn read(headers: &HeaderMap, peer: Peer, trusted: &[IpNetwork]) -> Self {
        let is_trusted = |address: IpAddr| trusted.iter().any(|it| it.contains(address));
        let Peer { address: socket, scheme } = peer;
        let own = Self { client: socket.ip(), client_port: Some(socket.port()), scheme };
        if !is_trusted(own.client) {
            return own;
        }
        // The rightmost address that is not one of our proxies: everything left of it a stranger may have written.
        let said = headers
            .get_all("x-forwarded-for")
            .iter()
            .rev()
            .filter_map(|it| it.to_str().ok())
            .flat_map(|it| it.rsplit(','))
            .map_while(|it| address(it.trim()))
            .map(|(it, port)| (it.to_canonical(), port))
            .find(|(it, _)| !is_trusted(*it));
        let (client, client_port) = said.unwrap_or((own.client, own.client_port));
        // The last is the proxy's own; what stands before it may be a viewer's.
        let protocols = headers.get_all("x-forwarded-proto").iter().next_back();
        let last = protocols.and_then(|it| it.to_str().ok()).and_then(|it| it.rsplit(',').next());
        let scheme = match last.map(str::trim) {
            Some("https") => Scheme::Https,
            Some("http") => Scheme::Http,
            _ => own.scheme,
        };
        Self { client, client_port, scheme }
    }
}

/// An address, also with a port or in brackets, as some proxies write it.
fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    let alone = |text: &str| text.parse().ok().map(|it| (it, None));
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| (it.ip(), Some(it.port())));
    let in_brackets = || alone(text.strip_prefix('[')?.strip_suffix(']')?);
    alone(text).or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const PEER: Peer = Peer {
        address: SocketAddr::new(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4711),
        scheme: Scheme::Http,
    };

    fn read_with(build: http::request::Builder, trusted: &[IpNetwork]) -> Result<Request, Rude> {
        let head = build.body(()).unwrap().into_parts().0;
        read(Arc::new(head), false, PEER, trusted, RequestId::new(1), UNIX_EPOCH)
    }

    fn check_host(uri: &str, host: Option<&str>, expected: Result<&str, Rude>) {
        let mut build = http::Request::builder().uri(uri);
        if let Some(host) = host {
            build = build.header(HOST, host);
        }
        let found = read_with(build, &[]);
        assert_eq!(found.as_ref().map(|it| &**it.host()).map_err(|it| *it), expected, "{uri} {host:?}");
    }

    #[test]
    fn a_host_is_lower_case_without_trailing_dot_or_default_port() {
        check_host("/", Some("Example.COM"), Ok("example.com"));
        check_host("/", Some("example.com.:80"), Ok("example.com"));
        check_host("/", Some("example.com:8080"), Ok("example.com:8080"));
        check_host("/", Some("[::1]:8080"), Ok("[::1]:8080"));
    }

    #[test]
    fn a_host_that_is_missing_doubtful_or_contradicted_is_refused() {
        check_host("/", None, Err(Rude::Host));
        check_host("/", Some("user@example.com"), Err(Rude::Host));
        check_host("/", Some("example.com:99999"), Err(Rude::Host));
        check_host("http://a.example/", Some("b.example"), Err(Rude::Host));
        let two = http::Request::builder().uri("/").header(HOST, "a").header(HOST, "a");
        assert_eq!(read_with(two, &[]).err(), Some(Rude::Host));
    }

    #[test]
    fn a_target_with_bytes_no_url_has_is_refused() {
        let target = |path: &str| {
            let build = http::Request::builder().uri(path).header(HOST, "a");
            read_with(build, &[]).map(|it| (it.path().to_owned(), it.query().map(str::to_owned)))
        };
        assert_eq!(target("/a%2Fb?x=%7e"), Ok(("/a%2Fb".into(), Some("x=%7e".into()))));
        assert_eq!(target("/a%2"), Err(Rude::Target));
        assert_eq!(target("/a%zz"), Err(Rude::Target));
        assert_eq!(target("/a?b=%"), Err(Rude::Target));
        assert_eq!(target(&format!("/{}", "a".repeat(8192))), Err(Rude::TooLong));
    }

    #[test]
    fn a_transfer_coding_is_refused_whatever_else_frames_the_request() {
        let coded =
            || http::Request::builder().uri("/").header(HOST, "a").header(TRANSFER_ENCODING, "chunked");
        for build in [coded(), coded().header("content-length", "0"), coded().version(Version::HTTP_10)] {
            assert_eq!(read_with(build, &[]).err(), Some(Rude::Coded));
        }
    }

    #[test]
    fn forwarded_addresses_are_believed_of_trusted_proxies_alone() {
        let build = || {
            http::Request::builder()
                .uri("/")
                .header(HOST, "a")
                .header("x-forwarded-for", "198.51.100.7, 203.0.113.9, 192.0.2.2")
                .header("x-forwarded-proto", "https")
        };
        let trusted = [IpNetwork { address: "192.0.2.0".parse().unwrap(), prefix: 24 }];
        let believed = read_with(build(), &trusted).unwrap();
        assert_eq!(
            (believed.client().to_string().as_str(), believed.client_port(), believed.scheme()),
            ("203.0.113.9", None, Scheme::Https),
            "the port of the connection is the proxy's"
        );
        for (line, client, port) in [
            ("203.0.113.9:5123", "203.0.113.9", Some(5123)),
            ("[2001:db8::1]:443", "2001:db8::1", Some(443)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("198.51.100.7, unknown", "192.0.2.1", Some(4711)),
        ] {
            let build = http::Request::builder().uri("/").header(HOST, "a").header("x-forwarded-for", line);
            let build = build.header("x-forwarded-proto", "https").header("x-forwarded-proto", "https, http");
            let it = read_with(build, &trusted).unwrap();
            let found = (it.client().to_string(), it.client_port(), it.scheme());
            assert_eq!(found, (client.to_owned(), port, Scheme::Http), "{line}");
        }
        let stranger = read_with(build(), &[]).unwrap();
        assert_eq!((stranger.client().to_string().as_str(), stranger.scheme()), ("192.0.2.1", Scheme::Http));
    }
}
