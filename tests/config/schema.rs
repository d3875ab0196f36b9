//! The JSON Schema describes what the reader reads.

use portcullis::config::schema;
use serde_json::Value;

fn objects(at: &Value, found: &mut Vec<Value>) {
    if at.get("properties").is_some() {
        found.push(at.clone());
    }
    match at {
        Value::Object(object) => object.values().for_each(|value| objects(value, found)),
        Value::Array(list) => list.iter().for_each(|value| objects(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_key_has_a_description_and_no_mapping_takes_others() {
    let mut found = Vec::new();
    objects(&schema(), &mut found);
    assert!(found.len() > 15, "{}", found.len());
    for object in found {
        assert_eq!(object["additionalProperties"], false, "{object}");
        for (key, value) in object["properties"].as_object().unwrap() {
            let description = value.get("description").and_then(Value::as_str);
            assert!(description.is_some_and(|text| text.len() > 4), "{key}: {value}");
        }
    }
}

#[test]
fn no_key_may_be_without_value() {
    let text = schema().to_string();
    assert!(!text.contains("\"null\""), "{text}");
    assert!(!text.contains("null"), "{text}");
}

#[test]
fn what_has_to_be_there_is_required() {
    let schema = schema();
    let required = |pointer: &str| -> Vec<String> {
        serde_json::from_value(schema.pointer(pointer).unwrap().clone()).unwrap()
    };
    assert_eq!(required("/required"), ["listeners", "store", "keys", "portals"]);
    assert_eq!(required("/properties/store/anyOf/0/required"), ["path"]);
    assert_eq!(required("/properties/store/anyOf/1/required"), ["url"]);
    assert_eq!(required("/$defs/PortalFile/required"), ["hosts", "upstreams", "identity"]);
    let ways = "/$defs/PortalFile/properties/identity/then/anyOf";
    assert_eq!(required(&format!("{ways}/0/required")), ["logins", "login_url"]);
    assert_eq!(required(&format!("{ways}/2/required")), ["header"]);
    assert_eq!(required("/$defs/LoginFile/required"), ["request"]);
}
