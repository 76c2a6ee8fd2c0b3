//! What a handshake agreed on.

use std::sync::Arc;

use rustls::{CipherSuite, ProtocolVersion, ServerConnection};

use super::Certificates;

/// What the octets of a TCP connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::viewer) enum Protocol {
    /// HTTP/1.1, or HTTP/2 with prior knowledge: the first octets tell.
    Either,
    /// HTTP/1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

/// What a TLS handshake agreed on.
#[derive(Clone, Debug)]
pub(in crate::viewer) struct Negotiated {
    /// Version and suite, as CloudFront's log has them.
    pub(in crate::viewer) names: Option<(&'static str, &'static str)>,
    server_name: Option<Arc<str>>,
    certificates: Arc<Certificates>,
}

impl Protocol {
    /// What the viewer said it would speak; HTTP/1.1 if it said nothing (RFC 9113 3.2).
    pub(in crate::viewer) fn agreed(session: &ServerConnection) -> Self {
        match session.alpn_protocol() {
            Some(b"h2") => Self::Http2,
            _ => Self::Http1,
        }
    }
}

impl Negotiated {
    /// What was agreed on over TCP.
    pub(in crate::viewer) fn over_tcp(session: &ServerConnection, certificates: Arc<Certificates>) -> Self {
        let names = session
            .protocol_version()
            .zip(session.negotiated_cipher_suite())
            .map(|(version, suite)| (name_of_version(version), name_of_suite(suite.suite())));
        Self { names, server_name: session.server_name().map(Arc::from), certificates }
    }

    /// What was agreed on over QUIC, which does not tell the suite.
    #[cfg(feature = "http3")]
    pub(in crate::viewer) fn over_quic(server_name: Option<String>, certificates: Arc<Certificates>) -> Self {
        Self { names: Some(("TLSv1.3", "-")), server_name: server_name.map(Into::into), certificates }
    }

    /// The name that the viewer made the connection for, if it showed a certificate that does not speak for `host`.
    pub(in crate::viewer) fn other_name(&self, host: &str) -> Option<Arc<str>> {
        let name = self.server_name.as_ref().filter(|it| &***it != host)?;
        (!self.certificates.speak_for_both(name, host)).then(|| Arc::clone(name))
    }
}

const fn name_of_version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "-",
    }
}

const fn name_of_suite(suite: CipherSuite) -> &'static str {
    use CipherSuite as Suite;

    match suite {
        Suite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        Suite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        Suite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 => "ECDHE-ECDSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384 => "ECDHE-ECDSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-ECDSA-CHACHA20-POLY1305",
        Suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => "ECDHE-RSA-AES128-GCM-SHA256",
        Suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => "ECDHE-RSA-AES256-GCM-SHA384",
        Suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256 => "ECDHE-RSA-CHACHA20-POLY1305",
        _ => "-",
    }
}
