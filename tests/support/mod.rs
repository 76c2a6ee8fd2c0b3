//! What stories are told with: a house that serves, encoders that publish, viewers that ask.

pub(crate) mod encoder;
pub(crate) mod film;
pub(crate) mod frames;
pub(crate) mod house;
pub(crate) mod http;
pub(crate) mod mmdb;
pub(crate) mod playlist;
#[cfg(feature = "http3")]
pub(crate) mod quic;
pub(crate) mod secure;
pub(crate) mod web;

use std::future::Future;
use std::time::Duration;

/// Nothing in these stories takes longer; only a failing test waits so long.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What comes, as long as it comes within the time of a test.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(it) => it,
        Err(_) => panic!("{what} does not come"),
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    soon(what, async {
        loop {
            if let Some(it) = ask().await {
                return it;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
}
