//! One RTMP connection: reads, feeds the session, carries out what it says, writes what it answers.
//!
//! ```text
//! socket ─▶ Session ─Event─▶ Admission ─▶ Registry ─▶ Publisher ◀─Input─ Intake     (an encoder)
//!    ▲         │                    └───▶ Fanout ─▶ Player                            (a player)
//!    └─ Outgoing ◀─ replies, messages ───────────────────┘
//! ```
//! An encoder that sends faster than its broadcast takes waits: nothing is read meanwhile, and TCP slows it down.
//! A player that reads slower than its broadcast goes on falls behind in the ring; here at most [`AHEAD`] waits for it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf, Bytes, BytesMut};
use packager::live::{Broadcast, Ended, Publisher, PublisherInfo, Refused};
use packager::media::BroadcastName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{Span, debug, info};

use crate::admission::{PlayAsk, PublishAsk, Reason};
use crate::fanout::{Played, Player, Turn, Wanted};
use crate::intake::{Intake, Unsupported};
use crate::outgoing::Outgoing;
use crate::rtmp::session::{
    self, Connect, ConnectRefusal, Event, PlayRefusal, PlayRequest, PublishRefusal, PublishRequest, Session,
};
use crate::server::Shared;
use crate::stats::{Present, Stats};

/// How much one allocation for reading holds; messages are sliced out of it. A peer that sends no media says little,
/// and there may be thousands of them.
const READ: usize = 4 * 1024;
const READ_MEDIA: usize = 16 * 1024;

/// Below this much room a new allocation begins: fewer system calls for a little waste.
const LEAST_READ: usize = 1024;

/// How much may wait for a peer to read it before no more is added, and nothing more is read from it.
const AHEAD: usize = 256 * 1024;

/// A peer that takes nothing for so long, while something waits for it, is gone.
const STALL: Duration = Duration::from_secs(20);

/// How long a connection that is to close stays open, so that the encoder reads the reason before the end.
const LINGER: Duration = Duration::from_millis(300);

/// How long a player may wait for its broadcast to begin: as if started together with the encoder.
const PLAY_WAIT: Duration = Duration::from_secs(3);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The peer left.
    #[error("the peer left")]
    Left,
    /// We said no, and wrote the reason to the log.
    #[error("refused")]
    Refused,
    /// The broadcast that was played is over.
    #[error("the broadcast is over")]
    Over,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// The peer broke the protocol, or a deadline.
    #[error("{0}")]
    Session(#[from] session::Error),
    /// The socket broke.
    #[error("{0}")]
    Socket(#[from] io::Error),
    /// The peer does not read.
    #[error("the peer took nothing for {STALL:?}")]
    Stalled,
}

/// Serves one connection to its end.
pub(crate) async fn serve<R, W>(
    reader: R,
    writer: W,
    peer: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
) where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let stats = Arc::clone(&shared.stats);
    let session = Session::new(shared.settings.limits, Instant::now());
    let connection = Connection {
        wire: Wire {
            reader,
            writer,
            session,
            buffer: BytesMut::new(),
            outgoing: Outgoing::default(),
            taken: Instant::now(),
        },
        peer,
        shared: &shared,
        stop,
        connect: Connect::default(),
        role: Role::None,
    };
    match connection.run().await {
        End::Session(error @ (session::Error::Setup(_) | session::Error::Silence(_))) => {
            stats.timeouts.increment();
            info!(%error, "closed a connection");
        }
        End::Session(error) => {
            stats.protocol_errors.increment();
            info!(%error, "closed a connection");
        }
        end @ End::Stalled => {
            stats.timeouts.increment();
            info!(reason = %end, "closed a connection");
        }
        end => debug!(reason = %end, "a connection ended"),
    }
}

struct Connection<'a, R, W> {
    wire: Wire<R, W>,
    peer: SocketAddr,
    shared: &'a Shared,
    stop: CancellationToken,
    connect: Connect,
    role: Role,
}

/// What the peer is. One connection is one thing at a time; encoders and players never ask for more.
enum Role {
    None,
    Publishing(Box<Publishing>),
    Playing(Playing),
}

struct Publishing {
    stream: u32,
    publisher: Publisher,
    intake: Intake,
    _present: Present,
}

struct Playing {
    stream: u32,
    player: Player,
    wanted: Wanted,
    _present: Present,
}

/// Why a publisher is told no, be it at once or later.
#[derive(Clone, Copy)]
enum No {
    Denied,
    Taken,
    Superseded,
    Unsupported,
    Failed,
}

