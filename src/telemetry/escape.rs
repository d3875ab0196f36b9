//! Makes text from outside safe in a log: one event stays one line, a terminal obeys nothing
//! in it, and no reader is shown its letters in another order than they have.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io;

/// Whether `sign` could break a line, steer a terminal or reorder what a reader sees.
const fn is_dangerous(sign: char) -> bool {
    matches!(sign,
        // C0, DEL and C1: line breaks, escape sequences.
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}'
        // Signs without width, and those that turn the direction of text.
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{061c}' | '\u{feff}'
        // Soft hyphens, marks of annotation and tags, which no reader sees.
        | '\u{ad}' | '\u{180e}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with what is dangerous written as `\u{…}`, cut after `limit` signs.
pub(crate) fn shown(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit && is_plain(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len().min(limit));
    let mut signs = text.chars();
    for sign in signs.by_ref().take(limit) {
        if is_dangerous(sign) {
            safe.extend(sign.escape_unicode());
        } else {
            safe.push(sign);
        }
    }
    if signs.next().is_some() {
        safe.push('…');
    }
    Cow::Owned(safe)
}

/// Whether there is nothing in it but signs of ASCII that can be printed. There is no early end,
/// so that many bytes are looked at in one step.
fn is_plain(text: &[u8]) -> bool {
    text.iter().fold(true, |plain, byte| plain & matches!(byte, 0x20..=0x7e))
}

/// `text` with what is dangerous written as JSON knows it too, `\uXXXX`: in a text of JSON, where
/// such signs stand in strings alone, the value stays the same.
pub(crate) fn on_one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 32);
    for sign in text.chars() {
        if is_dangerous(sign) {
            for unit in sign.encode_utf16(&mut [0; 2]) {
                let _ = write!(line, "\\u{unit:04x}");
            }
        } else {
            line.push(sign);
        }
    }
    line
}

/// A writer of whole log events that keeps each on one line, whatever it was made from.
/// It is the last guard: an event that forgot [`shown`] is still one line.
#[derive(Debug)]
pub(crate) struct OneLine<W> {
    to: W,
    around: Around,
}

/// What stands in each line besides its event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Around {
    /// In the place of the event's first letter.
    first: String,
    /// After its last one.
    last: String,
}

impl Around {
    /// The name of the gateway in a line of JSON. It is made of letters that need no escaping.
    pub(crate) fn json(node: &str) -> Self {
        Self { first: format!("{{\"node\":\"{node}\","), last: String::new() }
    }

    /// A line of an event in which nothing can be dangerous, as nearly all are; nothing where
    /// somebody has to look at each sign.
    fn plainly(&self, event: &[u8]) -> Option<Vec<u8>> {
        let body = event.strip_suffix(b"\n").unwrap_or(event);
        if !is_plain(body) {
            return None;
        }
        let body =
            if self.first.is_empty() { body } else { body.strip_prefix(b"{").unwrap_or(body) };
        Some([self.first.as_bytes(), body, self.last.as_bytes(), b"\n"].concat())
    }

    /// The same in a line of text.
    pub(crate) fn text(node: &str) -> Self {
        Self { first: String::new(), last: format!(" node={node}") }
    }
}

impl<W> OneLine<W> {
    pub(crate) const fn new(to: W, around: Around) -> Self {
        Self { to, around }
    }
}

impl<W: io::Write> io::Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if let Some(line) = self.around.plainly(event) {
            self.to.write_all(&line)?;
            return Ok(event.len());
        }
        let text = String::from_utf8_lossy(event);
        let body = text.strip_suffix('\n').unwrap_or(&text);
        let Around { first, last } = &self.around;
        let body = if first.is_empty() { body } else { body.strip_prefix('{').unwrap_or(body) };
        let line = match body.contains(is_dangerous) {
            true => format!("{first}{}{last}\n", on_one_line(body)),
            false => format!("{first}{body}{last}\n"),
        };
        self.to.write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn written(event: &str) -> String {
        let mut bytes = Vec::new();
        OneLine::new(&mut bytes, Around::default()).write_all(event.as_bytes()).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_text_stays_as_it_is() {
        assert_eq!(shown("/wiki/Zoë?", 100), "/wiki/Zoë?");
        assert_eq!(written("{\"path\":\"/wiki\"}\n"), "{\"path\":\"/wiki\"}\n");
    }

    #[test]
    fn line_breaks_escapes_and_reordering_are_spelled_out() {
        assert_eq!(shown("a\n\u{1b}[2Jb\u{202e}c", 100), "a\\u{a}\\u{1b}[2Jb\\u{202e}c");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        let long = "x".repeat(100_000);
        assert_eq!(shown(&long, 64), format!("{}…", "x".repeat(64)));
        assert_eq!(shown("abc", 3), "abc");
    }

    #[test]
    fn an_event_with_line_breaks_is_written_as_one_line() {
        let line = written("user a\n{\"event\":\"mfa_success\"}\u{1b}[31m\u{9b}\n");
        assert_eq!(line, "user a\\u000a{\"event\":\"mfa_success\"}\\u001b[31m\\u009b\n");
    }

    #[test]
    fn an_escaped_event_is_still_the_same_json() {
        let line = written("{\"name\":\"a\u{202e}b\u{7f}\u{e0041}\"}\n");
        assert!(line.is_ascii(), "{line}");
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(parsed["name"], "a\u{202e}b\u{7f}\u{e0041}");
    }
}
