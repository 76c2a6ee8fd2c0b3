//! The dialogues of encoders that are not to be had where the tests run, written from what is known of them: which
//! commands in which order, on which chunk streams, with which oddities.

use bytes::Bytes;
use levada_ingest::rtmp::amf::Value;

use crate::wire::{CONTROL, Habits, USUAL, Wire, amf};

const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
const DATA: u8 = 18;

/// What an encoder sent from its first byte to its last, and what must be understood of it.
pub(crate) struct Tape {
    pub(crate) name: &'static str,
    pub(crate) bytes: Bytes,
    /// The application and stream that are meant.
    pub(crate) target: (&'static str, &'static str),
    /// Audio, video and data in order: type id, time, payload.
    pub(crate) media: Vec<(u8, u32, Bytes)>,
}

/// Every dialogue.
pub(crate) fn all() -> Vec<Tape> {
    vec![
        obs(),
        ffmpeg(),
        gstreamer(),
        wirecast(),
        vmix(),
        fmle(),
        hardware(),
        old_hardware(),
        phone(),
        relay(),
        media_server(),
        long_running(),
    ]
}

/// A tape being written.
struct Writer {
    wire: Wire,
    media: Vec<(u8, u32, Bytes)>,
}

impl Writer {
    fn new(habits: Habits) -> Self {
        Self { wire: Wire::new(habits), media: Vec::new() }
    }

    fn connect(&mut self, app: &'static str, more: Vec<(&'static str, Value)>) {
        let known = vec![
            ("app", Value::text(app)),
            ("type", Value::text("nonprivate")),
            ("tcUrl", Value::text(format!("rtmp://ingest.example/{app}"))),
        ];
        let properties = known.into_iter().chain(more).map(|(name, value)| (name.into(), value)).collect();
        self.wire.command(3, 0, "connect", 1.0, &[Value::Object(properties)]);
    }

    fn call(&mut self, name: &str, transaction: f64, arguments: &[Value]) {
        self.wire.command(3, 0, name, transaction, &[&[Value::Null], arguments].concat());
    }

    /// A message that must arrive.
    fn media(&mut self, chunk_stream: u32, kind: u8, stream: u32, timestamp: u32, payload: &Bytes) {
        self.wire.message(chunk_stream, kind, stream, timestamp, payload);
        self.media.push((kind, timestamp, payload.clone()));
    }

    fn metadata(&mut self, chunk_stream: u32, stream: u32, set: bool, value: Value) {
        let mut values = vec![Value::text("onMetaData"), value];
        if set {
            values.insert(0, Value::text("@setDataFrame"));
        }
        self.media(chunk_stream, DATA, stream, 0, &amf(&values));
    }

    /// Sequence headers, then a second of pictures and sound.
    fn program(&mut self, audio: u32, video: u32, stream: u32, start: u32) {
        self.media(audio, AUDIO, stream, start, &sound_header());
        self.media(video, VIDEO, stream, start, &picture_header());
        self.pictures_and_sound(audio, video, stream, start);
    }

    fn pictures_and_sound(&mut self, audio: u32, video: u32, stream: u32, start: u32) {
        let mut sounded = 0;
        for picture in 0..25 {
            let time = picture * 40;
            self.media(video, VIDEO, stream, start.wrapping_add(time), &picture_payload(picture));
            while sounded * 1024 * 1000 / 48_000 <= time {
                let time = sounded * 1024 * 1000 / 48_000;
                self.media(audio, AUDIO, stream, start.wrapping_add(time), &sound_payload(sounded));
                sounded += 1;
            }
        }
    }

    fn finish(self, name: &'static str, target: (&'static str, &'static str)) -> Tape {
        Tape { name, bytes: self.wire.out.into(), target, media: self.media }
    }
}

fn sound_header() -> Bytes {
    Bytes::from_static(&[0xAF, 0, 0x11, 0x90])
}

fn picture_header() -> Bytes {
    let record = [
        0x17, 0, 0, 0, 0, 1, 0x42, 0xC0, 0x1E, 0xFF, 0xE1, 0, 4, 0x67, 0x42, 0xC0, 0x1E, 1, 0, 2, 0x68, 0xCE,
    ];
    Bytes::copy_from_slice(&record)
}

/// Key frames of 9,000 bytes, others of a few hundred that repeat in length, so that headers can be short.
fn picture_payload(index: u32) -> Bytes {
    let (first, length) = if index.is_multiple_of(25) { (0x17, 9000) } else { (0x27, 300 + index % 3) };
    let head = [first, 1, 0, 0, 0];
    head.into_iter().chain((0..length).map(|at| (at * 7 + index) as u8)).collect()
}