/// What wakes a connection.
enum Wake {
    Stop,
    Ended(Ended),
    Written(io::Result<usize>),
    Read(io::Result<usize>),
    Played(Played),
    Deadline,
    Stalled,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Connection<'_, R, W> {
    async fn run(mut self) -> End {
        let end = loop {
            if let Err(end) = self.step().await {
                break end;
            }
        };
        if matches!(self.role, Role::Publishing(_)) {
            info!(reason = %end, "a publication ended");
        }
        self.close(&end).await;
        end
    }

    /// Carries out what the session says, then waits for one thing to happen.
    async fn step(&mut self) -> Result<(), End> {
        while let Some(event) = self.wire.session.poll()? {
            self.carry_out(event).await?;
        }
        self.wire.collect();
        self.tell_of_publisher();
        self.fill();
        self.tell_of_publisher();
        match self.wait().await {
            Wake::Stop => return Err(End::Stopping),
            Wake::Ended(why) => return Err(self.turn_away(why)),
            Wake::Written(written) => {
                self.shared.stats.sent_bytes.add(written? as u64);
                self.wire.taken = Instant::now();
            }
            Wake::Read(read) => {
                let count = read?;
                if count == 0 {
                    return Err(End::Left);
                }
                self.shared.stats.received_bytes.add(count as u64);
                let bytes = self.wire.buffer.split().freeze();
                self.wire.session.push(bytes, Instant::now())?;
            }
            Wake::Played(Played::On) => {}
            Wake::Played(Played::Over) => return Err(End::Over),
            Wake::Deadline => self.wire.session.tick(Instant::now())?,
            Wake::Stalled => return Err(End::Stalled),
        }
        Ok(())
    }

    /// The order is that of urgency: replies leave before more is read, and a deadline passes only when there is
    /// nothing to read that would have met it.
    async fn wait(&mut self) -> Wake {
        let Wire { reader, writer, session, buffer, outgoing, taken } = &mut self.wire;
        let waiting = outgoing.remaining();
        if buffer.capacity() < LEAST_READ {
            buffer.reserve(if matches!(self.role, Role::Publishing(_)) { READ_MEDIA } else { READ });
        }
        let deadline = session.next_deadline();
        let (ended, progress) = match &mut self.role {
            Role::None => (None, None),
            Role::Publishing(it) => (Some(it.publisher.ended()), None),
            Role::Playing(it) => (None, Some(it.player.progress())),
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Wake::Stop,
            why = maybe(ended) => Wake::Ended(why),
            written = writer.write_buf(outgoing), if waiting > 0 => Wake::Written(written),
            read = reader.read_buf(buffer), if waiting < AHEAD => Wake::Read(read),
            played = maybe(progress), if waiting < AHEAD => Wake::Played(played),
            () = maybe(deadline.map(|it| sleep_until(it.into()))) => Wake::Deadline,
            () = sleep_until((*taken + STALL).into()), if waiting > 0 => Wake::Stalled,
        }
    }

    async fn carry_out(&mut self, event: Event) -> Result<(), End> {
        match event {
            Event::Connect(connect) => self.connect(connect),
            Event::Publish(request) => self.publish(request).await,
            Event::Play(request) => self.play(request).await,
            Event::Audio { timestamp, payload, .. } => {
                self.take(|intake| intake.audio(timestamp, payload)).await
            }
            Event::Video { timestamp, payload, .. } => {
                self.take(|intake| intake.video(timestamp, payload)).await
            }
            Event::Data { payload, .. } => {
                self.take(|intake| {
                    intake.data(payload);
                    Ok(())
                })
                .await
            }
            Event::Delivery { audio, video, .. } => {
                if let Role::Playing(it) = &mut self.role {
                    it.wanted = Wanted { audio, video };
                }
                Ok(())
            }
            Event::Unpublish { .. } => {
                info!(reason = "the encoder stopped", "a publication ended");
                self.role = Role::None;
                Ok(())
            }
            Event::StopPlay { .. } => {
                self.role = Role::None;
                Ok(())
            }
        }
    }

    fn connect(&mut self, connect: Connect) -> Result<(), End> {
        // Some encoders put the stream key behind the application; the session sorts that out when they publish.
        let parent = connect.app.rsplit_once('/').map(|(parent, _)| parent);
        let known = std::iter::once(&*connect.app).chain(parent).any(|it| self.shared.admission.has_app(it));
        if !known {
            self.shared.stats.denied.increment();
            info!("refused a connection: no such application");
            self.wire.session.refuse_connect(ConnectRefusal::UnknownApp, "there is no such application here");
            return Err(End::Refused);
        }
        self.wire.session.accept_connect();
        self.connect = connect;
        Ok(())
    }

