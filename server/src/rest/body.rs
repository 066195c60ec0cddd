//! JSON bodies: of the right type, not too long, and without a field nobody reads.

use axum::{
    body::Bytes,
    extract::{FromRequest as _, Request},
    http::{StatusCode, header},
    response::IntoResponse as _,
};
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::page::short;
use crate::guards::problems::{self, Fault};

/// A body's fields, taken out one by one; what is left over was not known.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a request's body as one JSON object.
    ///
    /// # Errors
    /// 415 for another type, 413 for too long a body, 400 for anything but a JSON object.
    pub async fn of(request: Request) -> Result<Self, Fault> {
        let kind = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok());
        let kind = kind
            .and_then(|kind| kind.split(';').next())
            .unwrap_or_default()
            .trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(problems::wrong_type("application/json"));
        }
        let body = Bytes::from_request(request, &())
            .await
            .map_err(|rejection| match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => problems::too_large(),
                _ => Fault::malformed("The body did not arrive whole.", "Send it again."),
            })?;
        let object: Object = serde_json::from_slice(&body).map_err(|_| {
            Fault::malformed(
                "The body is not a JSON object.",
                "Send something like {\"action\":\"promote\",\"member\":\"n4\"}.",
            )
        })?;
        match object.twice {
            None => Ok(Self(object.fields)),
            Some(name) => Err(Fault::malformed(
                format!("`{}` stands in the body twice.", short(&name)),
                "Give each field once; which of the two is meant cannot be known.",
            )),
        }
    }

    /// A text, if it is given and not null.
    ///
    /// # Errors
    /// If it is no text.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::malformed(
                format!("`{name}` must be a text."),
                "Put it in quotes.",
            )),
        }
    }

    /// A whole number, if it is given and not null.
    ///
    /// # Errors
    /// If it is none.
    pub fn number(&mut self, name: &str) -> Result<Option<u64>, Fault> {
        match self.0.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_u64().map(Some).ok_or_else(|| {
                Fault::malformed(
                    format!("`{name}` must be a whole number."),
                    "Write it without quotes.",
                )
            }),
        }
    }

    /// # Errors
    /// Names the first field that nobody read.
    pub fn end(self, known: &[&str]) -> Result<(), Fault> {
        match self.0.keys().next() {
            None => Ok(()),
            Some(name) => Err(Fault::malformed(
                format!("`{}` is not known here.", short(name)),
                &format!("Known fields are: {}.", known.join(", ")),
            )),
        }
    }
}

/// An object, and the first of its names that came a second time: readers differ on which of two
/// values counts, and a change must not depend on that.
struct Object {
    fields: Map<String, Value>,
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Object, M::Error> {
        let mut object = Object {
            fields: Map::new(),
            twice: None,
        };
        while let Some((name, value)) = map.next_entry::<String, Value>()? {
            if object.fields.contains_key(&name) {
                object.twice.get_or_insert_with(|| name.clone());
            }
            object.fields.insert(name, value);
        }
        Ok(object)
    }
}
