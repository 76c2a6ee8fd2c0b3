//! What is spoken under CloudFront's security policies (cloudfront.md 8.5).

use std::io;
use std::sync::Arc;

use config::listen::SecurityPolicy;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suite, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedCipherSuite, SupportedProtocolVersion};

use super::Certificates;

const TLS13_SUITES: [SupportedCipherSuite; 2] =
    [suite::TLS13_AES_128_GCM_SHA256, suite::TLS13_AES_256_GCM_SHA384];
const TLS12_SUITES: [SupportedCipherSuite; 4] = [
    suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
];
const TLS12_CHACHA20: [SupportedCipherSuite; 2] = [
    suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];
const GROUPS: [&dyn SupportedKxGroup; 5] = [
    kx_group::X25519MLKEM768,
    kx_group::X25519,
    kx_group::SECP256R1,
    kx_group::SECP384R1,
    kx_group::SECP256R1MLKEM768,
];

/// TLS for a TCP listener: these certificates under this policy, HTTP/2 offered before HTTP/1.1.
///
/// # Errors
/// When the system has no random numbers for the keys of tickets.
pub fn server_config(
    certificates: &Arc<Certificates>,
    policy: SecurityPolicy,
) -> io::Result<Arc<ServerConfig>> {
    let mut config = under(certificates, policy)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// TLS within QUIC: these certificates under this policy, HTTP/3 alone.
///
/// # Errors
/// When the system has no random numbers for the keys of tickets.
#[cfg(feature = "http3")]
pub(in crate::viewer) fn quic_config(
    certificates: &Arc<Certificates>,
    policy: SecurityPolicy,
) -> io::Result<ServerConfig> {
    let mut config = under(certificates, policy)?;
    config.alpn_protocols = vec![b"h3".to_vec()];
    Ok(config)
}

/// A configuration that offers no protocol yet.
fn under(certificates: &Arc<Certificates>, policy: SecurityPolicy) -> io::Result<ServerConfig> {
    let provider = CryptoProvider {
        cipher_suites: suites(policy),
        kx_groups: GROUPS.to_vec(),
        ..aws_lc_rs::default_provider()
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(versions(policy))
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::<Certificates>::clone(certificates));
    config.ignore_client_order = true;
    // Tickets alone: they hold no memory of ours, and their keys change every six hours.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(io::Error::other)?;
    Ok(config)
}

fn versions(policy: SecurityPolicy) -> &'static [&'static SupportedProtocolVersion] {
    static BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

    if policy == SecurityPolicy::Tls13From2025 { &BOTH[..1] } else { &BOTH }
}

/// The suites of a policy in the order in which they are preferred.
fn suites(policy: SecurityPolicy) -> Vec<SupportedCipherSuite> {
    let chacha20 = [suite::TLS13_CHACHA20_POLY1305_SHA256];
    match policy {
        SecurityPolicy::Tls13From2025 => [&TLS13_SUITES[..], &chacha20].concat(),
        SecurityPolicy::Tls12From2025 => [&TLS13_SUITES[..], &TLS12_SUITES].concat(),
        // What these have beside the policy of 2021 is CBC, and RSA as key exchange.
        SecurityPolicy::Tls12From2018 | SecurityPolicy::Tls12From2019 | SecurityPolicy::Tls12From2021 => {
            [&TLS13_SUITES[..], &chacha20, &TLS12_SUITES, &TLS12_CHACHA20].concat()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_policy_has_the_suites_of_its_name_and_no_other() {
        let has = |policy, suite: SupportedCipherSuite| suites(policy).contains(&suite);
        let chacha20 = suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256;
        assert!(has(SecurityPolicy::Tls12From2021, chacha20));
        assert!(!has(SecurityPolicy::Tls12From2025, chacha20));
        assert!(has(SecurityPolicy::Tls12From2025, suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384));
        assert!(!has(SecurityPolicy::Tls12From2025, suite::TLS13_CHACHA20_POLY1305_SHA256));
        assert!(suites(SecurityPolicy::Tls13From2025).iter().all(|it| it.version() == &TLS13));
        assert_eq!(suites(SecurityPolicy::Tls12From2018), suites(SecurityPolicy::Tls12From2021));
        assert_eq!(versions(SecurityPolicy::Tls13From2025), [&TLS13]);
    }
}
