//! Encoders that are not to be had here, after what is known of their dialogue (live.md 3.3): each sends a key frame,
//! a picture and two audio frames in its own manner.

use bytes::{Bytes, BytesMut};
use levada_ingest::rtmp::amf::Value;

const SET_CHUNK_SIZE: u8 = 1;
const ACKNOWLEDGEMENT_WINDOW: u8 = 5;
const USER_CONTROL: u8 = 4;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const DATA: u8 = 18;
const COMMAND: u8 = 20;
const AGGREGATE: u8 = 22;

/// 160x90 from x264, and 48 kHz stereo.
const AVC: &[u8] =
    b"\x17\0\0\0\0\x01\x42\xc0\x0b\xff\xe1\0\x18\x67\x42\xc0\x0b\xda\x0a\x37\xe4\xc0\x44\0\0\x03\0\x04\
    \0\0\x03\0\xc8\x3c\x50\xaa\x80\x01\0\x04\x68\xce\x0f\xc8";
const AAC: &[u8] = &[0xaf, 0, 0x11, 0x90];
const KEY: &[u8] = b"\x17\x01\0\0\0\0\0\0\x03\x65\x88\x80";
const PICTURE: &[u8] = b"\x27\x01\0\0\0\0\0\0\x02\x41\x9a";
const SOUND: &[u8] = &[0xaf, 1, 0x21, 0x10, 0x04, 0x60];

/// Flash Media Live Encoder: chunks of 128 bytes, each kind on its own chunk stream, and type-3 chunks that begin
/// messages because the time between them stays the same.
pub(crate) fn fmle() -> Bytes {
    let mut out = Encoder::shake_hands();
    out.command(3, 0, "connect", 1.0, &[connect("FMLE/3.0 (compatible; FMSc/1.0)", "rtmp://host/live")]);
    out.message(2, 0, ACKNOWLEDGEMENT_WINDOW, 0, &2_500_000_u32.to_be_bytes());
    out.command(3, 0, "releaseStream", 2.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "FCPublish", 3.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "createStream", 4.0, &[Value::Null]);
    out.command(8, 1, "publish", 5.0, &[Value::Null, Value::text("tape"), Value::text("live")]);
    out.metadata(4, &[("videocodecid", Value::Number(7.0)), ("audiocodecid", Value::Number(10.0))]);
    out.message(6, 0, VIDEO, 1, AVC);
    out.message(5, 0, AUDIO, 1, AAC);
    out.message(6, 0, VIDEO, 1, &large(KEY));
    out.later(6, 40, VIDEO, PICTURE);
    out.same_again(6, PICTURE);
    out.message(5, 0, AUDIO, 1, SOUND);
    out.later(5, 21, AUDIO, SOUND);
    out.same_again(5, SOUND);
    out.command(3, 0, "FCUnpublish", 6.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "deleteStream", 7.0, &[Value::Null, Value::Number(1.0)]);
    out.bytes.freeze()
}

/// An old application with librtmp: a ping on a chunk stream that it never introduced, a call that most servers do
/// not know, everything of a stream on one chunk stream.
pub(crate) fn librtmp() -> Bytes {
    let mut out = Encoder::shake_hands();
    out.chunk_size(4_096);
    out.command(3, 0, "connect", 1.0, &[connect("FMLE/3.0 (compatible; FMSc/1.0)", "rtmp://host/live")]);
    out.command(3, 0, "_checkbw", 9.0, &[Value::Null]);
    out.command(3, 0, "releaseStream", 2.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "FCPublish", 3.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "createStream", 4.0, &[Value::Null]);
    out.command(4, 1, "publish", 5.0, &[Value::Null, Value::text("tape"), Value::text("live")]);
    let buffer_length = [&[0, 3][..], &1_u32.to_be_bytes(), &300_u32.to_be_bytes()].concat();
    out.later(2, 1, USER_CONTROL, &buffer_length);
    out.media_on(4, 4, 1, 0);
    out.bytes.freeze()
}

/// Wirecast: quotes around its address, an application with a slash, and what it does not know left out.
pub(crate) fn wirecast() -> Bytes {
    let mut out = Encoder::shake_hands();
    let object = Value::object([
        ("app", Value::text("live/")),
        ("flashVer", Value::text("Wirecast/FM 1.0")),
        ("tcUrl", Value::text("\"rtmp://host/live/\"\0")),
        ("type", Value::text("nonprivate")),
        ("objectEncoding", Value::Number(0.0)),
    ]);
    out.command(3, 0, "connect", 1.0, &[object]);
    out.chunk_size(1_024);
    out.command(3, 0, "createStream", 2.0, &[Value::Null]);
    out.command(3, 0, "FCPublish", 3.0, &[Value::Null, Value::text("tape")]);
    out.command(5, 1, "publish", 0.0, &[Value::Null, Value::text("tape"), Value::text("live")]);
    out.metadata(5, &[("width", Value::Number(160.0)), ("encoder", Value::text("Wirecast"))]);
    out.media_on(6, 7, 1, 0);
    out.bytes.freeze()
}

