//! Asking web services that an operator names: publishing webhooks, key servers.

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Sends small requests, over TLS or not.
pub type ServiceClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// What this server calls itself.
pub const USER_AGENT: &str = concat!("levada/", env!("CARGO_PKG_VERSION"));

/// A client that trusts the authorities that browsers do.
pub fn client() -> ServiceClient {
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_webpki_roots(rustls::crypto::aws_lc_rs::default_provider())
        .expect("the provider supports TLS 1.2 and 1.3")
        .https_or_http()
        .enable_http1()
        .build();
    Client::builder(TokioExecutor::new()).build(connector)
}