fn sound_payload(index: u32) -> Bytes {
    [0xAF, 1].into_iter().chain((0..170).map(|at| (at + index) as u8)).collect()
}

fn described(encoder: &'static str) -> Vec<(levada_ingest::rtmp::amf::Text, Value)> {
    [
        ("duration", Value::Number(0.0)),
        ("width", Value::Number(640.0)),
        ("height", Value::Number(360.0)),
        ("videocodecid", Value::Number(7.0)),
        ("framerate", Value::Number(25.0)),
        ("audiocodecid", Value::Number(10.0)),
        ("encoder", Value::text(encoder)),
    ]
    .map(|(name, value)| (name.into(), value))
    .to_vec()
}

/// Simple handshake, chunk size first, everything after connect on chunk stream 4, three calls at once.
fn obs() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.wire.set_chunk_size(4096);
    let about = vec![
        ("flashVer", Value::text("FMLE/3.0 (compatible; FMSc/1.0)")),
        ("swfUrl", Value::text("rtmp://ingest.example/live")),
    ];
    it.connect("live", about);
    let key = || Value::text("obs-key");
    it.call("releaseStream", 2.0, &[key()]);
    it.call("FCPublish", 3.0, &[key()]);
    it.call("createStream", 4.0, &[]);
    it.wire.command(4, 1, "publish", 5.0, &[Value::Null, key(), Value::text("live")]);
    it.metadata(4, 1, true, Value::EcmaArray(described("obs-output module (libobs version 31.0.0)")));
    it.program(4, 4, 1, 0);
    it.call("FCUnpublish", 6.0, &[key()]);
    it.call("deleteStream", 7.0, &[Value::Number(1.0)]);
    it.finish("synthetic-obs", ("live", "obs-key"))
}

/// Digest handshake, our chunk size echoed, audio on 4, video on 6, any start, an end-of-sequence tag.
fn ffmpeg() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([9, 0, 124, 2]);
    it.connect("live", vec![("flashVer", Value::text("FMLE/3.0 (compatible; Lavf60.16.100)"))]);
    it.wire.set_chunk_size(60_000);
    let key = || Value::text("ff");
    it.call("releaseStream", 2.0, &[key()]);
    it.call("FCPublish", 3.0, &[key()]);
    it.call("createStream", 4.0, &[]);
    it.call("_checkbw", 5.0, &[]);
    it.wire.command(8, 1, "publish", 6.0, &[Value::Null, key(), Value::text("live")]);
    it.metadata(8, 1, true, Value::EcmaArray(described("Lavf60.16.100")));
    it.media(6, VIDEO, 1, 0, &picture_header());
    it.media(4, AUDIO, 1, 0, &sound_header());
    it.pictures_and_sound(4, 6, 1, 3_600_000);
    it.media(6, VIDEO, 1, 3_601_000, &Bytes::from_static(&[0x17, 2, 0, 0, 0]));
    it.call("FCUnpublish", 7.0, &[key()]);
    it.call("deleteStream", 8.0, &[Value::Number(1.0)]);
    it.finish("synthetic-ffmpeg", ("live", "ff"))
}

/// Window and buffer lengths in between; names the stream where its number belongs at the end.
fn gstreamer() -> Tape {
    let mut it = Writer::new(Habits { repeats_whole_headers: false, ..USUAL });
    it.wire.shake_hands([0; 4]);
    it.connect("live", vec![("flashVer", Value::text("LNX 10,0,32,18")), ("fpad", Value::Boolean(false))]);
    it.wire.message(CONTROL, 5, 0, 0, &2_500_000_u32.to_be_bytes());
    it.wire.set_chunk_size(65_536);
    it.call("releaseStream", 2.0, &[Value::text("gst")]);
    it.call("FCPublish", 3.0, &[Value::text("gst")]);
    it.call("createStream", 4.0, &[]);
    it.wire.command(4, 1, "publish", 0.0, &[Value::Null, Value::text("gst"), Value::text("live")]);
    it.wire.message(CONTROL, 4, 0, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 1, 44]);
    it.metadata(4, 1, true, Value::EcmaArray(described("GStreamer FLV muxer")));
    it.program(5, 6, 1, 0);
    it.call("FCUnpublish", 0.0, &[Value::text("gst")]);
    it.wire.command(4, 1, "closeStream", 0.0, &[Value::Null, Value::text("gst")]);
    it.call("deleteStream", 0.0, &[Value::text("gst")]);
    it.finish("synthetic-gstreamer", ("live", "gst"))
}

