//! Addresses, TLS and connection limits.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::section::Section;
use crate::setting::Default::{Absent, Required, Value};
use crate::setting::{Kind, Setting, Stands, between};
use crate::units::{ByteSize, IpNetwork};

/// Where viewers and publishers come in.
#[derive(Clone, Debug, PartialEq)]
pub struct Listen {
    /// RTMP; `0.0.0.0` and `[::]` listen dual-stack. None: no RTMP.
    pub rtmp: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 with prior knowledge, clear text.
    pub http: Option<SocketAddr>,
    /// HTTP/1.1 and HTTP/2 over TLS.
    pub https: Option<Https>,
    /// Most viewer connections at once, both listeners together.
    pub max_connections: u32,
    /// Most viewer connections at once from one address (IPv6: one /64); loopback and trusted clients are exempt.
    pub max_connections_per_client: u32,
    /// Most viewer connections at once from one IPv4 /24 or IPv6 /48, with the same exemptions.
    pub max_connections_per_network: u32,
    /// Most viewer connections that one client may open within a second; its network may four times that.
    pub max_new_connections_per_client: u32,
    /// Requests of one connection, after which it ends.
    pub max_requests_per_connection: u32,
    /// How long a request's head may take to arrive.
    pub header_timeout: Duration,
    /// How long a connection may idle between requests.
    pub keep_alive: Duration,
    /// Longest a viewer may take no byte of a response before it is cut.
    pub send_timeout: Duration,
    /// Most bytes of a request's line and headers.
    pub max_header: ByteSize,
    /// Peers whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    pub trusted_proxies: Vec<IpNetwork>,
    /// Whether trusted proxies begin each connection with a header of the PROXY protocol.
    pub proxy_protocol: bool,
    /// Peers exempt from per-address limits, beside loopback.
    pub trusted_clients: Vec<IpNetwork>,
    /// How long a shutdown waits for requests in flight.
    pub drain: Duration,
}

/// The TLS listener.
#[derive(Clone, Debug, PartialEq)]
pub struct Https {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether it listens for HTTP/3 at the same port of UDP, and says so to viewers.
    pub http3: bool,
    /// Which versions and suites of TLS are spoken.
    pub security_policy: SecurityPolicy,
    /// What it shows to viewers; the first is the default. Empty only beside `acme`.
    pub certificates: Vec<Certificate>,
    /// A certificate that it gets by itself.
    pub acme: Option<Acme>,
}

/// A certificate from an authority that speaks ACME (RFC 8555).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acme {
    /// Its names, lower case, without wildcards. Never empty.
    pub names: Vec<String>,
    /// URLs under which the authority may reach the operator.
    pub contact: Vec<String>,
    /// The authority's directory.
    pub directory: String,
    /// Certificates of authorities trusted for the directory beside the public ones.
    pub authority: Option<PathBuf>,
}

/// The files of a certificate, which are read again at reload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// PEM chain, leaf first.
    pub chain: PathBuf,
    /// PEM private key.
    pub private_key: PathBuf,
}

/// CloudFront's security policies (cloudfront.md 8.5), but those with TLS 1.1 and older, which are broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecurityPolicy {
    /// TLS 1.2 and 1.3. Of its suites for TLS 1.2, those with CBC or without forward secrecy are not spoken.
    Tls12From2018,
    /// The same without what is not spoken anyway.
    Tls12From2019,
    /// TLS 1.2 and 1.3, ECDHE with AES-GCM or ChaCha20.
    Tls12From2021,
    /// TLS 1.2 and 1.3, ECDHE with AES-GCM.
    Tls12From2025,
    /// TLS 1.3.
    Tls13From2025,
}

