//! `levada reload`.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::Request;
use http::header::AUTHORIZATION;
use http_body_util::Empty;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use super::Source;
use crate::body::read_within;
use crate::control::Token;

/// Octets of an answer that are read.
const MAX_ANSWER: usize = 64 * 1024;
/// Reading a configuration and its keys takes milliseconds.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Have a running server load its configuration and certificates again, and say what changed.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  levada reload\n  levada reload --config /etc/levada/levada.toml")]
pub(super) struct Arguments {
    #[command(flatten)]
    source: Source,
}

pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let config = arguments.source.load()?;
    let address =
        config.control.address.context("the configuration has no control address (listen.control)")?;
    let token = Token::of_server(&config.state_dir).map_err(|error| untold(&config.state_dir, error))?;
    let answer = super::block_on(async {
        let request = Request::post(format!("http://{address}/api/reload"))
            .header(AUTHORIZATION, format!("Bearer {}", token.reveal()))
            .body(Empty::<Bytes>::new())?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let response = tokio::time::timeout(TIMEOUT, client.request(request))
            .await
            .with_context(|| format!("no answer from {address}"))?
            .with_context(|| format!("no server answers on {address}"))?;
        read_within(response.into_body(), MAX_ANSWER).await.map_err(anyhow::Error::from_boxed)
    })?;
    let said: serde_json::Value = serde_json::from_slice(&answer)
        .unwrap_or_else(|_| String::from_utf8_lossy(&answer).into_owned().into());
    let message = said.get("message").unwrap_or(&said).as_str().unwrap_or_default().to_owned();
    if said.get("reloaded") == Some(&true.into()) {
        println!("{message}");
        return Ok(());
    }
    bail!("nothing was reloaded: {message}")
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
        let refused = run(&Arguments { source }).unwrap_err().to_string();
        assert!(refused.contains(&state_dir.display().to_string()), "{refused}");
        assert!(!state_dir.exists());
    }
}
