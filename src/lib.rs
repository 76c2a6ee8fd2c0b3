//! Levada: live and on-demand streaming through an edge cache that behaves like CloudFront.
//!
//! The modules in the order a request meets them; ARCHITECTURE.md tells the same story.
//!
//! The feature `http3`, on by default, brings HTTP/3 and its engines; without it `listen.https.http3` does nothing.

pub mod passage;

pub mod edge;

pub mod viewer;

pub mod behavior;

pub mod protect;

pub mod access;

pub mod cache;

pub mod origin;

pub mod respond;

pub mod page;

pub mod hook;

pub mod ledger;

pub mod acme;

pub mod observe;

pub mod control;

pub mod body;

pub mod service;

pub mod counter;

mod recent;

mod network;

mod tally;

pub mod new_file;

pub mod vault;

pub mod serve;

pub mod command;
