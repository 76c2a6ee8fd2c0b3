//! A web server that takes its time, and notes when it gave what.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, sleep_until};

/// How it answers.
#[derive(Clone, Copy)]
pub(super) struct Pace {
    /// Before the head.
    pub(super) wait: Duration,
    /// Octets of the body.
    pub(super) length: u64,
    /// Octets a step, and how long that takes.
    pub(super) step: (u64, Duration),
}

/// It runs until it is dropped.
pub(super) struct Slow {
    pub(super) port: u16,
    fetches: Arc<AtomicU64>,
    /// When each step of the newest body was given to the socket.
    given: Arc<Mutex<Vec<Instant>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Slow {
    pub(super) async fn start(pace: Pace) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let (fetches, given) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<Instant>>>::default());
        let (counted, noted) = (Arc::clone(&fetches), Arc::clone(&given));
        let task = tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (counted, noted) = (Arc::clone(&counted), Arc::clone(&noted));
                tokio::spawn(async move {
                    // A server that hangs up has what it wanted.
                    let _ = answer(socket, pace, &counted, &noted).await;
                });
            }
        });
        Ok(Self { port, fetches, given, task })
    }

    /// How often a body was asked for.
    pub(super) fn fetches(&self) -> u64 {
        self.fetches.load(Ordering::Relaxed)
    }

    /// When each step of the newest body was given.
    pub(super) fn given(&self) -> Vec<Instant> {
        self.given.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut socket: TcpStream,
    pace: Pace,
    fetches: &AtomicU64,
    given: &Mutex<Vec<Instant>>,
) -> std::io::Result<()> {
    socket.set_nodelay(true)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 64 * 1024 || socket.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    fetches.fetch_add(1, Ordering::Relaxed);
    given.lock().expect("nobody panics with it").clear();
    sleep(pace.wait).await;
    let length = pace.length;
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nCache-Control: max-age=86400\r\nETag: \"slow\"\r\n\
         Content-Type: video/mp4\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await?;
    let (step, every) = pace.step;
    let octets = Bytes::from(vec![7; usize::try_from(step).expect("a step fits in memory")]);
    let mut left = length;
    let mut next = tokio::time::Instant::now();
    while left > 0 {
        let now = octets.slice(..octets.len().min(usize::try_from(left).unwrap_or(usize::MAX)));
        given.lock().expect("nobody panics with it").push(Instant::now());
        socket.write_all(&now).await?;
        left -= now.len() as u64;
        next += every;
        sleep_until(next).await;
    }
    socket.shutdown().await
}