/// Announces the name first, full headers only, data without `@setDataFrame`.
fn wirecast() -> Tape {
    let mut it = Writer::new(Habits { shortens: false, ..USUAL });
    it.wire.shake_hands([0; 4]);
    it.connect(
        "live",
        vec![("flashVer", Value::text("Wirecast/FM 1.0")), ("objectEncoding", Value::Number(0.0))],
    );
    it.call("FCPublish", 2.0, &[Value::text("wirecast")]);
    it.call("createStream", 3.0, &[]);
    it.wire.command(5, 1, "publish", 4.0, &[Value::Null, Value::text("wirecast"), Value::text("live")]);
    it.metadata(5, 1, false, Value::Object(described("Wirecast")));
    it.program(4, 6, 1, 120);
    it.call("FCUnpublish", 5.0, &[Value::text("wirecast")]);
    it.finish("synthetic-wirecast", ("live", "wirecast"))
}

/// `FCPublish` after `createStream`, no publish type, metadata again and again, a ping answered on a fresh stream.
fn vmix() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.wire.set_chunk_size(1024);
    it.connect("live/", vec![("flashVer", Value::text("FMLE/3.0 (compatible; vMix)"))]);
    it.call("createStream", 2.0, &[]);
    it.call("releaseStream", 3.0, &[Value::text("vmix?auth=abc")]);
    it.call("FCPublish", 4.0, &[Value::text("vmix?auth=abc")]);
    it.wire.command(8, 1, "publish", 5.0, &[Value::Null, Value::text("vmix?auth=abc")]);
    for start in [0, 1000, 2000] {
        it.metadata(8, 1, true, Value::EcmaArray(described("vMix")));
        it.program(8, 8, 1, start);
    }
    it.call("deleteStream", 6.0, &[Value::Number(1.0)]);
    it.finish("synthetic-vmix", ("live", "vmix"))
}

/// librtmp's type 1 header on a fresh chunk stream, messages begun with type 3, padded names, no `deleteStream`.
fn fmle() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.connect("live/_definst_", vec![("flashVer", Value::text("FMLE/3.0 (compatible; FMSc/1.0)"))]);
    it.call("releaseStream", 2.0, &[Value::text("fmle\0")]);
    it.call("FCPublish", 3.0, &[Value::text("fmle\0")]);
    it.call("createStream", 4.0, &[]);
    it.wire.write(CONTROL, 1, 0, 4, 0, &[0, 7, 0, 0, 0, 9]);
    it.wire.command(4, 1, "publish", 5.0, &[Value::Null, Value::text("\"fmle\" "), Value::text("live")]);
    it.metadata(4, 1, true, Value::EcmaArray(described("FMLE")));
    it.program(4, 4, 1, 0);
    // Sound alone of one length at one pace: type 3 headers all the way.
    for index in 0..20 {
        it.media(7, AUDIO, 1, 2000 + index * 23, &sound_payload(index));
    }
    it.call("FCUnpublish", 6.0, &[Value::text("fmle")]);
    it.finish("synthetic-fmle", ("live", "fmle"))
}

/// A version without a digest, media on message stream 0 and on far chunk streams, the audio configuration at each
/// key frame, metadata in strings, a whole URL as stream name.
fn hardware() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([128, 0, 7, 2]);
    it.connect("/live//", vec![]);
    it.call("createStream", 2.0, &[]);
    let url = Value::text("rtmp://ingest.example/live/encoder-7");
    it.wire.command(3, 1, "publish", 3.0, &[Value::Null, url, Value::text("live")]);
    let strings = [("width", Value::text("1280")), ("framerate", Value::Number(0.0))];
    it.metadata(64, 0, true, Value::Object(strings.map(|(name, value)| (name.into(), value)).to_vec()));
    for second in 0..3 {
        it.program(319, 320, 0, 86_400_000 + second * 1000);
    }
    it.wire.command(3, 1, "closeStream", 0.0, &[Value::Null]);
    it.finish("synthetic-hardware", ("live", "encoder-7"))
}

/// Hours of uptime as time, and continuations that do not repeat it.
fn old_hardware() -> Tape {
    let mut it = Writer::new(Habits { shortens: false, repeats_extended_time: false, ..USUAL });
    it.wire.shake_hands([0; 4]);
    it.connect("live", vec![]);
    it.call("createStream", 2.0, &[]);
    it.wire.command(3, 1, "publish", 3.0, &[Value::Null, Value::text("cam"), Value::text("live")]);
    it.program(4, 6, 1, 0x0123_4567);
    it.call("deleteStream", 4.0, &[Value::Number(1.0)]);
    it.finish("synthetic-old-hardware", ("live", "cam"))
}

