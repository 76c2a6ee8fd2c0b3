//! TLS towards viewers: which certificate is shown, what is spoken, and what was agreed on.

mod certificates;
mod negotiated;
mod policy;

pub use certificates::{Certificates, Unusable};
pub(super) use negotiated::{Negotiated, Protocol};
#[cfg(feature = "http3")]
pub(super) use policy::quic_config;
pub use policy::server_config;
