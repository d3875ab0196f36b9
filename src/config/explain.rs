//! Says in plain words what serde found wrong. A value is never repeated: it may be a
//! secret that stands in the wrong place.

use serde_yaml::Value;

use super::key_path::KeyPath;
use super::later;

/// Whether serde complains about a key, not about its value.
pub(super) fn is_unknown_key(message: &str) -> bool {
    message.starts_with("unknown field ")
}

/// What is wrong at the key and how to mend it.
pub(super) fn sentence(key: &KeyPath, found: Option<&Value>, message: &str) -> String {
    if is_unknown_key(message) {
        return unknown_key(key, &words(message));
    }
    if message.starts_with("unknown variant ") {
        return unknown_word(key, found, &words(message));
    }
    if message.starts_with("invalid ") {
        return wrong_kind(found, expected(message));
    }
    // Readers of ours say what is wrong and how to mend it themselves.
    message.to_owned()
}

fn unknown_key(key: &KeyPath, known: &[&str]) -> String {
    let name = key.last_key().unwrap_or_default();
    if later::comes(key) {
        return "is not known yet in this version; remove it".to_owned();
    }
    let promised = later::siblings(key);
    match nearest(name, known.iter().copied().chain(promised.iter().map(String::as_str))) {
        Some(near) if known.contains(&near) => {
            format!("is not a known key; did you mean '{near}'?")
        }
        Some(near) => {
            format!("is not a known key, and '{near}' is not known yet in this version; remove it")
        }
        None => format!("is not a known key; remove it, or use one of {}", known.join(", ")),
    }
}

fn unknown_word(key: &KeyPath, found: Option<&Value>, known: &[&str]) -> String {
    let word = found.and_then(Value::as_str).unwrap_or_default();
    let choice = known.join(" or ");
    if later::is_word(key, word) {
        return format!("'{word}' is not known yet in this version; write {choice}");
    }
    match nearest(word, known.iter().copied()) {
        Some(near) => format!("is not a word that is known here; did you mean '{near}'?"),
        None => format!("is not a word that is known here; write {choice}"),
    }
}

fn wrong_kind(found: Option<&Value>, expected: &str) -> String {
    let found = match found {
        None | Some(Value::Null) => "nothing",
        Some(Value::Bool(_)) => "true or false",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Sequence(_)) => "a list",
        Some(Value::Mapping(_)) => "a mapping",
        Some(Value::Tagged(_)) => "a tagged value",
    };
    let (wanted, mend) = match expected {
        "a string" if matches!(found, "a number" | "true or false") => {
            ("a text", "put it in quotes".to_owned())
        }
        "a string" => ("a text", "write one text".to_owned()),
        "a sequence" => ("a list", "write it in [ ]".to_owned()),
        "a boolean" => ("true or false", "write true or false".to_owned()),
        "a mapping" => ("a mapping", "write its keys below it, indented".to_owned()),
        "u64" => ("a whole number", "write digits alone".to_owned()),
        // What the reader of values calls the words of an enum.
        "a Value::Tagged enum" => ("a word", "write one word".to_owned()),
        other if found == "a number" && other.contains("such as") => {
            (other, "give it a unit".to_owned())
        }
        other => (other, format!("write {other}")),
    };
    format!("{found} stands where {wanted} belongs; {mend}")
}

/// The words in backticks after serde's "expected".
fn words(message: &str) -> Vec<&str> {
    expected(message).split('`').skip(1).step_by(2).collect()
}

/// What serde says it expected. The found value comes before it and may hold the same
/// word, so the last one counts.
fn expected(message: &str) -> &str {
    message.rsplit_once(", expected ").map_or("", |(_, expected)| expected)
}

/// The known word that a slip of the fingers turned into `word`.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let slips = (word.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= slips && *distance < candidate.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_slip_of_the_fingers_is_near() {
        let known = ["hosts", "upstreams", "identity", "public"];
        let near = |word| nearest(word, known.into_iter());
        assert_eq!(near("host"), Some("hosts"));
        assert_eq!(near("upstream"), Some("upstreams"));
        assert_eq!(near("pubilc"), Some("public"));
        assert_eq!(near("Public"), Some("public"));
        assert_eq!(near("x"), None);
        assert_eq!(near("password"), None);
    }
}
