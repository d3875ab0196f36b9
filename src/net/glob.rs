//! Patterns in which `*` stands for any run of characters, for cookie names and Locations.

use std::fmt;

/// A pattern with `*`. Matching takes time linear in the text for each star and never
/// backtracks further than the last one, so no input makes it slow.
#[derive(Clone, PartialEq, Eq)]
pub struct Glob {
    pattern: String,
    has_star: bool,
}

impl Glob {
    /// Takes any text; without `*` it matches itself alone.
    pub fn new(pattern: impl Into<String>) -> Self {
        let pattern = pattern.into();
        Self { has_star: pattern.contains('*'), pattern }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// Whether the whole of `text` fits.
    pub fn matches(&self, text: &str) -> bool {
        if !self.has_star {
            return text == self.pattern;
        }
        let mut pieces = self.pattern.split('*');
        let Some(rest) = pieces.next().and_then(|first| text.strip_prefix(first)) else {
            return false;
        };
        let mut rest = rest;
        let mut pieces = pieces.peekable();
        if pieces.peek().is_none() {
            return rest.is_empty();
        }
        while let Some(piece) = pieces.next() {
            if pieces.peek().is_none() {
                return rest.ends_with(piece);
            }
            let Some((_, after)) = rest.split_once(piece) else {
                return false;
            };
            rest = after;
        }
        true
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Glob({})", self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::Glob;

    fn check(pattern: &str, yes: &[&str], no: &[&str]) {
        let glob = Glob::new(pattern);
        for text in yes {
            assert!(glob.matches(text), "{pattern} should match {text}");
        }
        for text in no {
            assert!(!glob.matches(text), "{pattern} should not match {text}");
        }
    }

    #[test]
    fn a_pattern_without_a_star_matches_itself_alone() {
        check("sessionid", &["sessionid"], &["sessionid2", "session", "", "xsessionid"]);
        check("", &[""], &["a"]);
    }

    #[test]
    fn a_star_stands_for_any_run() {
        check("DW*", &["DW", "DW68700bfd"], &["dw1", "xDW"]);
        check("*", &["", "anything"], &[]);
        check("/login*", &["/login", "/login?next=/"], &["/admin/login"]);
        check("*fail*", &["fail", "a fail b"], &["fai"]);
        check("a*b*c", &["abc", "a1b2c", "abbcc"], &["acb", "ab", "abcd"]);
    }

    #[test]
    fn pieces_do_not_overlap() {
        check("ab*ba", &["abba", "abxba"], &["aba"]);
    }
}
