//! A viewer who says exactly what a story wants said, on a socket of its own.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::soon;

/// A response.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The values of a header, if there are any.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .iter()
            .filter(|(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the body is text")
    }

    /// That it is what was hoped for.
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{:?} {}", self.headers, String::from_utf8_lossy(&self.body));
        self
    }
}

/// What a connection can be made of.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// One connection.
pub(crate) struct Line(BufReader<Box<dyn Wire>>);

impl Line {
    pub(crate) async fn to(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.expect("the server listens"))
    }

    pub(crate) fn over(wire: impl Wire + 'static) -> Self {
        Self(BufReader::new(Box::new(wire)))
    }

    /// Says these bytes. A server that has hung up is noticed when it is listened to.
    pub(crate) async fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.0.write_all(bytes.as_ref()).await;
        let _ = self.0.flush().await;
    }

    /// Says a request: `GET /path`, then lines of headers. A host is added where none is named.
    pub(crate) async fn ask(&mut self, request: &str) -> Answer {
        self.say(written(request, "keep-alive")).await;
        let is_head = request.starts_with("HEAD ");
        self.answer(is_head).await.expect("the server answers")
    }

    /// The next response; nothing when the server hangs up instead.
    pub(crate) async fn answer(&mut self, is_head: bool) -> Option<Answer> {
        soon("the answer", self.read_answer(is_head)).await
    }

    /// The head of the next response.
    pub(crate) async fn head(&mut self) -> Option<Answer> {
        soon("the head of the answer", self.read_head()).await
    }

    /// So many octets.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        soon("the body", self.0.read_exact(&mut bytes)).await.expect("the body comes");
        bytes
    }

    /// Listens until these octets come.
    pub(crate) async fn hear(&mut self, octets: &[u8]) {
        let mut heard = Vec::new();
        while !heard.ends_with(octets) {
            let octet = soon("what is listened for", self.0.read_u8()).await;
            heard.push(octet.expect("the server goes on"));
        }
    }

    /// Everything until the server hangs up.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A reset is an end, too.
        let _ = soon("the end of the connection", self.0.read_to_end(&mut bytes)).await;
        bytes
    }

    async fn read_answer(&mut self, is_head: bool) -> Option<Answer> {
        let mut answer = self.read_head().await?;
        if is_head || matches!(answer.status, 100..200 | 204 | 304) {
            return Some(answer);
        }
        if let Some(length) = answer.header("content-length") {
            answer.body = vec![0; length.parse().expect("a length is a number")];
            self.0.read_exact(&mut answer.body).await.expect("the body comes whole");
        } else if answer.header("transfer-encoding").as_deref() == Some("chunked") {
            answer.body = self.read_chunks().await;
        } else {
            self.0.read_to_end(&mut answer.body).await.expect("the body comes");
        }
        Some(answer)
    }

    async fn read_head(&mut self) -> Option<Answer> {
        let first = self.read_line().await.filter(|it| !it.is_empty())?;
        let status = first.split(' ').nth(1).and_then(|it| it.parse().ok()).expect("a status line");
        let mut headers = Vec::new();
        loop {
            let line = self.read_line().await.expect("the head comes whole");
            if line.is_empty() {
                return Some(Answer { status, headers, body: Vec::new() });
            }
            let (name, value) = line.split_once(':').expect("a header line");
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    async fn read_chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let line = self.read_line().await.expect("the chunks come whole");
            let size = usize::from_str_radix(&line, 16).expect("a chunk size");
            let start = body.len();
            body.resize(start + size, 0);
            self.0.read_exact(&mut body[start..]).await.expect("a chunk comes whole");
            assert_eq!(self.read_line().await.as_deref(), Some(""));
            if size == 0 {
                return body;
            }
        }
    }

    /// A line without its end; nothing at the end of the connection.
    async fn read_line(&mut self) -> Option<String> {
        let mut line = String::new();
        let count = self.0.read_line(&mut line).await.unwrap_or(0);
        (count > 0).then(|| line.trim_end().to_owned())
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut line = Line::to(address).await;
    line.say(written(request, "close")).await;
    line.answer(request.starts_with("HEAD ")).await.expect("the server answers")
}

/// As [`ask`], with a body behind the head.
pub(crate) async fn send(address: SocketAddr, request: &str, body: &str) -> Answer {
    let mut line = Line::to(address).await;
    let head = format!("{request}\nContent-Length: {}\nContent-Type: application/json", body.len());
    line.say(written(&head, "close") + body).await;
    line.answer(false).await.expect("the server answers")
}

/// `GET /path` and lines of headers as HTTP/1.1 has them.
pub(crate) fn written(request: &str, connection: &str) -> String {
    let mut lines = request.lines();
    let mut text = format!("{} HTTP/1.1\r\n", lines.next().expect("a request has a line"));
    let has_host = request.lines().any(|it| it.to_ascii_lowercase().starts_with("host:"));
    let host = (!has_host).then_some("Host: localhost");
    for line in lines.chain(host) {
        text.extend([line, "\r\n"]);
    }
    text.extend(["Connection: ", connection, "\r\n\r\n"]);
    text
}
