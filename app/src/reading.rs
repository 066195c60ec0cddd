//! Reads what the console sends: the one way from JSON to the app's types.
//!
//! The types say by their `Deserialize` how they are read, from whatever reader; each reader costs
//! the browser's program a copy of all of them. `serde_json`'s own takes arrays for objects, tells
//! where in a text it stumbled and why, and so makes each copy several times as large as reading
//! needs. This one walks a [`Value`] that is parsed already and says of failure only that it
//! failed. It has no rules of its own.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{
        self, DeserializeSeed, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        Visitor, value::BorrowedStrDeserializer,
    },
    forward_to_deserialize_any,
};
use serde_json::Value;

/// Not JSON, or not of the shape asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not what was expected")]
pub struct Unreadable;

/// # Errors
/// If `text` is not JSON or does not hold a `T`.
pub fn text<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, Unreadable> {
    value(&json(text)?)
}

/// Bytes, because every other reading of text in the browser's program is of bytes too.
///
/// # Errors
/// If `text` is not JSON.
pub fn json(text: &str) -> Result<Value, Unreadable> {
    serde_json::from_slice(text.as_bytes()).map_err(|_| Unreadable)
}

/// # Errors
/// If `value` does not hold a `T`.
pub fn value<'a, T: Deserialize<'a>>(value: &'a Value) -> Result<T, Unreadable> {
    T::deserialize(Reader(value))
}

/// Every reason is the same, and none is put into words.
impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }

    fn invalid_type(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_value(_: Unexpected<'_>, _: &dyn Expected) -> Self {
        Self
    }

    fn invalid_length(_: usize, _: &dyn Expected) -> Self {
        Self
    }

    fn unknown_variant(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn unknown_field(_: &str, _: &'static [&'static str]) -> Self {
        Self
    }

    fn missing_field(_: &'static str) -> Self {
        Self
    }

    fn duplicate_field(_: &'static str) -> Self {
        Self
    }
}

#[derive(Clone, Copy)]
struct Reader<'a>(&'a Value);

impl<'a> Reader<'a> {
    fn number<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let number = self.0.as_number().ok_or(Unreadable)?;
        if let Some(number) = number.as_u64() {
            visitor.visit_u64(number)
        } else {
            visitor.visit_i64(number.as_i64().ok_or(Unreadable)?)
        }
    }

    fn string<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_borrowed_str(self.0.as_str().ok_or(Unreadable)?)
    }

    fn list<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let list = self.0.as_array().ok_or(Unreadable)?;
        visitor.visit_seq(Items(list.iter()))
    }

    fn object<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        let object = self.0.as_object().ok_or(Unreadable)?;
        visitor.visit_map(Fields {
            left: object.iter(),
            value: &Value::Null,
        })
    }
}

macro_rules! read_as {
    ($how:ident: $($method:ident)*) => {
        $(
            fn $method<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
                self.$how(visitor)
            }
        )*
    };
}

impl<'a> Deserializer<'a> for Reader<'a> {
    type Error = Unreadable;

    read_as!(number: deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    read_as!(string: deserialize_str deserialize_string deserialize_identifier deserialize_char);
    read_as!(list: deserialize_seq);
    read_as!(object: deserialize_map);

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => visitor.visit_f64(float),
                _ => self.number(visitor),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(_) => self.list(visitor),
            Value::Object(_) => self.object(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_bool(self.0.as_bool().ok_or(Unreadable)?)
    }

    fn deserialize_f32<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_f64(self.0.as_f64().ok_or(Unreadable)?)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        self.object(visitor)
    }

    /// By its name alone, as all plain enums travel; those that hold something are tagged inside
    /// and are not read here.
    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unreadable> {
        let name: BorrowedStrDeserializer<'a, Unreadable> =
            BorrowedStrDeserializer::new(self.0.as_str().ok_or(Unreadable)?);
        visitor.visit_enum(name)
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Unreadable> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        i128 u128 bytes byte_buf unit unit_struct tuple_struct
    }
}

impl<'a> IntoDeserializer<'a, Unreadable> for Reader<'a> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

struct Items<'a>(std::slice::Iter<'a, Value>);

impl<'a> SeqAccess<'a> for Items<'a> {
    type Error = Unreadable;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Unreadable> {
        match self.0.next() {
            Some(item) => seed.deserialize(Reader(item)).map(Some),
            None => Ok(None),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Fields<'a> {
    left: serde_json::map::Iter<'a>,
    value: &'a Value,
}

impl<'a> MapAccess<'a> for Fields<'a> {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Unreadable> {
        let Some((name, value)) = self.left.next() else {
            return Ok(None);
        };
        self.value = value;
        seed.deserialize(BorrowedStrDeserializer::new(name))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Unreadable> {
        seed.deserialize(Reader(self.value))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeMap;

    use quorate_domain::{
        action::Action,
        cluster::MemberId,
        event::{Event, Happening},
        moment::Timestamp,
        problem::Problem,
    };

    use super::*;
    use crate::{
        live::{PageState, Topic},
        sample,
    };

    /// Reads what `told` is written as, and must find the same.
    fn reads_back<T>(told: &T)
    where
        T: serde::Serialize + for<'a> Deserialize<'a> + PartialEq + fmt::Debug,
    {
        let json = serde_json::to_string(told).unwrap();
        assert_eq!(text::<T>(&json).as_ref(), Ok(told), "{json}");
    }

    #[test]
    fn a_page_s_document_reads_back_whole() {
        let happened = |id, what| Event {
            id,
            at: Timestamp::from_unix_ms(1_795_270_972_412),
            cluster: sample::view().name,
            what,
        };
        let mut state = PageState {
            cluster: Some(sample::view()),
            running_changes: 2,
            ..PageState::default()
        };
        let member = MemberId::from("n1");
        state.events = vec![
            happened(u64::MAX, Happening::LeaderLost { member }),
            happened(
                1,
                Happening::MembershipChanged {
                    text: "\"ü\\".to_owned(),
                },
            ),
        ];
        #[cfg(feature = "ssr")]
        state.changes.push(crate::rendered::change(
            quorate_domain::job::ChangeState::Running,
        ));
        reads_back(&state);
        reads_back(&Action::Transfer { member: None });
        reads_back(&Topic::Rail);
        reads_back(&Problem::new(
            409,
            "cluster-moved",
            "It moved.",
            "Review again.",
        ));
        reads_back(&BTreeMap::from([(
            MemberId::from("n1"),
            vec![-1_i64, i64::MIN],
        )]));
        reads_back(&(true, 'x', 0.5_f64, Some(7_u8), ()));
    }

    #[test]
    fn what_is_unknown_is_passed_over_and_what_is_missing_is_not_made_up() {
        let problem = r#"{"type":"about:blank","status":403,"code":"no","title":"No.","hint":"."}"#;
        assert_eq!(text::<Problem>(problem).unwrap().status, 403);
        for wrong in [
            "",
            "{",
            "[]",
            r#"{"status":403,"code":"no","title":"No."}"#,
            r#"{"status":70000,"code":"no","title":"No.","hint":"."}"#,
            r#"{"status":"403","code":"no","title":"No.","hint":"."}"#,
        ] {
            assert_eq!(text::<Problem>(wrong), Err(Unreadable), "{wrong}");
        }
    }
}
