//! Upstream's own description of the fabric API, read where it lies. It is not part of this
//! project; where it is absent, what needs it says so loudly and does nothing.
#![allow(dead_code)]

use std::{env, fs, path::PathBuf};

use serde_json::Value;

/// Where it is looked for, from the checkout, if the variable does not say otherwise.
const PLACE: &str = "../shared/reference/openziti-fabric-v2.0.3.swagger.yml";
const VARIABLE: &str = "QUORATE_OPENZITI_DESCRIPTION";

pub struct Description {
    root: Value,
}

impl Description {
    /// `None`, and loudly, if it is not there.
    pub fn read() -> Option<Self> {
        let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(PLACE);
        let path = env::var_os(VARIABLE).map_or(beside, PathBuf::from);
        let Ok(text) = fs::read_to_string(&path) else {
            eprintln!(
                "\n!!! SKIPPED: OpenZiti's description of its fabric API is not at {}; \
                 name it by {VARIABLE}\n",
                path.display()
            );
            return None;
        };
        let root = serde_saphyr::from_str(&text).expect("the description is YAML");
        Some(Self { root })
    }

    fn at(&self, pointer: &str) -> Option<&Value> {
        self.root.pointer(pointer)
    }

    pub fn base_path(&self) -> &str {
        self.at("/basePath").and_then(Value::as_str).unwrap()
    }

    /// The operation on `path` (without the base path), by its method.
    pub fn operation(&self, method: &str, path: &str) -> Option<&Value> {
        let method = method.to_lowercase();
        self.at("/paths")?.get(path)?.get(method)
    }

    /// The shape of what an operation takes.
    pub fn body(&self, operation: &Value) -> Option<Value> {
        let parameters = operation.get("parameters")?.as_array()?;
        let body = parameters.iter().find(|it| it["in"] == "body")?;
        Some(body["schema"].clone())
    }

    /// The shape of what an operation answers with `status`; `None` if it never does.
    pub fn answer(&self, operation: &Value, status: u16) -> Option<Value> {
        let responses = operation.get("responses")?;
        let response = responses.get(status.to_string())?;
        Some(self.followed(response)["schema"].clone())
    }

    pub fn definition(&self, name: &str) -> Value {
        self.at(&format!("/definitions/{name}"))
            .unwrap_or_else(|| panic!("{name} is not described"))
            .clone()
    }

    fn followed<'a>(&'a self, shape: &'a Value) -> &'a Value {
        match shape.get("$ref").and_then(Value::as_str) {
            Some(place) => self
                .at(place.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("{place} is not described")),
            None => shape,
        }
    }

    /// Whatever in `value` is not as `shape` says: missing, unknown, or of another type.
    pub fn differences(&self, value: &Value, shape: &Value, place: &str) -> Vec<String> {
        let shape = self.followed(shape);
        if let Some(parts) = shape.get("allOf").and_then(Value::as_array) {
            // A mixture: each field must be known to one of the parts.
            let known = |key: &String| parts.iter().any(|part| self.knows(part, key));
            let fields = value.as_object().into_iter().flatten();
            return fields
                .filter(|(key, _)| !known(key))
                .map(|(key, _)| format!("{place}.{key} is not described"))
                .collect();
        }
        match shape.get("type") {
            Some(Value::String(kind)) => self.of_type(value, shape, kind, place),
            Some(Value::Array(kinds)) => {
                let fits = kinds.iter().any(|kind| {
                    let kind = kind.as_str().unwrap_or_default();
                    self.of_type(value, &serde_json::json!({}), kind, place)
                        .is_empty()
                });
                if fits {
                    Vec::new()
                } else {
                    vec![format!("{place} is none of the described types")]
                }
            }
            _ => Vec::new(),
        }
    }

    fn knows(&self, shape: &Value, key: &str) -> bool {
        let shape = self.followed(shape);
        shape["properties"].get(key).is_some()
    }

    fn of_type(&self, value: &Value, shape: &Value, kind: &str, place: &str) -> Vec<String> {
        let fits = match kind {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" | "integer" => value.is_number(),
            other => panic!("{place}: a type {other}"),
        };
        if !fits {
            return vec![format!("{place} is {value}, not of type {kind}")];
        }
        match kind {
            "object" => self.of_fields(value, shape, place),
            "array" => {
                let items = value.as_array().into_iter().flatten().enumerate();
                items
                    .flat_map(|(number, item)| {
                        self.differences(item, &shape["items"], &format!("{place}[{number}]"))
                    })
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    fn of_fields(&self, value: &Value, shape: &Value, place: &str) -> Vec<String> {
        let mut found = Vec::new();
        let required = shape["required"].as_array().into_iter().flatten();
        for key in required.filter_map(Value::as_str) {
            if value.get(key).is_none() {
                found.push(format!("{place}.{key} is missing"));
            }
        }
        let open = shape.get("additionalProperties").is_some() || shape.get("properties").is_none();
        for (key, field) in value.as_object().into_iter().flatten() {
            match shape["properties"].get(key) {
                Some(shape) => {
                    found.extend(self.differences(field, shape, &format!("{place}.{key}")));
                }
                None if open => {}
                None => found.push(format!("{place}.{key} is not described")),
            }
        }
        found
    }

    /// A value of this shape in which every field differs from what it would be if it were
    /// missing.
    pub fn sample(&self, shape: &Value) -> Value {
        let shape = self.followed(shape);
        let kind = match &shape["type"] {
            Value::Array(kinds) => kinds[0].clone(),
            kind => kind.clone(),
        };
        match kind.as_str() {
            Some("array") => Value::Array(vec![self.sample(&shape["items"])]),
            Some("string") => Value::from("told"),
            Some("boolean") => Value::from(true),
            Some("number" | "integer") => Value::from(7),
            _ => {
                let fields = shape["properties"].as_object().into_iter().flatten();
                let fields = fields.map(|(key, shape)| (key.clone(), self.sample(shape)));
                Value::Object(fields.collect())
            }
        }
    }
}
