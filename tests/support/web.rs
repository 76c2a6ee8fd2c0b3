//! A web server that says what a story tells it to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it says next, head and body; the last again and again.
type Script = Arc<Mutex<VecDeque<String>>>;

/// A web server on loopback.
pub(crate) struct WebServer {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// One that gives these answers: status and fields, line by line, and a body.
    pub(crate) async fn saying(answers: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let port = listener.local_addr().expect("it has a port").port();
        let full = |&(head, body): &(&str, &str)| {
            let length = if head.starts_with("304") {
                String::new()
            } else {
                format!("content-length: {}\r\n", body.len())
            };
            let head = head.replace('\n', "\r\n");
            format!("HTTP/1.1 {head}\r\n{length}connection: close\r\n\r\n{body}")
        };
        let script: Script = Arc::new(Mutex::new(answers.iter().map(full).collect()));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let asked = Arc::clone(&heads);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&script), Arc::clone(&asked)));
            }
        });
        Self { port, heads }
    }

    /// One that nobody can connect to.
    pub(crate) async fn away() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        Self { port: listener.local_addr().expect("it has a port").port(), heads: Arc::default() }
    }

    /// The heads of what was asked of it, in lower case.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.heads.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The section of a configuration that makes an origin of it.
    pub(crate) fn origin(&self, id: &str) -> String {
        format!(
            "[[origin]]\nid = \"{id}\"\nkind = \"http\"\ndomain_name = \"127.0.0.1\"\n\
             http_port = {}\norigin_protocol_policy = \"http-only\"\n",
            self.port
        )
    }
}

async fn converse(mut stream: TcpStream, script: Script, heads: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(octet) = stream.read_u8().await else { return };
        head.push(octet);
    }
    heads.lock().expect("nobody panics with it").push(String::from_utf8_lossy(&head).to_ascii_lowercase());
    let answer = {
        let mut script = script.lock().expect("nobody panics with it");
        if script.len() > 1 { script.pop_front() } else { script.front().cloned() }
    };
    let _ = stream.write_all(answer.expect("a script has an end that lasts").as_bytes()).await;
    let _ = stream.shutdown().await;
}