/// The key in the application, an empty name, commands in AMF3, chunks of one byte, then none but large ones.
fn phone() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.wire.set_chunk_size(1);
    it.connect("live/phone?key=secret", vec![("objectEncoding", Value::Number(3.0))]);
    it.wire.set_chunk_size(0x7FFF_FFFF);
    let amf3 = |name: &'static str, transaction: f64, rest: &[Value]| {
        let words = [Value::text(name), Value::Number(transaction), Value::Null];
        [&[0][..], &amf(&words), &amf(rest)].concat()
    };
    it.wire.message(3, 17, 0, 0, &amf3("createStream", 2.0, &[]));
    it.wire.message(3, 17, 1, 0, &amf3("publish", 3.0, &[Value::text(""), Value::text("live")]));
    it.program(4, 6, 1, 0);
    it.wire.message(3, 17, 0, 0, &amf3("deleteStream", 0.0, &[Value::Number(1.0)]));
    it.finish("synthetic-phone", ("live", "phone"))
}

/// nginx-rtmp pushing to us: a chunk stream per kind and a burst from the past; a message given up and aborted.
fn relay() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.wire.set_chunk_size(4096);
    it.connect("live", vec![("flashVer", Value::text("LNX.11,1,102,55"))]);
    it.call("releaseStream", 2.0, &[Value::text("relay")]);
    it.call("FCPublish", 3.0, &[Value::text("relay")]);
    it.call("createStream", 4.0, &[]);
    it.wire.command(5, 1, "publish", 5.0, &[Value::Null, Value::text("relay"), Value::text("live")]);
    it.metadata(5, 1, false, Value::EcmaArray(described("relay")));
    it.program(6, 7, 1, 500_000);
    // Half a picture on a stream of its own, given up; the abort names it.
    let picture = picture_payload(0);
    let before = it.wire.out.len();
    it.wire.write(9, 0, 501_000, VIDEO, 1, &picture);
    it.wire.out.truncate(before + 12 + 4096);
    it.wire.message(CONTROL, 2, 0, 0, &9_u32.to_be_bytes());
    it.pictures_and_sound(6, 7, 1, 501_040);
    it.call("deleteStream", 6.0, &[Value::Number(1.0)]);
    it.finish("synthetic-relay", ("live", "relay"))
}

/// A media server that sends aggregates.
fn media_server() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([9, 0, 124, 2]);
    it.connect("live", vec![("flashVer", Value::text("FMS/4,5"))]);
    it.call("createStream", 2.0, &[]);
    it.wire.command(3, 1, "publish", 3.0, &[Value::Null, Value::text("fms"), Value::text("live")]);
    it.program(4, 6, 1, 0);
    for group in 0..3 {
        let mut aggregate = Vec::new();
        for index in 0..5 {
            let (tag, time) = (50_000 + group * 100 + index * 20, 1000 + group * 100 + index * 20);
            let payload = if index == 0 { picture_payload(1) } else { sound_payload(index) };
            let kind = if index == 0 { VIDEO } else { AUDIO };
            aggregate.push(kind);
            aggregate.extend(&(payload.len() as u32).to_be_bytes()[1..]);
            aggregate.extend(&tag.to_be_bytes()[1..]);
            aggregate.extend([0; 4]);
            aggregate.extend(&payload);
            aggregate.extend([0; 4]);
            it.media.push((kind, time, payload));
        }
        it.wire.message(5, 22, 1, 1000 + group * 100, &aggregate);
    }
    it.call("FCUnpublish", 4.0, &[Value::text("fms")]);
    it.finish("synthetic-media-server", ("live", "fms"))
}

/// Time across the ends of 24, 31 and 32 bits.
fn long_running() -> Tape {
    let mut it = Writer::new(USUAL);
    it.wire.shake_hands([0; 4]);
    it.wire.set_chunk_size(200);
    it.connect("live", vec![]);
    it.call("createStream", 2.0, &[]);
    it.wire.command(3, 1, "publish", 3.0, &[Value::Null, Value::text("long"), Value::text("live")]);
    for start in [0xFF_FFFF - 500, 0x8000_0000 - 500, 0xFFFF_FFFF - 500] {
        it.program(4, 6, 1, start);
    }
    it.call("deleteStream", 4.0, &[Value::Number(1.0)]);
    it.finish("synthetic-long-running", ("live", "long"))
}
