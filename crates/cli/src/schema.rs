//! Reading JSON Schemas of requests and answers.

use serde_json::Value;

/// A number in as few digits as tell it: 0.3 for what a single-precision number comes to in double.
pub fn short(number: f64) -> String {
    let single = number as f32;
    if f64::from(single) == number { single.to_string() } else { number.to_string() }
}

/// What a schema says once references and what may be left out are followed.
pub fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    if let Some(place) = schema["$ref"].as_str() {
        let found = root.pointer(place.trim_start_matches('#'));
        return resolved(found.unwrap_or(&Value::Null), root);
    }
    let given = schema["anyOf"].as_array().into_iter().flatten();
    let given = given.into_iter().find(|one| one["type"] != "null");
    given.map_or(schema, |given| resolved(given, root))
}

/// Whether a schema allows a value of this type.
pub fn has_type(schema: &Value, name: &str) -> bool {
    match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        one => one == name,
    }
}
