//! Values that are read whatever their type is, so that one wrong type does not hide what else is wrong.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize,
    de::{
        Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer, StrDeserializer, StringDeserializer},
    },
};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A place in a text: line and column from 1, or zeros when the reader does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct At {
    pub(in crate::config) line: u32,
    pub(in crate::config) column: u32,
}

impl At {
    /// This place, or the other one when this is not known.
    pub(in crate::config) fn or(self, other: Self) -> Self {
        if self.line == 0 { other } else { self }
    }
}

/// One thing that is wrong at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::config) struct Fault {
    pub(in crate::config) at: At,
    pub(in crate::config) key: String,
    pub(in crate::config) message: String,
}

/// A value with its place.
#[derive(Clone, Debug)]
pub(in crate::config) struct Leaf<T> {
    pub(in crate::config) at: At,
    pub(in crate::config) read: Read<T>,
}

/// What stood there.
#[derive(Clone, Debug)]
pub(in crate::config) enum Read<T> {
    /// Nothing, or `null`.
    Nothing,
    /// What was wanted.
    Value(T),
    /// Something else: what it was.
    Wrong(&'static str),
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self { at: At::default(), read: Read::Nothing }
    }
}

impl<T: Shaped> Leaf<T> {
    /// The value. A wrong type is a fault and no value.
    pub(in crate::config) fn take(self, key: impl fmt::Display, faults: &mut Vec<Fault>) -> Option<T> {
        match self.read {
            Read::Value(value) => Some(value),
            Read::Nothing => None,
            Read::Wrong(found) => {
                let message = format!("`{key}` is {found}, not {}", T::SHAPE);
                faults.push(Fault { at: self.at, key: key.to_string(), message });
                None
            }
        }
    }

    /// Whether there is nothing, or `null`.
    pub(in crate::config) fn is_nothing(&self) -> bool {
        matches!(self.read, Read::Nothing)
    }
}

impl<T> Leaf<Vec<Leaf<T>>>
where
    T: Shaped,
    Vec<Leaf<T>>: Shaped,
{
    /// The entries that are not null, each with its place. Wrong types are faults.
    pub(in crate::config) fn entries(self, key: &str, faults: &mut Vec<Fault>) -> Vec<(At, usize, T)> {
        let list = self.take(key, faults).unwrap_or_default();
        let mut entries = Vec::with_capacity(list.len());
        for (index, entry) in list.into_iter().enumerate() {
            let at = entry.at;
            entries.extend(entry.take(format_args!("{key}[{index}]"), faults).map(|value| (at, index, value)));
        }
        entries
    }
}

impl Leaf<Value> {
    /// The value if it is a mapping.
    pub(in crate::config) fn into_mapping(self) -> Leaf<Map<String, Value>> {
        let read = match self.read {
            Read::Nothing => Read::Nothing,
            Read::Value(Value::Object(map)) => Read::Value(map),
            Read::Value(value) => Read::Wrong(found(&value)),
            Read::Wrong(found) => Read::Wrong(found),
        };
        Leaf { at: self.at, read }
    }

    /// The value if it is a text.
    pub(in crate::config) fn into_text(self) -> Leaf<String> {
        let read = match self.read {
            Read::Nothing => Read::Nothing,
            Read::Value(Value::String(text)) => Read::Value(text),
            Read::Value(value) => Read::Wrong(found(&value)),
            Read::Wrong(found) => Read::Wrong(found),
        };
        Leaf { at: self.at, read }
    }
}

/// The kinds of values that a type can be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) enum Shape {
    Text,
    List,
    Mapping,
    Any,
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "a text",
            Self::List => "a list",
            Self::Mapping => "a mapping",
            Self::Any => "a value",
        })
    }
}

/// A type that is read from one kind of value, and whose reading does not fail on the types of what is inside.
pub(in crate::config) trait Shaped {
    const SHAPE: Shape;
}

impl Shaped for String {
    const SHAPE: Shape = Shape::Text;
}

impl<T> Shaped for Vec<T> {
    const SHAPE: Shape = Shape::List;
}

impl<K, T> Shaped for BTreeMap<K, T> {
    const SHAPE: Shape = Shape::Mapping;
}

impl Shaped for Map<String, Value> {
    const SHAPE: Shape = Shape::Mapping;
}

impl Shaped for Value {
    const SHAPE: Shape = Shape::Any;
}

/// What a value is, in words.
pub(in crate::config) fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

impl<'de, T: Shaped + Deserialize<'de>> Deserialize<'de> for Leaf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Untyped<T>>::deserialize(deserializer)?;
        let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let at = At { line: narrow(spanned.referenced.line()), column: narrow(spanned.referenced.column()) };
        Ok(Self { at, read: spanned.value.0 })
    }
}

struct Untyped<T>(Read<T>);

impl<'de, T: Shaped + Deserialize<'de>> Deserialize<'de> for Untyped<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UntypedVisitor(PhantomData)).map(Self)
    }
}

struct UntypedVisitor<T>(PhantomData<T>);

impl<T: Shaped> UntypedVisitor<T> {
    const fn is_for(shape: Shape) -> bool {
        matches!(
            (T::SHAPE, shape),
            (Shape::Any, _)
                | (Shape::Text, Shape::Text)
                | (Shape::List, Shape::List)
                | (Shape::Mapping, Shape::Mapping)
        )
    }

    fn scalar<'de, E: Error>(value: impl serde::de::IntoDeserializer<'de, E>, found: &'static str) -> Result<Read<T>, E>
    where
        T: Deserialize<'de>,
    {
        if Self::is_for(Shape::Any) {
            T::deserialize(value.into_deserializer()).map(Read::Value)
        } else {
            Ok(Read::Wrong(found))
        }
    }
}

impl<'de, T: Shaped + Deserialize<'de>> Visitor<'de> for UntypedVisitor<T> {
    type Value = Read<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", T::SHAPE)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Read::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Read::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Self::scalar(value, "a boolean")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Self::scalar(value, "a number")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Self::scalar(value, "a number")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Self::scalar(value, "a number")
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        if Self::is_for(Shape::Text) {
            T::deserialize(StrDeserializer::new(value)).map(Read::Value)
        } else {
            Ok(Read::Wrong("a text"))
        }
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Self::Value, E> {
        if Self::is_for(Shape::Text) {
            T::deserialize(StringDeserializer::new(value)).map(Read::Value)
        } else {
            Ok(Read::Wrong("a text"))
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        if Self::is_for(Shape::List) {
            return T::deserialize(SeqAccessDeserializer::new(items)).map(Read::Value);
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Read::Wrong("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        if Self::is_for(Shape::Mapping) {
            return T::deserialize(MapAccessDeserializer::new(entries)).map(Read::Value);
        }
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Read::Wrong("a mapping"))
    }
}

/// A key of a mapping with its place; `?` when it is not a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::config) struct Key {
    pub(in crate::config) text: String,
    pub(in crate::config) at: At,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let leaf = Leaf::<String>::deserialize(KeyDeserializer(deserializer))?;
        let text = if let Read::Value(text) = leaf.read { text } else { "?".to_owned() };
        Ok(Self { at: leaf.at, text })
    }
}

/// Gives the keys of the JSON parser, which knows no places, the form that the YAML parser gives to its own.
struct KeyDeserializer<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for KeyDeserializer<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, KeyVisitor(visitor))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq
        tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct KeyVisitor<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for KeyVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<V::Value, E> {
        self.0.visit_newtype_struct(StrDeserializer::new(key))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(deserializer)
    }
}
