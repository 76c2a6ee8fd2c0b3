//! A web server that says what a story tells it to.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it says next to who asks for a path, as it goes out; the last again and again.
type Script = Arc<Mutex<HashMap<String, VecDeque<String>>>>;

/// The path of a script for all paths that have none.
const ANY: &str = "*";

/// A web server on loopback.
pub(crate) struct WebServer {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl WebServer {
    /// One that gives these answers: status and fields, line by line, and a body.
    pub(crate) async fn saying(answers: &[(&str, &str)]) -> Self {
        Self::scripted(&[(ANY, answers)]).await
    }

    /// One that gives each of these paths its own head, and all the same body.
    pub(crate) async fn telling(heads: &[(&str, &str)]) -> Self {
        let answer =
            |&(path, head): &(&str, &str)| (path.to_owned(), VecDeque::from([written(head, "stone")]));
        Self::open(heads.iter().map(answer).collect()).await
    }

    /// One that gives each of these paths answers of its own.
    pub(crate) async fn scripted(paths: &[(&str, &[(&str, &str)])]) -> Self {
        let answers = |&(path, answers): &(&str, &[(&str, &str)])| {
            (path.to_owned(), answers.iter().map(|(head, body)| written(head, body)).collect())
        };
        Self::open(paths.iter().map(answers).collect()).await
    }

    /// One that says just this, whatever it is asked, and hangs up.
    pub(crate) async fn speaking(octets: &str) -> Self {
        Self::open([(ANY.to_owned(), VecDeque::from([octets.to_owned()]))].into()).await
    }

    async fn open(script: HashMap<String, VecDeque<String>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
        let port = listener.local_addr().expect("it has a port").port();
        let script: Script = Arc::new(Mutex::new(script));
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
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    heads.lock().expect("nobody panics with it").push(head.to_ascii_lowercase());
    let answer = {
        let mut script = script.lock().expect("nobody panics with it");
        let path = if script.contains_key(&path) { &*path } else { ANY };
        let answers = script.get_mut(path).expect("there is a script for the path");
        if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }
    };
    let _ = stream.write_all(answer.expect("a script has an end that lasts").as_bytes()).await;
    let _ = stream.shutdown().await;
}

/// An answer as HTTP/1.1 has it.
fn written(head: &str, body: &str) -> String {
    let has_body = !["304", "204"].iter().any(|it| head.starts_with(it));
    let (length, body) =
        if has_body { (format!("content-length: {}\r\n", body.len()), body) } else { (String::new(), "") };
    let head = head.replace('\n', "\r\n");
    format!("HTTP/1.1 {head}\r\n{length}connection: close\r\n\r\n{body}")
}
