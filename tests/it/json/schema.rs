//! Validation against a JSON Schema, of the keywords that the schemas in `docs/schemas/` use; any other is an error of
//! the schema. Stricter than the standard in one point: a property that the schema does not name is an error, too.

use serde_json::Value;

/// Keywords that say nothing about what is valid.
const ANNOTATIONS: [&str; 5] = ["$schema", "$id", "$defs", "title", "description"];

/// Returns what is wrong with a value, each with its place; nothing if it is as the schema says.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Validator { root: schema }.check(schema, value, "$", &mut found);
    found
}

struct Validator<'a> {
    root: &'a Value,
}

impl Validator<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let keywords = match schema {
            Value::Bool(true) => return,
            Value::Object(keywords) => keywords,
            _ => panic!("{at}: this is no schema: {schema}"),
        };
        for (keyword, says) in keywords {
            match keyword.as_str() {
                "$ref" => self.check(self.definition(says), value, at, found),
                "type" => {
                    let allowed = says.as_array().map_or(std::slice::from_ref(says), Vec::as_slice);
                    if !allowed.iter().any(|name| is_of(value, name.as_str().expect("a name of a type"))) {
                        found.push(format!("{at}: {value} is not of type {says}"));
                    }
                }
                "enum" => {
                    if !says.as_array().expect("a list of values").contains(value) {
                        found.push(format!("{at}: {value} is none of {says}"));
                    }
                }
                "const" if says != value => found.push(format!("{at}: {value} is not {says}")),
                "minimum" => {
                    if value.as_f64().is_some_and(|number| number < says.as_f64().expect("a number")) {
                        found.push(format!("{at}: {value} is less than {says}"));
                    }
                }
                "items" => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(says, item, &format!("{at}[{place}]"), found);
                    }
                }
                "required" => {
                    let names = says.as_array().expect("a list of names").iter().filter_map(Value::as_str);
                    let missing = names.filter(|name| value.as_object().is_some_and(|all| !all.contains_key(*name)));
                    found.extend(missing.map(|name| format!("{at}: {name} is missing")));
                }
                "properties" => self.check_properties(keywords, value, at, found),
                "anyOf" => self.check_any(says, value, at, found),
                "const" | "additionalProperties" => {}
                other => assert!(ANNOTATIONS.contains(&other), "{at}: the validator does not know {other:?}"),
            }
        }
        if !keywords.contains_key("properties") {
            self.check_others(keywords, value, at, found);
        }
    }

    fn definition(&self, reference: &Value) -> &Value {
        let path = reference.as_str().and_then(|path| path.strip_prefix('#')).expect("a reference into this file");
        self.root.pointer(path).unwrap_or_else(|| panic!("nothing is at {path}"))
    }

    fn check_properties(
        &self,
        keywords: &serde_json::Map<String, Value>,
        value: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) {
        let known = keywords["properties"].as_object().expect("schemas by name");
        for (name, item) in value.as_object().into_iter().flatten() {
            match (known.get(name), keywords.get("additionalProperties")) {
                (Some(schema), _) | (None, Some(schema @ Value::Object(_))) => {
                    self.check(schema, item, &format!("{at}.{name}"), found);
                }
                (None, Some(Value::Bool(true))) => {}
                (None, _) => found.push(format!("{at}.{name} is not described")),
            }
        }
    }

    /// Checks the values of an object whose names are free.
    fn check_others(
        &self,
        keywords: &serde_json::Map<String, Value>,
        value: &Value,
        at: &str,
        found: &mut Vec<String>,
    ) {
        if let Some(schema @ Value::Object(_)) = keywords.get("additionalProperties") {
            for (name, item) in value.as_object().into_iter().flatten() {
                self.check(schema, item, &format!("{at}.{name}"), found);
            }
        }
    }

    fn check_any(&self, choices: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
        let mut best: Option<Vec<String>> = None;
        for choice in choices.as_array().expect("a list of schemas") {
            let mut wrong = Vec::new();
            self.check(choice, value, at, &mut wrong);
            if wrong.is_empty() {
                return;
            }
            if best.as_ref().is_none_or(|best| wrong.len() <= best.len()) {
                best = Some(wrong);
            }
        }
        found.extend(best.into_iter().flatten().map(|wrong| format!("{wrong} (as the closest of several forms)")));
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn a_validator_finds_what_is_wrong() {
    let schema = serde_json::json!({
        "type": "object",
        "required": ["n"],
        "properties": {
            "n": { "type": "integer", "minimum": 1 },
            "way": { "enum": ["up", "down"] },
            "list": { "type": "array", "items": { "$ref": "#/$defs/item" } },
            "counts": { "type": "object", "additionalProperties": { "type": "integer" } },
        },
        "$defs": { "item": { "anyOf": [{ "type": "null" }, { "type": "object", "properties": { "x": true } }] } },
    });
    let wrong = |value: Value| violations(&schema, &value);
    assert!(wrong(serde_json::json!({"n": 1, "way": "up", "list": [null, {"x": 0}], "counts": {"a": 1}})).is_empty());
    for (value, expected) in [
        (serde_json::json!([]), "$: [] is not of type \"object\""),
        (serde_json::json!({}), "$: n is missing"),
        (serde_json::json!({"n": 0}), "$.n: 0 is less than 1"),
        (serde_json::json!({"n": 1.5}), "$.n: 1.5 is not of type \"integer\""),
        (serde_json::json!({"n": 1, "way": "left"}), "$.way: \"left\" is none of [\"up\",\"down\"]"),
        (serde_json::json!({"n": 1, "more": 2}), "$.more is not described"),
        (serde_json::json!({"n": 1, "counts": {"a": "b"}}), "$.counts.a: \"b\" is not of type \"integer\""),
        (serde_json::json!({"n": 1, "list": [{"y": 2}]}), "$.list[0].y is not described"),
    ] {
        let found = wrong(value);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{expected}: {found:?}");
    }
}
