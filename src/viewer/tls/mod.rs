//! TLS towards viewers: which certificate is shown, what is spoken, and what was agreed on.

mod certificates;
mod negotiated;
mod policy;

pub use certificates::{Certificates, Unusable};
pub(super) use negotiated::{Negotiated, Protocol};
pub use policy::server_config;
