//! The document against the table, and whether it holds together.

use std::collections::BTreeSet;

use super::*;

fn whole() -> Value {
    serde_json::to_value(document()).unwrap()
}

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let each = |(path, item): (&String, &Value)| {
        let item = item.as_object().unwrap().clone();
        let path = path.clone();
        item.into_iter().map(move |(method, said)| (method.to_uppercase(), path.clone(), said))
    };
    paths.iter().flat_map(each).collect()
}

#[test]
fn every_row_of_the_table_is_in_the_document_and_nothing_else() {
    let found = operations(&whole()).into_iter().map(|(method, path, said)| {
        let role = said["x-role"].as_str().unwrap().to_owned();
        (method, format!("{BASE}{path}"), role)
    });
    let rows = ENDPOINTS
        .iter()
        .map(|row| (row.method.to_owned(), row.path.to_owned(), row.needs.as_str().to_owned()));
    let (found, rows): (BTreeSet<_>, BTreeSet<_>) = (found.collect(), rows.collect());
    assert_eq!(found, rows);
    assert_eq!(rows.len(), ENDPOINTS.len(), "two rows are the same");
}

#[test]
fn what_a_path_names_is_described_with_an_example_that_fits_it() {
    for (method, path, said) in operations(&whole()) {
        let parameters = said["parameters"].as_array().unwrap();
        let names = |place: &str| -> BTreeSet<&str> {
            let there = parameters.iter().filter(|one| one["in"] == place);
            there.map(|one| one["name"].as_str().unwrap()).collect()
        };
        let braces: BTreeSet<&str> = path
            .split(['{', '}'])
            .enumerate()
            .filter(|(index, _)| index % 2 == 1)
            .map(|(_, name)| name)
            .collect();
        assert_eq!(names("path"), braces, "{method} {path}");
        for one in parameters {
            assert!(one["schema"]["type"].is_string(), "{one}");
            let example = one["example"].as_str().unwrap();
            if let Some(pattern) = one["schema"]["pattern"].as_str() {
                assert!(regex::Regex::new(pattern).unwrap().is_match(example), "{one}");
            }
        }
    }
}

#[test]
fn every_answer_has_a_form_and_every_body_an_example() {
    for (method, path, said) in operations(&whole()) {
        let answers = said["responses"].as_object().unwrap();
        let status = |code: &str| answers.contains_key(code);
        for code in ["400", "401", "403", "405", "408", "413", "421", "429", "500", "503"] {
            assert!(status(code), "{method} {path} says nothing of {code}");
        }
        assert!(status("200") != status("201"), "{method} {path}");
        let Some(body) = said.get("requestBody") else { continue };
        assert!(status("415"), "{method} {path}");
        let content = &body["content"]["application/json"];
        assert_eq!(content["schema"]["additionalProperties"], false, "{method} {path}");
        let properties = content["schema"]["properties"].as_object().unwrap();
        let example = content["example"].as_object().unwrap();
        assert!(example.keys().all(|key| properties.contains_key(key)), "{method} {path}");
    }
}

#[test]
fn whatever_it_refers_to_is_there() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let here = members.get("$ref").and_then(Value::as_str);
                found.extend(here.map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(elements) => elements.iter().for_each(|one| references(one, found)),
            _ => {}
        }
    }
    let document = whole();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 100, "{}", found.len());
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}

#[test]
fn two_forms_never_share_a_name() {
    let document = whole();
    let named = document["components"]["schemas"].as_object().unwrap();
    for name in named.keys() {
        assert!(!name.ends_with(|last: char| last.is_ascii_digit()), "{name} is of another type");
    }
}