/// A phone: calls in another order, a key with slashes and a query, no type, metadata again and again.
pub(crate) fn phone() -> Bytes {
    let mut out = Encoder::shake_hands();
    out.command(3, 0, "connect", 1.0, &[connect("LNX 9,0,124,2", "rtmp://host/live")]);
    out.command(3, 0, "createStream", 2.0, &[Value::Null]);
    out.command(3, 0, "FCPublish", 3.0, &[Value::Null, Value::text("//tape?user=a")]);
    out.command(3, 1, "publish", 4.0, &[Value::Null, Value::text("//tape?user=a")]);
    for _ in 0..3 {
        out.metadata(3, &[("videodatarate", Value::Number(0.0)), ("framerate", Value::text("30"))]);
    }
    out.media_on(4, 4, 1, 0);
    out.bytes.freeze()
}

/// A hardware encoder: timestamps from its uptime, which need 32 bits, but never repeated in continuations; large
/// chunk stream numbers; its configuration before every key frame; media on message stream 0.
pub(crate) fn hardware() -> Bytes {
    let uptime = 2_147_483_600;
    let mut out = Encoder::shake_hands();
    out.command(3, 0, "connect", 1.0, &[connect("FMLE/3.0 (compatible; Box/2.1)", "rtmp://10.0.0.1/live")]);
    out.command(3, 0, "createStream", 2.0, &[Value::Null]);
    out.command(3, 1, "publish", 3.0, &[Value::Null, Value::text("tape"), Value::text("live")]);
    out.metadata(3, &[("width", Value::text("160")), ("audiosamplerate", Value::Number(0.0))]);
    out.repeats_extended = false;
    for group in [0, 1] {
        let at = uptime + group * 40;
        out.message(400, at, AUDIO, 0, AAC);
        out.message(80, at, VIDEO, 0, AVC);
        out.message(80, at, VIDEO, 0, &large(KEY));
        out.message(400, at, AUDIO, 0, SOUND);
    }
    out.bytes.freeze()
}

/// Another server that pushes to us: calls in one piece, a burst of the past from its cache, and aggregates.
pub(crate) fn relay() -> Bytes {
    let mut out = Encoder::shake_hands();
    out.chunk_size(60_000);
    out.command(3, 0, "connect", 1.0, &[connect("LNX 9,0,124,2", "rtmp://host:1935/live")]);
    out.command(3, 0, "releaseStream", 2.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "FCPublish", 3.0, &[Value::Null, Value::text("tape")]);
    out.command(3, 0, "createStream", 4.0, &[Value::Null]);
    out.command(5, 1, "publish", 5.0, &[Value::Null, Value::text("tape"), Value::text("live")]);
    out.message(7, 0, VIDEO, 1, AVC);
    out.message(6, 0, AUDIO, 1, AAC);
    let tags = [(VIDEO, 5_000, KEY), (AUDIO, 5_000, SOUND), (AUDIO, 5_021, SOUND), (VIDEO, 5_040, PICTURE)];
    out.message(7, 777_000, AGGREGATE, 1, &tags.map(|(kind, at, body)| tag(kind, at, body)).concat());
    out.bytes.freeze()
}

/// A key frame that needs several chunks.
fn large(body: &[u8]) -> Vec<u8> {
    let slice = [&[0x65][..], &[0x55; 299]].concat();
    [&body[..5], &300_u32.to_be_bytes(), &slice].concat()
}

/// A tag of an aggregate; its back pointer is 0, as some write it.
fn tag(kind: u8, at: u32, body: &[u8]) -> Vec<u8> {
    let length = &(body.len() as u32).to_be_bytes()[1..];
    [&[kind], length, &at.to_be_bytes()[1..], &[0, 0, 0, 0], body, &[0; 4]].concat()
}

fn connect(flash_version: &'static str, url: &'static str) -> Value {
    Value::object([
        ("app", Value::text("live")),
        ("flashVer", Value::text(flash_version)),
        ("tcUrl", Value::text(url)),
        ("type", Value::text("nonprivate")),
    ])
}

