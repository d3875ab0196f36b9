//! Patterns over the segments of a path, as public paths and rules are written. A pattern is
//! no regular expression: every sign but a star stands for itself, and both ends are fixed.

use std::fmt;

use super::{RequestPath, is_canonical};
use crate::net::cut;

/// No path that anybody writes down is deeper.
const DEEPEST: usize = 64;

/// A rule over whole segments: `*` stands for one, `**` for any number. At the end `**` is at
/// least one, which may be empty: `/lib/**` is all below `/lib/`. Once it may stand before
/// the end, and is none there too: `/**/edit` is `/edit` and `/a/b/edit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathPattern {
    segments: Vec<Segment>,
}

/// What a segment of a path has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// This one, letter by letter.
    Exactly(String),
    /// Any one that is not empty.
    One,
    /// Any number of them.
    Many,
}

/// As it was written.
impl fmt::Display for PathPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.segments.iter().try_for_each(|segment| match segment {
            Segment::Exactly(text) => write!(out, "/{text}"),
            Segment::One => out.write_str("/*"),
            Segment::Many => out.write_str("/**"),
        })
    }
}

impl PathPattern {
    /// Reads `/lib/**`, `/a/*/b`, `/**/edit` or `/robots.txt`.
    ///
    /// # Errors
    /// A sentence that says what is wrong and how to mend it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(body) = text.strip_prefix('/') else {
            return Err(format!("'{text}' does not start with a slash; write '/{text}'"));
        };
        if !is_canonical(text) {
            return Err(format!(
                "'{text}' is not canonical, so no request would match it; leave out '//', '.', \
                 '..', ';', backslashes and escaped characters that need no escape"
            ));
        }
        let segments: Vec<Segment> = body.split('/').map(Segment::read).collect();
        if segments.len() > DEEPEST {
            return Err(format!("has more than {DEEPEST} segments; write '**' for the last ones"));
        }
        if segments.iter().any(Segment::has_a_star_inside) {
            return Err(format!(
                "'{text}' has a star inside a segment; '*' stands for one whole segment and '**' \
                 for any number of them"
            ));
        }
        refuse_idle_stars(text, &segments)?;
        Ok(Self { segments })
    }

    /// Its segments in their order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether a canonical path fits. An ambiguous path fits no rule that opens.
    pub fn matches(&self, path: &RequestPath) -> bool {
        path.canonical().is_some_and(|path| self.matches_canonical(path))
    }

    /// Whether a path fits that is known to be canonical.
    pub(crate) fn matches_canonical(&self, path: &str) -> bool {
        fits(&self.segments, Some(path.strip_prefix('/').unwrap_or(path)))
    }
}

impl Segment {
    fn read(text: &str) -> Self {
        match text {
            "*" => Self::One,
            "**" => Self::Many,
            _ => Self::Exactly(text.to_owned()),
        }
    }

    fn has_a_star_inside(&self) -> bool {
        matches!(self, Self::Exactly(text) if text.contains('*'))
    }
}

/// One `**` before the end keeps matching linear, and more say nothing that one does not.
fn refuse_idle_stars(text: &str, segments: &[Segment]) -> Result<(), String> {
    let before_end = segments.len().saturating_sub(1);
    let many = segments.iter().take(before_end).filter(|segment| **segment == Segment::Many);
    if many.count() > 1 {
        return Err(format!("'{text}' has '**' twice before its end; write two patterns"));
    }
    let ends_idle = match segments {
        [.., Segment::Many, Segment::Many] => true,
        [.., Segment::Many, Segment::Exactly(last)] => last.is_empty(),
        _ => false,
    };
    if ends_idle {
        return Err(format!("'{text}' goes on behind '**' with nothing; end it with one '**'"));
    }
    Ok(())
}

/// The first segment, and what comes behind it, if anything does.
pub(crate) fn first_segment(path: &str) -> (&str, Option<&str>) {
    cut(path, b'/')
}

/// Whether the rest of a path is as wanted; nothing is left of it after its last segment.
fn fits(wanted: &[Segment], given: Option<&str>) -> bool {
    let mut given = given;
    let mut wanted = wanted.iter();
    while let Some(segment) = wanted.next() {
        let Some(rest) = given else {
            return false;
        };
        let (first, after) = first_segment(rest);
        let fits_here = match segment {
            Segment::Exactly(text) => text == first,
            Segment::One => !first.is_empty(),
            Segment::Many => return fits_behind_many(wanted.as_slice(), rest),
        };
        if !fits_here {
            return false;
        }
        given = after;
    }
    given.is_none()
}

/// There is one `**` before the end at most, so this goes along the path once.
fn fits_behind_many(wanted: &[Segment], rest: &str) -> bool {
    let mut given = Some(rest);
    while let Some(rest) = given {
        if wanted.is_empty() || fits(wanted, given) {
            return true;
        }
        given = first_segment(rest).1;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{PathPattern, RequestPath};

    fn matches(pattern: &str, path: &str) -> bool {
        let parsed = PathPattern::parse(pattern).unwrap();
        assert_eq!(parsed.to_string(), pattern);
        parsed.matches(&RequestPath::parse(path).unwrap())
    }

    #[test]
    fn stars_stand_for_whole_segments() {
        assert!(matches("/lib/**", "/lib/a"));
        assert!(matches("/lib/**", "/lib/a/b.css"));
        assert!(matches("/lib/**", "/lib/"));
        assert!(!matches("/lib/**", "/lib"));
        assert!(!matches("/lib/**", "/library/a"));
        assert!(matches("/a/*/c", "/a/b/c"));
        assert!(!matches("/a/*/c", "/a//c"));
        assert!(!matches("/a/*/c", "/a/b/b/c"));
        assert!(matches("/robots.txt", "/robots.txt"));
        assert!(!matches("/robots.txt", "/robots.txt/"));
        assert!(!matches("/robots.txt", "/ROBOTS.TXT"));
        assert!(matches("/**", "/"));
        assert!(matches("/**", "/anything/at/all"));
    }

    #[test]
    fn two_stars_in_the_middle_stand_for_any_number() {
        for path in ["/edit", "/a/edit", "/a/b/edit", "/edit/edit"] {
            assert!(matches("/**/edit", path), "{path}");
        }
        for path in ["/", "/edits", "/edit/", "/edit/x", "/a/xedit"] {
            assert!(!matches("/**/edit", path), "{path}");
        }
        assert!(matches("/a/**/b/*/c", "/a/b/b/b/c"));
        assert!(!matches("/a/**/b/*/c", "/a/b/c"));
        assert!(matches("/a/**/b/**", "/a/x/b/y"));
        assert!(matches("/a/**/b/**", "/a/b/"));
        assert!(!matches("/a/**/b/**", "/a/x/b"));
        assert!(!matches("/a/**/b/**", "/b/b/b"));
    }

    #[test]
    fn an_ambiguous_path_fits_no_pattern() {
        for path in ["/lib/../a", "/lib/%2e%2e/a", "/lib//a", "/lib/a;b", "/lib/..%2fa"] {
            assert!(!matches("/lib/**", path), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_could_never_match_is_refused_with_a_mend() {
        let stars = ["/a*b", "/***", "/**/a/**/b", "/a/**/**", "/a/**/"];
        for pattern in ["lib/**", "//a", "/a/../b", "/a;b"].into_iter().chain(stars) {
            let fault = PathPattern::parse(pattern).unwrap_err();
            assert!(fault.contains(pattern), "{fault}");
        }
        assert!(PathPattern::parse(&"/a".repeat(64)).is_ok());
        assert!(PathPattern::parse(&"/a".repeat(65)).is_err());
    }
}
