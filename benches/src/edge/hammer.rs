//! Programs that ask as fast as they are answered.

use std::fmt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::media::Media;
use crate::server::Server;

/// How it is asked.
#[derive(Clone, Copy)]
pub(crate) enum Protocol {
    Http1,
    Http1Tls,
    Http2Tls,
    Http3,
}

impl Protocol {
    pub(crate) fn url(self, server: &Server, file: &str) -> String {
        match self {
            Self::Http1 => format!("http://{}/{file}", server.places.http),
            Self::Http1Tls | Self::Http2Tls | Self::Http3 => {
                format!("https://{}/{file}", server.places.https)
            }
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http1 => "HTTP/1.1",
            Self::Http1Tls => "HTTP/1.1 over TLS",
            Self::Http2Tls => "HTTP/2 over TLS",
            Self::Http3 => "HTTP/3",
        })
    }
}

/// Asks for so long over 32 connections, or 8 with 8 streams each; tells how many answers came, all of them 200.
pub(crate) async fn run(media: &Media, protocol: Protocol, url: &str, long: Duration) -> anyhow::Result<u64> {
    let seconds = long.as_secs();
    let mut command = super::peers::pinned(1);
    match protocol {
        Protocol::Http1 | Protocol::Http1Tls => {
            command.args(["wrk", "-t1", "-c32", &format!("-d{seconds}"), "--timeout", "20", url]);
        }
        Protocol::Http2Tls => {
            command.args(["h2load", "-t1", "-c8", "-m8", "-w24", "-W24", "-D", &seconds.to_string(), url]);
        }
        Protocol::Http3 => {
            command.arg(std::env::current_exe()?).args(["http3", url]);
            command.arg(media.path().join("cert.pem")).arg(seconds.to_string());
        }
    }
    command.env("OPENSSL_CONF", media.path().join("openssl.cnf"));
    let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await.context("it does not start")?;
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(
        done.status.success(),
        "{:?} failed: {}",
        command.as_std(),
        String::from_utf8_lossy(&done.stderr)
    );
    count(protocol, &text).with_context(|| text.clone())
}

/// wrk, and ours over HTTP/3: `  12345 requests in 3.00s, 1.2GB read`, and lines about what went wrong. h2load:
/// `requests: 12345 total, 12345 started, 12345 done, 12345 succeeded, 0 failed, 0 errored, 0 timeout`.
fn count(protocol: Protocol, text: &str) -> anyhow::Result<u64> {
    match protocol {
        Protocol::Http1 | Protocol::Http1Tls | Protocol::Http3 => {
            ensure!(!text.contains("Non-2xx"), "not every answer was 200");
            let line = text.lines().find(|it| it.contains(" requests in ")).context("no count")?;
            Ok(line.trim().split(' ').next().context("no count")?.parse()?)
        }
        Protocol::Http2Tls => {
            let line = text.lines().find_map(|it| it.strip_prefix("requests: ")).context("no count")?;
            let number = |word: &str| -> anyhow::Result<u64> {
                let part = line.split(", ").find_map(|it| it.strip_suffix(word)).context("no count")?;
                Ok(part.trim().parse()?)
            };
            ensure!(number("failed")? == 0, "not every answer was 200");
            number("succeeded")
        }
    }
}