pub(crate) const SETTINGS: &[Setting] = &[
    Setting::new(
        "rtmp",
        Kind::Address,
        Value("127.0.0.1:1935", "until you say otherwise only programs on this machine can publish"),
        "Set it to 0.0.0.0:1935 when encoders on other machines publish.",
    )
    .example("0.0.0.0:1935")
    .needs_restart(),
    Setting::new(
        "http",
        Kind::Address,
        Value("0.0.0.0:8080", "needs no privileges, and viewers are meant to come"),
        "Set it to 0.0.0.0:80 when nothing stands in front, or to off when all viewers come by https.",
    )
    .example("0.0.0.0:80")
    .needs_restart(),
    Setting::new(
        "control",
        Kind::Address,
        Value("127.0.0.1:9090", "the control page can do everything, and has no TLS"),
        "Set it when the port is taken, or to off when nobody operates this server by HTTP.",
    )
    .example("127.0.0.1:9191")
    .needs_restart(),
    Setting::new(
        "https",
        Kind::Table(HTTPS),
        Absent("no TLS listener"),
        "Set it when viewers come by https without a proxy in front.",
    )
    .needs_restart(),
    Setting::new(
        "max_connections",
        Kind::Count(between("1", "1000000", "each may take a file descriptor and some tens of KiB")),
        Value("20000", "5,000 viewers with a few connections each, in a few hundred MiB"),
        "Set it to what this machine's memory and file descriptors can bear.",
    )
    .example("100")
    .needs_restart(),
    Setting::new(
        "max_connections_per_client",
        Kind::Count(between("1", "1000000", "one viewer needs one")),
        Value("200", "a large household or a school behind one address"),
        "Set it higher when many viewers share an address, unless you can list it in trusted_clients.",
    )
    .example("50")
    .needs_restart(),
    Setting::new(
        "max_connections_per_network",
        Kind::Count(between("1", "1000000", "one viewer needs one")),
        Value("1024", "a few large households or schools, and no more than a twentieth of all there may be"),
        "Set it higher when very many viewers share an IPv4 /24 or an IPv6 /48, unless you can list it in trusted_clients.",
    )
    .example("5000")
    .needs_restart(),
    Setting::new(
        "max_new_connections_per_client",
        Kind::Count(between("1", "1000000", "one viewer needs one")),
        Value("200", "all that one client may hold, opened at once"),
        "Set it lower when floods of handshakes cost too much: so many may one client open within a second, and its IPv4 \
         /24 or IPv6 /48 four times that.",
    )
    .example("50")
    .needs_restart(),
    Setting::new(
        "max_requests_per_connection",
        Kind::Count(between("1", "1000000000", "a connection is for a request at least")),
        Value("10000", "hours of one player, and what a connection holds on to ends"),
        "Set it higher when the load balancer in front sends all viewers' requests over few connections.",
    )
    .example("1000000")
    .needs_restart(),
    Setting::new(
        "header_timeout",
        Kind::Duration(between(
            "1s",
            "5m",
            "a phone on a bad network needs a second, and nobody needs more than minutes",
        )),
        Value("10s", "stops slow-header attacks and no real viewer"),
        "Set it when viewers come over links with extreme delay.",
    )
    .example("20s")
    .needs_restart(),
    Setting::new(
        "keep_alive",
        Kind::Duration(between("1s", "1h", "shorter closes between two segments, longer only holds memory")),
        Value("65s", "longer than any segment, and than the 60 s that common load balancers keep"),
        "Set it above the idle time of the load balancer in front.",
    )
    .example("2m")
    .needs_restart(),
    Setting::new(
        "send_timeout",
        Kind::Duration(between("1s", "1h", "a paused player may stop reading for seconds")),
        Value("30s", "a viewer who takes nothing for so long has gone"),
        "Set it higher for downloaders that pause.",
    )
    .example("90s")
    .needs_restart(),
    Setting::new(
        "max_header",
        Kind::Size(between(
            "8 KiB",
            "256 KiB",
            "signed URLs and cookies take about 2 KiB, and each connection may use it whole",
        )),
        Value("32 KiB", "CloudFront's limit"),
        "Set it when viewers bring very many cookies.",
    )
    .example("64 KiB")
    .needs_restart(),
    Setting::new(
        "trusted_proxies",
        Kind::Networks,
        Value("", "forwarded headers of strangers are lies"),
        "Set it to the addresses of the proxy in front, so that viewers' own addresses and scheme count.",
    )
    .example("10.0.0.0/8")
    .needs_restart(),
    Setting::new(
        "proxy_protocol",
        Kind::Flag,
        Value("false", "most proxies speak HTTP, and say by X-Forwarded-For for whom"),
        "Set it to true when the proxies of trusted_proxies pass connections on and begin each with a PROXY header, \
         version 1 or 2, as HAProxy and load balancers can; other peers are served as ever.",
    )
    .example("true")
    .needs_restart(),
    Setting::new(
        "trusted_clients",
        Kind::Networks,
        Value("", "only loopback is exempt"),
        "Set it for monitors and for networks where very many viewers share an address.",
    )
    .example("192.0.2.0/24")
    .needs_restart(),
    Setting::new(
        "drain",
        Kind::Duration(between("0s", "1h", "service managers kill what takes longer")),
        Value("30s", "segments in flight are delivered; systemd would wait for 90 s"),
        "Set it to what your service manager grants.",
    )
    .example("5s")
    .needs_restart(),
];

