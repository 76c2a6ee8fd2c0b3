//! Stories over sockets: encoders, viewers, operators and strangers meet one server.

#[path = "../support/mod.rs"]
mod support;

mod conformance;
mod control;
mod edge;
mod hostile;
mod live;
mod origins;
mod signed;
mod stop;
mod tls;
mod vod;
