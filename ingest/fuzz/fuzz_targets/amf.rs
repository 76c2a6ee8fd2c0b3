//! Any bytes as a message of AMF: read or refused, and what is read comes back when it is written.
#![no_main]

use bytes::{Bytes, BytesMut};
use levada_ingest::rtmp::amf::{Reader, Value};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let mut reader = Reader::new(Bytes::copy_from_slice(message));
    while let Ok(Some(value)) = reader.next_value() {
        // Compared as bytes, since a number may be NaN.
        let written = write(&value);
        let mut again = Reader::new(written.clone());
        let read = again.next_value().expect("what we write is legal").expect("a value was written");
        assert_eq!(write(&read), written);
        assert_eq!(again.next_value(), Ok(None));
    }
});

fn write(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    value.write(&mut out);
    out.freeze()
}
