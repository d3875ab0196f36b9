//! Where each key of a YAML text stands. The reader of values gives no positions, so the
//! text is walked a second time, which also finds what that reader would pass over:
//! duplicate keys, tags, and keys that are no plain text.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use saphyr_parser::{Event, Marker, Parser, Span, Tag};

use super::key_path::KeyPath;

/// A line and a column, counted from one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Position {
    /// Where every file begins.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl From<&Marker> for Position {
    fn from(marker: &Marker) -> Self {
        Self { line: marker.line().max(1), column: marker.col() + 1 }
    }
}

/// The place of each key and element.
#[derive(Debug, Default)]
pub(super) struct Positions {
    known: HashMap<KeyPath, Position>,
}

impl Positions {
    /// Where the key stands, or else the nearest thing that it would be a part of.
    pub(super) fn of(&self, key: &KeyPath) -> Position {
        let mut key = key.clone();
        loop {
            if let Some(position) = self.known.get(&key) {
                return *position;
            }
            match key.parent() {
                Some(parent) => key = parent,
                None => return Position::START,
            }
        }
    }
}

/// What a walk found wrong, with its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Oddity {
    pub(super) position: Position,
    pub(super) key: KeyPath,
    pub(super) sentence: String,
}

/// Walks the text. When it is no YAML at all, the last oddity says so and the positions
/// reach as far as the walk came.
pub(super) fn walk(text: &str) -> (Positions, Vec<Oddity>) {
    let mut walk = Walk::default();
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => walk.meet(&event, span),
            Err(error) => {
                let sentence = format!("is not YAML: {}; mend this line", error.info());
                walk.odd(Position::from(error.marker()), KeyPath::root(), sentence);
                break;
            }
        }
    }
    (walk.positions, walk.oddities)
}

/// A mapping or sequence that has begun and not ended.
enum Open {
    Mapping { at: KeyPath, value_of: Option<KeyPath> },
    Sequence { at: KeyPath, next: usize },
}

#[derive(Default)]
struct Walk {
    positions: Positions,
    oddities: Vec<Oddity>,
    open: Vec<Open>,
}

impl Walk {
    fn meet(&mut self, event: &Event<'_>, span: Span) {
        let position = Position::from(&span.start);
        match event {
            Event::Scalar(text, _, _, tag) => {
                let at = self.place(position, Some(text));
                self.refuse_tag(position, at, tag.as_ref());
            }
            Event::Alias(_) => {
                self.place(position, None);
            }
            Event::MappingStart(_, tag) => {
                let at = self.place(position, None);
                self.refuse_tag(position, at.clone(), tag.as_ref());
                self.open.push(Open::Mapping { at, value_of: None });
            }
            Event::SequenceStart(_, tag) => {
                let at = self.place(position, None);
                self.refuse_tag(position, at.clone(), tag.as_ref());
                self.open.push(Open::Sequence { at, next: 0 });
            }
            Event::MappingEnd | Event::SequenceEnd => {
                self.open.pop();
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => {}
        }
    }

    /// Finds what the node that begins here is a part of, and notes where it stands. A
    /// value is found at its key: that is the place to which a reader has to go.
    fn place(&mut self, position: Position, scalar: Option<&str>) -> KeyPath {
        match self.open.last_mut() {
            None => KeyPath::root(),
            Some(Open::Sequence { at, next }) => {
                let element = at.index(*next);
                *next += 1;
                self.positions.known.insert(element.clone(), position);
                element
            }
            Some(Open::Mapping { value_of, .. }) if value_of.is_some() => {
                value_of.take().unwrap_or_default()
            }
            Some(Open::Mapping { at, value_of }) => {
                let key = at.key(scalar.unwrap_or("?"));
                *value_of = Some(key.clone());
                self.place_key(position, &key, scalar.is_some());
                key
            }
        }
    }

    fn place_key(&mut self, position: Position, key: &KeyPath, is_scalar: bool) {
        if !is_scalar {
            let sentence = "a key is not plain text; write the key out".to_owned();
            self.odd(position, key.clone(), sentence);
            return;
        }
        match self.positions.known.entry(key.clone()) {
            Entry::Vacant(vacant) => {
                vacant.insert(position);
            }
            Entry::Occupied(first) => {
                let line = first.get().line;
                let sentence = format!("is there twice, first on line {line}; remove one");
                self.odd(position, key.clone(), sentence);
            }
        }
    }

    fn refuse_tag(&mut self, position: Position, at: KeyPath, tag: Option<&Cow<'_, Tag>>) {
        if tag.is_some() {
            self.odd(position, at, "has a YAML tag; remove the word that starts with '!'".into());
        }
    }

    fn odd(&mut self, position: Position, key: KeyPath, sentence: String) {
        self.oddities.push(Oddity { position, key, sentence });
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyPath, Position, walk};

    fn place(text: &str, key: &KeyPath) -> (usize, usize) {
        let (positions, oddities) = walk(text);
        assert_eq!(oddities, []);
        let Position { line, column } = positions.of(key);
        (line, column)
    }

    #[test]
    fn keys_and_elements_have_their_place() {
        let text = "a: 1\nb:\n  c: [x, {d: 2}]\n  é: x\n";
        let b = KeyPath::root().key("b");
        assert_eq!(place(text, &KeyPath::root().key("a")), (1, 1));
        assert_eq!(place(text, &b.key("c")), (3, 3));
        assert_eq!(place(text, &b.key("c").index(0)), (3, 7));
        assert_eq!(place(text, &b.key("c").index(1).key("d")), (3, 11));
        assert_eq!(place(text, &b.key("é")), (4, 3));
    }

    #[test]
    fn what_is_absent_is_placed_at_the_nearest_thing_above_it() {
        let text = "b:\n  c: 1\n";
        assert_eq!(place(text, &KeyPath::root().key("b").key("x").index(3)), (1, 1));
        assert_eq!(place("\n\n a: 1", &KeyPath::root().key("x")), (1, 1));
    }

    #[test]
    fn the_parts_of_an_alias_are_placed_at_the_alias() {
        let text = "a: &x {d: 1}\nb: *x\n";
        assert_eq!(place(text, &KeyPath::root().key("b").key("d")), (2, 1));
    }

    fn oddities(text: &str) -> Vec<String> {
        let found = walk(text).1;
        found
            .iter()
            .map(|odd| format!("{} {}: {}", odd.position.line, odd.key, odd.sentence))
            .collect()
    }

    #[test]
    fn what_a_lenient_reader_would_pass_over_is_found() {
        assert_eq!(
            oddities("a: 1\n'a': 2\n"),
            ["2 a: is there twice, first on line 1; remove one"]
        );
        assert_eq!(oddities("a: {b: 1}\n? [x, y]\n: 2\n").len(), 1);
        assert_eq!(oddities("a: &x b\n*x : 2\n").len(), 1);
        assert_eq!(oddities("a: !secret x\n").len(), 1);
    }

    #[test]
    fn broken_yaml_is_an_oddity_with_its_line() {
        let found = oddities("a: 1\nb: [1,\nc: 2\n");
        assert!(found.iter().any(|odd| odd.contains("is not YAML")), "{found:?}");
    }
}