const HTTPS: &[Setting] = &[
    Setting::new(
        "address",
        Kind::Address,
        Value("0.0.0.0:8443", "needs no privileges"),
        "Set it to 0.0.0.0:443 when nothing stands in front.",
    )
    .example("0.0.0.0:443")
    .needs_restart(),
    Setting::new(
        "http3",
        Kind::Flag,
        Value("true", "viewers on bad networks see fewer stalls"),
        "Set it to false when the port's UDP does not come through to this machine.",
    )
    .example("false")
    .needs_restart(),
    Setting::new(
        "security_policy",
        Kind::Word(&[
            "TLSv1.2_2018",
            "TLSv1.2_2019",
            "TLSv1.2_2021",
            "TLSv1.2_2025",
            "TLSv1.3_2025",
        ]),
        Value("TLSv1.2_2021", "every player in use speaks it, and nothing in it is known to be weak"),
        "Set it to the policy of your CloudFront distribution; suites with CBC or without forward secrecy, and TLS 1.1 \
         and older, are never spoken.",
    )
    .example("TLSv1.3_2025")
    .needs_restart(),
    Setting { default: Absent("the one of `acme`"), ..CHAIN },
    Setting { default: Absent("the one of `acme`"), ..PRIVATE_KEY },
    Setting::new(
        "acme",
        Kind::Table(ACME),
        Absent("certificates are files that somebody else renews"),
        "Set it to get a certificate and renew it without another program; you agree to the terms of the authority. It \
         looks for us at port 80 of each name, which must lead to listen.http.",
    )
    .needs_restart(),
    Setting::new(
        "additional_certificate",
        Kind::Tables(&[CHAIN, PRIVATE_KEY], &[]),
        Absent("one certificate for every host"),
        "One for each further certificate: a viewer is shown one that has the name it asks for, ECDSA before RSA, and \
         else the default one.",
    ),
];

const CHAIN: Setting = Setting::new(
    "certificate",
    Kind::Path(Stands::File),
    Required,
    "The PEM chain, leaf first, and beside it, with `.ocsp` behind its name, an OCSP response in DER if there is one; \
     both are read again at reload.",
)
.example("tls/fullchain.pem");

const PRIVATE_KEY: Setting = Setting::new(
    "private_key",
    Kind::Path(Stands::File),
    Required,
    "The PEM private key of the certificate; it is read again at reload.",
)
.example("tls/privkey.pem");

const ACME: &[Setting] = &[
    Setting::new("names", Kind::Hosts, Required, "The certificate's names, without wildcards.")
        .example("tv.example.com")
        .needs_restart(),
    Setting::new(
        "contact",
        Kind::Texts,
        Value("", "most authorities ask for none"),
        "Set it to URLs such as mailto:ops@example.com where the authority may write to you.",
    )
    .example("mailto:ops@example.com")
    .needs_restart(),
    Setting::new(
        "directory",
        Kind::Text,
        Value(
            "https://acme-v02.api.letsencrypt.org/directory",
            "Let's Encrypt asks for neither money nor account",
        ),
        "Set it to the directory of another authority, or of one for tests.",
    )
    .example("https://acme-staging-v02.api.letsencrypt.org/directory")
    .needs_restart(),
    Setting::new(
        "authority",
        Kind::Path(Stands::File),
        Absent("public authorities"),
        "Set it to a PEM file of who is trusted for the directory itself, when that is your own.",
    )
    .example("tls/authority.pem")
    .needs_restart(),
];