    async fn publish(&mut self, request: PublishRequest) -> Result<(), End> {
        let PublishRequest { stream, app, name, query, .. } = request;
        if !matches!(self.role, Role::None) {
            let sentence = "this connection publishes or plays already: use another one";
            return Err(self.refuse_publish(stream, No::Failed, sentence));
        }
        let ask = PublishAsk { app, name, query, address: self.peer, tc_url: self.connect.tc_url.clone() };
        let admitted = match self.unless_stopped(self.shared.admission.admit_publish(ask)).await? {
            Ok(admitted) => admitted,
            Err(refusal) => {
                let why = match refusal.reason {
                    Reason::Denied | Reason::InvalidName => No::Denied,
                    Reason::Unavailable => No::Failed,
                };
                return Err(self.refuse_publish(stream, why, &refusal.sentence));
            }
        };
        Span::current().record("broadcast", tracing::field::display(&admitted.name));
        let publisher = PublisherInfo {
            address: self.peer,
            encoder: self.connect.encoder.clone(),
            on_conflict: admitted.on_conflict,
            now: SystemTime::now(),
        };
        match self.unless_stopped(self.shared.registry.publish(admitted.name, publisher)).await? {
            Ok(publisher) => {
                info!(encoder = self.connect.encoder, "publishing");
                self.wire.session.accept_publish(stream);
                let _present = Present::count(&self.shared.stats, |it| &it.publishers);
                let publishing = Publishing { stream, publisher, intake: Intake::new(), _present };
                self.role = Role::Publishing(Box::new(publishing));
                Ok(())
            }
            Err(refused) => {
                let why = match refused {
                    Refused::Taken | Refused::TooSoon(_) => No::Taken,
                    Refused::Full | Refused::ShortOfMemory | Refused::Stopping => No::Failed,
                };
                Err(self.refuse_publish(stream, why, &refused.to_string()))
            }
        }
    }

    /// Lets the intake read a message, and hands on what it said.
    async fn take(&mut self, read: impl FnOnce(&mut Intake) -> Result<(), Unsupported>) -> Result<(), End> {
        let Role::Publishing(publishing) = &mut self.role else { return Ok(()) };
        let Publishing { stream, publisher, intake, .. } = &mut **publishing;
        let malformed = intake.malformed();
        if let Err(unsupported) = read(intake) {
            let stream = *stream;
            return Err(self.refuse_publish(stream, No::Unsupported, &unsupported.to_string()));
        }
        self.shared.stats.malformed_messages.add(intake.malformed() - malformed);
        while let Some(input) = intake.poll() {
            if let Err(why) = publisher.send(input).await {
                return Err(self.turn_away(why));
            }
        }
        Ok(())
    }

    fn turn_away(&mut self, why: Ended) -> End {
        let Role::Publishing(publishing) = &self.role else { return End::Refused };
        let no = match why {
            Ended::Superseded => No::Superseded,
            Ended::ShortOfMemory | Ended::Stopping => No::Failed,
        };
        self.refuse_publish(publishing.stream, no, &why.to_string())
    }

    fn refuse_publish(&mut self, stream: u32, no: No, sentence: &str) -> End {
        let stats = &self.shared.stats;
        let (counter, why) = match no {
            No::Denied => (&stats.denied, PublishRefusal::Denied),
            No::Taken => (&stats.taken, PublishRefusal::Taken),
            No::Superseded => (&stats.superseded, PublishRefusal::Taken),
            No::Unsupported => (&stats.unsupported, PublishRefusal::Denied),
            No::Failed => (&stats.unavailable, PublishRefusal::Failed),
        };
        counter.increment();
        info!(reason = sentence, "refused a publisher");
        self.wire.session.refuse_publish(stream, why, sentence);
        End::Refused
    }

    async fn play(&mut self, request: PlayRequest) -> Result<(), End> {
        let PlayRequest { stream, app, name, query } = request;
        if !matches!(self.role, Role::None) {
            let sentence = "this connection publishes or plays already: use another one";
            return Err(self.refuse_play(stream, PlayRefusal::Failed, sentence));
        }
        let ask = PlayAsk { app, name, query, address: self.peer, tc_url: self.connect.tc_url.clone() };
        let name = match self.unless_stopped(self.shared.admission.admit_play(ask)).await? {
            Ok(name) => name,
            Err(refusal) => return Err(self.refuse_play(stream, PlayRefusal::Failed, &refusal.sentence)),
        };
        Span::current().record("broadcast", tracing::field::display(&name));
        let Some(broadcast) = self.unless_stopped(self.find(&name)).await? else {
            return Err(self.refuse_play(stream, PlayRefusal::NotFound, "nobody publishes this"));
        };
        debug!("playing");
        self.wire.session.accept_play(stream);
        self.role = Role::Playing(Playing {
            stream,
            player: self.shared.fanout.join(&broadcast),
            wanted: Wanted { audio: true, video: true },
            _present: Present::count(&self.shared.stats, |it| &it.players),
        });
        Ok(())
    }

