//! JSON out of serde's data model, as `serde_json` writes it and byte for byte the same, but faster where answers spend
//! their time: names of fields are known to need no escapes, and texts are looked through eight bytes at a time.

use std::fmt;

use serde::{
    Serialize, Serializer,
    ser::{
        self, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};

/// How `serde_json` marks a struct whose only field is JSON as text. The tests below notice when it changes.
pub(super) const RAW: &str = "$serde_json::private::RawValue";

/// Why a value has no JSON: a map whose keys are no texts, or a complaint of the value itself.
#[derive(Debug)]
pub struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Written = Result<(), Error>;

/// Appends a value's JSON to `out`.
pub fn write<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> Written {
    value.serialize(&mut Writer { out, is_raw: false })
}

/// The JSON of one of our own types, which always has one.
pub fn to_text<T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = Vec::with_capacity(256);
    write(&mut out, value).expect("our own types have texts as keys");
    String::from_utf8(out).expect("JSON out of texts is text")
}

struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// Whether a text that comes now is JSON already.
    is_raw: bool,
}

impl Writer<'_> {
    fn text(&mut self, text: &str) {
        if self.is_raw {
            return self.out.extend_from_slice(text.as_bytes());
        }
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(length) = plain_length(&bytes[from..]) {
            let at = from + length;
            self.out.extend_from_slice(&bytes[from..at]);
            self.escape(bytes[at]);
            from = at + 1;
        }
        self.out.extend_from_slice(&bytes[from..]);
        self.out.push(b'"');
    }

    fn escape(&mut self, byte: u8) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let letter = match byte {
            b'"' | b'\\' => byte,
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            _ => {
                let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
                return self.out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
            }
        };
        self.out.extend_from_slice(&[b'\\', letter]);
    }

    /// Numbers are few and have their own well-known ways.
    fn number<T: Serialize>(&mut self, number: T) -> Written {
        serde_json::to_writer(&mut *self.out, &number).map_err(ser::Error::custom)
    }

    fn nested(&mut self, open: &[u8], close: &'static [u8]) -> Nested<'_> {
        self.out.extend_from_slice(open);
        Nested { out: self.out, close, is_first: true }
    }

    /// `{"variant":`, the rest is to follow.
    fn variant(&mut self, variant: &str) {
        self.out.push(b'{');
        self.text(variant);
        self.out.push(b':');
    }
}

/// How many bytes come before the first one that needs an escape, if there is one.
fn plain_length(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The high bit of each byte that is smaller than `limit`, for bytes without a high bit of their own.
    let below = |word: u64, limit: u8| word.wrapping_sub(ONES * u64::from(limit)) & !word & HIGH;
    let needs_escape = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    let mut words = bytes.chunks_exact(8);
    let mut at = 0;
    for chunk in words.by_ref() {
        let word = u64::from_le_bytes(chunk.try_into().expect("chunks of eight"));
        let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
        let slashes = below(word ^ (ONES * u64::from(b'\\')), 1);
        if below(word, b' ') | quotes | slashes != 0 {
            return chunk.iter().position(|byte| needs_escape(*byte)).map(|within| at + within);
        }
        at += 8;
    }
    words.remainder().iter().position(|byte| needs_escape(*byte)).map(|within| at + within)
}

impl<'w> Serializer for &'w mut Writer<'_> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Nested<'w>;
    type SerializeTuple = Nested<'w>;
    type SerializeTupleStruct = Nested<'w>;
    type SerializeTupleVariant = Nested<'w>;
    type SerializeMap = Nested<'w>;
    type SerializeStruct = Fields<'w>;
    type SerializeStructVariant = Nested<'w>;

    fn serialize_bool(self, value: bool) -> Written {
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Written {
        self.number(value)
    }

    fn serialize_i16(self, value: i16) -> Written {
        self.number(value)
    }

    fn serialize_i32(self, value: i32) -> Written {
        self.number(value)
    }

    fn serialize_i64(self, value: i64) -> Written {
        self.number(value)
    }

    fn serialize_i128(self, value: i128) -> Written {
        self.number(value)
    }

    fn serialize_u8(self, value: u8) -> Written {
        self.number(value)
    }

    fn serialize_u16(self, value: u16) -> Written {
        self.number(value)
    }

    fn serialize_u32(self, value: u32) -> Written {
        self.number(value)
    }

    fn serialize_u64(self, value: u64) -> Written {
        self.number(value)
    }

    fn serialize_u128(self, value: u128) -> Written {
        self.number(value)
    }

    fn serialize_f32(self, value: f32) -> Written {
        self.number(value)
    }

    fn serialize_f64(self, value: f64) -> Written {
        self.number(value)
    }

    fn serialize_char(self, value: char) -> Written {
        self.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Written {
        self.text(value);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Written {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Written {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        self.variant(variant);
        value.serialize(&mut *self)?;
        self.out.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _length: Option<usize>) -> Result<Nested<'w>, Error> {
        Ok(self.nested(b"[", b"]"))
    }

    fn serialize_tuple(self, _length: usize) -> Result<Nested<'w>, Error> {
        Ok(self.nested(b"[", b"]"))
    }

    fn serialize_tuple_struct(self, _name: &'static str, _length: usize) -> Result<Nested<'w>, Error> {
        Ok(self.nested(b"[", b"]"))
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Nested<'w>, Error> {
        self.variant(variant);
        Ok(self.nested(b"[", b"]}"))
    }

    fn serialize_map(self, _length: Option<usize>) -> Result<Nested<'w>, Error> {
        Ok(self.nested(b"{", b"}"))
    }

    fn serialize_struct(self, name: &'static str, _length: usize) -> Result<Fields<'w>, Error> {
        Ok(if name == RAW { Fields::Raw(self.out) } else { Fields::Named(self.nested(b"{", b"}")) })
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _length: usize,
    ) -> Result<Nested<'w>, Error> {
        self.variant(variant);
        Ok(self.nested(b"{", b"}}"))
    }
}

/// What stands between brackets.
struct Nested<'o> {
    out: &'o mut Vec<u8>,
    close: &'static [u8],
    is_first: bool,
}

