//! A viewer's HTTP/1.1 connection, as thin as it can be: what it costs is not to be mistaken for the server's.

use std::net::SocketAddr;

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept open.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: BytesMut,
}

/// A response with a `Content-Length`.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> anyhow::Result<Self> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, buffer: BytesMut::new() })
    }

    pub(crate) async fn get(&mut self, target: &str) -> anyhow::Result<Response> {
        self.ask(target).await?;
        self.hear().await
    }

    pub(crate) async fn ask(&mut self, target: &str) -> anyhow::Result<()> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        Ok(self.socket.write_all(request.as_bytes()).await?)
    }

    pub(crate) async fn hear(&mut self) -> anyhow::Result<Response> {
        let (status, length) = self.head().await?;
        while self.buffer.len() < length {
            self.read().await?;
        }
        let body = self.buffer.split_to(length).freeze();
        if !self.buffer.has_remaining() {
            // Thousands of connections would otherwise hold thousands of answers.
            self.buffer = BytesMut::new();
        }
        Ok(Response { status, body })
    }

    /// Counts the octets of a response's body and forgets them; `came` is told how many there are by now.
    pub(crate) async fn count(&mut self, mut came: impl FnMut(u64)) -> anyhow::Result<u64> {
        let (status, length) = self.head().await?;
        ensure!(status == 200, "it said {status}");
        let mut so_far = 0;
        loop {
            so_far += self.buffer.len();
            if !self.buffer.is_empty() {
                came(so_far as u64);
                self.buffer.clear();
            }
            if so_far >= length {
                return Ok(so_far as u64);
            }
            self.read().await?;
        }
    }

    async fn head(&mut self) -> anyhow::Result<(u16, usize)> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") {
                let head = self.buffer.split_to(end + 4);
                return read_head(std::str::from_utf8(&head)?);
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> anyhow::Result<()> {
        self.buffer.reserve(16 * 1024);
        match self.socket.read_buf(&mut self.buffer).await? {
            0 => bail!("the server closed the connection"),
            _ => Ok(()),
        }
    }
}

fn read_head(head: &str) -> anyhow::Result<(u16, usize)> {
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).context("no status")?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    Ok((status, length.context("no Content-Length")?))
}
