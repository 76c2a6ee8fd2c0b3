//! Stories over sockets: encoders, viewers, operators and strangers meet one server.

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod conformance;
mod control;
mod distribution;
mod edge;
mod hostile;
#[cfg(feature = "http3")]
mod http3;
mod live;
mod origins;
mod proxied;
mod remote_titles;
mod signed;
mod stop;
mod tiers;
mod tls;
mod vod;
mod vod_rules;