impl Nested<'_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_first) {
            self.out.push(b',');
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.separate();
        write(self.out, value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        debug_assert!(plain_length(name.as_bytes()).is_none(), "`{name}` needs escapes");
        self.out.reserve(name.len() + 8);
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        write(self.out, value)
    }

    fn close(self) {
        self.out.extend_from_slice(self.close);
    }
}

/// The fields of a struct, or the one field of JSON that is text already.
enum Fields<'o> {
    Named(Nested<'o>),
    Raw(&'o mut Vec<u8>),
}

impl SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        match self {
            Self::Named(fields) => fields.field(name, value),
            Self::Raw(out) => value.serialize(&mut Writer { out, is_raw: true }),
        }
    }

    fn end(self) -> Written {
        if let Self::Named(fields) = self {
            fields.close();
        }
        Ok(())
    }
}

macro_rules! items {
    ($($kind:ident :: $method:ident),*) => {
        $(impl $kind for Nested<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
                self.item(value)
            }

            fn end(self) -> Written {
                self.close();
                Ok(())
            }
        })*
    };
}

items!(
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field
);

impl SerializeStructVariant for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Written {
        self.field(name, value)
    }

    fn end(self) -> Written {
        self.close();
        Ok(())
    }
}

impl SerializeMap for Nested<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Written {
        self.separate();
        let start = self.out.len();
        write(self.out, key)?;
        match self.out.get(start) {
            Some(b'"') => Ok(()),
            Some(b'-' | b'0'..=b'9' | b't' | b'f') => {
                self.out.insert(start, b'"');
                self.out.push(b'"');
                Ok(())
            }
            _ => Err(Error("a key of a JSON object must be a text".into())),
        }
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Written {
        self.out.push(b':');
        write(self.out, value)
    }

    fn end(self) -> Written {
        self.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use proptest::prelude::*;
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::write;
    use crate::{json::Json, state::State, time::Timestamp};

    fn written<T: Serialize + ?Sized>(value: &T) -> String {
        let mut out = Vec::new();
        write(&mut out, value).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[derive(Serialize)]
    enum Shape {
        Unit,
        One(u8),
        Two(i64, &'static str),
        Named { a: f32, b: Option<()> },
    }

    #[derive(Serialize)]
    struct Wrapped(char);

    #[derive(Serialize)]
    struct Mixed<'a> {
        r#type: &'a str,
        raw: Json,
        nested: (Shape, Shape, Shape, Shape, Wrapped),
        none: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        absent: Option<u64>,
        numbers: [f64; 4],
        by_number: BTreeMap<i32, bool>,
        state: State,
        #[serde(flatten)]
        more: BTreeMap<&'a str, Value>,
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "\\PC*".prop_map(Value::from),
            "[\"\\\\a-c\u{0}-\u{20}\u{7f}-\u{100}]{0,40}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::hash_map(".*", inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn values_are_written_as_serde_json_does(value in values()) {
            prop_assert_eq!(written(&value), serde_json::to_string(&value).unwrap());
        }
    }

    #[test]
    fn all_kinds_of_data_are_written_as_serde_json_does() {
        let mixed = Mixed {
            r#type: "a \"quoted\" \\ line\n",
            raw: Json::from_text(r#"{"n": 100000000000000000000, "kept" : [1.0,  2]}"#.into()).unwrap(),
            nested: (
                Shape::Unit,
                Shape::One(1),
                Shape::Two(-2, "\u{1}"),
                Shape::Named { a: 0.1, b: Some(()) },
                Wrapped('"'),
            ),
            none: None,
            absent: None,
            numbers: [0.0, -1.5e300, f64::NAN, f64::INFINITY],
            by_number: BTreeMap::from([(-1, true), (2, false)]),
            state: State::new(crate::state::StateType::Scheduled, Timestamp::UNIX_EPOCH),
            more: BTreeMap::from([("x", json!({ "y": [null] }))]),
        };
        assert_eq!(written(&mixed), serde_json::to_string(&mixed).unwrap());
    }

    #[test]
    fn keys_that_are_no_texts_are_refused() {
        let mut out = Vec::new();
        assert!(write(&mut out, &HashMap::from([(Some([1]), 2)])).is_err());
    }
}
