//! A YAML text as values, before any of them means something. Of a key that is there
//! twice the first is kept; the walk of [`super::position`] has told of the second.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Mapping, Number, Value};

use super::key_path::{KeyPath, Segment};

/// All values of a file.
pub(super) struct Tree {
    root: Value,
}

impl Tree {
    /// Reads the text; an empty one is an empty mapping.
    ///
    /// # Errors
    /// When it is no YAML, or holds more than one document.
    pub(super) fn parse(text: &str) -> Result<Self, serde_yaml::Error> {
        let Node(root) = serde_yaml::from_str(text)?;
        Ok(Self { root: if root.is_null() { Mapping::new().into() } else { root } })
    }

    /// The values, to be deserialised.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The value at a key.
    pub(super) fn find(&self, key: &KeyPath) -> Option<&Value> {
        key.segments().iter().try_fold(&self.root, |value, segment| match segment {
            Segment::Key(key) => value.get(key.as_str()),
            Segment::Index(index) => value.get(*index),
        })
    }

    /// Puts nothing in the place of a value that has been found wrong, so that reading
    /// can go on behind it and elements keep their numbers. Gives whether that changed
    /// anything.
    pub(super) fn blank(&mut self, key: &KeyPath) -> bool {
        match self.find_mut(key) {
            Some(value) if !value.is_null() => {
                *value = Value::Null;
                true
            }
            Some(_) | None => false,
        }
    }

    /// Takes out a key that nobody knows. Gives whether it was there.
    pub(super) fn remove(&mut self, key: &KeyPath) -> bool {
        let (Some(parent), Some(last)) = (key.parent(), key.last_key()) else {
            return false;
        };
        let mapping = self.find_mut(&parent).and_then(Value::as_mapping_mut);
        mapping.is_some_and(|mapping| mapping.remove(last).is_some())
    }

    /// Puts a value under a key of the mapping at `at` that is not there yet. Gives whether
    /// that changed anything.
    pub(super) fn lend(&mut self, at: &KeyPath, key: &str, value: Value) -> bool {
        let mapping = self.find_mut(at).and_then(Value::as_mapping_mut);
        let Some(mapping) = mapping.filter(|mapping| !mapping.contains_key(key)) else {
            return false;
        };
        mapping.insert(Value::String(key.to_owned()), value);
        true
    }

    fn find_mut(&mut self, key: &KeyPath) -> Option<&mut Value> {
        key.segments().iter().try_fold(&mut self.root, |value, segment| match segment {
            Segment::Key(key) => value.get_mut(key.as_str()),
            Segment::Index(index) => value.get_mut(*index),
        })
    }

    /// Every key and element that has no value.
    pub(super) fn blanks(&self) -> Vec<KeyPath> {
        let mut blanks = Vec::new();
        collect_blanks(&self.root, &KeyPath::root(), &mut blanks);
        blanks
    }
}

fn collect_blanks(value: &Value, at: &KeyPath, blanks: &mut Vec<KeyPath>) {
    match value {
        Value::Null => blanks.push(at.clone()),
        Value::Sequence(elements) => {
            for (index, element) in elements.iter().enumerate() {
                collect_blanks(element, &at.index(index), blanks);
            }
        }
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                collect_blanks(value, &at.key(key.as_str().unwrap_or("?")), blanks);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Tagged(_) => {}
    }
}

struct Node(Value);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node(Value::Null))
    }

    // An empty text comes this way.
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node(Value::Number(Number::from(value))))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node(Value::Number(Number::from(value))))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node(Value::Number(Number::from(value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node(Value::String(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut given: A) -> Result<Node, A::Error> {
        let mut elements = Vec::new();
        while let Some(Node(element)) = given.next_element()? {
            elements.push(element);
        }
        Ok(Node(Value::Sequence(elements)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut given: A) -> Result<Node, A::Error> {
        let mut mapping = Mapping::new();
        while let Some(key) = given.next_key::<String>()? {
            let Node(value) = given.next_value()?;
            mapping.entry(Value::String(key)).or_insert(value);
        }
        Ok(Node(Value::Mapping(mapping)))
    }
}
