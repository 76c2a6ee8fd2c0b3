//! Records what an encoder sends: `cargo run -p levada-ingest --example tape -- 127.0.0.1:1950 out.rtmp`, then publish
//! to `rtmp://127.0.0.1:1950/live/tape`. Takes one connection, agrees to everything, ends with it.
//!
//! A tape is a list of reads: milliseconds since the connection began and length, each 32 bits big-endian, then bytes.

use std::time::Instant;

use bytes::BytesMut;
use levada_ingest::rtmp::session::{Event, Limits, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, address, path] = &arguments[..] else { return Err("usage: tape ADDRESS FILE".into()) };
    let listener = TcpListener::bind(address).await?;
    let (mut socket, _) = listener.accept().await?;
    socket.set_nodelay(true)?;
    let begin = Instant::now();
    let mut session = Session::new(Limits::default(), begin);
    let mut tape = Vec::new();
    loop {
        let mut bytes = BytesMut::with_capacity(64 * 1024);
        if socket.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break;
        }
        tape.extend((begin.elapsed().as_millis() as u32).to_be_bytes());
        tape.extend((bytes.len() as u32).to_be_bytes());
        tape.extend(&bytes);
        session.push(bytes.freeze(), Instant::now())?;
        while let Some(event) = session.poll()? {
            match event {
                Event::Connect(_) => session.accept_connect(),
                Event::Publish(it) => session.accept_publish(it.stream),
                _ => {}
            }
        }
        while let Some(bytes) = session.poll_transmit() {
            // An encoder that stops may leave without listening to the last reply.
            let _ = socket.write_all(&bytes).await;
        }
    }
    std::fs::write(path, tape)?;
    Ok(())
}
