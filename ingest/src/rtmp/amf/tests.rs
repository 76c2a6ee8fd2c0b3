use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;

fn read(message: &[u8]) -> Result<Vec<Value>, Error> {
    let mut reader = Reader::new(Bytes::copy_from_slice(message));
    let mut values = Vec::new();
    while let Some(value) = reader.next_value()? {
        values.push(value);
    }
    Ok(values)
}

#[track_caller]
fn check(message: &[u8], expected: Result<&[Value], Error>) {
    assert_eq!(read(message).as_deref(), expected.as_ref().copied());
}

fn written(value: &Value) -> Bytes {
    let mut out = BytesMut::new();
    value.write(&mut out);
    out.freeze()
}

fn named<const N: usize>(properties: [(&'static str, Value); N]) -> Vec<(Text, Value)> {
    properties.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

#[test]
fn every_marker_of_amf0_is_read() {
    check(b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0", Ok(&[Value::text("connect"), Value::Number(1.0)]));
    check(
        b"\x01\x01\x01\0\x05\x06\x0d",
        Ok(&[Value::Boolean(true), Value::Boolean(false), Value::Null, Value::Undefined, Value::Unsupported]),
    );
    check(b"\x03\0\x01a\x05\0\0\x09", Ok(&[Value::object([("a", Value::Null)])]));
    check(b"\x07\x01\x02", Ok(&[Value::Reference(258)]));
    check(b"\x08\0\0\0\x01\0\x01a\x05\0\0\x09", Ok(&[Value::EcmaArray(named([("a", Value::Null)]))]));
    check(b"\x0a\0\0\0\x02\x05\x06", Ok(&[Value::StrictArray(vec![Value::Null, Value::Undefined])]));
    check(b"\x0b\x3f\xf0\0\0\0\0\0\0\xff\xff", Ok(&[Value::Date { millis: 1.0, zone: -1 }]));
    check(b"\x0c\0\0\0\x02hi", Ok(&[Value::text("hi")]));
    check(b"\x0f\0\0\0\x04<a/>", Ok(&[Value::Xml("<a/>".into())]));
    let typed = Value::TypedObject { class: "C".into(), properties: named([("a", Value::Null)]) };
    check(b"\x10\0\x01C\0\x01a\x05\0\0\x09", Ok(&[typed]));
}

#[test]
fn an_ecma_arrays_count_is_not_believed() {
    for count in [0_u32, 20, u32::MAX] {
        let message = [&[8][..], &count.to_be_bytes(), b"\0\x01a\x05\0\0\x09\x06"].concat();
        check(&message, Ok(&[Value::EcmaArray(named([("a", Value::Null)])), Value::Undefined]));
    }
}

#[test]
fn an_object_may_end_with_the_message_and_have_an_empty_key() {
    check(b"\x03\0\x01a\x05", Ok(&[Value::object([("a", Value::Null)])]));
    check(b"\x03", Ok(&[Value::object([])]));
    check(b"\x03\0\0\x05\0\0\x09", Ok(&[Value::object([("", Value::Null)])]));
}

#[test]
fn a_message_that_ends_within_a_value_says_where() {
    check(b"\0\x3f\xf0", Err(Error::Truncated { at: 1 }));
    check(b"\x02\0\x05abc", Err(Error::Truncated { at: 3 }));
    check(b"\x03\0\x01a", Err(Error::Truncated { at: 4 }));
    check(b"\x03\0\x01a\x05\0", Err(Error::Truncated { at: 5 }));
    check(b"\x0c\xff\xff\xff\xffabc", Err(Error::Truncated { at: 5 }));
}

#[test]
fn what_is_no_value_says_where() {
    check(b"\x05\x09", Err(Error::Marker { marker: 9, at: 1 }));
    check(b"\x04", Err(Error::Marker { marker: 4, at: 0 }));
}

#[test]
fn a_huge_count_is_compared_with_what_is_left_before_anything_is_allocated() {
    check(b"\x0a\xff\xff\xff\xff\x05", Err(Error::Truncated { at: 1 }));
    check(b"\x0a\0\0\0\x02\x05", Err(Error::Truncated { at: 1 }));
}

#[test]
fn nesting_ends_at_sixteen_however_it_is_written() {
    let objects = |depth: usize| [&[3, 0, 0][..]].concat().repeat(depth);
    assert!(read(&objects(15)[..]).is_err(), "a key without a value");
    let deepest = [objects(15), vec![5]].concat();
    assert!(read(&deepest).is_ok());
    check(&[objects(16), vec![5]].concat(), Err(Error::TooDeep { at: 48 }));
    check(&[10, 0, 0, 0, 1].repeat(100_000), Err(Error::TooDeep { at: 80 }));
    // AMF3 within AMF0 counts on; a dense array of one array of one array …
    check(&[&[0x11][..], &[9, 3, 1].repeat(1000)].concat(), Err(Error::TooDeep { at: 49 }));
    // The numbers of a vector are values like others: one level below it.
    let vector = |depth: usize| [&[0x11][..], &[9, 3, 1].repeat(depth), &[0x0D, 3, 0, 0, 0, 0, 1]].concat();
    assert!(!matches!(read(&vector(14)), Err(Error::TooDeep { .. })));
    check(&vector(15), Err(Error::TooDeep { at: 49 }));
}

#[test]
fn values_are_counted_across_the_message() {
    check(&[5; 10_000], Ok(&vec![Value::Null; 10_000]));
    check(&[5; 10_001], Err(Error::TooMany { at: 10_000 }));
    let array = [&[10][..], &20_000_u32.to_be_bytes(), &[5; 20_000]].concat();
    check(&array, Err(Error::TooMany { at: 5 + 9_999 }));
    // Names of an AMF3 class count too: each is one byte that refers to the first.
    let names = [&[0x11, 10, 0x93, 0xC4, 0x03, 1][..], &[3, b'a'], &[0; 20_000]].concat();
    assert!(matches!(read(&names), Err(Error::TooMany { .. })), "{:?}", read(&names));
}

#[test]
fn every_marker_of_amf3_is_read_as_the_nearest_of_amf0() {
    let check = |value: &[u8], expected: Value| check(&[&[0x11], value].concat(), Ok(&[expected]));
    check(&[0], Value::Undefined);
    check(&[1], Value::Null);
    check(&[2], Value::Boolean(false));
    check(&[3], Value::Boolean(true));
    check(&[4, 0x7F], Value::Number(127.0));
    check(&[4, 0x81, 0x00], Value::Number(128.0));
    check(&[4, 0xFF, 0xFF, 0xFF, 0xFF], Value::Number(-1.0));
    check(&[4, 0xBF, 0xFF, 0xFF, 0xFF], Value::Number(268_435_455.0));
    check(b"\x05\x3f\xf0\0\0\0\0\0\0", Value::Number(1.0));
    check(b"\x06\x05hi", Value::text("hi"));
    check(b"\x07\x09<a/>", Value::Xml("<a/>".into()));
    check(b"\x0b\x09<a/>", Value::Xml("<a/>".into()));
    check(b"\x08\x01\x3f\xf0\0\0\0\0\0\0", Value::Date { millis: 1.0, zone: 0 });
    check(b"\x09\x05\x01\x01\x03", Value::StrictArray(vec![Value::Null, Value::Boolean(true)]));
    let mixed = named([("k", Value::Null), ("0", Value::Boolean(true))]);
    check(b"\x09\x03\x03k\x01\x01\x03", Value::EcmaArray(mixed));
    check(b"\x0c\x05\x01\x02", Value::String(Text::from(Bytes::from_static(&[1, 2]))));
    check(
        b"\x0d\x05\0\xff\xff\xff\xff\0\0\0\x01",
        Value::StrictArray(vec![Value::Number(-1.0), Value::Number(1.0)]),
    );
    check(b"\x0e\x03\0\xff\xff\xff\xff", Value::StrictArray(vec![Value::Number(f64::from(u32::MAX))]));
    check(b"\x0f\x03\0\x3f\xf0\0\0\0\0\0\0", Value::StrictArray(vec![Value::Number(1.0)]));
    check(b"\x10\x03\0\x01\x01", Value::StrictArray(vec![Value::Null]));
    check(b"\x11\x03\0\x06\x03k\x01", Value::EcmaArray(named([("k", Value::Null)])));
    check(b"\x09\x02", Value::Reference(1));
}

#[test]
fn objects_of_amf3_share_traits_and_strings_across_a_message() {
    let (one, two) = (Value::Number(1.0), Value::Number(2.0));
    // Class `C` with sealed `a` and dynamic `b`, then another by reference to the traits and to the string `b`.
    let message = b"\x11\x0a\x1b\x03C\x03a\x04\x01\x03b\x04\x02\x01\x11\x0a\x01\x04\x02\x04\x04\x01\x01";
    let object = |a: &Value, b: &Value| Value::TypedObject {
        class: "C".into(),
        properties: named([("a", a.clone()), ("b", b.clone())]),
    };
    check(message, Ok(&[object(&one, &two), object(&two, &one)]));
    check(b"\x11\x06\x04", Err(Error::Reference { index: 2, at: 2 }));
    check(b"\x11\x0a\x05", Err(Error::Reference { index: 1, at: 3 }));
}

#[test]
fn an_object_that_writes_itself_is_refused_unless_it_only_wraps_another() {
    let external = |class: &str| {
        let length = u8::try_from(class.len() * 2 + 1).unwrap();
        [&[0x11, 0x0A, 0x07, length][..], class.as_bytes(), b"\x09\x01\x01"].concat()
    };
    check(&external("flex.messaging.io.ArrayCollection"), Ok(&[Value::StrictArray(vec![])]));
    check(&external("Mine"), Err(Error::Externalizable { at: 2 }));
}

#[test]
fn numbers_and_truths_are_taken_from_what_encoders_write_instead() {
    assert_eq!(Value::text(" 1280 ").as_number(), Some(1280.0));
    assert_eq!(Value::Boolean(true).as_number(), Some(1.0));
    assert_eq!(Value::Null.as_number(), None);
    assert_eq!(Value::Number(1.0).as_boolean(), Some(true));
    assert_eq!(Value::Null.as_boolean(), None);
    assert_eq!(Value::EcmaArray(named([("a", Value::Null)])).property("a"), Some(&Value::Null));
}

#[test]
fn text_that_is_not_utf_8_is_kept_as_it_came() {
    check(b"\x02\0\x02\xc4\xe3", Ok(&[Value::String(Text::from(Bytes::from_static(b"\xc4\xe3")))]));
}

#[test]
fn long_text_is_written_long_and_a_long_name_is_cut() {
    let long = "x".repeat(70_000);
    assert_eq!(written(&Value::text(long.clone()))[..5], [0x0C, 0, 1, 0x11, 0x70]);
    let object = Value::Object(vec![(long.into(), Value::Null)]);
    let found = read(&written(&object)).unwrap();
    assert_eq!(found, [Value::Object(vec![("x".repeat(65_535).into(), Value::Null)])]);
}

fn values() -> impl Strategy<Value = Value> {
    let text = || proptest::collection::vec(any::<u8>(), 0..40).prop_map(|it| Text::from(Bytes::from(it)));
    // An empty name and the marker of an object's end look alike; real names are not empty.
    let name = || proptest::collection::vec(any::<u8>(), 1..10).prop_map(|it| Text::from(Bytes::from(it)));
    let leaf = prop_oneof![
        any::<f64>().prop_filter("NaN equals nothing", |it| !it.is_nan()).prop_map(Value::Number),
        any::<bool>().prop_map(Value::Boolean),
        text().prop_map(Value::String),
        text().prop_map(Value::Xml),
        any::<u16>().prop_map(Value::Reference),
        (0.0..1e15, any::<i16>()).prop_map(|(millis, zone)| Value::Date { millis, zone }),
        Just(Value::Null),
        Just(Value::Undefined),
        Just(Value::Unsupported),
    ];
    leaf.prop_recursive(6, 64, 6, move |inner| {
        let properties = || proptest::collection::vec((name(), inner.clone()), 0..6);
        prop_oneof![
            properties().prop_map(Value::Object),
            properties().prop_map(Value::EcmaArray),
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::StrictArray),
            (text(), properties()).prop_map(|(class, properties)| Value::TypedObject { class, properties }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read(value in values()) {
        prop_assert_eq!(read(&written(&value)), Ok(vec![value]));
    }

    #[test]
    fn any_bytes_are_read_or_refused(message in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&message);
        let _ = read(&[&[0x11], &message[..]].concat());
    }
}
