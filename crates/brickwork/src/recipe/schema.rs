//! The JSON Schema of recipes, by which editors complete and check them.

use serde_json::{Map, Value, json};

use super::place::NO_OPTIONS;
use crate::verbs::{self, NamedVerb};

/// The JSON Schema of a recipe's text, made from those of all requests.
pub fn schema() -> Value {
    let mut definitions = Map::new();
    let mut steps = Vec::new();
    for verb in verbs::ALL {
        let mut request = verb.request_schema().to_value();
        if let Some(Value::Object(shared)) = request.get_mut("$defs").map(Value::take) {
            definitions.extend(shared);
        }
        let name = format!("step-{}", verb.name.replace(' ', "-"));
        steps.push(json!({ "$ref": format!("#/$defs/{name}") }));
        definitions.insert(name, step(verb, &request));
    }
    let source = json!({
        "oneOf": [
            { "type": "string", "description": "The file or folder" },
            {
                "type": "object",
                "properties": {
                    "path": { "type": "string", "description": "The file or folder" },
                    "sha256": { "type": "string", "description": "The digest that it must have" },
                },
                "required": ["path"],
                "additionalProperties": false,
            },
        ],
    });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Recipe",
        "description": "What brickwork builds: requests by name",
        "type": "object",
        "properties": {
            "seed": { "type": "integer", "minimum": 0, "description": "Seed of every step that has none of its own" },
            "data": {
                "type": "object",
                "description": "Names for files and folders that are there already",
                "additionalProperties": source,
            },
        },
        "additionalProperties": { "type": "object", "required": ["verb"], "oneOf": steps },
        "$defs": definitions,
    })
}

/// A step of one verb.
fn step(verb: &NamedVerb, request: &Value) -> Value {
    let mut properties = Map::from_iter([
        ("verb".to_owned(), json!({ "const": verb.name })),
        (
            "seed".to_owned(),
            json!({ "type": "integer", "minimum": 0, "description": "Seed of every random choice" }),
        ),
        (
            "sha256".to_owned(),
            json!({ "type": "string", "description": "The digest that its result must have" }),
        ),
    ]);
    let sensible =
        |(option, _): &(&String, &Value)| NO_OPTIONS.iter().all(|(name, _)| name != option);
    let options = request["properties"].as_object().into_iter().flatten();
    for (option, property) in options.filter(sensible) {
        properties.insert(option.clone(), or_one(property));
    }
    json!({
        "type": "object",
        "description": request["description"],
        "properties": properties,
        "required": ["verb"],
        "additionalProperties": false,
    })
}

/// What an option takes in a recipe: where a list is taken, one value as well.
fn or_one(property: &Value) -> Value {
    if property["type"] != "array" {
        return property.clone();
    }
    json!({ "description": property["description"], "anyOf": [property, property["items"]] })
}
