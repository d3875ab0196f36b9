//! Regular expressions that whole names have to fit. Each is compiled once in one reading, however
//! many portals write it: most have the same one, and thousands of copies cost seconds and memory.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;

/// What became of each text.
#[derive(Default)]
pub(super) struct Patterns(RefCell<HashMap<String, Outcome>>);

/// A pattern, or what is wrong with it and how to mend that.
pub(super) type Outcome = Result<Pattern, (String, &'static str)>;

/// A pattern that takes whole names.
#[derive(Clone)]
pub(super) struct Pattern {
    pub(super) regex: Regex,
    /// Whether it takes names that look alike to people or are one name to many portals.
    pub(super) is_wide: bool,
}

impl Patterns {
    /// The pattern that `text` is.
    pub(super) fn of(&self, text: &str) -> Outcome {
        let mut known = self.0.borrow_mut();
        known.entry(text.to_owned()).or_insert_with(|| whole(text)).clone()
    }
}

/// What becomes of `text`. It is anchored at both ends, and has to be whole before that, or a
/// stray bracket would end the anchored part early.
pub(super) fn whole(text: &str) -> Outcome {
    let compiled = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
    let regex = compiled.map_err(|error| {
        // The error draws a picture over several lines; its last one says it.
        let text = error.to_string();
        let reason = text.lines().last().unwrap_or_default().trim();
        let reason = reason.strip_prefix("error: ").unwrap_or(reason);
        (format!("is not a regular expression: {reason}"), "mend it")
    })?;
    if regex.is_match("") {
        let what = "takes an empty name, which every empty form would give".to_owned();
        return Err((what, "ask for one character at least, with '+' or {1,128}"));
    }
    let is_wide = is_wide(&regex);
    Ok(Pattern { regex, is_wide })
}

fn is_wide(regex: &Regex) -> bool {
    let twins = ["alice bob", "alice,bob", "\u{ff21}lice", "alice\u{200b}", "alice|bob", "<b>"];
    let long = "a".repeat(4096);
    let taken = twins.into_iter().chain([long.as_str()]).filter(|name| regex.is_match(name));
    taken.count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_pattern_each_time() {
        let patterns = Patterns::default();
        for _ in 0..2 {
            let narrow = patterns.of("[a-z]+").unwrap();
            assert!(narrow.regex.is_match("alice") && !narrow.regex.is_match("alice bob"));
            assert!(!narrow.is_wide);
            assert!(patterns.of(".+").unwrap().is_wide);
            assert!(patterns.of("a)(b").is_err_and(|(what, _)| what.contains("not a regular")));
            assert!(patterns.of("a*").is_err_and(|(what, _)| what.contains("empty name")));
        }
    }
}
