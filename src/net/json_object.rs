//! A whole JSON object in which no name stands twice, at any depth, for texts that are short
//! and of which much is asked. Two readers take a doubled name in two ways (RFC 8725 section
//! 2.4), so that here it has no reading at all; for one place in a long text there is
//! [`super::json`].

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one object and nothing after it. Nothing when it is something else, has a name
/// twice, or is nested deeper than `serde_json` goes.
pub fn read(text: &[u8]) -> Option<Map<String, Value>> {
    match serde_json::from_slice(text) {
        Ok(Once(Value::Object(members))) => Some(members),
        Ok(_) | Err(_) => None,
    }
}

struct Once(Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Once;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Once, E> {
        Ok(Once(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_string<E>(self, value: String) -> Result<Once, E> {
        Ok(Once(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut given: A) -> Result<Once, A::Error> {
        let mut elements = Vec::new();
        while let Some(Once(element)) = given.next_element()? {
            elements.push(element);
        }
        Ok(Once(Value::Array(elements)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Once, A::Error> {
        let mut members = Map::new();
        while let Some(name) = given.next_key::<String>()? {
            let Once(value) = given.next_value()?;
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a name stands twice"));
            }
        }
        Ok(Once(Value::Object(members)))
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_object_is_read_as_it_is() {
        let text = r#"{"a":[1,-2,3.5,true,null],"b":{"a":"\u0063"}}"#;
        let written = serde_json::to_string(&read(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(written, r#"{"a":[1,-2,3.5,true,null],"b":{"a":"c"}}"#);
        assert!(read(b" {} ").is_some_and(|members| members.is_empty()));
    }

    #[test]
    fn a_name_that_stands_twice_leaves_nothing() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":{"a":1,"a":2}}"#,
            r#"{"b":[[{"a":1,"a":2}]]}"#,
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_leaves_nothing() {
        for text in [
            "",
            "1",
            "[]",
            "null",
            "\"a\"",
            "{} {}",
            "{}x",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":NaN}",
            "{\"a\":\"\n\"}",
            "\u{feff}{}",
        ] {
            assert!(read(text.as_bytes()).is_none(), "{text:?}");
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_none());
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(read(deep.as_bytes()).is_none());
    }
}
