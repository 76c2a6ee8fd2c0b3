//! Asking a running server on its control address.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

use super::Source;
use crate::body::read_within;
use crate::control::Token;

/// Octets of an answer that are read.
const MAX_ANSWER: usize = 1024 * 1024;

/// Reading a configuration and its keys takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Posts `body` to `path` of the server that runs with a configuration; gives what it says.
pub(super) fn post(source: &Source, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
    let config = source.load()?;
    let address =
        config.control.address.context("the configuration has no control address (listen.control)")?;
    let token = Token::of_server(&config.state_dir).map_err(|error| untold(&config.state_dir, error))?;
    let (status, answer) = super::block_on(async {
        let request = Request::post(format!("http://{address}{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", token.reveal()))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = tokio::time::timeout(TIMEOUT, client.request(request))
            .await
            .with_context(|| format!("no answer from {address}"))?
            .with_context(|| format!("no server answers on {address}"))?;
        let status = response.status();
        let answer =
            read_within(response.into_body(), MAX_ANSWER).await.map_err(anyhow::Error::from_boxed)?;
        Ok((status, answer))
    })?;
    let said = serde_json::from_slice(&answer);
    Ok((status, said.unwrap_or_else(|_| String::from_utf8_lossy(&answer).trim().to_owned().into())))
}

/// The sentence in what a server said.
pub(super) fn message(said: &Value) -> String {
    said.get("message").unwrap_or(said).as_str().unwrap_or_default().to_owned()
}

/// Why there is no token to show. It is the server's to make: one made here would open nothing.
fn untold(state_dir: &Path, error: io::Error) -> anyhow::Error {
    if error.kind() != io::ErrorKind::NotFound {
        return error.into();
    }
    anyhow!(
        "there is no server's token in {}: no server has run with this configuration, or it keeps its state elsewhere \
         (state_dir)",
        state_dir.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_server_nothing_is_made_and_the_place_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let state_dir = directory.path().join("state");
        let sets = vec![format!("state_dir={}", state_dir.display())];
        let source = Source { config: None, sets };
        let refused = post(&source, "/api/reload", &Value::Null).unwrap_err().to_string();
        assert!(refused.contains(&state_dir.display().to_string()), "{refused}");
        assert!(!state_dir.exists());
    }
}
