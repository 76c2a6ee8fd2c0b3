//! A publisher of our own: sends a file to an RTMP server as an encoder would, in real time.
//!
//! ```text
//! Demuxed ─▶ Schedule ─▶ ClientSession ─▶ socket
//! ```
//! It opens no file; whoever calls it read one. On a network that is too slow it falls behind rather than buffer.

mod schedule;

use std::io;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use packager::isobmff;
use packager::isobmff::demux::Demuxed;
use packager::media::TrackKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::metadata;
use crate::outgoing::Outgoing;
use crate::rtmp::client::{self, ClientSession, Event, Goal, Target};
use crate::rtmp::message::Kind;

pub use schedule::Passes;

use schedule::{Due, Programme, Schedule};

/// How long a server may take for the handshake and for granting the publication.
const SETUP: Duration = Duration::from_secs(10);

/// A server that takes nothing for so long is gone.
const STALL: Duration = Duration::from_secs(20);

/// How much may wait for the server before nothing more is made ready.
const AHEAD: usize = 1 << 20;

/// The first wait before another try; it doubles up to the longest.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(16);

/// How a file is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// How often.
    pub passes: Passes,
    /// What happens when the connection cannot be made, or breaks.
    pub on_loss: OnLoss,
}

/// What happens when the connection cannot be made, or breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLoss {
    /// It is a failure.
    Fail,
    /// It is made again, with growing waits, and the file begins anew.
    Reconnect,
}

/// Why a file could not be published.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The file has no samples to send, or ends early.
    #[error("the file cannot be published: {0}")]
    Media(#[from] isobmff::Error),
    /// `rtmps://` was asked for.
    #[error("publishing over rtmps:// is not supported: use rtmp://")]
    Secure,
    /// Nobody answers there.
    #[error("cannot reach {host} on port {port}: {reason}")]
    Unreachable {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// What the system says.
        reason: io::Error,
    },
    /// The server said no.
    #[error("the server refused: {description} ({code})")]
    Refused {
        /// Its status code.
        code: String,
        /// Its sentence.
        description: String,
    },
    /// The server goes away.
    #[error("the server ended the publication: {description}")]
    Stopped {
        /// Its sentence.
        description: String,
    },
    /// What the server sends is not RTMP, or does not come.
    #[error("{0}")]
    Session(#[from] client::Error),
    /// The connection broke.
    #[error("the connection was lost: {0}")]
    Lost(#[from] io::Error),
}

impl Failure {
    /// Whether the same might go well a little later.
    const fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Stopped { .. } | Self::Session(_) | Self::Lost(_))
    }
}