    /// The broadcast, also if it begins within a moment.
    async fn find(&self, name: &BroadcastName) -> Option<Broadcast> {
        let search = async {
            loop {
                if let Some(found) = self.shared.registry.find(name) {
                    return found;
                }
                sleep(PLAY_WAIT / 30).await;
            }
        };
        timeout(PLAY_WAIT, search).await.ok()
    }

    fn refuse_play(&mut self, stream: u32, why: PlayRefusal, sentence: &str) -> End {
        let stats = &self.shared.stats;
        match why {
            PlayRefusal::NotFound => &stats.not_found,
            PlayRefusal::Failed => &stats.denied,
        }
        .increment();
        info!(reason = sentence, "refused a player");
        self.wire.session.refuse_play(stream, why, sentence);
        End::Refused
    }

    /// Puts what a player is to get next behind what waits already.
    fn fill(&mut self) {
        let Role::Playing(Playing { stream, player, wanted, .. }) = &mut self.role else { return };
        while self.wire.outgoing.remaining() < AHEAD {
            let Some(next) = player.next(*wanted) else { return };
            self.shared.stats.skipped_messages.add(next.skipped);
            if let Some(setup) = &next.setup {
                setup.pieces(next.message.at, *stream).for_each(|it| self.wire.send(it));
            }
            next.message.pieces(*stream).iter().for_each(|it| self.wire.send(it.clone()));
        }
    }

    fn tell_of_publisher(&mut self) {
        let Role::Playing(Playing { stream, player, .. }) = &mut self.role else { return };
        match player.turn() {
            Some(Turn::Came) => self.wire.session.resume_play(*stream),
            Some(Turn::Gone) => self.wire.session.suspend_play(*stream),
            None => return,
        }
        self.wire.collect();
    }

    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Result<T, End> {
        self.stop.run_until_cancelled(future).await.ok_or(End::Stopping)
    }

    /// Says the last words, where there is somebody to hear them, and waits for them to be heard.
    async fn close(mut self, end: &End) {
        match (end, &self.role) {
            (End::Over, Role::Playing(it)) => self.wire.session.end_play(it.stream),
            (End::Stopping, _) => self.wire.session.announce_shutdown(),
            (End::Refused, _) => {}
            _ => return,
        }
        // The name is free from here on, however slowly the peer listens.
        self.role = Role::None;
        self.wire.collect();
        let stats = &self.shared.stats;
        let _ = timeout(STALL, self.wire.drain(stats)).await;
    }
}

/// The two directions of a socket and the protocol between them.
struct Wire<R, W> {
    reader: R,
    writer: W,
    session: Session,
    buffer: BytesMut,
    outgoing: Outgoing,
    /// When the peer last took something, or began to have something to take.
    taken: Instant,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Wire<R, W> {
    /// Takes over what the session wants sent.
    fn collect(&mut self) {
        while let Some(bytes) = self.session.poll_transmit() {
            self.send(bytes);
        }
    }

    fn send(&mut self, bytes: Bytes) {
        if !self.outgoing.has_remaining() {
            self.taken = Instant::now();
        }
        self.outgoing.push(bytes);
    }

    /// Writes what is left, and then reads on for a while: to close with something unread would reset the connection
    /// and take the last words back from the peer.
    async fn drain(&mut self, stats: &Stats) -> io::Result<()> {
        while self.outgoing.has_remaining() {
            stats.sent_bytes.add(self.writer.write_buf(&mut self.outgoing).await? as u64);
        }
        self.writer.flush().await?;
        let ignore = async {
            loop {
                self.buffer.clear();
                self.buffer.reserve(LEAST_READ);
                if !matches!(self.reader.read_buf(&mut self.buffer).await, Ok(1..)) {
                    return;
                }
            }
        };
        let _ = timeout(LINGER, ignore).await;
        self.writer.shutdown().await
    }
}

/// Waits for a future if there is one, else for ever.
async fn maybe<F: Future>(future: Option<F>) -> F::Output {
    match future {
        Some(it) => it.await,
        None => std::future::pending().await,
    }
}