impl Listen {
    pub(crate) fn read(section: &Section<'_>) -> Self {
        let (trusted_proxies, proxy_protocol) =
            (section.networks("trusted_proxies"), section.flag("proxy_protocol"));
        if proxy_protocol && trusted_proxies.is_empty() {
            section.report(
                "proxy_protocol",
                "no proxy is trusted, so none could say anything",
                "name the proxies in trusted_proxies",
            );
        }
        let http = section.address("http");
        let https = section.has("https").then(|| Https::read(&section.table("https"))).flatten();
        if http.is_none() && https.as_ref().is_some_and(|it| it.acme.is_some()) {
            section.report(
                "http",
                "without it no authority can see that the names of listen.https.acme are ours",
                "let it listen where port 80 of those names leads",
            );
        }
        Self {
            rtmp: section.address("rtmp"),
            http,
            https,
            max_connections: section.count("max_connections"),
            max_connections_per_client: section.count("max_connections_per_client"),
            max_connections_per_network: section.count("max_connections_per_network"),
            max_new_connections_per_client: section.count("max_new_connections_per_client"),
            max_requests_per_connection: section.count("max_requests_per_connection"),
            header_timeout: section.duration("header_timeout"),
            keep_alive: section.duration("keep_alive"),
            send_timeout: section.duration("send_timeout"),
            max_header: section.size("max_header"),
            trusted_proxies,
            proxy_protocol,
            trusted_clients: section.networks("trusted_clients"),
            drain: section.duration("drain"),
        }
    }
}

impl Https {
    /// None when its address is `off`.
    fn read(section: &Section<'_>) -> Option<Self> {
        let address = section.address("address");
        let security_policy = match section.word("security_policy") {
            Some("TLSv1.2_2018") => SecurityPolicy::Tls12From2018,
            Some("TLSv1.2_2019") => SecurityPolicy::Tls12From2019,
            Some("TLSv1.2_2025") => SecurityPolicy::Tls12From2025,
            Some("TLSv1.3_2025") => SecurityPolicy::Tls13From2025,
            _ => SecurityPolicy::Tls12From2021,
        };
        let acme = section.has("acme").then(|| Acme::read(&section.table("acme")));
        let mut certificates = Vec::new();
        if acme.is_none() || section.has("certificate") || section.has("private_key") {
            section.require("certificate");
            section.require("private_key");
            certificates.push(Certificate::read(section));
        }
        certificates.extend(section.tables("additional_certificate").iter().map(Certificate::read));
        let http3 = section.flag("http3");
        Some(Self { address: address?, http3, security_policy, certificates, acme })
    }
}

impl Acme {
    fn read(section: &Section<'_>) -> Self {
        let names: Vec<_> = section.texts("names").iter().map(|it| it.to_ascii_lowercase()).collect();
        if section.has("names") && names.is_empty() {
            section.report("names", "there is no name", "write the names that viewers ask for");
        }
        for name in names.iter().filter(|it| it.contains('*')) {
            section.report("names", format!("{name:?} is not one name"), "write each name out");
        }
        let directory = section.text("directory");
        if !directory.starts_with("https://") {
            section.report(
                "directory",
                format!("{directory:?} is no https URL"),
                "write one that begins with https://",
            );
        }
        for contact in section.texts("contact").iter().filter(|it| !it.contains(':')) {
            section.report(
                "contact",
                format!("{contact:?} is no URL"),
                format!("write \"mailto:{contact}\""),
            );
        }
        let (contact, authority) = (section.texts("contact"), section.optional_path("authority"));
        Self { names, contact, directory, authority }
    }
}

impl Certificate {
    fn read(section: &Section<'_>) -> Self {
        Self { chain: section.path("certificate"), private_key: section.path("private_key") }
    }
}