/// Publishes a file until its passes are over or `stop` says so.
///
/// # Errors
/// [`Failure`]; with [`OnLoss::Reconnect`] only one that another try would not mend.
pub async fn publish(
    file: &Demuxed,
    target: &Target,
    options: Options,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if target.secure {
        return Err(Failure::Secure);
    }
    let programme = Programme::new(file)?;
    let mut wait = FIRST_WAIT;
    loop {
        let begun = Instant::now();
        let failure = match connect(&programme, target, options.passes, stop).await {
            Err(failure) if options.on_loss == OnLoss::Reconnect && failure.may_pass() => failure,
            outcome => return outcome,
        };
        if begun.elapsed() > LONGEST_WAIT {
            wait = FIRST_WAIT;
        }
        warn!(%failure, "publishing again in {wait:?}");
        if stop.run_until_cancelled(sleep(wait)).await.is_none() {
            return Ok(());
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

async fn connect(
    programme: &Programme<'_>,
    target: &Target,
    passes: Passes,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let dial = timeout(SETUP, TcpStream::connect((target.host.as_str(), target.port)));
    let Some(dialled) = stop.run_until_cancelled(dial).await else { return Ok(()) };
    let unreachable = |reason| Failure::Unreachable { host: target.host.clone(), port: target.port, reason };
    let socket = dialled.map_err(io::Error::from).flatten().map_err(unreachable)?;
    socket.set_nodelay(true)?;
    let connection = Connection {
        socket,
        session: ClientSession::new(target, Goal::Publish, SETUP, Instant::now()),
        buffer: BytesMut::new(),
        outgoing: Outgoing::default(),
        taken: Instant::now(),
        stage: Stage::Waiting,
        programme,
        passes,
    };
    connection.run(stop).await
}

struct Connection<'a> {
    socket: TcpStream,
    session: ClientSession,
    buffer: BytesMut,
    outgoing: Outgoing,
    /// When the server last took something, or began to have something to take.
    taken: Instant,
    stage: Stage<'a>,
    programme: &'a Programme<'a>,
    passes: Passes,
}

/// How far the publication has come.
enum Stage<'a> {
    /// The server has not granted it yet.
    Waiting,
    /// Media is sent.
    Sending { begun: Instant, schedule: Schedule<'a>, next: Due },
    /// All was sent, and the end was said.
    Ended,
}

/// What wakes the connection.
enum Wake {
    Stop,
    Written(io::Result<usize>),
    Read(io::Result<usize>),
    Due,
    Deadline,
    Stalled,
}

impl Connection<'_> {
    async fn run(mut self, stop: &CancellationToken) -> Result<(), Failure> {
        loop {
            self.listen()?;
            self.speak()?;
            if matches!(self.stage, Stage::Ended) && !self.outgoing.has_remaining() {
                // The server answers as it likes; there is nothing left to hear.
                return Ok(self.socket.shutdown().await?);
            }
            match self.wait(stop).await {
                Wake::Stop => self.end(),
                Wake::Written(written) => {
                    written?;
                    self.taken = Instant::now();
                }
                Wake::Read(read) => {
                    if read? == 0 {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                    }
                    let bytes = self.buffer.split().freeze();
                    self.session.push(bytes, Instant::now())?;
                }
                Wake::Due => {}
                Wake::Deadline => self.session.tick(Instant::now())?,
                Wake::Stalled => return Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        }
    }

    /// Takes what the server said.
    fn listen(&mut self) -> Result<(), Failure> {
        while let Some(event) = self.session.poll()? {
            match event {
                Event::Ready => self.begin()?,
                Event::Ended { code, description } => return Err(Failure::Refused { code, description }),
                Event::ServerStops { description } => return Err(Failure::Stopped { description }),
                Event::Media { .. } => {}
            }
        }
        Ok(())
    }

    fn begin(&mut self) -> Result<(), Failure> {
        info!("publishing");
        self.media(Kind::Data, 0, &[metadata::write(self.programme.configs(), self.programme.frame_rate())]);
        for config in self.programme.configs() {
            let body = packager::flv::configuration(config);
            body.into_iter().for_each(|it| self.media(kind_of(config.kind()), 0, &it));
        }
        let mut schedule = self.programme.schedule(self.passes);
        match schedule.next().transpose()? {
            Some(next) => self.stage = Stage::Sending { begun: Instant::now(), schedule, next },
            None => self.end(),
        }
        Ok(())
    }

    /// Makes everything ready that is due.
    fn speak(&mut self) -> Result<(), Failure> {
        while self.outgoing.remaining() < AHEAD {
            let Stage::Sending { begun, schedule, next } = &mut self.stage else { break };
            if *begun + next.at > Instant::now() {
                break;
            }
            // The wire counts 32 bits of milliseconds and wraps.
            let (kind, timestamp, body) = (next.kind, next.at.as_millis() as u32, next.body.clone());
            match schedule.next().transpose()? {
                Some(following) => *next = following,
                None => self.stage = Stage::Ended,
            }
            self.media(kind_of(kind), timestamp, &body);
            if matches!(self.stage, Stage::Ended) {
                self.session.finish();
            }
        }
        self.collect();
        Ok(())
    }

    async fn wait(&mut self, stop: &CancellationToken) -> Wake {
        const READ: usize = 4 * 1024;
        let waiting = self.outgoing.remaining();
        let due = match &self.stage {
            Stage::Sending { begun, next, .. } if waiting < AHEAD => Some(*begun + next.at),
            _ => None,
        };
        let ended = matches!(self.stage, Stage::Ended);
        self.buffer.reserve(READ);
        let (mut reader, mut writer) = self.socket.split();
        tokio::select! {
            biased;
            () = stop.cancelled(), if !ended => Wake::Stop,
            written = writer.write_buf(&mut self.outgoing), if waiting > 0 => Wake::Written(written),
            read = reader.read_buf(&mut self.buffer) => Wake::Read(read),
            () = at(due) => Wake::Due,
            () = at(self.session.next_deadline()) => Wake::Deadline,
            () = at(Some(self.taken + STALL)), if waiting > 0 => Wake::Stalled,
        }
    }

    fn end(&mut self) {
        self.stage = Stage::Ended;
        self.session.finish();
    }

    fn media(&mut self, kind: Kind, timestamp: u32, body: &[bytes::Bytes]) {
        self.collect();
        // A sample that no message can carry is left out; no encoder makes one.
        for piece in self.session.media(kind, timestamp, body).unwrap_or_default() {
            self.send(piece);
        }
    }

    /// Takes over what the session wants sent.
    fn collect(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.send(bytes);
        }
    }

    fn send(&mut self, bytes: bytes::Bytes) {
        if !self.outgoing.has_remaining() {
            self.taken = Instant::now();
        }
        self.outgoing.push(bytes);
    }
}

fn kind_of(kind: TrackKind) -> Kind {
    match kind {
        TrackKind::Video => Kind::Video,
        TrackKind::Audio => Kind::Audio,
    }
}

/// At a moment, if there is one, else never.
async fn at(moment: Option<Instant>) {
    match moment {
        Some(it) => sleep_until(it.into()).await,
        None => std::future::pending().await,
    }
}
