//! What the operator meant.
//!
//! A document is the file as written; a [`Config`] is what it means: defaults applied, names resolved,
//! patterns compiled, nothing optional that has a default. Only `Config` leaves the crate. Loading reports every
//! [`Problem`](problem::Problem) of a file at once.

pub mod access;
pub mod cache;
pub mod control;
pub mod distribution;
pub mod ingest;
pub mod listen;
pub mod observe;
pub mod origin;
pub mod packaging;
pub mod problem;
pub mod protect;
pub mod stream_keys;
pub mod units;

mod document;
mod error_response;
mod load;
mod methods;
mod names;
mod nearest;
mod origin_request;
mod overrides;
mod reference;
mod reload;
mod resolve;
mod response;
mod section;
mod setting;
mod value;

use std::path::PathBuf;

pub use load::{load, load_stream_keys};
pub use reference::reference;
pub use resolve::{Sources, resolve};
pub use section::Found;

/// Everything a server is built from; taken apart in `serve`, each station receives its own section.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where epochs, sequence numbers and the control token are kept. Absolute.
    pub state_dir: PathBuf,
    /// Addresses, TLS, connection limits.
    pub listen: listen::Listen,
    /// What may be published, an entry per RTMP application.
    pub apps: Vec<ingest::App>,
    /// Limits and timeouts of RTMP connections.
    pub rtmp: ingest::Rtmp,
    /// Segment, part and window lengths.
    pub packaging: packaging::Packaging,
    /// Public keys and key groups.
    pub access: access::Access,
    /// Memory for cached objects.
    pub cache: cache::Cache,
    /// Cache policies by name, the built-in ones included.
    pub cache_policies: Vec<cache::CachePolicy>,
    /// Origin request policies by name, the built-in ones included.
    pub origin_request_policies: Vec<distribution::OriginRequestPolicy>,
    /// Response headers policies by name, the built-in ones included.
    pub response_headers_policies: Vec<distribution::ResponseHeadersPolicy>,
    /// Where answers come from.
    pub origins: Vec<origin::Origin>,
    /// Pairs of origins.
    pub origin_groups: Vec<origin::OriginGroup>,
    /// Host names and their behaviors; exactly one is the default.
    pub distributions: Vec<distribution::Distribution>,
    /// A database of countries in MaxMind's format.
    pub geo_database: Option<PathBuf>,
    /// The control address.
    pub control: control::Control,
    /// Logs.
    pub observe: observe::Observe,
}

#[cfg(test)]
mod tests;