/// Writes chunks of every type, which our own writer does not.
struct Encoder {
    bytes: BytesMut,
    chunk_size: usize,
    /// Whether continuations repeat an extended timestamp, as the specification wants.
    repeats_extended: bool,
}

impl Encoder {
    /// The simple form: version 3, no digest; what the server says is echoed without looking.
    fn shake_hands() -> Self {
        let mut bytes = BytesMut::new();
        bytes.extend_from_slice(&[3]);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0x5a; 1528 + 1536]);
        Self { bytes, chunk_size: 128, repeats_extended: true }
    }

    fn chunk_size(&mut self, size: u32) {
        self.message(2, 0, SET_CHUNK_SIZE, 0, &size.to_be_bytes());
        self.chunk_size = size as usize;
    }

    fn command(
        &mut self,
        chunk_stream: u16,
        stream: u32,
        name: &'static str,
        transaction: f64,
        rest: &[Value],
    ) {
        let mut payload = BytesMut::new();
        Value::text(name).write(&mut payload);
        Value::Number(transaction).write(&mut payload);
        rest.iter().for_each(|it| it.write(&mut payload));
        self.message(chunk_stream, 0, COMMAND, stream, &payload);
    }

    fn metadata(&mut self, chunk_stream: u16, fields: &[(&'static str, Value)]) {
        let mut payload = BytesMut::new();
        Value::text("@setDataFrame").write(&mut payload);
        Value::text("onMetaData").write(&mut payload);
        let fields = fields.iter().map(|(name, value)| ((*name).into(), value.clone())).collect();
        Value::EcmaArray(fields).write(&mut payload);
        self.message(chunk_stream, 0, DATA, 1, &payload);
    }

    fn media_on(&mut self, video: u16, audio: u16, stream: u32, at: u32) {
        self.message(video, at, VIDEO, stream, AVC);
        self.message(audio, at, AUDIO, stream, AAC);
        self.message(video, at, VIDEO, stream, KEY);
        self.message(audio, at, AUDIO, stream, SOUND);
        self.message(audio, at + 21, AUDIO, stream, SOUND);
        self.message(video, at + 40, VIDEO, stream, PICTURE);
    }

    /// A message that begins with a type-0 chunk.
    fn message(&mut self, chunk_stream: u16, at: u32, kind: u8, stream: u32, payload: &[u8]) {
        let field = &at.min(0xff_ffff).to_be_bytes()[1..];
        let length = &(payload.len() as u32).to_be_bytes()[1..];
        let extended = (at >= 0xff_ffff).then(|| at.to_be_bytes());
        let header = [field, length, &[kind], &stream.to_le_bytes(), extended.as_ref().map_or(&[], |it| it)];
        self.chunks(0, chunk_stream, &header.concat(), extended, payload);
    }

    /// A type-1 chunk: so many milliseconds after the last message of the chunk stream.
    fn later(&mut self, chunk_stream: u16, delta: u32, kind: u8, payload: &[u8]) {
        let length = &(payload.len() as u32).to_be_bytes()[1..];
        self.chunks(1, chunk_stream, &[&delta.to_be_bytes()[1..], length, &[kind]].concat(), None, payload);
    }

    /// A type-3 chunk that begins a message: everything as before, the distance in time included.
    fn same_again(&mut self, chunk_stream: u16, payload: &[u8]) {
        self.chunks(3, chunk_stream, &[], None, payload);
    }

    fn chunks(
        &mut self,
        form: u8,
        chunk_stream: u16,
        header: &[u8],
        extended: Option<[u8; 4]>,
        payload: &[u8],
    ) {
        self.basic(form, chunk_stream);
        self.bytes.extend_from_slice(header);
        for (index, chunk) in payload.chunks(self.chunk_size).enumerate() {
            if index > 0 {
                self.basic(3, chunk_stream);
                if let (true, Some(extended)) = (self.repeats_extended, extended) {
                    self.bytes.extend_from_slice(&extended);
                }
            }
            self.bytes.extend_from_slice(chunk);
        }
    }

    fn basic(&mut self, form: u8, chunk_stream: u16) {
        match chunk_stream {
            ..=63 => self.bytes.extend_from_slice(&[form << 6 | chunk_stream as u8]),
            64..=319 => self.bytes.extend_from_slice(&[form << 6, (chunk_stream - 64) as u8]),
            320.. => {
                let [low, high] = (chunk_stream - 64).to_le_bytes();
                self.bytes.extend_from_slice(&[form << 6 | 1, low, high]);
            }
        }
    }
}
