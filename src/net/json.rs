//! JSON that every reader reads alike, looked at in one place only: a pointer (RFC 6901) into
//! a text in which no key comes twice. Nothing else of the text is copied or kept.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// How deep lists and objects may stand in each other.
const DEEPEST: usize = 32;

/// The place of a value in a JSON text: `/user/name`.
#[derive(Clone, PartialEq, Eq)]
pub struct JsonPointer {
    tokens: Vec<String>,
}

impl JsonPointer {
    /// Reads a pointer to something below the whole.
    pub fn parse(text: &str) -> Option<Self> {
        let tokens = text.strip_prefix('/')?.split('/').map(unescaped);
        let tokens: Option<Vec<String>> = tokens.collect();
        tokens.filter(|tokens| tokens.len() < DEEPEST).map(|tokens| Self { tokens })
    }

    /// The keys on the way to the value.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }
}

/// `~1` is a slash and `~0` a tilde (RFC 6901 section 3).
fn unescaped(token: &str) -> Option<String> {
    let mut pieces = token.split('~');
    let mut text = pieces.next()?.to_owned();
    for piece in pieces {
        let (sign, rest) = match (piece.strip_prefix('0'), piece.strip_prefix('1')) {
            (Some(rest), _) => ('~', rest),
            (None, Some(rest)) => ('/', rest),
            (None, None) => return None,
        };
        text.push(sign);
        text.push_str(rest);
    }
    Some(text)
}

impl fmt::Display for JsonPointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for token in &self.tokens {
            write!(out, "/{}", token.replace('~', "~0").replace('/', "~1"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for JsonPointer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "JsonPointer({self})")
    }
}

/// What stands at a place.
#[derive(PartialEq)]
pub enum Found<'a> {
    /// Nothing.
    Absent,
    /// A text, without its escapes.
    Text(Cow<'a, str>),
    /// A number.
    Number(serde_json::Number),
    /// `true` or `false`.
    Bool(bool),
    /// `null`, a list or an object.
    Other,
}

/// The text is no JSON that has one reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no JSON with one reading")]
pub struct Unclear;

/// Looks up a place. `is_reading` tells whether some reader may take the first key for the
/// second; where one on the way is such a double without being the same, all is unclear.
///
/// # Errors
/// [`Unclear`] for what is no JSON in UTF-8 to its last byte, nests deeper than 32, or has a
/// key twice in one object, anywhere.
pub fn find<'a>(
    text: &'a [u8],
    pointer: &JsonPointer,
    is_reading: fn(&str, &str) -> bool,
) -> Result<Found<'a>, Unclear> {
    let text = std::str::from_utf8(text).map_err(|_| Unclear)?;
    let mut found = Found::Absent;
    let walk = Walk { left: Some(&pointer.tokens), depth: 0, is_reading, found: &mut found };
    let mut reader = serde_json::Deserializer::from_str(text);
    walk.deserialize(&mut reader).map_err(|_| Unclear)?;
    reader.end().map_err(|_| Unclear)?;
    Ok(found)
}

/// The keys of the outermost object; none when it is something else.
///
/// # Errors
/// As [`find`].
pub fn keys(text: &[u8]) -> Result<Vec<String>, Unclear> {
    let text = std::str::from_utf8(text).map_err(|_| Unclear)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let keys = reader.deserialize_any(Keys).map_err(|_| Unclear)?;
    reader.end().map_err(|_| Unclear)?;
    Ok(keys)
}

/// One value, which is on the way to the place when something is left of the pointer.
struct Walk<'p, 'f, 'a> {
    left: Option<&'p [String]>,
    depth: usize,
    is_reading: fn(&str, &str) -> bool,
    found: &'f mut Found<'a>,
}

impl<'a> Walk<'_, '_, 'a> {
    fn is_there(&self) -> bool {
        self.left.is_some_and(<[String]>::is_empty)
    }

    fn keep(self, value: Found<'a>) {
        if self.is_there() {
            *self.found = value;
        }
    }
}

impl<'a> DeserializeSeed<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Walk<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.keep(Found::Other);
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.keep(Found::Bool(value));
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.keep(Found::Number(value.into()));
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.keep(Found::Number(value.into()));
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        let number = serde_json::Number::from_f64(value);
        self.keep(number.map_or(Found::Other, Found::Number));
        Ok(())
    }

    fn visit_borrowed_str<E: Error>(self, value: &'a str) -> Result<(), E> {
        self.keep(Found::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        if self.is_there() {
            *self.found = Found::Text(Cow::Owned(value.to_owned()));
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut list: A) -> Result<(), A::Error> {
        let Self { left, depth, is_reading, found } = self;
        let depth = deeper(depth)?;
        if left.is_some_and(<[String]>::is_empty) {
            *found = Found::Other;
        }
        let wanted = left.and_then(<[String]>::split_first);
        let mut index = 0_usize;
        loop {
            let here = wanted.filter(|(token, _)| **token == index.to_string());
            let left = here.map(|(_, rest)| rest);
            let walk = Walk { left, depth, is_reading, found: &mut *found };
            if list.next_element_seed(walk)?.is_none() {
                return Ok(());
            }
            index += 1;
        }
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<(), A::Error> {
        let Self { left, depth, is_reading, found } = self;
        let depth = deeper(depth)?;
        if left.is_some_and(<[String]>::is_empty) {
            *found = Found::Other;
        }
        let wanted = left.and_then(<[String]>::split_first);
        let mut known: HashSet<Cow<'a, str>> = HashSet::new();
        while let Some(Key(key)) = object.next_key_seed(KeySeed)? {
            let same = wanted.filter(|(token, _)| **token == key);
            if wanted.is_some_and(|(token, _)| same.is_none() && is_reading(&key, token)) {
                return Err(A::Error::custom("a key that may be taken for another"));
            }
            if !known.insert(key) {
                return Err(A::Error::custom("a key comes twice"));
            }
            let left = same.map(|(_, rest)| rest);
            object.next_value_seed(Walk { left, depth, is_reading, found: &mut *found })?;
        }
        Ok(())
    }
}

fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth < DEEPEST { Ok(depth + 1) } else { Err(E::custom("too deep")) }
}

/// A key, borrowed unless it has escapes.
struct Key<'a>(Cow<'a, str>);

struct KeySeed;

impl<'a> DeserializeSeed<'a> for KeySeed {
    type Value = Key<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Key<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for KeySeed {
    type Value = Key<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_borrowed_str<E: Error>(self, key: &'a str) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Borrowed(key)))
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Key<'a>, E> {
        Ok(Key(Cow::Owned(key.to_owned())))
    }
}

struct Keys;

impl<'a> Visitor<'a> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut object: A) -> Result<Vec<String>, A::Error> {
        let mut keys = Vec::new();
        while let Some(Key(key)) = object.next_key_seed(KeySeed)? {
            keys.push(key.into_owned());
            object.next_value::<serde::de::IgnoredAny>()?;
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests;
