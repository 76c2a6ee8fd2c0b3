//! Which command means what, and what is answered (live.md 3 to 5).

use super::event::{Connect, Event, PlayRequest, PublishKind, PublishRequest};
use super::stream::{Publication, Role, Wanted};
use super::{Error, MAX_NAME, Phase, STREAM_BEGIN, STREAM_EOF, Session, WINDOW, status, status_object};
use crate::rtmp::amf::{Text, Value};
use crate::rtmp::command::{Command, Level};
use crate::rtmp::message::Kind;
use crate::rtmp::name::{self, Name};

/// Longest `flashVer` that is kept.
const MAX_ENCODER: usize = 128;

impl Session {
    /// Obeys a command and says what came of it, if the connection must know.
    pub(super) fn obey(&mut self, stream: u32, command: &Command) -> Result<Option<Event>, Error> {
        match &self.phase {
            Phase::Connected { .. } => self.obey_connected(stream, command),
            Phase::Unconnected if command.name == "connect" => self.connect(command).map(Some),
            _ => Err(Error::NotConnected { command: command.name.lossy().chars().take(64).collect() }),
        }
    }

    fn obey_connected(&mut self, stream: u32, command: &Command) -> Result<Option<Event>, Error> {
        match command.name.as_bytes() {
            b"createStream" => self.create_stream(command),
            b"publish" => return self.publish(stream, command),
            b"play" => return self.play(stream, command),
            b"FCPublish" => self.announce_name(command, "onFCPublish", status::PUBLISH_START),
            b"FCSubscribe" => self.announce_name(command, "onFCSubscribe", status::PLAY_START),
            b"FCUnpublish" => return self.fc_unpublish(stream, command),
            b"deleteStream" => return Ok(self.delete_stream(stream, command)),
            b"closeStream" => return Ok(self.close_stream(stream)),
            b"pause" | b"pauseRaw" => return Ok(self.pause(stream, command)),
            b"receiveAudio" => return Ok(self.want(stream, |it| it.audio = wanted(command))),
            b"receiveVideo" => return Ok(self.want(stream, |it| it.video = wanted(command))),
            b"seek" => {
                self.say_status(stream, Level::Error, status::SEEK_FAILED, "This is a live broadcast.")
            }
            // A live broadcast has no length.
            b"getStreamLength" => self.answer(command, Value::Number(0.0)),
            b"releaseStream" | b"_checkbw" | b"checkBandwidth" => self.answer(command, Value::Undefined),
            // Answers to what we say, and what wants none.
            b"_result" | b"_error" | b"onStatus" | b"close" | b"@setDataFrame" | b"@clearDataFrame" => {}
            _ => self.reject(command),
        }
        Ok(None)
    }

    fn connect(&mut self, command: &Command) -> Result<Event, Error> {
        // Most send an object, some an ECMA array, and some put null before it.
        let described = |it: &&Value| !it.properties().is_empty();
        let object = [&command.object, command.argument(0)].into_iter().find(described);
        let property = |name: &str| {
            let (_, value) = object?.properties().iter().find(|(key, _)| is_named(key, name))?;
            value.as_text()
        };
        let app = Name::of_app(&checked(property("app").unwrap_or(&Text::default()))?);
        let tc_url = property("tcUrl").map(checked).transpose()?;
        let connect = Connect {
            app: app.path.clone(),
            query: app.query.clone(),
            host: name::host(&app.query, tc_url.as_deref()),
            tc_url,
            encoder: property("flashVer").map(|it| it.lossy().chars().take(MAX_ENCODER).collect()),
        };
        self.phase = Phase::AsksToConnect { transaction: command.transaction, app };
        Ok(Event::Connect(connect))
    }

