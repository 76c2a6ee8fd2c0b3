//! Publishers: one that remembers when it sent what, and crowds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bytes::Bytes;
use ingest::publish::{OnLoss, Options, Passes, publish};
use ingest::rtmp::client::{ClientSession, Event, Goal, Target};
use ingest::rtmp::message::Kind;
use packager::flv;
use packager::isobmff::demux::{Demuxed, demux};
use packager::media::{Sync, TrackKind};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Reads an MP4.
pub(crate) fn media(file: &Path) -> anyhow::Result<Demuxed> {
    let named = || file.display().to_string();
    demux(std::fs::read(file).with_context(named)?.into()).with_context(named)
}

/// Publishes a file under many names, in a loop, until the set is dropped. They start one after the other over two
/// seconds, so that their key frames do not all come at once.
pub(crate) async fn crowd(file: &Arc<Demuxed>, urls: Vec<String>) -> anyhow::Result<JoinSet<()>> {
    let step = Duration::from_secs(2) / u32::try_from(urls.len().max(1))?;
    let mut set = JoinSet::new();
    for url in urls {
        let (file, target) = (Arc::clone(file), Target::parse(&url)?);
        set.spawn(async move {
            let options = Options { passes: Passes::Endless, on_loss: OnLoss::Fail };
            if let Err(error) = publish(&file, &target, options, &CancellationToken::new()).await {
                eprintln!("a publisher has failed: {error}");
            }
        });
        sleep(step).await;
    }
    Ok(set)
}

/// A sample that was sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    kind: TrackKind,
    sync: Sync,
    payload: Bytes,
}

impl Sent {
    fn is_key_frame(&self) -> bool {
        self.kind == TrackKind::Video && self.sync == Sync::Key
    }
}

/// A publisher on a thread of its own that remembers when it sent which sample; it stops when dropped.
pub(crate) struct Encoder {
    sent: Arc<Mutex<Vec<Sent>>>,
    /// The thread ends when this is gone.
    going: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Encoder {
    /// Publishes a file in a loop; returns when the server has granted it.
    pub(crate) async fn start(file: Arc<Demuxed>, url: &str) -> anyhow::Result<Self> {
        let target = Target::parse(url)?;
        let (socket, session) = tokio::task::spawn_blocking(move || connect(&target)).await??;
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let (going, stop) = sync_channel(1);
        let thread = std::thread::spawn({
            let sent = Arc::clone(&sent);
            move || {
                if let Err(error) = send(&file, socket, &session, &sent, &stop) {
                    eprintln!("the publisher has failed: {error}");
                }
            }
        });
        Ok(Self { sent, going: Some(going), thread: Some(thread) })
    }

    /// The newest sample of a track whose bytes, after those of the one before it, `body` ends with. Two, because sounds
    /// repeat.
    pub(crate) fn last_of(&self, kind: TrackKind, body: &[u8]) -> Option<Sent> {
        let sent = self.sent.lock().expect("nobody panics with it");
        let own: Vec<&Sent> = sent.iter().filter(|it| it.kind == kind).collect();
        let pair = own.windows(2).rfind(|pair| {
            let before = body.strip_suffix(&*pair[1].payload);
            before.is_some_and(|it| it.ends_with(&pair[0].payload))
        })?;
        Some(pair[1].clone())
    }

    /// The first key frame sent after `moment`.
    pub(crate) fn key_after(&self, moment: Instant) -> Option<Sent> {
        let sent = self.sent.lock().expect("nobody panics with it");
        sent.iter().find(|it| it.is_key_frame() && it.at > moment).cloned()
    }

    /// The newest key frame sent before `moment`, and the picture before it.
    pub(crate) fn key_before(&self, moment: Instant) -> Option<(Sent, Option<Sent>)> {
        let sent = self.sent.lock().expect("nobody panics with it");
        let at = sent.iter().rposition(|it| it.is_key_frame() && it.at <= moment)?;
        Some((sent[at].clone(), sent[..at].iter().rfind(|it| it.kind == TrackKind::Video).cloned()))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        self.going = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn connect(target: &Target) -> anyhow::Result<(TcpStream, ClientSession)> {
    const SETUP: Duration = Duration::from_secs(10);
    let mut socket = TcpStream::connect((target.host.as_str(), target.port))?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SETUP))?;
    let mut session = ClientSession::new(target, Goal::Publish, SETUP, Instant::now());
    let mut buffer = [0; 4096];
    loop {
        while let Some(bytes) = session.poll_transmit() {
            socket.write_all(&bytes)?;
        }
        let length = socket.read(&mut buffer)?;
        if length == 0 {
            bail!("the server closed the connection");
        }
        session.push(Bytes::copy_from_slice(&buffer[..length]), Instant::now())?;
        while let Some(event) = session.poll()? {
            match event {
                Event::Ready => return Ok((socket, session)),
                Event::Ended { code, description } => bail!("{description} ({code})"),
                Event::ServerStops { description } => bail!(description),
                Event::Media { .. } => {}
            }
        }
    }
}

/// Sends pass after pass. What the server says meanwhile is little, and is left to the socket's buffer.
fn send(
    file: &Demuxed,
    mut socket: TcpStream,
    session: &ClientSession,
    sent: &Mutex<Vec<Sent>>,
    stop: &Receiver<()>,
) -> anyhow::Result<()> {
    let kinds: Vec<TrackKind> = file.tracks().map(packager::media::Track::kind).collect();
    let mut write = |kind: TrackKind, milliseconds: u32, body: &[Bytes]| -> anyhow::Result<()> {
        let kind = match kind {
            TrackKind::Video => Kind::Video,
            TrackKind::Audio => Kind::Audio,
        };
        socket.write_all(&session.media(kind, milliseconds, body)?.concat())?;
        Ok(())
    };
    for track in file.tracks() {
        let body = flv::configuration(&track.config).expect("the file is one that can be published");
        write(track.kind(), 0, &body)?;
    }
    let samples = file.samples().collect::<Result<Vec<_>, _>>()?;
    let dated: Vec<_> = samples.iter().map(|(track, it)| (kinds[*track], it.dts.seconds(), it)).collect();
    let pictures = dated.iter().filter(|it| it.0 == TrackKind::Video).count();
    let first = dated.iter().map(|it| it.1).fold(f64::MAX, f64::min);
    let last = dated.iter().filter(|it| it.0 == TrackKind::Video).map(|it| it.1).fold(first, f64::max);
    // Pictures come at one rate, so the last lasts as long as the others.
    let length = (last - first) * pictures as f64 / (pictures as f64 - 1.0);
    let begun = Instant::now();
    for pass in 0_u32.. {
        for (kind, at, sample) in &dated {
            let at = at - first;
            if *kind == TrackKind::Audio && at >= length {
                continue;
            }
            let at = Duration::from_secs_f64(at + length * f64::from(pass));
            let rest = (begun + at).saturating_duration_since(Instant::now());
            if stop.recv_timeout(rest) == Err(RecvTimeoutError::Disconnected) {
                return Ok(());
            }
            sent.lock().expect("nobody panics with it").push(Sent {
                at: Instant::now(),
                kind: *kind,
                sync: sample.sync,
                payload: sample.payload.clone(),
            });
            write(*kind, at.as_millis() as u32, &flv::sample(*kind, sample))?;
        }
    }
    Ok(())
}