    /// Everything a client waits for after `connect`, in the order servers send it.
    pub(super) fn welcome(&mut self, transaction: f64) {
        const DYNAMIC: u8 = 2;
        let window = WINDOW.to_be_bytes();
        let outbox = &mut self.link.outbox;
        outbox.control(Kind::WindowAckSize, &window);
        outbox.control(Kind::PeerBandwidth, &[&window[..], &[DYNAMIC]].concat());
        outbox.announce_chunk_size();
        let server = Value::object([
            ("fmsVer", Value::text("FMS/3,5,7,7009")),
            ("capabilities", Value::Number(31.0)),
            ("mode", Value::Number(1.0)),
        ]);
        let mut status = status_object(Level::Status, status::CONNECT_SUCCESS, "Connection succeeded.");
        if let Value::Object(properties) = &mut status {
            // A Flash player that offered AMF3 goes on in AMF0.
            properties.push(("objectEncoding".into(), Value::Number(0.0)));
        }
        outbox.command(0, "_result", transaction, &[server, status]);
    }

    fn create_stream(&mut self, command: &Command) {
        match self.streams.create() {
            Some(id) => self.answer(command, Value::Number(id.into())),
            None => self.reject(command),
        }
    }

    fn publish(&mut self, stream: u32, command: &Command) -> Result<Option<Event>, Error> {
        // `NetStream.publish(false)` ends a publication.
        if command.argument(0) == &Value::Boolean(false) {
            return Ok(self.close_stream(stream));
        }
        let (app, name) = self.resolve(&command.text(0))?;
        let kind = match command.text(1).as_bytes() {
            b"record" => PublishKind::Record,
            b"append" => PublishKind::Append,
            _ => PublishKind::Live,
        };
        match self.streams.reach(stream) {
            Some(it) if it.role == Role::Idle => {
                it.role = Role::AsksToPublish(Publication { name: name.path.clone() });
                Ok(Some(Event::Publish(PublishRequest {
                    stream,
                    app,
                    name: name.path,
                    query: name.query,
                    kind,
                })))
            }
            _ => {
                let description = "This message stream is already in use.";
                self.say_status(stream, Level::Error, status::PUBLISH_BAD_NAME, description);
                Ok(None)
            }
        }
    }

    fn play(&mut self, stream: u32, command: &Command) -> Result<Option<Event>, Error> {
        if command.argument(0) == &Value::Boolean(false) {
            return Ok(self.close_stream(stream));
        }
        let (app, name) = self.resolve(&command.text(0))?;
        // The fourth argument, after start and duration; a number in some players.
        let reset = command.argument(3).as_boolean().unwrap_or(true);
        match self.streams.reach(stream) {
            Some(it) if it.role == Role::Idle => {
                it.role = Role::AsksToPlay { reset };
                Ok(Some(Event::Play(PlayRequest { stream, app, name: name.path, query: name.query })))
            }
            _ => {
                let description = "This message stream is already in use.";
                self.say_status(stream, Level::Error, status::PLAY_FAILED, description);
                Ok(None)
            }
        }
    }

    /// Answers `FCPublish` and `FCSubscribe`, on whose status FMLE and Flash wait, and whose result others want.
    fn announce_name(&mut self, command: &Command, answer: &'static str, code: &'static str) {
        let status = status_object(Level::Status, code, &command.text(0).lossy());
        self.link.outbox.command(0, answer, 0.0, &[Value::Null, status]);
        self.answer(command, Value::Undefined);
    }

    /// Ends a publication by name; encoders that send this close the stream afterwards, or do not.
    fn fc_unpublish(&mut self, stream: u32, command: &Command) -> Result<Option<Event>, Error> {
        let name = command.text(0);
        let status = status_object(Level::Status, status::UNPUBLISH_SUCCESS, &name.lossy());
        self.link.outbox.command(0, "onFCUnpublish", 0.0, &[Value::Null, status]);
        self.answer(command, Value::Undefined);
        let (_, resolved) = self.resolve(&name)?;
        let named = self.streams.publishing_name(&resolved.path);
        // Some name the stream otherwise than when they published it.
        let ended = named.or_else(|| self.streams.publishing(stream));
        Ok(ended.and_then(|it| self.close_stream(it)))
    }

    fn delete_stream(&mut self, stream: u32, command: &Command) -> Option<Event> {
        let id = match command.argument(0) {
            Value::Number(id) => *id as u32,
            // GStreamer sends the stream's name; it and those that send nothing mean the stream they use.
            _ => self.streams.publishing(stream).unwrap_or(stream),
        };
        let role = self.streams.remove(id)?;
        self.end(id, &role)
    }

    fn close_stream(&mut self, stream: u32) -> Option<Event> {
        let role = self.streams.release(stream)?;
        self.end(stream, &role)
    }

    /// Says that what a stream was used for is over.
    fn end(&mut self, stream: u32, role: &Role) -> Option<Event> {
        match role {
            Role::Publishes(_) => {
                self.wait_for_use();
                self.say_status(stream, Level::Status, status::UNPUBLISH_SUCCESS, "Publishing ended.");
                Some(Event::Unpublish { stream })
            }
            Role::Plays(_) => {
                self.wait_for_use();
                Some(Event::StopPlay { stream })
            }
            Role::Idle | Role::AsksToPublish(_) | Role::AsksToPlay { .. } => None,
        }
    }

    fn pause(&mut self, stream: u32, command: &Command) -> Option<Event> {
        // Flash may leave the argument out to mean the other state; no player of today does.
        let paused = wanted(command);
        let event = self.want(stream, |it| it.paused = paused)?;
        let (code, description) = if paused {
            (status::PAUSE_NOTIFY, "Paused.")
        } else {
            (status::UNPAUSE_NOTIFY, "Resumed at the live edge.")
        };
        self.say_status(stream, Level::Status, code, description);
        Some(event)
    }

    fn want(&mut self, stream: u32, change: impl FnOnce(&mut Wanted)) -> Option<Event> {
        let Some(Role::Plays(wanted)) = self.streams.role(stream) else { return None };
        change(wanted);
        let Wanted { audio, video, paused } = *wanted;
        Some(Event::Delivery { stream, audio: audio && !paused, video: video && !paused })
    }

    pub(super) fn announce_play(&mut self, stream: u32, reset: bool) {
        self.link.outbox.user_control(STREAM_BEGIN, stream);
        if reset {
            self.say_status(stream, Level::Status, status::PLAY_RESET, "Playing from the beginning.");
        }
        self.say_status(stream, Level::Status, status::PLAY_START, "Playing.");
        // Flash lets a page read samples only if told so.
        let access = [Value::text("|RtmpSampleAccess"), Value::Boolean(true), Value::Boolean(true)];
        self.link.outbox.data(stream, &access);
    }

    pub(super) fn announce_end_of_play(&mut self, stream: u32) {
        let gone = "Nobody publishes any more.";
        self.say_status(stream, Level::Status, status::PLAY_UNPUBLISH_NOTIFY, gone);
        self.link.outbox.user_control(STREAM_EOF, stream);
        self.say_status(stream, Level::Status, status::PLAY_STOP, "The broadcast is over.");
        let complete = status_object(Level::Status, status::PLAY_COMPLETE, "The broadcast is over.");
        self.link.outbox.data(stream, &[Value::text("onPlayStatus"), complete]);
    }

    /// Gives the result of a call, if the peer wants one.
    fn answer(&mut self, command: &Command, result: Value) {
        if command.transaction != 0.0 {
            self.link.outbox.command(0, "_result", command.transaction, &[Value::Null, result]);
        }
    }

    fn reject(&mut self, command: &Command) {
        if command.transaction != 0.0 {
            let status = status_object(Level::Error, status::CALL_FAILED, "There is no such command here.");
            self.link.outbox.command(0, "_error", command.transaction, &[Value::Null, status]);
        }
    }

    /// The application and stream a name means.
    fn resolve(&self, raw: &Text) -> Result<(String, Name), Error> {
        let raw = checked(raw)?;
        match &self.phase {
            Phase::Connected { app } => Ok(name::resolve(app, &raw)),
            _ => Ok(name::resolve(&Name::default(), &raw)),
        }
    }
}

fn wanted(command: &Command) -> bool {
    command.argument(0).as_boolean().unwrap_or(true)
}

/// Some encoders write `tcurl`.
fn is_named(key: &Text, name: &str) -> bool {
    key.as_bytes().eq_ignore_ascii_case(name.as_bytes())
}

fn checked(text: &Text) -> Result<String, Error> {
    match text.as_bytes().len() {
        length if length > MAX_NAME => Err(Error::NameTooLong { length }),
        _ => Ok(text.lossy().into_owned()),
    }
}
